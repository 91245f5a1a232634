"""What a scrub rule would take out of an event that is stored; nothing is changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import zstandard
from django.db.models import Q

from issues.clean import any_text
from issues.models import Event
from issues.scrub_policies import policy_of, working_rules
from issues.scrubbing import Policy, Run, scrub_body, scrubber_of
from issues.search import as_event_id
from tenants.models import ScrubRule
from tenants.refusals import Refusal

MAX_CHANGES = 200
MAX_TEXT = 300
# Left out of paths, as the scrubber's own leave them out.
_SILENT = frozenset({"values", "stacktrace"})


@dataclass(frozen=True, slots=True)
class Change:
    """A text of the event: where it stands, now, then, and by which rules."""

    path: str
    rules: list[str]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    """``more``: changes beyond those that are listed."""

    event: Event
    changes: list[Change]
    more: int = 0


def tried(name: str, rule: ScrubRule) -> Preview:
    """The rule, saved or not, on the event of this id; raises Refusal.

    ``name`` is the event's row id or the id that the SDK made. The other rules of the
    event's project hold as well.
    """
    event = _event(name.strip())
    if event is None:
        raise Refusal("Name a stored event by its id, as it stands on its page.")
    if event.body is None:
        raise Refusal("Of this event no body was kept: try another.")
    if rule.project_id not in (None, event.project_id):
        raise Refusal("This event is of another project, where the rule does not hold.")
    others = [r for r in working_rules(event.project_id) if r.pk != rule.pk]
    policy = policy_of(event.project, [*others, rule])
    try:
        return _preview(event, policy)
    except (ValueError, LookupError, zstandard.ZstdError) as error:
        raise Refusal("The body of this event cannot be read: try another.") from error


def _event(name: str) -> Event | None:
    event_id = as_event_id(name)
    is_row = name.isdecimal() and len(name) < 19
    if not event_id and not is_row:
        return None
    named = Q(event_id=event_id) if event_id else Q(pk=int(name))
    events = Event.objects.select_related("project").filter(named)
    return events.order_by("-pk").first()


def _preview(event: Event, policy: Policy) -> Preview:
    run = Run(scrubber_of(policy))
    before, after = event.payload, event.payload
    scrub_body(after, run)
    changes = [
        Change(path, _rules_at(run, path), *map(_short, pair))
        for path, *pair in _differences(before, after, "")
    ]
    return Preview(event, changes[:MAX_CHANGES], max(0, len(changes) - MAX_CHANGES))


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if type(before) is dict and type(after) is dict:
        for name in before:
            inner = path if name in _SILENT else f"{path}.{name}" if path else name
            if name in after:
                yield from _differences(before[name], after[name], inner)
            else:
                yield inner, name, "[Filtered]"
    elif type(before) is list and type(after) is list and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, f"{path}[{number}]")
    else:
        yield path, before, after


def _rules_at(run: Run, path: str) -> list[str]:
    """The rules that replaced something at the path or inside the text there."""
    inside = (f"{path}.", f"{path}[", f"{path}?")
    return list(
        dict.fromkeys(
            place.rule
            for place in run.places.values()
            if place.path == path or place.path.startswith(inside)
        )
    )


def _short(value: Any) -> str:
    text = any_text(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
