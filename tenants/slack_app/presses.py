"""Reads what Slack sends when a button is pressed or a dialog is submitted. Pure.

docs.slack.dev/reference/interaction-payloads: block_actions, view_submission.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenants.talks import part, parts


@dataclass(frozen=True, slots=True)
class Press:
    """One press: ``name`` and ``value`` are those of the message's Action.

    ``given`` holds what was entered into a dialog, by field; ``is_dialog`` says that it
    is one. ``team`` is the workspace of the user who pressed.
    """

    team: str
    slack_user: str
    name: str
    value: str
    is_dialog: bool = False
    trigger_id: str = ""
    response_url: str = ""
    given: Mapping[str, str] = field(default_factory=dict)


def press_of(payload: Any) -> Press | None:
    """What was pressed; None for what asks nothing of us, such as a link's button."""
    kind = part(payload, "type")
    if kind == "block_actions":
        return _button(payload)
    return _dialog(payload) if kind == "view_submission" else None


def _button(payload: Any) -> Press | None:
    for action in parts(payload, "actions"):
        name, value = _text(action, "action_id"), _text(action, "value")
        # Slack tells of a link's button, too; it has no value.
        if name and value and part(action, "type") == "button":
            return Press(
                *_who(payload),
                name,
                value,
                trigger_id=_text(payload, "trigger_id"),
                response_url=_text(payload, "response_url"),
            )
    return None


def _dialog(payload: Any) -> Press | None:
    name = _text(payload, "view", "callback_id")
    value = _text(payload, "view", "private_metadata")
    if not name or not value:
        return None
    values = part(payload, "view", "state", "values")
    given = {
        str(block): _entered(element)
        for block, elements in (values if isinstance(values, dict) else {}).items()
        for element in (elements.values() if isinstance(elements, dict) else ())
    }
    return Press(*_who(payload), name, value, is_dialog=True, given=given)


def _who(payload: Any) -> tuple[str, str]:
    """The workspace and id of a user; of a shared channel they may be elsewhere."""
    team = _text(payload, "user", "team_id") or _text(payload, "team", "id")
    return team, _text(payload, "user", "id")


def _entered(element: Any) -> str:
    chosen = _text(element, "selected_option", "value")
    return chosen or _text(element, "selected_user") or _text(element, "value")


def _text(value: Any, *names: str) -> str:
    found = part(value, *names)
    # PostgreSQL keeps no NUL.
    return found.replace("\0", "") if isinstance(found, str) else ""
