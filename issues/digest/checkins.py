"""Check-ins of a batch, and the events that failed runs became."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from issues.digest.parcel import Parcel
from issues.digest.store import GroupedEvent, Tally
from issues.monitors.record import Arrived, record
from issues.monitors.report import SERVER_KEY, link


def record_check_ins(
    parcels: Sequence[Parcel],
    environments: Mapping[tuple[int, str], int],
    tally: Tally,
    now: datetime,
) -> None:
    """Write the runs that the batch tells; what tells none is counted."""

    def refuse(one: Arrived, reason: str) -> None:
        minute = int(one.told.received.timestamp() // 60)
        tally.outcomes[one.project_id, one.key_id, minute, "monitor", reason] += 1

    arrived = [
        Arrived(parcel.project_id, parcel.key_id, told)
        for parcel in parcels
        for told in parcel.check_ins
    ]
    record(arrived, environments, refuse, now)


def link_reports(grouped: Sequence[GroupedEvent]) -> None:
    """Tell monitors which issue the events of their failed runs became."""
    link(
        {
            UUID(item.event.event_id): item.issue.issue_id
            for item in grouped
            if item.key_id == SERVER_KEY
        }
    )
