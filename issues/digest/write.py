"""From opened envelopes to rows: resolve names, group, copy events, add counters."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from issues import families, workflow
from issues.digest import attachments, feedback_rows, resolve, store, waiting
from issues.digest.checkins import link_reports, record_check_ins
from issues.digest.context import DigestContext
from issues.digest.limit_bodies import limit_bodies
from issues.digest.networks import KnownNetworks
from issues.digest.parcel import FilteredEvent, Parcel, ReadyEvent
from issues.digest.requests import RequestSample
from issues.digest.resolve import Newcomer
from issues.digest.sessions import SessionBucket, SessionState
from issues.digest.store import GroupedEvent, KnownTags, Tally
from issues.digest.waiting import Room, Waiter
from issues.models import Issue
from releases import health, seen
from releases.health import NetworkKey, ReleaseCounts
from tenants import seen as tenants_seen

Name = tuple[int, str]  # project id and version or environment


@dataclass(slots=True)
class Written:
    """What one batch wrote; ``Known`` holds for the next once it is committed."""

    events: int = 0
    duplicates: int = 0
    filtered: int = 0
    issue_ids: set[int] = field(default_factory=set)
    tags: set[tuple[int, str, str]] = field(default_factory=set)
    networks: list[NetworkKey] = field(default_factory=list)
    public_keys: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Known:
    """What this process has stored already."""

    tags: KnownTags = field(default_factory=KnownTags)
    networks: KnownNetworks = field(default_factory=KnownNetworks)
    room: Room = field(default_factory=Room)


@dataclass(slots=True)
class Names:
    """Ids of what the batch names."""

    releases: dict[Name, int]
    environments: dict[Name, int]
    tenants: dict[str, int]

    def release(self, project_id: int, version: str) -> int:
        return self.releases[project_id, version] if version else 0

    def tenant(self, key: str) -> int:
        return self.tenants[key] if key else 0


def write(
    parcels: Sequence[Parcel], context: DigestContext, known: Known, now: datetime
) -> Written:
    """Write all that follows from the parcels, in the caller's transaction."""
    families.hold()
    tally = Tally()
    in_pages = {p.key_id for p in parcels if p.from_page} - context.public_keys
    if in_pages:
        tenants_seen.mark_public(in_pages)
    fresh, duplicates, filtered = _fresh(parcels, tally)
    names = _resolve_names(parcels, fresh, now)
    grouped = _group(fresh, names, context, context.public_keys | in_pages)
    limit_bodies(grouped, context.limits, known.tags, tally, now)
    store.copy_events(grouped)
    attachments.keep(parcels, grouped, context.projects, tally)
    feedback_rows.keep(parcels, grouped, names, tally)
    waiting.note(_waiters(grouped), known.room)
    for item in grouped:
        tally.add(item)
    tally.tags = _tags(grouped, context)
    link_reports(grouped)
    record_check_ins(parcels, names.environments, tally, now)
    _count_requests(parcels, names, tally)
    _count_sessions(parcels, names, tally)
    _count_outcomes(parcels, tally)
    store.add_counters(tally, known.tags)
    resolve.raise_levels(tally.levels)
    _regress(grouped, now)
    networks = known.networks.unknown(tally.networks)
    health.add_networks(networks, now)
    health.add_users(tally.session_users)
    health.add_tenant_minutes(tally.tenants)
    health.add_release_minutes(tally.releases)
    tenants_seen.mark_seen(set(names.tenants.values()), now)
    tenants_seen.add_key_minutes(
        {key: (n, 0) for key, n in Counter(f.key_id for f in fresh).items()}, now
    )
    issue_ids = {item.issue.root_id for item in grouped}
    return Written(
        len(grouped),
        duplicates,
        filtered,
        issue_ids,
        tally.tags,
        networks,
        in_pages,
    )


def _waiters(grouped: Sequence[GroupedEvent]) -> list[Waiter]:
    return [
        Waiter(
            item.project_id,
            UUID(item.event.event_id),
            item.event.received,
            item.event.release,
            item.event.dist,
            item.awaited,
        )
        for item in grouped
        if item.awaited and not item.dropped
    ]


