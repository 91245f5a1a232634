"""The admin site: its navigation and its home page, "what burns now"."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.db.models import Sum
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils import timezone

from issues import queries
from issues.admin.figures import figures_view
from issues.admin.hit_list import current_entries
from issues.admin.incident_page import home_rows
from issues.admin.issue_list import rows_of
from issues.admin.outcomes import outcomes_view
from issues.admin.setup_page import setup_urls
from issues.arrivals import silent_projects
from issues.disk import FULL, HIGH
from issues.models import DeadLetter, HitListEntry, InboxEnvelope, Issue
from issues.tasks import disk
from releases.admin.deploy_state import watched_now
from releases.models import Deploy, ReleaseMinute
from tenants.audited import may
from tenants.charts import BarChart, Mark, bar_chart
from tenants.delivery.trouble import trouble
from tenants.pages import COUNT_CAP, capped_count

admin.site.index_template = "rush_monitor/home.html"
admin.site.index_title = "Overview"


def extra_urls() -> list[URLPattern]:
    """Pages without a model that Django's admin can register."""
    return [
        path(
            "issues/outcome/",
            admin.site.admin_view(
                lambda request: outcomes_view(request, admin.site.each_context(request))
            ),
            name="issues_outcome_changelist",
        ),
        path(
            "issues/figures/",
            admin.site.admin_view(
                lambda request: figures_view(request, admin.site.each_context(request))
            ),
            name="issues_figures_changelist",
        ),
        *setup_urls(admin.site),
    ]


# The hook that unfold's site asks for when it builds its URLs.
admin.site.extra_urls = extra_urls  # type: ignore[attr-defined]

BURNING = 8
LISTED = 5
WATCHED = 8
MARKED = 50
SILENT = 3
DEPLOYS = "releases.view_deploy"
INCIDENTS = "issues.view_incident"
DEAD_LETTERS_CAP = 100
INBOX_CAP = 10_000
# The digest of an idle system takes well under a second.
LAG_WARNING = timedelta(seconds=30)


def stylesheet(request: HttpRequest) -> str:
    return static("rush_monitor/admin.css")


def script(request: HttpRequest) -> str:
    return static("rush_monitor/admin.js")


def favicon(request: HttpRequest) -> str:
    return static("rush_monitor/favicon.svg")


def environment_badge(request: HttpRequest) -> list[str]:
    """Which installation this is: unfold's [text, colour]."""
    if settings.DEBUG:
        return ["Debug", "danger"]
    host = urlsplit(settings.BASE_URL).hostname or ""
    local = host in {"localhost", "127.0.0.1", "::1"}
    return ["Local", "info"] if local else [host, "success"]


def _item(title: str, icon: str, model: str, **more: Any) -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": _viewers_of(app, name),
        **more,
    }


