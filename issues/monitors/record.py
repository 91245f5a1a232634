"""Check-ins of a batch become runs of their monitors, in the batch's transaction."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from issues.models import Monitor, MonitorEnvironment
from issues.monitors.runs import locked_places, reschedule
from issues.monitors.told import Config, ToldCheckIn
from issues.monitors.told_runs import Runs

# The key stands in public pages: what it may make is bounded; see told_runs, too.
MOST_MONITORS = 1000  # of a project
MOST_ENVIRONMENTS = 50  # of a monitor

CONFIG_FIELDS = [
    *("crontab", "interval_value", "interval_unit", "timezone", "margin_minutes"),
    *("max_runtime_minutes", "failure_threshold", "recovery_threshold"),
    "config_problem",
]
Name = tuple[int, str]  # project id and slug or environment


@dataclass(frozen=True, slots=True)
class Arrived:
    """A check-in with who sent it."""

    project_id: int
    key_id: int
    told: ToldCheckIn


# Called for each check-in that makes or changes no run, with the reason.
Refuse = Callable[[Arrived, str], None]


def record(
    arrived: Sequence[Arrived],
    environments: Mapping[Name, int],
    refuse: Refuse,
    now: datetime,
) -> None:
    """Write the runs that these check-ins tell, and what follows from them.

    ``environments``: ids by project and name, of all that are named.
    """
    if not arrived:
        return
    ordered = sorted(arrived, key=lambda one: one.told.received)
    monitors = _monitors(ordered)
    _configure(ordered, monitors)
    places = _places(ordered, monitors, environments)
    known: list[tuple[Arrived, MonitorEnvironment]] = []
    for one in ordered:
        monitor = monitors.get((one.project_id, one.told.slug))
        environment_id = environments[one.project_id, one.told.environment]
        place = places.get((monitor.pk, environment_id)) if monitor else None
        if monitor is None or place is None:
            refuse(one, "too_many")
        elif monitor.is_disabled:
            refuse(one, "switched_off")
        else:
            known.append((one, place))
    if known:
        runs = Runs.of([(one.told, place) for one, place in known])
        for one, place in known:
            problem = runs.tell(place, one.told)
            if problem:
                refuse(one, problem)
        runs.write(now)


def _monitors(arrived: Sequence[Arrived]) -> dict[Name, Monitor]:
    """The monitors by project and slug; unknown ones are made, within the bound."""
    names = {(one.project_id, one.told.slug): one.told.name for one in arrived}
    found = _find_monitors(names)
    missing = sorted(names.keys() - found.keys())
    if not missing:
        return found
    projects = {project for project, _ in missing}
    counts = Monitor.objects.filter(project__in=projects).values_list("project")
    made = Counter(dict(counts.annotate(Count("pk"))))
    rows = []
    for project_id, slug in missing:
        made[project_id] += 1
        if made[project_id] <= MOST_MONITORS:
            name = names[project_id, slug]
            rows.append(Monitor(project_id=project_id, slug=slug, name=name))
    Monitor.objects.bulk_create(rows, ignore_conflicts=True)
    return found | _find_monitors(missing)


def _find_monitors(names: Collection[Name]) -> dict[Name, Monitor]:
    projects = {project for project, _ in names}
    rows = Monitor.objects.filter(
        project__in=projects, slug__in={slug for _, slug in names}
    )
    return {(row.project_id, row.slug): row for row in rows}


def _configure(arrived: Sequence[Arrived], monitors: Mapping[Name, Monitor]) -> None:
    """The newest settings that SDKs sent; places then expect their runs anew."""
    newest: dict[int, tuple[Monitor, Config, datetime]] = {}
    for one in arrived:
        monitor = monitors.get((one.project_id, one.told.slug))
        if monitor and one.told.config and monitor.takes_config:
            newest[monitor.pk] = (monitor, one.told.config, one.told.received)
    for _, (monitor, config, received) in sorted(newest.items()):
        before = [getattr(monitor, name) for name in CONFIG_FIELDS]
        _apply(monitor, config)
        if before != [getattr(monitor, name) for name in CONFIG_FIELDS]:
            monitor.save(update_fields=CONFIG_FIELDS)
            reschedule(monitor, received)


def _apply(monitor: Monitor, config: Config) -> None:
    schedule = config.schedule
    if schedule is not None:
        monitor.crontab, monitor.timezone = schedule.crontab, schedule.timezone
        monitor.interval_value = schedule.value or None
        monitor.interval_unit = schedule.unit
    for name in (
        *("margin_minutes", "max_runtime_minutes"),
        *("failure_threshold", "recovery_threshold"),
    ):
        value = getattr(config, name)
        if value is not None:
            setattr(monitor, name, value)
    monitor.config_problem = config.problem[:300]


def _places(
    arrived: Sequence[Arrived],
    monitors: Mapping[Name, Monitor],
    environments: Mapping[Name, int],
) -> dict[tuple[int, int], MonitorEnvironment]:
    """Where the monitors run, locked; new places are made, within the bound."""
    wanted = {
        (monitor.pk, environments[one.project_id, one.told.environment])
        for one in arrived
        for monitor in [monitors.get((one.project_id, one.told.slug))]
        if monitor
    }
    held: dict[int, set[int]] = defaultdict(set)
    for monitor_id, environment_id in MonitorEnvironment.objects.filter(
        monitor__in={monitor_id for monitor_id, _ in wanted}
    ).values_list("monitor_id", "environment_id"):
        held[monitor_id].add(environment_id)
    new = []
    for monitor_id, environment_id in sorted(wanted):
        there = held[monitor_id]
        if environment_id not in there and len(there) < MOST_ENVIRONMENTS:
            there.add(environment_id)
            new.append(
                MonitorEnvironment(monitor_id=monitor_id, environment_id=environment_id)
            )
    if new:
        MonitorEnvironment.objects.bulk_create(new, ignore_conflicts=True)
    rows = locked_places(
        monitor__in={monitor_id for monitor_id, _ in wanted},
        environment__in={environment_id for _, environment_id in wanted},
    )
    return {(row.monitor_id, row.environment_id): row for row in rows}