def _fresh(
    parcels: Sequence[Parcel], tally: Tally
) -> tuple[list[ReadyEvent], int, int]:
    """The wanted events that are no repetition, in the batch or within 7 days.

    With the numbers of those repeated and of those filtered, each counted as one.
    """
    events: dict[tuple[int, UUID], ReadyEvent | FilteredEvent] = {}
    repeated: list[ReadyEvent | FilteredEvent] = []
    for parcel in parcels:
        arrived: list[ReadyEvent | FilteredEvent]
        arrived = [*parcel.events, *parcel.filtered]
        for item in arrived:
            key = (item.project_id, UUID(item.event.event_id))
            if key in events:
                repeated.append(item)
            else:
                events[key] = item
    if not events:
        return [], 0, 0
    new = store.add_seen([(*key, item.event.received) for key, item in events.items()])
    repeated += [item for key, item in events.items() if key not in new]
    fresh = [item for key, item in events.items() if key in new]
    wanted = [item for item in fresh if isinstance(item, ReadyEvent)]
    for item in repeated:
        _count_dropped(item, "duplicate", tally)
    for item in fresh:
        if isinstance(item, FilteredEvent):
            _count_dropped(item, f"filtered:{item.filtered_by}", tally)
    return wanted, len(repeated), len(fresh) - len(wanted)


def _count_dropped(item: ReadyEvent | FilteredEvent, reason: str, tally: Tally) -> None:
    told = (item.project_id, item.key_id, _minute(item.event.received))
    tally.outcomes[*told, "error", reason] += 1
    if item.files:
        tally.outcomes[*told, "attachment", reason] += len(item.files)


def _resolve_names(
    parcels: Sequence[Parcel], fresh: Sequence[ReadyEvent], now: datetime
) -> Names:
    releases: dict[Name, datetime] = {}
    environments: set[Name] = set()
    tenants: dict[str, int] = {}
    for item in fresh:
        if item.event.release:
            releases.setdefault(
                (item.project_id, item.event.release), item.event.received
            )
        environments.add((item.project_id, item.event.environment))
        if item.event.tenant:
            tenants.setdefault(item.event.tenant, item.key_id)
    for parcel in parcels:
        tellers: list[SessionState | SessionBucket | RequestSample]
        tellers = [*parcel.sessions, *parcel.buckets, *parcel.requests]
        for told in tellers:
            if told.release:
                releases.setdefault((parcel.project_id, told.release), parcel.received)
            environments.add((parcel.project_id, told.environment))
        for check_in in parcel.check_ins:
            environments.add((parcel.project_id, check_in.environment))
        for written in parcel.feedback:
            if written.release:
                releases.setdefault(
                    (parcel.project_id, written.release), parcel.received
                )
            if written.environment:
                environments.add((parcel.project_id, written.environment))
        named = [told.tenant for told in parcel.requests]
        named += [written.tenant for written in parcel.feedback]
        for tenant in filter(None, named):
            tenants.setdefault(tenant, parcel.key_id)
    return Names(
        seen.resolve_releases(releases),
        seen.resolve_environments(environments),
        tenants_seen.resolve_tenants(tenants, now),
    )


def _group(
    fresh: Sequence[ReadyEvent],
    names: Names,
    context: DigestContext,
    public_keys: Collection[int],
) -> list[GroupedEvent]:
    by_project: dict[int, dict[UUID, Newcomer]] = defaultdict(dict)
    for item in fresh:
        release_id = names.release(item.project_id, item.event.release)
        by_project[item.project_id].setdefault(
            item.fingerprint, Newcomer(item.event, item.grouping, release_id)
        )
    issues = {
        project_id: resolve.resolve_issues(project_id, by_project[project_id])
        for project_id in sorted(by_project)
    }
    return [
        GroupedEvent(
            event=item.event,
            body=item.body,
            title=item.grouping.title,
            project_id=item.project_id,
            key_id=item.key_id,
            issue=issues[item.project_id][item.fingerprint],
            release_id=names.release(item.project_id, item.event.release),
            environment_id=names.environments[item.project_id, item.event.environment],
            tenant_id=names.tenant(item.event.tenant),
            path_weight=context.projects[item.project_id].path_weight(item.event),
            remote_addr=item.remote_addr,
            public=item.key_id in public_keys,
            files=item.files,
            awaited=item.awaited,
            rule=item.rule,
        )
        for item in fresh
    ]


