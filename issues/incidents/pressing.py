"""What the buttons of an incident's message do when they are pressed in a channel.

The same steps as on its page, by the same roles, in the name of the person's account.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from issues import workflow
from issues.incidents import steps
from issues.incidents.figure_texts import many
from issues.incidents.telling import order_url, url_of
from issues.models import Incident, Issue
from releases.models import Rollback
from releases.rollbacks import ordering
from tenants.audit import Actor
from tenants.audited import row_id
from tenants.models import Channel
from tenants.slack_app.dialogs import Dialog, choice_input, person_input, text_input
from tenants.slack_app.presses import Press

State = Incident.State
HOURS = {"1": "1 hour", "24": "24 hours", "168": "7 days"}
LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Reply:
    """``text`` is said to the person only, "" where the message itself will tell.

    ``dialog`` is to be opened; ``errors`` say by field what is wrong in one.
    """

    text: str = ""
    dialog: Dialog | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press with what it means here; ``chosen`` is the person that a dialog names."""

    press: Press
    incident: Incident
    actor: Actor
    now: datetime
    chosen: User | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """``do`` is the step; with a ``dialog`` it is done when that is submitted."""

    permission: str
    do: Callable[[Pressed], Reply]
    dialog: Callable[[Pressed], Dialog] | None = None


def respond(
    press: Press,
    channels: Collection[Channel],
    person: User,
    now: datetime,
    *,
    chosen: User | None = None,
    remote_addr: str = "",
) -> Reply:
    """Do what was pressed in one of the ``channels``; raises Refusal.

    Only incidents that these channels are told of can be reached from them.
    """
    button = BUTTONS.get(press.name)
    incident = (
        Incident.objects.filter(pk=row_id(press.value), channels__in=channels)
        .select_related("deploy__release", "deploy__environment", "deploy__project")
        .first()
    )
    if button is None or incident is None:
        return Reply("This incident is not known here any more: nothing was done.")
    if not (person.is_active and person.is_staff):
        return Reply(f"The account {person.get_username()} is switched off.")
    if not person.has_perm(button.permission):
        return Reply(
            f"Your role does not allow this: {person.get_username()} lacks "
            f"{button.permission}. Nothing was done."
        )
    if incident.state == State.RESOLVED:
        return Reply(already(incident))
    actor = Actor(f"{person.get_username()} over Slack", person, remote_addr)
    pressed = Pressed(press, incident, actor, now, chosen)
    if button.dialog and not press.is_dialog:
        return Reply(dialog=button.dialog(pressed))
    return button.do(pressed)


def already(incident: Incident) -> str:
    """What is so already, since when and by whom."""
    last = incident.entries.filter(kind=incident.state).last()
    by = f" by {last.actor} at {last.at:%H:%M:%S} UTC" if last else ""
    return f"Incident {incident} is {incident.state} already{by}: nothing was done."


def _acknowledge(pressed: Pressed) -> Reply:
    incident = pressed.incident
    done = steps.acknowledge(incident, pressed.actor, pressed.now)
    return Reply("" if done else _stands(incident))


def _resolve(pressed: Pressed) -> Reply:
    incident, text = pressed.incident, pressed.press.given.get("reason", "").strip()
    done = steps.resolve(incident, pressed.actor, pressed.now, text[:LONGEST_REASON])
    return Reply("" if done else _stands(incident))


def _stands(incident: Incident) -> str:
    incident.refresh_from_db(fields=["state"])
    return already(incident)


def _assign(pressed: Pressed) -> Reply:
    incident, chosen = pressed.incident, pressed.chosen
    if chosen is None or not (chosen.is_active and chosen.is_staff):
        told = "This person has no account here: an owner adds it at Slack accounts."
        return Reply(errors={"person": told})
    if steps.assign(incident, chosen, pressed.actor, pressed.now):
        return Reply()
    name = chosen.get_username()
    return Reply(f"{name} is responsible for incident {incident} already.")


def _archive(pressed: Pressed) -> Reply:
    incident, now = pressed.incident, pressed.now
    hours = pressed.press.given.get("hours", "")
    if hours not in HOURS:
        return Reply(errors={"hours": f"Choose one of {', '.join(HOURS.values())}."})
    rows = Issue.objects.shown().filter(incidents=incident, status=Issue.Status.OPEN)
    issues = list(rows)
    if not issues:
        return Reply(f"No issue of incident {incident} is open: nothing was done.")
    until = now + timedelta(hours=int(hours))
    comment = f"From incident {incident}."
    workflow.archive(issues, pressed.actor, until=until, comment=comment)
    text = f"Archived {many(len(issues), 'issue')} until {until:%Y-%m-%d %H:%M} UTC."
    steps.add_note(incident, pressed.actor, now, text)
    return Reply(text)


def _roll_back(pressed: Pressed) -> Reply:
    incident = pressed.incident
    if incident.state == State.MITIGATED:
        return Reply(already(incident))
    if incident.deploy is None:
        return Reply(f"Incident {incident} is of no deploy: nothing was rolled back.")
    row = ordering.order(incident.deploy, pressed.actor, pressed.now)
    if row.state == Rollback.State.REFUSED:
        page = order_url(incident.deploy.pk)
        return Reply(f"Held back: {row.explanation} What can be passed over: {page}")
    return Reply(row.explanation)


def _reason(pressed: Pressed) -> Dialog:
    field = text_input("reason", "What happened", LONGEST_REASON)
    return _dialog(pressed, "Resolve", "Resolve", field)


def _until(pressed: Pressed) -> Dialog:
    field = choice_input("hours", "Put its open issues aside for", HOURS)
    return _dialog(pressed, "Archive issues", "Archive", field)


def _person(pressed: Pressed) -> Dialog:
    field = person_input("person", "Who looks after it", pressed.press.slack_user)
    return _dialog(pressed, "Assign", "Assign", field)


def _dialog(pressed: Pressed, title: str, submit: str, field: dict[str, Any]) -> Dialog:
    press = pressed.press
    return Dialog(press.name, press.value, title, submit, [field])


def instead(press: Press) -> str:
    """Where it can be done when Slack does not open the dialog."""
    page = url_of(Incident(pk=row_id(press.value)))
    return f"Slack did not open the dialog. Press again, or do it at {page}"


CHANGE = "issues.change_incident"
BUTTONS = {
    "acknowledge": Button(CHANGE, _acknowledge),
    "resolve": Button(CHANGE, _resolve, _reason),
    "archive": Button("issues.change_issue", _archive, _until),
    "assign": Button(CHANGE, _assign, _person),
    "rollback": Button("releases.add_rollback", _roll_back),
}
