"""What the system does with incidents: it follows deploys, rollbacks, rates and time.

Each reaction leaves a mark on the row that it reacted to, in one transaction with what
it did: a process that dies is replaced by one that finds the row without its mark.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, Sum

from issues.incidents import steps, telling
from issues.incidents.steps import Fire
from issues.models import (
    EscalationStep,
    Incident,
    IncidentEntry,
    IncidentIssue,
    IssueMinute,
    Severity,
)
from issues.queries import families_of
from releases.models import Action, Rollback, Watch
from tenants.audit import SYSTEM
from tenants.delivery import enqueue
from tenants.models import Delivery
from tenants.people import channels_of

Kind = IncidentEntry.Kind
State = Incident.State
# Older verdicts are history, such as after the system was off.
FRESH = timedelta(hours=1)
CALM_MINUTES = 5
# Calm: at most this part of the worst five minutes; it burns again from this one on.
CALM, AGAIN = 0.1, 0.5
# The rate of a young incident says nothing yet.
SETTLED = timedelta(minutes=CALM_MINUTES + 1)


def react_to_watches(now: datetime) -> int:
    """Open an incident for each degraded deploy; returns how many watches were new."""
    rows = Watch.objects.filter(decided_at__isnull=False, reacted_at=None)
    done = 0
    for pk in list(rows.order_by("decided_at").values_list("pk", flat=True)):
        done += _react_to_watch(pk, now)
    return done


@transaction.atomic
def _react_to_watch(pk: int, now: datetime) -> bool:
    watch = (
        Watch.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related(
            "deploy__project", "deploy__environment", "deploy__release", "baseline"
        )
        .filter(pk=pk, reacted_at=None)
        .first()
    )
    if watch is None or watch.decided_at is None:
        return False
    fresh = now - watch.decided_at < FRESH
    degraded = watch.verdict == Watch.Verdict.DEGRADED
    if degraded and fresh and watch.action != Action.OBSERVE:
        steps.open_incident(fire_of(watch), SYSTEM, now)
    Watch.objects.filter(pk=pk).update(reacted_at=now)
    return True


def fire_of(watch: Watch) -> Fire:
    """The incident that a degraded deploy is."""
    deploy = watch.deploy
    began = watch.serving_since or deploy.started_at
    began += timedelta(minutes=int(watch.numbers.get("since") or 0))
    return Fire(
        title=f"{deploy.release} is degraded in {deploy.environment}",
        cause=f"deploy:{deploy.pk}",
        source=Incident.Source.DEPLOY,
        began_at=began,
        severity=Severity.CRITICAL,
        text=watch.sentence,
        project=deploy.project,
        environment=deploy.environment.name,
        deploy=deploy,
        issues=[suspect["issue_id"] for suspect in watch.suspects],
        data={"ratio": watch.numbers.get("ratio"), "action": watch.action},
    )


def react_to_rollbacks(now: datetime) -> int:
    """Follow each rollback's state in the incident of its deploy."""
    rows = Rollback.objects.exclude(state=F("reacted_state"))
    done = 0
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)):
        done += _react_to_rollback(pk, now)
    return done


@transaction.atomic
def _react_to_rollback(pk: int, now: datetime) -> bool:
    rollback = (
        Rollback.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("deploy", "to_release", "target")
        .exclude(state=F("reacted_state"))
        .filter(pk=pk)
        .first()
    )
    if rollback is None:
        return False
    state = Rollback.State(rollback.state)
    incident = Incident.objects.unresolved().filter(deploy=rollback.deploy_id).first()
    if incident is not None and state != Rollback.State.SENDING:
        text = rollback.explanation or f"To {rollback.to_release}."
        said = f"Rollback {state.label.lower()}: {text}"
        steps.add_entry(incident, Kind.ROLLBACK, said, now, {"rollback": pk})
        if state == Rollback.State.VERIFIED:
            steps.mitigate(incident, SYSTEM, now, "The rollback is verified.")
    Rollback.objects.filter(pk=pk).update(reacted_state=rollback.state)
    return True


def note_alerted(now: datetime) -> int:
    """Write when the first message of an incident had arrived."""
    waiting = Incident.objects.unresolved().filter(alerted_at=None)
    by_subject = {incident.subject: incident for incident in waiting}
    sent = (
        Delivery.objects.filter(subject__in=by_subject, state=Delivery.State.SENT)
        .values_list("subject")
        .annotate(Min("finished_at"))
    )
    for subject, at in sent:
        steps.alerted(by_subject[subject], at, now)
    return len(sent)


