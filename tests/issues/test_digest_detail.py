"""How digest chooses a rule for an event, and what it notes in the body."""

from datetime import timedelta
from typing import Any

import pytest

from issues.digest.detail import DetailNote, DetailPolicy, apply_detail, read_note
from issues.normal_event import NormalEvent
from tenants.detail import Detail, Rule
from tests.normal_events import RECEIVED, normal


def event(**fields: Any) -> NormalEvent:
    request = {"url": "https://acme.example/", "data": "card=x"}
    return normal({"level": "error", "request": request, **fields})


def rule(**conditions: Any) -> Rule:
    return Rule(**{"id": 7, "name": "shops", "detail": Detail.STANDARD, **conditions})


def test_without_rules_an_error_is_kept_whole_and_bears_no_note() -> None:
    told = event()

    chosen = apply_detail(told, DetailPolicy())

    assert chosen.detail is Detail.FULL
    assert told.body["request"]["data"] == "card=x"
    assert "detail" not in told.body.get("_rush", {})


def test_without_rules_an_info_message_is_cut_and_says_so() -> None:
    told = event(level="info")

    apply_detail(told, DetailPolicy())

    assert read_note(told.body, 20) == DetailNote(
        0, "built-in: debug and info", "standard", 1.0, ["request body"]
    )


def test_the_note_stands_beside_those_of_normalising() -> None:
    told = event(tags="no tags")
    notes = list(told.notes)

    apply_detail(told, DetailPolicy([rule(share=0.25)]))

    assert told.body["_rush"]["notes"] == notes
    assert told.body["_rush"]["detail"] == {
        "rule": 7,
        "name": "shops",
        "level": "standard",
        "share": 0.25,
        "left_out": ["request body"],
    }


def test_a_rule_that_leaves_everything_is_noted_too() -> None:
    told = event()

    apply_detail(told, DetailPolicy([rule(detail=Detail.FULL)]))

    assert told.body["_rush"]["detail"] == {"rule": 7, "name": "shops", "level": "full"}


def test_the_plan_of_the_tenant_is_looked_up() -> None:
    policy = DetailPolicy([rule(plan_id=3)], plans={"acme.example": 3})

    assert policy.rule_for(event(tags={"tenant": "acme.example"})).id == 7
    assert policy.rule_for(event(tags={"tenant": "beta.example"})).id == 0
    assert policy.rule_for(event()).id == 0


@pytest.mark.parametrize(
    ("release", "matching"), [("old", 0), ("new", 7), ("unheard of", 7), ("", 0)]
)
def test_a_release_is_as_old_as_it_was_first_seen(release: str, matching: int) -> None:
    seen = {
        "old": RECEIVED - timedelta(hours=30),
        "new": RECEIVED - timedelta(hours=3),
    }
    policy = DetailPolicy([rule(younger_hours=24)], first_seen=seen.get)

    assert policy.rule_for(event(release=release)).id == matching


def test_the_age_of_a_release_is_not_looked_up_unless_a_rule_asks() -> None:
    def fails(version: str) -> None:
        raise AssertionError(version)

    policy = DetailPolicy([rule(tenant="x")], first_seen=fails)

    assert policy.rule_for(event(release="shop@1")).id == 0


@pytest.mark.parametrize(
    "rush", [None, [], {"detail": None}, {"detail": "full"}, {"notes": ["x"]}]
)
def test_a_body_without_a_note_was_kept_by_the_built_in_rule(rush: object) -> None:
    assert read_note({"_rush": rush}, 40).level == "full"
    assert read_note({}, 20).level == "standard"


def test_a_note_of_any_shape_can_be_read() -> None:
    note = {"rule": "x", "name": 1, "level": None, "share": "?", "left_out": {}}

    assert read_note({"_rush": {"detail": note}}, 40) == DetailNote(
        0, "1", "None", 1.0, []
    )


def test_a_client_cannot_forge_the_note() -> None:
    told = event(_rush={"detail": {"rule": 99, "name": "forged", "level": "full"}})

    apply_detail(told, DetailPolicy())

    assert read_note(told.body, 40).rule == 0
