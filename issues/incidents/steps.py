"""What people and the system do with an incident. Each step is a line of its timeline.

A step locks the incident, writes its entry and its messages in one transaction; a step
that changes nothing (acknowledged twice) writes nothing.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from issues.incidents import summary, telling
from issues.incidents.timeline import reading
from issues.models import (
    Incident,
    IncidentEntry,
    IncidentIssue,
    IncidentPolicy,
    Issue,
    Severity,
)
from releases.models import Deploy
from tenants.audit import SYSTEM, Actor, record
from tenants.models import Channel, Project
from tenants.refusals import Refusal

logger = logging.getLogger(__name__)

Kind = IncidentEntry.Kind
State = Incident.State
NOTE_CHARACTERS = 10_000


class IncidentError(Refusal):
    """A step that does not fit the incident or its arguments."""


@dataclass(frozen=True, slots=True)
class Fire:
    """What an incident is opened for.

    ``cause`` names it (such as ``deploy:7``): while an incident of the same cause is
    not resolved, the fire joins it. ``began_at`` is the first event of the rise.
    """

    title: str
    cause: str
    source: Incident.Source
    began_at: datetime
    severity: str = Severity.HIGH
    text: str = ""
    project: Project | None = None
    environment: str = ""
    deploy: Deploy | None = None
    issues: Collection[int] = ()
    channels: Collection[Channel] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def open_incident(fire: Fire, actor: Actor, now: datetime) -> tuple[Incident, bool]:
    """The incident of a fire, and whether it was opened now (False: joined)."""
    if not fire.title.strip():
        raise IncidentError("Say in a few words what burns.")
    try:
        with transaction.atomic():
            return _open(fire, actor, now), True
    except IntegrityError:
        # Another one of the same cause stands, or was opened just now.
        return _join_or_open(fire, actor, now)


def _join_or_open(fire: Fire, actor: Actor, now: datetime) -> tuple[Incident, bool]:
    try:
        with transaction.atomic():
            return _join_fire(fire, actor, now), False
    except Incident.DoesNotExist:
        # It was resolved meanwhile.
        with transaction.atomic():
            return _open(fire, actor, now), True


def _open(fire: Fire, actor: Actor, now: datetime) -> Incident:
    policy = policy_of(fire.project, fire.severity)
    incident = Incident.objects.create(
        title=fire.title.strip()[:200],
        severity=fire.severity,
        source=fire.source,
        cause=fire.cause[:200],
        project=fire.project,
        environment=fire.environment,
        deploy=fire.deploy,
        opened_by=actor.name[:200],
        began_at=min(fire.began_at, now),
        detected_at=now,
        target_seconds=policy.target_seconds,
        resolve_after_minutes=policy.resolve_after_minutes,
    )
    told = {*fire.channels, *(policy.channels.usable() if policy.pk else ())}
    incident.channels.set(told)
    entry = _note(incident, Kind.DETECTED, actor, now, fire.text, fire.data)
    _link(incident, fire.issues, actor, now)
    _audit(incident, "opened", actor, {})
    telling.tell(incident, entry, now)
    return incident


def _join_fire(fire: Fire, actor: Actor, now: datetime) -> Incident:
    standing = Incident.objects.unresolved().get(cause=fire.cause[:200])
    incident = locked(standing)
    if fire.began_at < incident.began_at:
        incident.began_at = fire.began_at
        incident.save(update_fields=["began_at"])
    new = set(fire.channels) - set(incident.channels.all())
    incident.channels.add(*new)
    _link(incident, fire.issues, actor, now)
    if incident.state == State.MITIGATED:
        _reopen(incident, actor, now, fire.text or "It burns again.")
    return incident


def policy_of(project: Project | None, severity: str) -> IncidentPolicy:
    """The policy that counts; one with the defaults where none is written."""
    rows = IncidentPolicy.objects.filter(severity=severity)
    own = rows.filter(project=project).first() if project else None
    return own or rows.filter(project=None).first() or IncidentPolicy()


@transaction.atomic
def acknowledge(incident: Incident, actor: Actor, now: datetime) -> bool:
    """Somebody looks after it; the first to say so becomes its owner."""
    row = locked(incident)
    if row.state != State.OPEN:
        return False
    row.state = State.ACKNOWLEDGED
    row.acknowledged_at = row.acknowledged_at or now
    row.owner = row.owner or actor.user
    _changed(row, Kind.ACKNOWLEDGED, actor, now, "")
    return _copied(row, incident)


@transaction.atomic
def mitigate(incident: Incident, actor: Actor, now: datetime, text: str = "") -> bool:
    """The harm has ended, such as by a rollback: the clock stands."""
    row = locked(incident)
    if row.state not in {State.OPEN, State.ACKNOWLEDGED}:
        return False
    row.state, row.mitigated_at = State.MITIGATED, now
    _changed(row, Kind.MITIGATED, actor, now, text)
    return _copied(row, incident)


@transaction.atomic
def resolve(incident: Incident, actor: Actor, now: datetime, text: str = "") -> bool:
    """It is over, and its cause is mended or known."""
    row = locked(incident)
    if row.state == State.RESOLVED:
        return False
    row.state, row.resolved_at = State.RESOLVED, now
    _changed(row, Kind.RESOLVED, actor, now, text)
    if not row.summary_by:
        _summarise(row, now)
    return _copied(row, incident)


def _summarise(row: Incident, now: datetime) -> None:
    try:
        with transaction.atomic():
            row.summary = summary.text_of(row, now)
            row.save(update_fields=["summary"])
    except Exception:
        # What is over is over; people can have the summary written again.
        logger.exception("the summary of %s could not be written", row)


@transaction.atomic
def reopen(incident: Incident, actor: Actor, now: datetime, text: str = "") -> bool:
    """It burns again: the clock runs on from what was spent.

    Raises IncidentError where a newer incident of the same cause stands.
    """
    row = locked(incident)
    if row.state not in {State.MITIGATED, State.RESOLVED}:
        return False
    newer = Incident.objects.unresolved().filter(cause=row.cause).exclude(pk=row.pk)
    if newer.exists():
        raise IncidentError(f"{newer.get()} of the same cause is open: go on there.")
    _reopen(row, actor, now, text)
    return _copied(row, incident)


def _reopen(row: Incident, actor: Actor, now: datetime, text: str) -> None:
    acknowledged = row.acknowledged_at is not None
    row.state = State.ACKNOWLEDGED if acknowledged else State.OPEN
    row.mitigated_at = row.resolved_at = row.spent_seconds = None
    row.reopened += 1
    _changed(row, Kind.REOPENED, actor, now, text)


@transaction.atomic
def assign(incident: Incident, owner: User | None, actor: Actor, now: datetime) -> bool:
    """Make somebody responsible; None: nobody."""
    row = locked(incident)
    if row.owner == owner:
        return False
    row.owner = owner
    name = owner.get_username() if owner else "nobody"
    _changed(row, Kind.ASSIGNED, actor, now, f"To {name}.")
    return _copied(row, incident)


@transaction.atomic
def change(
    incident: Incident,
    actor: Actor,
    now: datetime,
    *,
    title: str = "",
    severity: str = "",
    target_seconds: int | None = None,
) -> bool:
    """Name it anew, or weigh it anew: another severity brings its policy's target."""
    row = locked(incident)
    before = (row.title, row.severity, row.target_seconds)
    if severity and severity != row.severity:
        if severity not in Severity.values:
            raise IncidentError(f"The severity is one of {', '.join(Severity.values)}.")
        row.severity = severity
        row.target_seconds = policy_of(row.project, severity).target_seconds
    if target_seconds is not None:
        if target_seconds < 1:
            raise IncidentError("Give the target in seconds, at least 1.")
        row.target_seconds = target_seconds
    row.title = title.strip()[:200] or row.title
    after = (row.title, row.severity, row.target_seconds)
    if after == before:
        return False
    names = ("title", "severity", "target_seconds")
    data = {
        name: [old, new]
        for name, old, new in zip(names, before, after, strict=True)
        if old != new
    }
    text = "; ".join(
        f"{name.replace('_', ' in ')}: {old} → {new}"
        for name, (old, new) in data.items()
    )
    _changed(row, Kind.CHANGED, actor, now, text, data)
    return _copied(row, incident)


