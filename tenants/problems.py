"""Errors of the API as problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from tenants.refusals import Refusal

MEDIA_TYPE = "application/problem+json"


class TooLarge(exceptions.APIException):
    """A body beyond the limit of the settings."""

    status_code = 413

    def __init__(self) -> None:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE >> 20
        super().__init__(f"The body is larger than {most} MiB: send less at once.")


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """``{type, title, status, detail, errors?}`` as application/problem+json.

    ``errors`` maps each refused field to its messages. What a step refuses is 400, a
    body that is too large 413; None for an error that is our own.
    """
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    elif isinstance(error, Refusal | SuspiciousOperation):
        error = exceptions.ParseError(str(error))
    response = exception_handler(error, context)
    if response is None:
        return None
    problem = document(response.status_code, "")
    if isinstance(error, exceptions.ValidationError):
        problem["detail"] = "The request is not valid; see errors."
        data = response.data
        problem["errors"] = data if isinstance(data, dict) else {"request": data}
    elif isinstance(response.data, dict):
        problem["detail"] = str(response.data.get("detail", ""))
    response.data = problem
    response.content_type = MEDIA_TYPE
    return response


def document(status: int, detail: str) -> dict[str, Any]:
    """The members that every problem has."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


@csrf_exempt
def no_such_path(request: HttpRequest) -> JsonResponse:
    """The answer to an API path that leads nowhere."""
    detail = f"There is no {request.path}. The paths are listed at /api/v1/docs/."
    return JsonResponse(document(404, detail), status=404, content_type=MEDIA_TYPE)


def our_fault(request: HttpRequest) -> JsonResponse:
    """The answer when an API call raised; the log has the traceback."""
    detail = "The server failed to answer; its log tells why."
    return JsonResponse(document(500, detail), status=500, content_type=MEDIA_TYPE)
