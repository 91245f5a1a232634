"""The recorded traffic of real clients, sent byte by byte to a real front door.

The recordings keep what the clients put on their sockets: header case and order,
chunked framing, compression. ``recorded.json`` is what their recorder made of them.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from issues import attachments, feedback
from issues.clean import UNSTORABLE, parse_time
from issues.digest.clock import WINDOW as CLOCK_WINDOW
from issues.ingest.envelope import frame
from issues.models import (
    Attachment,
    CheckIn,
    DeadLetter,
    Event,
    Feedback,
    InboxEnvelope,
    Issue,
    Level,
    Monitor,
    MonitorEnvironment,
    Outcome,
)
from issues.monitors import report
from releases.models import ReleaseMinute
from tests import wire
from tests.door import make_key
from tests.flow.recordings import BELLA, RECORDED, Place, Recorded
from tests.flow.server import Answer, Wire, digest_all, forget_all

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parent.parent / "samples"
NOTED = json.loads((SAMPLES / "recorded.json").read_text(encoding="utf-8"))
ACCEPTED = sorted(name for name, told in NOTED.items() if told["answer"] == 200)
REPORTS = [name for name in ACCEPTED if NOTED[name]["items"] == ["security"]]
EVENT_IDS = {name: NOTED[name]["event"] for name in ACCEPTED if NOTED[name]["event"]}
# What digest shortens or replaces is looked at in tests of its own.
CLEANED = {"023-recursion", "024-unicode-null", "025-unicode-null", "026-huge"}
CLEANED |= {"027-oversized", "102-handled-attachment", "155-fault-429"}


@dataclass(frozen=True)
class Replay:
    """The answers by recording, and the events by id."""

    answers: dict[str, Answer]
    events: dict[str, Event]

    def event(self, name: str) -> Event:
        return self.events[EVENT_IDS[name]]


@pytest.fixture(scope="module")
def replay(front: int, django_db_blocker: DjangoDbBlocker) -> Iterator[Replay]:
    with django_db_blocker.unblock():
        for project in (1, 2, 3):
            make_key(project, str(project) * 32)
        with Wire(front) as connection:
            connection.await_key(3, "3" * 32)
            answers = {
                name: connection.send((wire.CAPTURES / f"{name}.http").read_bytes())
                for name in ACCEPTED
            }
        digest_all()
        # Those of clients: what failed jobs made is looked at apart.
        events = Event.objects.exclude(issue__logger=report.LOGGER).select_related(
            "tenant", "release", "environment"
        )
        by_id = {event.event_id.hex: event for event in events}
    yield Replay(answers, by_id)
    with django_db_blocker.unblock():
        forget_all()


def test_every_request_that_the_recorder_took_is_answered_with_200(
    replay: Replay,
) -> None:
    assert len(ACCEPTED) == 308
    refused = {n: a for n, a in replay.answers.items() if a.status != 200}
    assert refused == {}


def test_the_answer_names_the_event(replay: Replay) -> None:
    named = {name: json.loads(replay.answers[name].body)["id"] for name in EVENT_IDS}
    assert named == EVENT_IDS


def test_bodies_of_node_were_sent_in_chunks() -> None:
    recorded = [(wire.CAPTURES / f"{n}.http").read_bytes() for n in ACCEPTED]
    chunked = [raw for raw in recorded if b"transfer-encoding: chunked" in raw.lower()]
    assert len(chunked) == 49


def test_every_event_is_stored_once_by_its_id(replay: Replay) -> None:
    sent = Counter(EVENT_IDS.values())
    rows = Event.objects.exclude(issue__logger=report.LOGGER)
    stored = Counter(e.hex for e in rows.values_list("event_id", flat=True))
    assert len(sent) == 117
    assert stored.keys() > sent.keys()
    assert stored.total() == len(sent) + len(REPORTS)
    assert set(stored.values()) == {1}


def test_nothing_is_left_over_or_given_up(replay: Replay) -> None:
    assert not InboxEnvelope.objects.exists()
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("recorded", RECORDED, ids=str)
def test_an_event_says_what_its_client_said(recorded: Recorded, replay: Replay) -> None:
    event = replay.event(recorded.name)
    tags = dict(tag.split("=", 1) for tag in event.tags)
    assert event.title == recorded.title
    assert Level(event.level).label == recorded.level
    assert (event.release.version if event.release else "") == recorded.release
    assert event.environment is not None
    assert event.environment.name == "production"
    assert (event.tenant.key if event.tenant else "") == recorded.tenant
    assert event.user.removeprefix("ip:127.0.0.1") == recorded.user
    assert event.transaction == recorded.transaction
    assert event.unhandled is recorded.unhandled
    assert recorded.tags.items() <= tags.items()
    assert raised(event.payload) == recorded.raised
    assert threads(event.payload) == recorded.threads


FILTERED = "[Filtered]"


def raised(payload: dict[str, Any]) -> tuple[tuple[str, Place | None], ...]:
    values = payload.get("exception", {}).get("values", [])
    return tuple((value.get("type", ""), place(value)) for value in values)


def place(exception: dict[str, Any]) -> Place | None:
    frames = exception.get("stacktrace", {}).get("frames")
    if not frames:
        return None
    last = frames[-1]
    return Place(last["filename"], last["function"], last.get("lineno", 0), len(frames))


def threads(payload: dict[str, Any]) -> int:
    values = payload.get("threads", {}).get("values", [])
    return sum(len(value["stacktrace"]["frames"]) for value in values)


@pytest.mark.parametrize(
    "name", [n for n in EVENT_IDS if n.partition("/")[2] not in CLEANED]
)
def test_nothing_of_an_event_is_lost(name: str, replay: Replay) -> None:
    event = replay.event(name)
    stored = event.payload
    for key, value in sent_event(name).items():
        if value is None or key in {"message", "sdk"}:
            continue
        if key in {"exception", "threads", "breadcrumbs"}:
            values = value["values"] if isinstance(value, dict) else value
            missing = lost(stored[key]["values"], values)
            # Below errors the locals are left out, unless a detail rule asks for them.
            all_kept = event.level >= Level.ERROR
            assert [p for p in missing if all_kept or ".vars" not in p] == [], key
        elif key == "user":
            assert lost(as_texts(stored[key]), as_texts(value)) == []
        elif key == "tags":
            assert lost(stored[key], as_texts(value)) == []
        elif key == "logentry":
            assert lost(stored[key], value) == []
        elif key == "timestamp" and stored[key] != value:
            # Recorded long ago, and the envelope does not tell when it was sent.
            told = parse_time(value)
            assert told is not None and told < event.received - CLOCK_WINDOW
            assert parse_time(stored[key]) == event.occurred
        else:
            assert lost(stored.get(key, ""), value) == [], key


def sent_event(name: str) -> dict[str, Any]:
    body = wire.load(wire.CAPTURES / f"{name}.http").plain
    item = next(item for item in frame(body).items if item.type == "event")
    event: dict[str, Any] = json.loads(body[item.start : item.end])
    return event


def lost(stored: Any, sent: Any, place: str = "") -> list[str]:
    """Where less is stored than was sent: nulls may go, and what is scrubbed says so.

    Whether a frame is in the app is the server's to say: an SDK's own chunk is not.
    """
    if isinstance(stored, str) and FILTERED in stored:
        texts = [text for text in stored.split(FILTERED) if text]
        told = sent if isinstance(sent, str) else json.dumps(sent)
        return [] if all(text in told for text in texts) else [place]
    if isinstance(sent, dict) and isinstance(stored, dict):
        return [
            found
            for key, value in sent.items()
            if value is not None and key != "in_app"
            for found in lost(stored.get(key), value, f"{place}.{key}")
        ]
    if isinstance(sent, list) and isinstance(stored, list):
        if len(stored) != len(sent):
            return [f"{place}: {len(stored)} of {len(sent)}"]
        return [
            found
            for number, (kept, value) in enumerate(zip(stored, sent, strict=True))
            for found in lost(kept, value, f"{place}[{number}]")
        ]
    return [] if stored == sent else [place]


def as_texts(values: dict[str, Any]) -> dict[str, str]:
    """As tags and users are stored: scalars as text."""
    return {key: as_text(value) for key, value in values.items() if value != "{{auto}}"}


def as_text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)


# --- What cannot be stored as it came


def notes(replay: Replay, name: str) -> str:
    return " ".join(replay.event(name).payload["_rush"]["notes"])


def test_an_oversized_event_is_trimmed_with_a_note(replay: Replay) -> None:
    told = notes(replay, "python/027-oversized")
    assert "body: trimmed from 29" in told
    assert "extra.blob0" in told
    stored = json.dumps(replay.event("python/027-oversized").payload)
    assert len(stored) <= 1 << 20


def test_an_event_just_below_the_limit_is_kept_whole(replay: Replay) -> None:
    stored = json.dumps(replay.event("python/026-huge").payload)
    assert len(stored) > 900_000
    assert "trimmed" not in notes(replay, "python/026-huge")


def test_a_thousand_frames_are_cut_in_the_middle(replay: Replay) -> None:
    payload = replay.event("python/023-recursion").payload
    assert raised(payload)[0][1] == Place("scenarios.py", "dive", 242, 250)
    assert "999 frames, the first and last 125 kept" in notes(
        replay, "python/023-recursion"
    )


def test_texts_that_no_database_takes_are_replaced_with_a_note(replay: Replay) -> None:
    for name in ("python/024-unicode-null", "browser/102-handled-attachment"):
        assert not UNSTORABLE.search(json.dumps(replay.event(name).payload))
        assert "cannot be stored" in notes(replay, name)


def test_an_event_of_browsers_reports_is_made_for_each_violation(
    replay: Replay,
) -> None:
    titles = Counter(
        e.title for i, e in replay.events.items() if i not in EVENT_IDS.values()
    )
    assert titles == {
        "Blocked 'script-src-elem' from 'inline'": 1,
        "Blocked 'img-src' from 'self'": 2,
        "Blocked 'script-src-attr' from 'inline'": 1,
    }


# --- What comes with an event


def files_sent(name: str) -> dict[str, bytes]:
    body = wire.load(wire.CAPTURES / f"{name}.http").plain
    return {
        item.header["filename"]: body[item.start : item.end]
        for item in frame(body).items
        if item.type == "attachment"
    }


def test_every_attachment_is_kept_as_it_was_sent(replay: Replay) -> None:
    sent = {name: files_sent(name) for name in EVENT_IDS if files_sent(name)}
    stored = {
        name: {
            row.name: attachments.read(row)
            for row in attachments.of_event(event.project_id, event.event_id)
        }
        for name in sent
        for event in [replay.event(name)]
    }
    assert stored == sent
    assert sum(map(len, sent.values())) == Attachment.objects.count() == 8


def test_feedback_is_stored_with_the_issue_of_its_event(replay: Replay) -> None:
    about = {
        "python/063-feedback": ["Meine Sendung fehlt 😢\nbitte helfen"],
        "browser/108-feedback": ["Wo ist mein Paket? 😢"],
    }
    about["python/063-feedback"].append("Wo ist mein Paket?")
    for name, messages in about.items():
        event = replay.event(name)
        rows = feedback.of_event(event.project_id, event.event_id)
        assert {row.message for row in rows} == set(messages)
        assert {row.issue_id for row in rows} == {event.issue_id}
        assert {(row.name, row.email) for row in rows} == {
            ("Mia Müller", "mia@example.com")
        }
    browser = Feedback.objects.get(project_id=2)
    assert browser.tenant is not None and browser.tenant.key == BELLA
    assert browser.user == "id:visitor-22"
    assert Feedback.objects.count() == 3


def test_an_attachment_is_downloaded_from_the_page_of_its_event(
    replay: Replay, admin_client: Client
) -> None:
    event = replay.event("python/052-attachments")
    url = reverse("admin:issues_event_change", args=[event.pk])
    page = admin_client.get(url).content.decode()
    row = Attachment.objects.get(event_id=event.event_id, name="broken.html")
    link = reverse("admin:issues_attachment_download", args=[row.pk])
    assert link in page
    answer = admin_client.get(link)
    assert b"".join(answer) == files_sent("python/052-attachments")["broken.html"]
    assert answer["Content-Type"] == "application/octet-stream"


# --- Check-ins


def test_every_check_in_is_a_run_of_its_monitor(replay: Replay) -> None:
    runs = CheckIn.objects.values_list(
        "monitor_environment__monitor__slug",
        "monitor_environment__environment__name",
        "status",
    )
    assert sorted(runs) == [
        ("heartbeat", "production", "ok"),
        ("manual-job", "production", "ok"),
        ("nightly-cli", "production", "ok"),
        ("nightly-cli", "staging", "error"),
        ("nightly-invoices", "production", "error"),
        ("nightly-sync", "production", "ok"),
        ("node-fail", "production", "error"),
        ("node-sync", "production", "ok"),
    ]
    schedules = {str(m.slug): str(m.schedule) for m in Monitor.objects.all()}
    assert schedules == {
        "heartbeat": "no schedule",
        "manual-job": "no schedule",
        "nightly-cli": "0 3 * * * (Europe/Vienna)",
        "nightly-invoices": "every 10 minutes",
        "nightly-sync": "0 3 * * * (Europe/Vienna)",
        "node-fail": "no schedule",
        "node-sync": "*/5 * * * *",
    }


def test_a_job_that_failed_often_enough_is_an_issue(replay: Replay) -> None:
    places = MonitorEnvironment.objects.exclude(issue=None)
    issues = {place.monitor.slug: str(place.issue) for place in places}
    # nightly-cli failed once and makes an issue of two failures.
    assert issues == {
        "nightly-invoices": "Monitor nightly-invoices failed",
        "node-fail": "Monitor node-fail failed",
    }


def test_every_monitor_can_be_read_in_the_admin(
    replay: Replay, admin_client: Client
) -> None:
    for monitor in Monitor.objects.all():
        url = reverse("admin:issues_monitor_change", args=[monitor.pk])
        page = admin_client.get(url).content.decode()
        for run in CheckIn.objects.filter(monitor_environment__monitor=monitor):
            assert f"is-run-{run.status}" in page
            assert f"{run.started:%Y-%m-%d %H:%M:%S}" in page


# --- What is counted


def total(name: str) -> float:
    found: dict[str, float] = ReleaseMinute.objects.aggregate(total=Sum(name))
    return found["total"]


def test_sessions_are_counted_by_their_worst_state(replay: Replay) -> None:
    # 35 sessions of their own, 36 in seven lists of buckets.
    assert total("sessions") == 35 + 36
    assert total("sessions_errored") == 9 + 3
    assert total("sessions_unhandled") == 16
    assert total("sessions_crashed") == 3 + 11


def test_transactions_and_segments_are_counted_as_requests(replay: Replay) -> None:
    assert total("transactions") == 16 + 27
    assert total("requests") == 16 + 27  # every client sampled all of them


def test_what_is_not_kept_is_counted(replay: Replay) -> None:
    reports = {
        ("error", "event_processor"): 6,
        ("error", "ratelimit_backoff"): 4,
        ("error", "send_error"): 1,
        ("internal", "network_error"): 1,
        ("internal", "ratelimit_backoff"): 1,
        ("session", "ratelimit_backoff"): 1,
        ("span", "no_parent_span"): 19,
        ("span", "ratelimit_backoff"): 3,
        ("span", "sample_rate"): 109,
        ("transaction", "ratelimit_backoff"): 3,
    }
    dropped = {
        "log_item": 12,
        "profile": 1,
        "replay": 2,
        "span": 522 - 27,
        "trace_metric": 7,
    }
    expected = {(kind, f"client:{why}"): n for (kind, why), n in reports.items()}
    expected |= {(kind, "unsupported"): n for kind, n in dropped.items()}
    expected["error", "duplicate"] = 1
    # The front door writes refusals late: those of other tests may come now.
    rows = Outcome.objects.filter(project_id__lte=3)
    counted: Counter[tuple[str, str]] = Counter()
    for category, reason, quantity in rows.values_list(
        "category", "reason", "quantity"
    ):
        counted[category, reason] += quantity
    assert counted == expected


def test_one_fault_in_two_shops_is_one_issue(replay: Replay) -> None:
    one = replay.event("browser/013-typeerror-click").issue_id
    other = replay.event("browser/018-typeerror-click-other-tenant").issue_id
    tunnelled = replay.event("browser/143-tunnel").issue_id
    assert one == other == tunnelled


# --- What people see


def test_every_event_can_be_read_in_the_admin(
    replay: Replay, admin_client: Client
) -> None:
    wrong = {}
    for event_id, event in replay.events.items():
        url = reverse("admin:issues_event_change", args=[event.pk])
        answer = admin_client.get(url)
        page = answer.content.decode()
        if answer.status_code != 200 or event_id not in page:
            wrong[event_id] = answer.status_code
    assert wrong == {}


def test_every_issue_can_be_read_in_the_admin(
    replay: Replay, admin_client: Client
) -> None:
    urls = [
        reverse("admin:issues_issue_change", args=[issue])
        for issue in Issue.objects.values_list("pk", flat=True)
    ]
    assert len(urls) > 60
    assert {admin_client.get(url).status_code for url in urls} == {200}