@transaction.atomic
def add_note(
    incident: Incident, actor: Actor, now: datetime, text: str
) -> IncidentEntry:
    """What somebody found out or did."""
    if not text.strip():
        raise IncidentError("The note is empty.")
    if len(text) > NOTE_CHARACTERS:
        raise IncidentError(f"A note has at most {NOTE_CHARACTERS} characters.")
    row = locked(incident)
    entry = _note(row, Kind.NOTE, actor, now, text.strip())
    _audit(row, Kind.NOTE, actor, {"text": entry.text})
    telling.tell(row, entry, now)
    return entry


@transaction.atomic
def join_issues(
    incident: Incident, issue_ids: Collection[int], actor: Actor, now: datetime
) -> int:
    """Issues that feed the same fire; returns how many are new to it."""
    row = locked(incident)
    joined = _link(row, issue_ids, actor, now)
    if joined:
        titles = ", ".join(issue.title for issue in joined)
        entry = _note(row, Kind.JOINED, actor, now, titles)
        _audit(row, Kind.JOINED, actor, {"issues": [issue.pk for issue in joined]})
        telling.tell(row, entry, now)
    return len(joined)


@transaction.atomic
def remove_issue(incident: Incident, issue: Issue, actor: Actor, now: datetime) -> bool:
    """The issue has nothing to do with it."""
    row = locked(incident)
    if not row.links.filter(issue=issue).delete()[0]:
        return False
    _note(row, Kind.LEFT, actor, now, issue.title)
    _audit(row, Kind.LEFT, actor, {"issue": issue.pk})
    return True