def _viewers_of(app: str, name: str) -> Callable[[HttpRequest], bool]:
    return lambda request: may(request, f"{app}.view_{name}")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, in the order in which a team needs it."""
    letters = _dead_letters() if may(request, "issues.view_deadletter") else 0
    badge = {"badge": str(letters), "badge_variant": "danger"} if letters else {}
    home = {
        "title": "Overview",
        "icon": "local_fire_department",
        "link": reverse("admin:index"),
    }
    return [
        {
            "items": [
                home,
                _item("Incidents", "emergency_home", "issues.incident"),
                _item("Issues", "bug_report", "issues.issue"),
                _item("Hit list", "target", "issues.hitlistentry"),
                _item("Events", "stream", "issues.event"),
                _item("Feedback", "forum", "issues.feedback"),
                _item("Monitors", "alarm", "issues.monitor"),
                _item(
                    "Figures",
                    "monitoring",
                    "issues.figures",
                    permission=_viewers_of("issues", "incident"),
                ),
            ],
        },
        {
            "title": "Who",
            "separator": True,
            "items": [
                _item("Tenants", "storefront", "tenants.tenant"),
                _item("Plans", "sell", "tenants.plan"),
                _item("Projects", "deployed_code", "tenants.project"),
                _item("Source repositories", "code", "tenants.sourcerepository"),
                _item("API tokens", "key", "tenants.apitoken"),
            ],
        },
        {
            "title": "What shipped",
            "separator": True,
            "items": [
                _item("Deploys", "rocket_launch", "releases.deploy"),
                _item("Releases", "inventory_2", "releases.release"),
                _item("Source maps", "map", "releases.artifactbundle"),
                _item("Environments", "dns", "releases.environment"),
                _item("Thresholds", "speed", "releases.threshold"),
                _item("Rollbacks", "undo", "releases.rollback"),
                _item("Rollback targets", "webhook", "releases.rollbacktarget"),
            ],
        },
        {
            "title": "Who is told",
            "separator": True,
            "items": [
                _item("Channels", "campaign", "tenants.channel"),
                _item("Alert rules", "notifications_active", "issues.alertrule"),
                _item("Alerts", "notifications", "issues.alert"),
                _item("Messages", "outgoing_mail", "tenants.delivery"),
                _item("Weekly reports", "calendar_month", "issues.weeklyreport"),
                _item("Slack accounts", "badge", "tenants.slackaccount"),
            ],
        },
        {
            "title": "Rules",
            "separator": True,
            "items": [
                _item("Hit rules", "rule", "issues.hitrule"),
                _item("Incident policies", "timer", "issues.incidentpolicy"),
                _item("Path rules", "alt_route", "issues.pathrule"),
                _item("Detail rules", "tune", "tenants.detailrule"),
                _item("Fingerprint rules", "fingerprint", "issues.fingerprintrule"),
                _item("Inbound filters", "filter_list", "tenants.inboundfilters"),
                _item("Scrub rules", "visibility_off", "tenants.scrubrule"),
            ],
        },
        {
            "title": "Operations",
            "separator": True,
            "items": [
                _item("Dead letters", "mail_off", "issues.deadletter", **badge),
                _item("Attachments", "attach_file", "issues.attachment"),
                _item("What was not stored", "filter_alt", "issues.outcome"),
                _item("Audit log", "history", "tenants.auditentry"),
                _item("Users", "person", "auth.user"),
                _item("Roles", "group", "auth.group"),
            ],
        },
    ]


def _dead_letters() -> int:
    """How many, counted up to the cap: every page shows it."""
    return DeadLetter.objects.order_by().values("pk")[:DEAD_LETTERS_CAP].count()


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the home page shows, as far as the person may see issues."""
    if not may(request, "issues.view_issue"):
        return context
    now = timezone.now()
    burning = queries.listed_issues("impact").filter(
        status=Issue.Status.OPEN, stats__exponent__gt=0
    )
    entries = current_entries(LISTED + 1)
    sees_deploys = may(request, DEPLOYS)
    clocks = home_rows(now) if may(request, INCIDENTS) else []
    chart = _last_hour(now, sees_deploys)
    watched = watched_now(now, WATCHED) if sees_deploys else []
    return {
        **context,
        "title": "Overview",
        "content_title": "Overview",
        "burning": rows_of(queries.page_of(burning, 1, BURNING).rows),
        "next_entry": entries[0] if entries else None,
        "next_row": rows_of([entries[0].issue])[0] if entries else None,
        "entries": entries[1:],
        "chart": chart,
        "clocks": clocks,
        "moving": bool(clocks) or any(row.state.left for row in watched),
        "burning_count": capped_count(burning),
        "listed_count": capped_count(HitListEntry.objects.current()),
        "cap": COUNT_CAP,
        "inbox": _inbox(now),
        "dead_letters": _dead_letters(),
        "dead_letters_cap": DEAD_LETTERS_CAP,
        "disk": _disk(),
        "told": trouble(now) if may(request, "tenants.view_delivery") else None,
        "watched": watched,
        **_silence(),
    }


def _silence() -> dict[str, Any]:
    """Which projects nobody reports to yet, and whether there was any event at all."""
    silent = silent_projects(SILENT + 1)
    return {
        "silent": silent[:SILENT],
        "more_silent": len(silent) > SILENT,
        "nothing_yet": not Issue.objects.exists(),
    }


def _disk() -> dict[str, Any] | None:
    """How full the embedded database's disk is, once that has consequences."""
    used = disk()
    return {"percent": 100 * used, "full": used >= FULL} if used >= HIGH else None


def _last_hour(now: datetime, with_deploys: bool) -> BarChart:
    """Events of all projects by minute of occurrence, errors within them darker."""
    this_minute = now.replace(second=0, microsecond=0)
    start = this_minute - timedelta(minutes=59)
    rows = (
        ReleaseMinute.objects.filter(minute__gte=start, minute__lte=this_minute)
        .order_by("minute")
        .values_list("minute")
        .annotate(Sum("events"), Sum("errors"))
    )
    counts = {minute: (events, errors) for minute, events, errors in rows}
    times = [start + timedelta(minutes=i) for i in range(60)]
    series = [(time, counts.get(time, (0, 0))) for time in times]
    return bar_chart(
        "Events per minute",
        [(time, events) for time, (events, _) in series],
        time_format="%H:%M",
        parts=[errors for _, (_, errors) in series],
        marks=_deploys(start, now) if with_deploys else [],
    )


def _deploys(start: datetime, now: datetime) -> list[Mark]:
    """Where deploys stand in a chart from ``start``, a whole minute, to this minute."""
    end = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    deploys = Deploy.objects.select_related("release", "environment", "project").filter(
        started_at__gte=start, started_at__lt=end
    )
    return [
        Mark(
            round(100 * ((deploy.started_at - start) / (end - start)), 2),
            f"{deploy.started_at:%H:%M} UTC: {deploy} ({deploy.project})",
            reverse("admin:releases_deploy_change", args=[deploy.pk]),
        )
        for deploy in deploys.order_by("-started_at")[:MARKED]
    ]


def _inbox(now: datetime) -> dict[str, Any]:
    """How far digest is behind: the oldest waiting envelope and how many wait."""
    oldest = InboxEnvelope.objects.order_by("pk").values_list("received").first()
    waiting = InboxEnvelope.objects.order_by().values("pk")[:INBOX_CAP].count()
    lag = now - oldest[0] if oldest else timedelta(0)
    return {
        "waiting": waiting,
        "cap": INBOX_CAP,
        "lag": max(lag, timedelta(0)),
        "late": lag > LAG_WARNING,
    }
