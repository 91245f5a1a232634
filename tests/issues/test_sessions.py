from datetime import UTC, datetime
from typing import Any

import pytest

from issues.digest.clock import Clock
from issues.digest.sessions import read_buckets, read_session

RECEIVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CLOCK = Clock(RECEIVED)
MINUTE = int(RECEIVED.timestamp() // 60)


def session(**fields: Any) -> dict[str, Any]:
    return {
        "sid": "32f7a77611794a0c9aa6b2cf75a3cbbd",
        "init": True,
        "started": "2026-11-23T11:59:30Z",
        "status": "ok",
        "attrs": {"release": "web@1", "environment": "staging"},
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "rank"),
    [
        ({"status": "ok"}, 0),
        ({"status": "exited"}, 0),
        ({"status": "exited", "errors": 1}, 1),
        ({"status": "ok", "errors": 2}, 1),
        ({"status": "errored"}, 1),
        ({"status": "abnormal"}, 2),
        ({"status": "unhandled", "errors": 1}, 3),
        ({"status": "crashed"}, 4),
        ({"status": "who knows"}, 0),
        ({"status": ["crashed"]}, 0),
        ({"errors": "3"}, 0),
    ],
)
def test_a_session_ranks_by_status_and_errors(
    fields: dict[str, Any], rank: int
) -> None:
    read = read_session(session(**fields), CLOCK)
    assert read is not None
    assert read.rank == rank


def test_a_session_names_its_minute_release_and_environment() -> None:
    read = read_session(session(), CLOCK)
    assert read is not None
    assert (read.minute, read.release, read.environment) == (
        MINUTE - 1,
        "web@1",
        "staging",
    )


@pytest.mark.parametrize(
    ("did", "user"),
    [
        ("ann@example.com", -4418011524754206562),
        (7, -1778895692996505726),
        (None, 0),
        ("", 0),
        (["ann"], 0),
        ("\ud83d", -3667457387382392855),
    ],
)
def test_a_session_names_its_user_by_a_stable_hash(did: Any, user: int) -> None:
    read = read_session(session(did=did), CLOCK)
    assert read is not None
    assert read.user == user


@pytest.mark.parametrize(
    "fields",
    [
        {"sid": "no uuid"},
        {"sid": None},
        {"started": "yesterday"},
        {"attrs": {}},
        {"attrs": {"release": " "}},
        {"attrs": {"release": 7}},
        {"attrs": "web@1"},
    ],
)
def test_a_session_without_what_it_must_have_is_not_read(
    fields: dict[str, Any],
) -> None:
    assert read_session(session(**fields), CLOCK) is None


def test_buckets_sum_their_disjoint_states() -> None:
    payload = {
        "attrs": {"release": "api@1"},
        "aggregates": [
            {"started": "2026-11-23T11:59:00Z", "exited": 12, "errored": 2},
            {"started": "2026-11-23T11:58:00Z", "crashed": 3, "abnormal": 1},
            {"started": None, "exited": 99},
            "nonsense",
        ],
    }
    buckets = read_buckets(payload, CLOCK)
    assert [(b.minute - MINUTE, b.sessions, b.crashed) for b in buckets] == [
        (-1, 14, 0),
        (-2, 4, 3),
    ]


@pytest.mark.parametrize("quantity", [-5, "7", None, [], True, float("nan")])
def test_a_quantity_that_is_no_count_is_zero(quantity: Any) -> None:
    bucket = {"started": "2026-11-23T11:59:00Z", "exited": quantity}
    payload = {"attrs": {"release": "api@1"}, "aggregates": [bucket]}
    assert read_buckets(payload, CLOCK)[0].sessions == 0
