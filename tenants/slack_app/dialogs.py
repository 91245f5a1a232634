"""Dialogs as Slack's views. Pure; docs.slack.dev/reference/views/modal-views."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Slack's own bounds, in characters.
TITLE, LABEL, TEXT = 24, 75, 3000
FIELD = "field"  # the action id of each input: the block's id is the field's name


@dataclass(frozen=True, slots=True)
class Dialog:
    """``name`` and ``value`` come back with what was entered."""

    name: str
    value: str
    title: str
    submit: str
    inputs: list[dict[str, Any]] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        return {
            "type": "modal",
            "callback_id": self.name,
            "private_metadata": self.value,
            "title": _plain(self.title, TITLE),
            "submit": _plain(self.submit, TITLE),
            "close": _plain("Cancel", TITLE),
            "blocks": self.inputs,
        }


def told(title: str, text: str) -> dict[str, Any]:
    """A view that says what came of a dialog."""
    return {
        "type": "modal",
        "title": _plain(title, TITLE),
        "close": _plain("Close", TITLE),
        "blocks": [{"type": "section", "text": _plain(text, TEXT)}],
    }


def text_input(name: str, label: str, longest: int = TEXT) -> dict[str, Any]:
    """Some lines of text, which may be left empty."""
    element = {
        "type": "plain_text_input",
        "action_id": FIELD,
        "multiline": True,
        "max_length": longest,
    }
    return {**_input(name, label, element), "optional": True}


def choice_input(name: str, label: str, choices: Mapping[str, str]) -> dict[str, Any]:
    """One of several; the first is chosen already."""
    options = [
        {"text": _plain(told, LABEL), "value": value} for value, told in choices.items()
    ]
    element = {
        "type": "static_select",
        "action_id": FIELD,
        "options": options,
        "initial_option": options[0],
    }
    return _input(name, label, element)


def person_input(name: str, label: str, chosen: str) -> dict[str, Any]:
    """Somebody of the workspace; ``chosen`` is the Slack user to begin with."""
    element = {"type": "users_select", "action_id": FIELD, "initial_user": chosen}
    return _input(name, label, element)


def _input(name: str, label: str, element: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label, LABEL),
        "element": element,
    }


def _plain(text: str, most: int) -> dict[str, Any]:
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return {"type": "plain_text", "text": cut}
