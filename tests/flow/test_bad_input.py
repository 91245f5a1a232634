"""What is sent by mistake or on purpose gets an answer of the protocol, and is kept.

All cases are sent to a real front door, each with a project and key of its own, and
are digested: what was answered with 200 must be an event, a count or a dead letter.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from issues.models import DeadLetter, Event, Outcome
from releases.models import ReleaseMinute
from tenants.models import Project, ProjectKey, Tenant
from tests.envelopes import envelope, item
from tests.flow.bad_requests import (
    CASES,
    ITEMS,
    Case,
    fields,
    mutated,
    texts,
    times,
)
from tests.flow.hostile import EVENT, LEGACY, OLD_EVENT, WRONG, mutations
from tests.flow.server import Answer, Wire, digest_all, forget_all

pytestmark = pytest.mark.django_db

REFUSALS = {400, 401, 403, 413, 415, 429}
KINDS = [*ITEMS, "security"]
FIRST_PROJECT = 10_000
KEY = "e" * 32


@dataclass
class Result:
    """What came of a case; ``counted``: sessions, requests and outcomes."""

    answer: Answer
    events: list[Event] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    counted: int = 0

    @property
    def fates(self) -> set[str]:
        found = {
            "event": self.events,
            "dead letter": self.dead_letters,
            "counted": self.counted,
            "refused": self.answer.status in REFUSALS,
        }
        return {fate for fate, value in found.items() if value} or {"nothing"}


@pytest.fixture(scope="module")
def results(
    front: int, django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, Result]]:
    """What came of every case, by its name."""
    cases = [*CASES, *(case for kind in KINDS for case in mutated(kind))]
    with django_db_blocker.unblock():
        found = send(front, cases)
        digest_all()
        collect(found)
    named = dict(zip((case.name for case in cases), found.values(), strict=True))
    assert len(named) == len(cases)
    yield named
    with django_db_blocker.unblock():
        forget_all()


def send(port: int, cases: list[Case]) -> dict[int, Result]:
    """Send each case with a key of its own; the answers by project id."""
    numbers = range(FIRST_PROJECT, FIRST_PROJECT + len(cases))
    Project.objects.bulk_create(
        Project(pk=n, name=f"Project {n}", slug=f"project-{n}") for n in numbers
    )
    ProjectKey.objects.bulk_create(
        ProjectKey(project_id=n, public_key=f"{n:032x}") for n in numbers
    )
    found = {}
    with Wire(port) as wire:
        wire.await_key(numbers[-1], f"{numbers[-1]:032x}")
        for number, case in zip(numbers, cases, strict=True):
            query = f"sentry_key={number:032x}{case.query}"
            target = f"/api/{number}/{case.kind}/?{query}"
            found[number] = Result(wire.post(target, case.body, **case.headers))
    return found


def collect(found: dict[int, Result]) -> None:
    ours = {"project_id__in": found}
    for event in Event.objects.filter(**ours):
        found[event.project_id].events.append(event)
    letters = DeadLetter.objects.filter(**ours)
    for project, error in letters.values_list("project_id", "error"):
        found[project].dead_letters.append(error)
    minutes = ReleaseMinute.objects.filter(**ours)
    for project, *counts in minutes.values_list(
        "project_id", "sessions", "transactions"
    ):
        found[project].counted += sum(counts)
    outcomes = Outcome.objects.filter(**ours)
    for project, quantity in outcomes.values_list("project_id", "quantity"):
        found[project].counted += quantity


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_is_answered_and_kept(case: Case, results: dict[str, Result]) -> None:
    result = results[case.name]
    assert result.answer.status in {200, *REFUSALS}, result.answer
    assert not case.fate or case.fate in result.fates, result
    if case.fate not in {"dead letter", ""}:
        assert not result.dead_letters


@pytest.mark.parametrize("case", [c for c in CASES if c.fate == "refused"], ids=str)
def test_a_refusal_says_why_and_stores_nothing(
    case: Case, results: dict[str, Result]
) -> None:
    result = results[case.name]
    assert json.loads(result.answer.body)["detail"]
    assert result.answer.headers["x-sentry-error"]
    assert not result.events


@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_value_in_an_item_loses_it(
    kind: str, results: dict[str, Result]
) -> None:
    lost = [
        (case.name, result)
        for case in mutated(kind)
        for result in (results[case.name],)
        if result.answer.status != 200
        or (case.fate and case.fate not in result.fates)
        or (kind != "security" and result.dead_letters)
        or (kind == "security" and result.fates == {"nothing"})
    ]
    assert lost == []


# Odd, yet stored as they came.
UNCHANGED = {
    *("no fields", "NaN and infinity", "duplicate keys", "tabs inside texts"),
    *("a byte order mark", "120 levels", "None everywhere", "braces", "no URL"),
    *("1,000 contexts", "names of blanks", "names that grow", "a long user"),
    *("a format bomb", "1 MiB of extra"),
}


@pytest.mark.parametrize("case", [*texts(), *fields(), *times()], ids=str)
def test_an_event_that_was_cleaned_says_so(
    case: Case, results: dict[str, Result]
) -> None:
    for event in results[case.name].events:
        cleaned = case.name.partition(" with ")[2] not in UNCHANGED
        assert bool(event.payload.get("_rush")) is cleaned


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_no_clock_moves_an_event_by_more_than_a_day(
    year: str, results: dict[str, Result]
) -> None:
    events = [
        event
        for name, result in results.items()
        if name.endswith(f"sent in {year}")
        for event in result.events
    ]
    assert len(events) > 10
    for event in events:
        assert abs((event.occurred - event.received).total_seconds()) <= 86_400


def test_hostile_tenants_are_named_in_one_line_of_small_letters(
    results: dict[str, Result],
) -> None:
    keys = set(Tenant.objects.values_list("key", flat=True))
    assert {"bella.example", "a" * 200, "i̇" * 100, "7", "a b c d"} <= keys
    assert [k for k in keys if not k.isprintable() or k != k.strip()] == []


# --- Events with a wrong value somewhere


class Mutant(NamedTuple):
    """An event with one wrong value, its answer, and the event it became."""

    name: str
    body: dict[str, Any]
    answer: Answer
    event: Event | None


def wrong_events() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from mutations(EVENT, 4, WRONG)
    for key, value in LEGACY.items():
        for name, odd in mutations({key: value}, 4, WRONG):
            yield f"old {name}", {**OLD_EVENT, **odd}


@pytest.fixture(scope="module")
def mutants(front: int, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Mutant]]:
    with django_db_blocker.unblock():
        project = Project.objects.create(name="Mutants", slug="mutants")
        ProjectKey.objects.create(project=project, public_key=KEY)
        target = f"/api/{project.pk}/envelope/?sentry_key={KEY}"
        sent = {}
        with Wire(front) as wire:
            wire.await_key(project.pk, KEY)
            for name, body in wrong_events():
                event_id = uuid.uuid4()
                whole = envelope(item("event", body), event_id=event_id.hex)
                sent[event_id] = (name, body, wire.post(target, whole))
        digest_all()
        stored = {e.event_id: e for e in Event.objects.filter(project=project)}
    yield [Mutant(*sent[event_id], stored.get(event_id)) for event_id in sent]
    with django_db_blocker.unblock():
        forget_all()


def test_an_event_is_kept_whatever_stands_in_its_fields(mutants: list[Mutant]) -> None:
    assert len(mutants) > 2_500
    lost = [m for m in mutants if m.answer.status != 200 or m.event is None]
    assert lost == []
    letters = DeadLetter.objects.filter(project_id__lt=FIRST_PROJECT)
    assert not letters.exists()


def test_what_is_dropped_of_an_event_is_noted(mutants: list[Mutant]) -> None:
    silent = [
        mutant.name
        for mutant in mutants
        # The id in the envelope's header counts, so the payload's is not used.
        if mutant.event is not None
        and not mutant.name.startswith("event_id")
        and "misplaced" in json.dumps(mutant.body)
        and "misplaced" not in json.dumps(mutant.event.payload)
        and not mutant.event.payload.get("_rush")
    ]
    assert silent == []


def test_the_admin_and_the_api_show_them(
    mutants: list[Mutant], admin_client: Client
) -> None:
    events = [mutant.event for mutant in mutants[::67] if mutant.event is not None]
    assert len(events) > 30
    for event in events:
        page = reverse("admin:issues_event_change", args=[event.pk])
        read = reverse("event-detail", args=[event.event_id.hex])
        assert admin_client.get(page).status_code == 200
        assert admin_client.get(read).json()["payload"] == event.payload


def test_the_admin_shows_events_of_absurd_content(
    results: dict[str, Result], admin_client: Client
) -> None:
    events = [event for case in fields() for event in results[case.name].events]
    assert len(events) > 15
    for event in events:
        page = reverse("admin:issues_event_change", args=[event.pk])
        assert admin_client.get(page).status_code == 200


# --- Requests that are no HTTP, or hardly

TARGET = f"POST /api/{FIRST_PROJECT}/envelope/?sentry_key={FIRST_PROJECT:032x} HTTP/1.1"
GOOD = envelope(item("event", {"message": "x"}))
HOST = b"host: rush.example.com"
LENGTH = b"content-length: %d" % len(GOOD)


def http(*headers: bytes, body: bytes = b"", first: str = TARGET) -> bytes:
    return b"\r\n".join((first.encode("latin-1"), HOST, *headers, b"", body))


def posted(target: str, *headers: bytes) -> bytes:
    return http(LENGTH, *headers, body=GOOD, first=f"POST {target} HTTP/1.1")


CUT_OFF = [
    http(b"content-length: 99999", body=GOOD),
    http(b"transfer-encoding: chunked", body=b"7\r\n{}\n{}\n\r\n"),
    http(b"transfer-encoding: chunked", body=b"7\r\n{}\n"),
    http(LENGTH),
]
BROKEN = [
    (http(b"content-length: -1", body=GOOD), {400}),
    (http(b"content-length: 9999999999999999999999", body=GOOD), {400}),
    (http(b"content-length: 999999999999", body=GOOD), {413}),
    (http(b"content-length: 7", LENGTH, body=GOOD), {400}),
    (http(b"transfer-encoding: chunked", body=b"zz\r\n" + GOOD), {400}),
    (http(b"transfer-encoding: gzip", LENGTH, body=GOOD), {400, 501}),
    (http(b"a: " + b"x" * 2_000_000, LENGTH, body=GOOD), {400, 431}),
    (http(*[b"a: x"] * 1000, LENGTH, body=GOOD), {400, 431}),
    (http(b"a: \x00", LENGTH, body=GOOD), {400}),
    (http(b"no header", LENGTH, body=GOOD), {400}),
    (http(LENGTH, body=GOOD, first="hello"), {400}),
    (http(LENGTH, body=GOOD, first=TARGET.replace("POST", "GET")), {405}),
    (http(LENGTH, body=GOOD, first=TARGET.replace("POST", "DELETE")), {405}),
    (posted("/api/1/envelope/"), {403}),
    (posted("/api/1/envelope/?sentry_key="), {403}),
    (posted("/api/1/envelope/?sentry_key=" + "%00" * 32), {403}),
    (posted("/api/1/envelope/?sentry_key=" + "f" * 32), {403}),
    (posted("/api/1/envelope/?sentry_key=" + "f" * 60_000), {403, 414}),
    (posted("/api/99999999999999999999/envelope/?sentry_key=" + "f" * 32), {403}),
    (posted("/api/%00/envelope/?sentry_key=" + "f" * 32), {403}),
    (posted("/api/\xff/envelope/?sentry_key=" + "f" * 32), {400, 403}),
    (posted("/api/1/envelope/", b"x-sentry-auth: Sentry sentry_key=\xff"), {403}),
    (posted("/api/1/envelope/", b"x-sentry-auth: " + b"sentry_key=," * 500), {403}),
    (posted("/api/1/envelope/", b"authorization: Basic \xff\xff"), {403}),
    (posted("/tunnel/"), {403}),
]


@pytest.mark.parametrize(("raw", "statuses"), BROKEN)
def test_a_broken_request_is_refused(
    raw: bytes, statuses: set[int], wire: Wire, results: dict[str, Result]
) -> None:
    assert wire.send(raw).status in statuses


@pytest.mark.parametrize("raw", CUT_OFF)
def test_a_request_that_is_cut_off_is_refused(
    raw: bytes, wire: Wire, results: dict[str, Result]
) -> None:
    assert wire.send(raw, ends=True).status == 400


def test_the_front_door_is_none_the_worse_for_it(
    wire: Wire, results: dict[str, Result]
) -> None:
    assert wire.send(http(LENGTH, body=GOOD)).status == 200