def _tags(
    grouped: Iterable[GroupedEvent], context: DigestContext
) -> set[tuple[int, str, str]]:
    """Searchable tag values; tenants and users have tables of their own."""
    tags = set()
    for item in grouped:
        skipped = context.projects[item.project_id].tenant_tags
        pairs = [
            *store.searchable_tags(item.event),
            ("environment", item.event.environment),
            ("release", item.event.release[:200]),
        ]
        for key, value in pairs:
            if value and key not in skipped:
                tags.add((item.issue.issue_id, key, value))
    return tags


def _count_requests(parcels: Sequence[Parcel], names: Names, tally: Tally) -> None:
    for parcel in parcels:
        for request in parcel.requests:
            key = (
                parcel.project_id,
                names.release(parcel.project_id, request.release),
                names.environments[parcel.project_id, request.environment],
                request.minute,
            )
            counts = tally.releases.setdefault(key, ReleaseCounts())
            counts.transactions += 1
            counts.requests += request.weight
            if request.tenant and request.weight:
                tenant_key = (*key, names.tenant(request.tenant))
                tally.add_tenant(tenant_key, requests=request.weight)


def _count_sessions(parcels: Sequence[Parcel], names: Names, tally: Tally) -> None:
    updates = []
    for parcel in parcels:
        for session in parcel.sessions:
            update = _session_update(parcel.project_id, session, names)
            updates.append(update)
            if session.user:
                tally.add_user(update, session.user)
        for bucket in parcel.buckets:
            _add_bucket(parcel.project_id, bucket, names, tally)
    for key, counted in health.count_sessions(updates).items():
        _merge(tally.releases.setdefault(key, ReleaseCounts()), counted)


def _session_update(
    project_id: int, session: SessionState, names: Names
) -> health.SessionUpdate:
    return health.SessionUpdate(
        sid=session.sid,
        init=session.init,
        state=session.rank,
        project_id=project_id,
        release_id=names.release(project_id, session.release),
        environment_id=names.environments[project_id, session.environment],
        minute=session.minute,
    )


def _add_bucket(
    project_id: int, bucket: SessionBucket, names: Names, tally: Tally
) -> None:
    key = (
        project_id,
        names.release(project_id, bucket.release),
        names.environments[project_id, bucket.environment],
        bucket.minute,
    )
    counts = tally.releases.setdefault(key, ReleaseCounts())
    counts.sessions += bucket.sessions
    counts.sessions_errored += bucket.errored
    counts.sessions_abnormal += bucket.abnormal
    counts.sessions_unhandled += bucket.unhandled
    counts.sessions_crashed += bucket.crashed


def _merge(into: ReleaseCounts, counted: ReleaseCounts) -> None:
    for name in health.COUNTS:
        setattr(into, name, getattr(into, name) + getattr(counted, name))


def _count_outcomes(parcels: Sequence[Parcel], tally: Tally) -> None:
    for parcel in parcels:
        minute = _minute(parcel.received)
        for (category, reason), quantity in parcel.outcomes.items():
            key = (parcel.project_id, parcel.key_id, minute, category, reason)
            tally.outcomes[key] += quantity


def _regress(grouped: Sequence[GroupedEvent], now: datetime) -> None:
    """Resolved issues with new events: regressions.py decides, in this commit."""
    hits = sorted(
        {
            (item.issue.root_id, item.release_id, item.environment_id)
            for item in grouped
            if item.issue.status == Issue.Status.RESOLVED
        }
    )
    if hits:
        workflow.regress(hits, now)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)