@transaction.atomic
def add_entry(
    incident: Incident,
    kind: IncidentEntry.Kind,
    text: str,
    now: datetime,
    data: Mapping[str, Any],
) -> IncidentEntry:
    """What the system has to say, such as of a rollback."""
    row = locked(incident)
    entry = _note(row, kind, SYSTEM, now, text, data)
    telling.tell(row, entry, now)
    return entry


@transaction.atomic
def alerted(incident: Incident, at: datetime, now: datetime) -> bool:
    """The first message has arrived ``at`` a time; told to nobody."""
    row = locked(incident)
    if row.alerted_at is not None:
        return False
    row.alerted_at = at
    row.save(update_fields=["alerted_at"])
    seconds = (at - row.detected_at).total_seconds()
    text = f"The first message arrived {seconds:.1f} s after detection."
    _note(row, Kind.ALERTED, SYSTEM, at, text)
    return True


def locked(incident: Incident) -> Incident:
    """The incident as it stands, locked for this transaction."""
    rows = Incident.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("project", "owner", "deploy").get(pk=incident.pk)


def _changed(
    row: Incident,
    kind: IncidentEntry.Kind,
    actor: Actor,
    now: datetime,
    text: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write a step: the entry first, as the clock is read from the entries."""
    entry = _note(row, kind, actor, now, text, data)
    if row.state in {State.MITIGATED, State.RESOLVED}:
        row.spent_seconds = reading(row, now).spent.total_seconds()
    row.save()
    _audit(row, kind, actor, {"text": text, **(data or {})})
    telling.tell(row, entry, now)


def _note(
    incident: Incident,
    kind: IncidentEntry.Kind,
    actor: Actor,
    now: datetime,
    text: str,
    data: Mapping[str, Any] | None = None,
) -> IncidentEntry:
    return IncidentEntry.objects.create(
        incident=incident,
        at=now,
        kind=kind,
        user=actor.user,
        actor=actor.name[:200],
        text=text,
        data=dict(data or {}),
    )


def _link(
    incident: Incident, issue_ids: Collection[int], actor: Actor, now: datetime
) -> list[Issue]:
    """Join issues (those that show merged ones); returns those that are new."""
    found = Issue.objects.filter(pk__in=issue_ids)
    roots = {issue.merged_into_id or issue.pk for issue in found}
    there = set(incident.links.values_list("issue_id", flat=True))
    new = list(Issue.objects.filter(pk__in=roots - there).order_by("pk"))
    IncidentIssue.objects.bulk_create(
        IncidentIssue(
            incident=incident, issue=issue, joined_at=now, joined_by=actor.name[:200]
        )
        for issue in new
    )
    return new


def _audit(
    incident: Incident, action: str, actor: Actor, changes: Mapping[str, Any]
) -> None:
    if actor != SYSTEM:
        record(actor, action, incident, changes)


def _copied(row: Incident, to: Incident) -> bool:
    """The caller's incident as it stands now."""
    for column in Incident._meta.concrete_fields:
        setattr(to, column.attname, getattr(row, column.attname))
    return True
