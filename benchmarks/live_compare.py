"""Compares what clients sent with what /api/v1/ tells of it, kind by kind."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.live_recorder import Taken
from issues.ingest.envelope import frame
from issues.ingest.limits import DISCARDED, category
from tests.running import eventually

FILTERED = "[Filtered]"
Json = dict[str, Any]


@dataclass
class Sent:
    """Items by kind. ``files``: names and sizes by event id, 32 hex digits."""

    events: dict[str, Json] = field(default_factory=dict)
    repeated: int = 0
    files: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    feedback: list[Json] = field(default_factory=list)
    check_ins: dict[tuple[str, str], str] = field(default_factory=dict)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    unsupported: Counter[str] = field(default_factory=Counter)
    sessions: Counter[str] = field(default_factory=Counter)
    crashed: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    reports: int = 0
    _sids: set[str] = field(default_factory=set)
    _crashes: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, taken: list[Taken]) -> "Sent":
        sent = cls()
        for path, body in taken:
            if "/security" in path:
                sent.reports += _reports(json.loads(body))
            elif "/store" in path:
                sent._add_event(json.loads(body), "")
            else:
                sent._add_envelope(body)
        return sent

    def __str__(self) -> str:
        numbers = {
            "events": len(self.events),
            "repeated": self.repeated,
            "attachments": sum(map(len, self.files.values())),
            "feedback": len(self.feedback),
            "check-ins": len(self.check_ins),
            "browser reports": self.reports,
            "client reports of": self.dropped.total(),
            "sessions": self.sessions.total(),
            "requests": self.requests.total(),
            "counted only": self.unsupported.total(),
        }
        return ", ".join(f"{name} {n}" for name, n in numbers.items() if n)

    def _add_envelope(self, body: bytes) -> None:
        envelope = frame(body)
        trace = envelope.header.get("trace") or {}
        for item in envelope.items:
            raw = body[item.start : item.end]
            if item.type == "attachment":
                told = (item.header.get("filename") or "unnamed", len(raw))
                self.files.setdefault(envelope.event_id, []).append(told)
            elif item.type in DISCARDED:
                self.unsupported[category(item.type)] += item.header.get(
                    "item_count", 1
                )
            else:
                self._add(item.type, json.loads(raw), envelope.event_id, trace)

    def _add(self, kind: str, told: Json, event_id: str, trace: Json) -> None:
        if kind == "event":
            self._add_event(told, event_id)
        elif kind == "feedback":
            self.feedback.append(told["contexts"]["feedback"])
        elif kind == "user_report":
            about = {"associated_event_id": told["event_id"]}
            self.feedback.append({"message": told["comments"], **about})
        elif kind == "check_in":
            key = told["monitor_slug"], told["check_in_id"].replace("-", "")
            # A start and its end may overtake each other.
            if told["status"] != "in_progress" or key not in self.check_ins:
                self.check_ins[key] = told["status"]
        elif kind == "client_report":
            for one in told["discarded_events"]:
                self.dropped[one["category"], one["reason"]] += one["quantity"]
        elif kind == "transaction":
            self.requests[told.get("release") or trace.get("release", "")] += 1
        elif kind == "span":
            self._add_spans(told["items"])
        else:
            self._add_sessions(kind, told)

    def _add_event(self, told: Json, event_id: str) -> None:
        event_id = (event_id or told["event_id"]).replace("-", "")
        self.repeated += event_id in self.events
        self.events.setdefault(event_id, told)

    def _add_spans(self, spans: list[Json]) -> None:
        for span in spans:
            if span.get("is_segment"):
                release = (span.get("attributes") or {}).get("sentry.release") or {}
                self.requests[release.get("value", "")] += 1
            else:
                self.unsupported["span"] += 1

    def _add_sessions(self, kind: str, told: Json) -> None:
        release = told["attrs"]["release"]
        if kind == "sessions":
            for one in told["aggregates"]:
                counts = {k: n for k, n in one.items() if isinstance(n, int)}
                self.sessions[release] += sum(counts.values())
                self.crashed[release] += counts.get("crashed", 0) + counts.get(
                    "unhandled", 0
                )
            return
        if told["sid"] not in self._sids:
            self._sids.add(told["sid"])
            self.sessions[release] += 1
        if (
            told.get("status") in {"crashed", "unhandled"}
            and told["sid"] not in self._crashes
        ):
            self._crashes.add(told["sid"])
            self.crashed[release] += 1


def _reports(body: Any) -> int:
    if isinstance(body, dict):
        return int("csp-report" in body)
    return sum(one.get("type") == "csp-violation" for one in body)


class Api:
    def __init__(self, url: str, token: str, project: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=f"{url}/api/v1", headers=headers)
        self.project = project

    def get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(path, params=query)
        return answer.json() if answer.status_code == 200 else {}

    def all(self, path: str, **query: Any) -> Iterator[Json]:
        query = {"project": self.project, "per_page": 100, **query}
        while True:
            page = self.get(path, **query)
            yield from page.get("results", [])
            if not page.get("next"):
                return
            query["cursor"] = httpx.URL(page["next"]).params["cursor"]


def compare(url: str, token: str, project: str, sent: Sent) -> list[str]:
    """What differs, a sentence each; waits until what was sent last is digested."""
    api = Api(url, token, project)
    events = list(sent.events)
    eventually(lambda: all(api.get(f"/events/{one}/") for one in events[-3:]))
    eventually(lambda: not list(_sums(api, sent)))
    found = [
        f"event {event_id}: {told}"
        for event_id, event in sent.events.items()
        for told in _event(event, sent.files.get(event_id, []), event_id, api)
    ]
    return [*found, *_feedback(api, sent), *_check_ins(api, sent), *_sums(api, sent)]


def _event(
    sent: Json, files: list[tuple[str, int]], event_id: str, api: Api
) -> Iterator[str]:
    stored = api.get(f"/events/{event_id}/")
    if not stored:
        yield "is not stored"
        return
    level = sent.get("level", "error")
    expected = {
        "project": api.project,
        "level": level if isinstance(level, str) else "error",
        "release": sent.get("release") or None,
        "environment": sent.get("environment") or "production",
    }
    for name, value in expected.items():
        if stored[name] != value:
            yield f"{name} is {stored[name]!r}, sent {value!r}"
    payload = stored["payload"]
    notes = " ".join((payload.get("_rush") or {}).get("notes", []))
    if "body: trimmed" in notes:
        return  # over 1 MiB: it says so itself
    for name in ("tags", "extra", "contexts", "modules", "user"):
        kept = payload.get(name) or {}
        for key, value in (sent.get(name) or {}).items():
            if value not in (None, "{{auto}}", {}) and key not in kept:
                yield f"{name}.{key} is missing"
    yield from _stacks(sent, payload)
    crumbs = _values(sent.get("breadcrumbs"))
    kept_crumbs = len(_values(payload.get("breadcrumbs")))
    if kept_crumbs != len(crumbs) and "breadcrumbs" not in notes:
        yield f"{kept_crumbs} of {len(crumbs)} breadcrumbs"
    # Files belong to full detail, which is the default of errors.
    if expected["level"] in {"error", "fatal"}:
        kept_files = sorted((one["name"], one["size"]) for one in stored["attachments"])
        if kept_files != sorted(files):
            yield f"attachments are {kept_files}, sent {sorted(files)}"


def _stacks(sent: Json, payload: Json) -> Iterator[str]:
    raised = _values(sent.get("exception"))
    stored = _values(payload.get("exception"))
    if [one.get("type") for one in raised] != [one.get("type") for one in stored]:
        yield "the exceptions are others"
        return
    for one, kept in zip(raised, stored, strict=True):
        frames = (one.get("stacktrace") or {}).get("frames") or []
        kept_frames = (kept.get("stacktrace") or {}).get("frames") or []
        if len(kept_frames) != min(len(frames), 250):
            yield f"{len(kept_frames)} of {len(frames)} frames"


def _values(told: Any) -> list[Json]:
    values: list[Json] = told.get("values", []) if isinstance(told, dict) else told
    return values or []


def _feedback(api: Api, sent: Sent) -> Iterator[str]:
    stored = {(one["message"], one["event_id"]): one for one in api.all("/feedback/")}
    for told in sent.feedback:
        about = (told.get("associated_event_id") or "").replace("-", "") or None
        row = stored.pop((told["message"], about), None)
        if row is None:
            yield f"feedback {told['message']!r} is not stored"
        elif about in sent.events and row["issue"] is None:
            yield f"feedback {told['message']!r} is not linked"
    for message, _ in stored:
        yield f"feedback {message!r} was not sent"


def _check_ins(api: Api, sent: Sent) -> Iterator[str]:
    stored = {
        (monitor["slug"], run["check_in_id"]): run["status"]
        for monitor in api.all("/monitors/")
        for run in api.get(f"/monitors/{monitor['id']}/check-ins/").get("results", [])
    }
    for key, status in sent.check_ins.items():
        if stored.get(key) != status:
            yield f"check-in {key} is {stored.get(key)}, sent {status}"


def _sums(api: Api, sent: Sent) -> Iterator[str]:
    outcomes: Counter[tuple[str, str]] = Counter()
    for row in api.get("/outcomes/", project=api.project):
        outcomes[row["category"], row["reason"]] += row["quantity"]
    expected = Counter({(c, f"client:{r}"): n for (c, r), n in sent.dropped.items()})
    for kind, number in sent.unsupported.items():
        expected[kind, "unsupported"] += number
    if sent.repeated:
        expected["error", "duplicate"] += sent.repeated
    for key in sorted(expected.keys() | outcomes.keys()):
        if expected[key] != outcomes[key]:
            yield f"outcome {key} is {outcomes[key]}, sent {expected[key]}"
    reports = [e for e in api.all("/events/") if "blocked-host" in e["tags"]]
    if len(reports) != sent.reports:
        yield f"{len(reports)} events of {sent.reports} browser reports"
    for release in api.all("/releases/"):
        yield from _release(api, release, sent)


def _release(api: Api, release: Json, sent: Sent) -> Iterator[str]:
    version = release["version"]
    health = api.get(f"/releases/{release['id']}/health/").get("environments", [])
    figures = [one["release"] for one in health]
    sessions = sum(one["sessions"] for one in figures)
    crashed = sum(
        one["sessions"] * (1 - one["crash_free_sessions"])
        for one in figures
        if one["sessions"]
    )
    if sessions != sent.sessions[version]:
        yield f"{version}: {sessions} sessions, sent {sent.sessions[version]}"
    if abs(crashed - sent.crashed[version]) > 0.01:
        yield f"{version}: {crashed:.2f} crashed, sent {sent.crashed[version]}"
    sources = {one["source"] for one in health}
    exposure = sum(one["release"]["exposure"] for one in health)
    if sources == {"requests"} and exposure != sent.requests[version]:
        yield f"{version}: {exposure} requests, sent {sent.requests[version]}"