def follow_rates(now: datetime) -> None:
    """Mitigate what calmed down, reopen what burns again, resolve what stays calm."""
    incidents = list(
        Incident.objects.unresolved().filter(links__isnull=False).distinct()
    )
    rates = rates_of([incident.pk for incident in incidents], now)
    for incident in incidents:
        _follow(incident, rates[incident.pk], now)
    _resolve_calm(now)


def rates_of(incident_ids: Collection[int], now: datetime) -> Counter[int]:
    """Events of each incident's issues within the last five whole minutes."""
    links = list(
        IncidentIssue.objects.filter(incident__in=incident_ids).values_list(
            "incident_id", "issue_id"
        )
    )
    families = families_of(list({issue for _, issue in links}))
    until = now.replace(second=0, microsecond=0)
    counted = (
        IssueMinute.objects.filter(
            issue_id__in=families.members,
            minute__gte=until - timedelta(minutes=CALM_MINUTES),
            minute__lt=until,
        )
        .values_list("issue_id")
        .annotate(Sum("events"))
    )
    root_of = families.root_of()
    events: Counter[int] = Counter()
    for member, count in counted:
        events[root_of[member]] += count
    rates: Counter[int] = Counter()
    for incident, issue in links:
        rates[incident] += events[issue]
    return rates


def _follow(incident: Incident, events: int, now: datetime) -> None:
    if events > incident.peak_events:
        Incident.objects.filter(pk=incident.pk).update(peak_events=events)
        incident.peak_events = events
    peak = incident.peak_events
    if incident.state == State.MITIGATED:
        if peak and events > AGAIN * peak:
            text = f"{events:,} events in {CALM_MINUTES} minutes: it burns again."
            steps.reopen(incident, SYSTEM, now, text)
    elif peak and events <= CALM * peak and now - incident.detected_at > SETTLED:
        text = (
            f"The rate is back: {events:,} events in {CALM_MINUTES} minutes, "
            f"{peak:,} at the worst."
        )
        steps.mitigate(incident, SYSTEM, now, text)


def _resolve_calm(now: datetime) -> None:
    mitigated = Incident.objects.filter(
        state=State.MITIGATED,
        resolve_after_minutes__isnull=False,
        mitigated_at__isnull=False,
    )
    for incident in mitigated:
        assert incident.mitigated_at is not None
        calm = now - incident.mitigated_at
        if calm > timedelta(minutes=incident.resolve_after_minutes or 0):
            minutes = int(calm.total_seconds() // 60)
            text = f"It stayed calm for {minutes} minutes."
            steps.resolve(incident, SYSTEM, now, text)


def escalate(now: datetime) -> int:
    """Tell the next people of incidents that nobody has acknowledged in time."""
    told = 0
    for incident in Incident.objects.filter(state=State.OPEN).order_by("detected_at"):
        policy = steps.policy_of(incident.project, incident.severity)
        if policy._state.adding:
            continue
        waited = (now - incident.detected_at).total_seconds()
        due = policy.steps.filter(after_seconds__lte=waited).order_by("after_seconds")
        for step in due:
            told += _escalate(incident, step, now)
    return told


@transaction.atomic
def _escalate(incident: Incident, step: EscalationStep, now: datetime) -> bool:
    done = {"step": step.pk, "reopened": incident.reopened}
    row = steps.locked(incident)
    if row.state != State.OPEN:
        return False
    if row.entries.filter(kind=Kind.ESCALATED, data=done).exists():
        return False
    channels = [*step.channels.usable(), *channels_of(step.people.all())]
    row.channels.add(*channels)
    names = ", ".join(channel.name for channel in channels) or "nobody"
    text = f"Nobody has acknowledged for {step.after_seconds} s: {names} told."
    entry = steps.add_entry(row, Kind.ESCALATED, text, now, done)
    head = telling.head_of(row, now)
    for channel in channels:
        # Who is new hears all of it; who was told before is told again.
        enqueue(channel, row.subject, f"escalated {entry.pk}", head, now)
    return True


def tick(now: datetime) -> None:
    """Everything that is due."""
    react_to_watches(now)
    react_to_rollbacks(now)
    follow_rates(now)
    escalate(now)
    note_alerted(now)
