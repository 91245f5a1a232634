"""Where Slack sends what is pressed: the app's Request URL for interactivity.

Slack waits three seconds. What it has not signed is 401; all else is 200, and what
went wrong is said to the person who pressed.
"""

from typing import Any
from urllib.parse import parse_qs

import orjson
from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from issues.incidents import pressing
from issues.incidents.pressing import Reply
from tenants.channels import Access
from tenants.delivery.attempting import access_of
from tenants.models import Channel
from tenants.problems import MEDIA_TYPE, document
from tenants.refusals import Refusal
from tenants.secrets import SecretUnreadable
from tenants.slack_app import people
from tenants.slack_app.dialogs import told
from tenants.slack_app.line import Line
from tenants.slack_app.presses import Press, press_of
from tenants.slack_app.requests import NotFromSlack, channels_that_signed, is_new


@csrf_exempt
@require_POST
def slack_actions(request: HttpRequest) -> HttpResponse:
    """Check who sent it, do what was pressed, and answer."""
    now, signature = timezone.now(), request.headers.get("X-Slack-Signature", "")
    timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
    try:
        body = request.body
        channels = channels_that_signed(timestamp, signature, body, now)
    except RequestDataTooBig:
        return _problem(413, "The body is too large to come from Slack.")
    except NotFromSlack as refusal:
        return _problem(401, str(refusal))
    press = press_of(_payload(body))
    if press is None:
        return HttpResponse()
    return _answer(request, press, channels, signature)


def _payload(body: bytes) -> Any:
    """The JSON in the form's field ``payload``; None where there is none."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
        return orjson.loads(fields["payload"][0])
    except (ValueError, KeyError):
        return None


def _problem(status: int, detail: str) -> JsonResponse:
    return JsonResponse(
        document(status, detail), status=status, content_type=MEDIA_TYPE
    )


def _answer(
    request: HttpRequest, press: Press, channels: list[Channel], signature: str
) -> HttpResponse:
    line = _line(press, channels)
    person = people.account_of(press.team, press.slack_user, line)
    if person is None:
        reply = Reply(people.unknown(press))
    else:
        address = str(request.META.get("REMOTE_ADDR") or "")
        reply = _done(press, channels, person, line, signature, address)
    if press.is_dialog:
        return _answer_dialog(reply)
    if reply.dialog and not line.open(press.trigger_id, reply.dialog.view()):
        line.say(pressing.instead(press))
    elif reply.text:
        line.say(reply.text)
    return HttpResponse()


def _line(press: Press, channels: list[Channel]) -> Line:
    """To the app that signed: each of its channels holds the same token."""
    for channel in channels:
        try:
            return Line(access_of(channel), press.response_url)
        except SecretUnreadable:
            continue
    return Line(Access(), press.response_url)


def _done(
    press: Press,
    channels: list[Channel],
    person: User,
    line: Line,
    signature: str,
    address: str,
) -> Reply:
    """What came of a press; of a repeated request nothing does."""
    chosen = None
    if press.given.get("person"):
        chosen = people.account_of(press.team, press.given["person"], line)
    now = timezone.now()
    try:
        with transaction.atomic():
            if not is_new(signature, now):
                return Reply()
            return pressing.respond(
                press, channels, person, now, chosen=chosen, remote_addr=address
            )
    except Refusal as refusal:
        return Reply(f"Nothing was done: {refusal}")


def _answer_dialog(reply: Reply) -> HttpResponse:
    """Close it, or say in it what is wrong or came of it."""
    if reply.errors:
        return JsonResponse({"response_action": "errors", "errors": reply.errors})
    if reply.text:
        view = told("rush_monitor", reply.text)
        return JsonResponse({"response_action": "update", "view": view})
    return HttpResponse()
