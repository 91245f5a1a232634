from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.detail import (
    Detail,
    Facts,
    Rule,
    applies,
    choose,
    concerns,
    keeps_attachments,
    keeps_body,
    matches,
)

HOUR = 3600.0
EVENT: dict[str, Any] = {
    "level": 40,
    "environment": "production",
    "tenant": "acme.example",
    "plan_id": 3,
    "tags": {"template": "minimal", "empty": ""},
    "release_age": 5 * HOUR,
}


def rule(**conditions: Any) -> Rule:
    return Rule(**{"id": 1, "name": "a rule", "detail": Detail.MINIMAL, **conditions})


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"environment": "prod*"}, True),
        ({"min_level": 40}, True),
        ({"min_level": 50}, False),
        ({"max_level": 40}, True),
        ({"max_level": 30}, False),
        ({"tenant": "acme.example"}, True),
        ({"tenant": "*.test"}, False),
        ({"tenant": "*"}, True),
        ({"plan_id": 3}, True),
        ({"plan_id": 4}, False),
        ({"tag_key": "template", "tag_value": "min*"}, True),
        ({"tag_key": "template", "tag_value": "max*"}, False),
        ({"tag_key": "template"}, True),
        ({"tag_key": "empty"}, True),
        ({"tag_key": "carrier"}, False),
        ({"younger_hours": 6}, True),
        ({"younger_hours": 5}, False),
        ({"older_hours": 5}, True),
        ({"older_hours": 6}, False),
        ({"older_hours": 2, "younger_hours": 8}, True),
        ({"environment": "production", "tenant": "*.test"}, False),
    ],
)
def test_all_conditions_of_a_rule_must_hold(
    conditions: dict[str, Any], holds: bool
) -> None:
    assert applies(rule(**conditions), Facts(**EVENT)) is holds


@pytest.mark.parametrize(
    "conditions",
    [
        {"tenant": "acme"},
        {"environment": "production"},
        {"plan_id": 1},
        {"tag_key": "template"},
        {"younger_hours": 1},
        {"older_hours": 1},
    ],
)
def test_what_an_event_does_not_name_matches_no_condition(
    conditions: dict[str, Any],
) -> None:
    assert not applies(rule(**conditions), Facts(40))


def test_a_release_that_nobody_knows_is_new() -> None:
    assert applies(rule(younger_hours=1), Facts(40, release_age=0.0))


def test_the_first_rule_that_matches_decides() -> None:
    rules = [rule(id=1, min_level=50), rule(id=2), rule(id=3)]

    assert choose(rules, Facts(40)).id == 2


@pytest.mark.parametrize(
    ("level", "detail"),
    [(10, "standard"), (20, "standard"), (30, "full"), (40, "full"), (50, "full")],
)
def test_where_no_rule_matches_the_level_decides(level: int, detail: str) -> None:
    chosen = choose([rule(tenant="acme.example")], Facts(level))

    assert (chosen.id, chosen.detail, chosen.share, chosen.cap) == (0, detail, 1, None)


def test_what_concerns_a_sender_leaves_level_and_tags_open() -> None:
    asked = rule(min_level=50, tag_key="template", environment="production")

    assert concerns(asked, Facts(0, environment="production"))
    assert not concerns(asked, Facts(0, environment="staging"))


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("*", "", True),
        ("a*", "ab", True),
        ("*b", "ab", True),
        ("*b", "ba", False),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("**", "x", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=5), st.text("ab"))
def test_a_text_made_by_a_pattern_fits_it(parts: list[str], filled: str) -> None:
    assert matches("*".join(parts), filled.join(parts))


@given(st.uuids())
def test_no_share_keeps_nothing_and_the_whole_share_everything(event_id: UUID) -> None:
    assert not keeps_body(event_id.hex, 0.0)
    assert keeps_body(event_id.hex, 1.0)


@given(st.uuids(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_keeps(
    event_id: UUID, one: float, other: float
) -> None:
    less, more = sorted((one, other))

    assert keeps_body(event_id.hex, less) <= keeps_body(event_id.hex, more)


def test_the_share_is_kept_of_ids_that_differ_little() -> None:
    kept = sum(keeps_body(f"{number:032x}", 0.2) for number in range(5000))

    assert 900 < kept < 1100


def test_attachments_need_the_full_detail() -> None:
    assert [d for d in Detail if keeps_attachments(d)] == [Detail.FULL]
