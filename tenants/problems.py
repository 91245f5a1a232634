"""Errors of the API as problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """``{type, title, status, detail, errors?}`` as application/problem+json.

    ``errors`` maps each refused field to its messages.
    """
    response = exception_handler(error, context)
    if response is None:
        return None
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(response.status_code).phrase,
        "status": response.status_code,
    }
    if isinstance(error, exceptions.ValidationError):
        problem["detail"] = "The request is not valid; see errors."
        data = response.data
        problem["errors"] = data if isinstance(data, dict) else {"request": data}
    elif isinstance(response.data, dict):
        problem["detail"] = str(response.data.get("detail", ""))
    response.data = problem
    response.content_type = "application/problem+json"
    return response
