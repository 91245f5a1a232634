"""Sends the figures of the week before, once a week to each channel of a report.

The report remembers the week in the transaction of its messages, and a message's
subject names the week, so that neither two beats nor a process that dies sends it
twice. After an outage the newest week is sent late; older ones are not.
"""

import logging
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from issues.incidents.figure_texts import many, share_text, spread_text
from issues.incidents.figures import Figures, Group, week_name
from issues.incidents.measured import WEEK, figures_until, monday_of
from issues.models import WeeklyReport
from tenants.admin_links import admin_link
from tenants.delivery import enqueue
from tenants.message import Message

logger = logging.getLogger(__name__)

WEEKS = 2  # the one reported, and the one before to compare with


def week_due(
    *,
    now: datetime,
    zone: ZoneInfo,
    weekday: int,
    hour: int,
    created: datetime,
    last_week: str,
) -> date | None:
    """The Monday of the week to report, None while nothing is due. Pure.

    It is the week before that of ``now`` in the zone, from the chosen hour on, by the
    clock on the wall there; ``created`` later than that hour waits for the next week.
    """
    local = now.astimezone(zone)
    monday = monday_of(local.date())
    moment = datetime.combine(monday + timedelta(days=weekday), time(hour), zone)
    reported = monday - WEEK
    if local < moment or created > moment or last_week >= week_name(reported):
        return None
    return reported


def send_due(now: datetime) -> int:
    """Write the messages of each report that is due; returns how many reports."""
    sent = 0
    active = WeeklyReport.objects.filter(is_active=True).order_by("pk")
    for pk in list(active.values_list("pk", flat=True)):
        try:
            sent += _send(pk, now)
        except Exception:
            # It is tried again each minute; the others must not wait for it.
            logger.exception("the weekly report %s could not be written", pk)
    return sent


@transaction.atomic
def _send(pk: int, now: datetime) -> bool:
    rows = WeeklyReport.objects.select_for_update(skip_locked=True, of=("self",))
    report = rows.select_related("project").filter(pk=pk, is_active=True).first()
    if report is None:
        return False
    zone = ZoneInfo(report.time_zone)
    monday = week_due(
        now=now,
        zone=zone,
        weekday=report.weekday,
        hour=report.hour,
        created=report.created,
        last_week=report.last_week,
    )
    if monday is None:
        return False
    found = figures_until(monday, WEEKS, now, project=report.project, zone=zone)
    message = message_of(report, found)
    week = week_name(monday)
    for channel in report.channels.all():
        enqueue(channel, f"weekly:{report.pk}:{week}", "sent", message, now)
    report.last_week = week
    report.save(update_fields=["last_week"])
    return True


def message_of(report: WeeklyReport, found: Figures) -> Message:
    """The newest week of the figures, with the one before beside it."""
    before, week = found.by_week[-2:]
    where = str(report.project) if report.project else "every project"
    kept = f", {share_text(week.in_target)} within the target"
    told = many(week.incidents, "incident") + (kept if week.in_target.whole else "")
    query = {"project": report.project.slug} if report.project else {}
    return Message(
        title=f"Week {week.name}, {where}: {told}",
        text=f"From Monday {found.weeks[-1]:%d %B %Y} on, beside the week before.",
        url=admin_link("issues/figures", **query),
        facts=[
            (label, f"{now}; before: {then}")
            for (label, now), (_, then) in zip(
                _facts(week), _facts(before), strict=True
            )
        ],
    )


def _facts(week: Group) -> list[tuple[str, str]]:
    return [
        ("Incidents", f"{week.incidents:,}"),
        ("Within the target", share_text(week.in_target)),
        ("Within 10 minutes", share_text(week.in_ten_minutes)),
        ("Time to detect", spread_text(week.detect)),
        ("Time to acknowledge", spread_text(week.acknowledge)),
        ("Time to mitigate", spread_text(week.mitigate)),
        ("Time to resolve", spread_text(week.resolve)),
        ("Deploys", f"{week.deploys or 0:,}"),
        ("Change failure rate", share_text(week.failures)),
        ("Time to restore", spread_text(week.restore)),
    ]
