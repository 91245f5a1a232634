"""From failed runs to issues: as events that the server sends to itself.

They go through the inbox in the transaction that saw the failure, so that each is an
event like all others, exactly once. Their issue is resolved when the job has recovered.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import zstandard
from django.db import connection, transaction

from issues import workflow
from issues.models import CheckIn, InboxEnvelope, Issue, MonitorEnvironment
from issues.models.inbox import EnvelopeKind
from issues.sealed_envelopes import Sender, seal_envelope
from tenants.arrays import columns
from tenants.audit import SYSTEM

# Of no client: nobody can send with it from outside.
SERVER_KEY = 0
SENDER = Sender(user_agent="rush_monitor")
LOGGER = "monitors"
PIECE = 100

WORDS = {
    "missed": "missed a run",
    "error": "failed",
    "timeout": "ran for too long",
}
LINK = """
UPDATE issues_monitorenvironment p SET issue_id = row.i, reported_event = NULL
FROM unnest(%s::uuid[], %s::bigint[]) AS row (e, i) WHERE p.reported_event = row.e
"""


def send(failed: Sequence[tuple[MonitorEnvironment, CheckIn]], now: datetime) -> None:
    """Put an event for each failed run into the inbox, and note it at its place.

    Call it in the transaction of the runs; the caller saves the places.
    """
    rows = []
    for place, run in failed:
        event = event_of(place, run)
        text = orjson.dumps(event)
        place.reported_event = UUID(event["event_id"])
        rows.append(
            InboxEnvelope(
                project_id=place.monitor.project_id,
                key_id=SERVER_KEY,
                kind=EnvelopeKind.STORE,
                received=now,
                size=len(text),
                body=seal_envelope(SENDER, zstandard.compress(text)),
            )
        )
    InboxEnvelope.objects.bulk_create(rows)


def event_of(place: MonitorEnvironment, run: CheckIn) -> dict[str, Any]:
    """The event of a failed run; all of a place are one issue."""
    monitor = place.monitor
    moment = run.finished or run.expected_at or run.started
    event = {
        "event_id": uuid4().hex,
        "timestamp": moment.timestamp(),
        "level": "error",
        "platform": "other",
        "logger": LOGGER,
        "environment": place.environment.name,
        "logentry": {"formatted": f"Monitor {monitor.slug} {WORDS[run.status]}"},
        "culprit": monitor.slug,
        "transaction": monitor.slug,
        "fingerprint": ["monitor", str(place.pk)],
        "tags": {"monitor": monitor.slug, "monitor.status": run.status},
        "contexts": {"monitor": _context(place, run)},
    }
    return {**event, "release": run.release} if run.release else event


def _context(place: MonitorEnvironment, run: CheckIn) -> dict[str, Any]:
    monitor = place.monitor
    told = {
        "name": monitor.name,
        "schedule": str(monitor.schedule),
        "status": run.status,
        "check_in_id": run.check_in_id.hex,
        "expected": run.expected_at and f"{run.expected_at:%Y-%m-%d %H:%M:%S} UTC",
        "started": f"{run.started:%Y-%m-%d %H:%M:%S} UTC",
        "duration_seconds": run.duration,
        "margin_minutes": monitor.margin_minutes,
        "max_runtime_minutes": monitor.max_runtime_minutes,
        "failures_in_a_row": place.failures,
    }
    if run.status == "missed":
        del told["started"]
    return {name: value for name, value in told.items() if value is not None}


def link(issues: Mapping[UUID, int]) -> None:
    """Tell the places which issue their reported event belongs to: event to issue.

    Call it with the events of SERVER_KEY, in the transaction that stores them.
    """
    if issues:
        with connection.cursor() as cursor:
            cursor.execute(LINK, columns(sorted(issues.items())))


def resolve_recovered() -> int:
    """Resolve the issues of jobs that run well again; returns how many.

    An event that is still in the inbox would open its issue again, so that is waited
    for. A merged issue shows other faults as well and stays.
    """
    due = MonitorEnvironment.objects.filter(
        resolves=True, reported_event=None, failing_since=None
    )
    resolved = 0
    for pk in list(due.order_by("pk").values_list("pk", flat=True)[:PIECE]):
        with transaction.atomic():
            place = due.select_for_update().filter(pk=pk).first()
            if place is None:
                continue
            issue = Issue.objects.filter(
                pk=place.issue_id or 0, merged_into=None, status=Issue.Status.OPEN
            ).first()
            if issue is not None:
                workflow.resolve([issue], SYSTEM, comment="The monitor has recovered.")
                resolved += 1
            due.filter(pk=pk).update(resolves=False)
    return resolved
