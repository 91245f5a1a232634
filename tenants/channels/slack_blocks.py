"""A message as Slack's Block Kit. Pure; docs.slack.dev/reference/block-kit."""

from typing import Any

from tenants.message import Action, Message

# Slack's own bounds, in characters.
HEADER, TEXT, FIELD, BUTTON, VALUE = 150, 3000, 2000, 75, 2000
MOST_FIELDS, MOST_BUTTONS, MOST_BLOCKS = 10, 25, 50
SYMBOLS = {
    "critical": ":rotating_light:",
    "high": ":warning:",
    "low": ":information_source:",
    "info": ":speech_balloon:",
}
DONE = {
    "acknowledged": ":eyes:",
    "mitigated": ":large_yellow_circle:",
    "resolved": ":white_check_mark:",
}
STYLES = {"primary", "danger"}


def escaped(text: str) -> str:
    """Text in which nothing is a mention or a link: it may come from anybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fallback(message: Message) -> str:
    """The line that notifications show."""
    symbol = DONE.get(message.status) or SYMBOLS.get(message.severity, "")
    return f"{symbol} {escaped(message.title)}"[:TEXT]


def blocks(message: Message, *, buttons: bool) -> list[dict[str, Any]]:
    """The blocks; without ``buttons`` none calls back: they link, or are left out."""
    symbol = DONE.get(message.status) or SYMBOLS.get(message.severity, "")
    head = f"{symbol} *{_linked(message)}*"
    found = [_section(head)]
    if message.text:
        found.append(_section(escaped(message.text)))
    facts = [
        _mrkdwn(f"*{escaped(label)}*\n{escaped(value)}", FIELD)
        for label, value in message.facts
    ]
    for start in range(0, len(facts), MOST_FIELDS):
        part = facts[start : start + MOST_FIELDS]
        found.append({"type": "section", "fields": part})
    for heading, lines in message.sections:
        listed = "\n".join(f"• {escaped(line)}" for line in lines)
        found.append(_section(f"*{escaped(heading)}*\n{listed}"))
    elements = [
        _button(action, calls=buttons and bool(action.value))
        for action in message.actions
        if action.url or (buttons and action.value)
    ]
    if elements:
        found.append({"type": "actions", "elements": elements[:MOST_BUTTONS]})
    return found[:MOST_BLOCKS]


def _linked(message: Message) -> str:
    title = escaped(message.title)[: TEXT // 2]
    return f"<{message.url}|{title.replace('|', '¦')}>" if message.url else title


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text, TEXT)}


def _mrkdwn(text: str, most: int) -> dict[str, Any]:
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return {"type": "mrkdwn", "text": cut}


def _button(action: Action, *, calls: bool) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": action.name,
        "text": {"type": "plain_text", "text": action.label[:BUTTON]},
    }
    if calls:
        button["value"] = action.value[:VALUE]
    else:
        button["url"] = action.url
    if action.style in STYLES:
        button["style"] = action.style
    if calls and action.confirm:
        button["confirm"] = {
            "title": {"type": "plain_text", "text": action.label[:100]},
            "text": {"type": "plain_text", "text": action.confirm[:300]},
            "confirm": {"type": "plain_text", "text": "Yes"},
            "deny": {"type": "plain_text", "text": "No"},
        }
    return button
