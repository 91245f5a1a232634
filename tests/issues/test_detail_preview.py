from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.detail_preview import EVENTS, preview
from issues.models import Event
from tenants.models import DetailRule
from tests.envelopes import event as payload_of
from tests.factories import (
    make_detail_rule,
    make_environment,
    make_event,
    make_issue,
    make_plan,
    make_project,
    make_release,
    make_tenant,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def stored(**fields: Any) -> Event:
    crumbs = [{"message": f"step {n}", "category": "cart"} for n in range(100)]
    payload = payload_of(breadcrumbs={"values": crumbs})
    issue = fields.pop("issue", None) or make_issue()
    return make_event(issue, **{"payload": payload, "received": NOW, **fields})


def chosen(typed: DetailRule | None = None) -> list[str]:
    return [row.rule.name for row in preview(NOW, typed).rows]


def test_what_a_rule_leaves_of_an_event_is_measured() -> None:
    stored()
    make_detail_rule(name="cut", detail="minimal")

    found = preview(NOW)

    (row,) = found.rows
    assert (row.rule.name, row.dropped) == ("cut", "")
    assert row.left_out[0] == "100 of 100 breadcrumbs"
    assert 0 < row.after < row.before
    assert found.sentence == (
        f"Of the last 1 stored events {row.after:,} of {row.before:,} bytes would "
        f"stay ({row.after / row.before:.0%})."
    )


def test_without_a_rule_an_error_stays_as_it_is() -> None:
    stored()

    (row,) = preview(NOW).rows
    assert row.after == row.before
    assert row.rule.name == "built-in: warning and above"


def test_a_share_drops_bodies() -> None:
    stored()
    make_detail_rule(share=0.0)

    (row,) = preview(NOW).rows
    assert (row.dropped, row.after) == ("share", 0)


def test_a_cap_drops_the_later_bodies_of_an_issue() -> None:
    issue = make_issue()
    first, second, other = stored(issue=issue), stored(issue=issue), stored()
    make_detail_rule(cap=1)

    found = {row.event: row.dropped for row in preview(NOW).rows}

    assert found == {first: "", second: "cap", other: ""}


def test_the_conditions_look_at_the_stored_event() -> None:
    project = make_project()
    release = make_release(project, first_seen=NOW - timedelta(hours=50))
    stored(
        issue=make_issue(project),
        environment=make_environment(project, "staging"),
        release=release,
        tenant=make_tenant("acme.example", plan=make_plan("Pro")),
        payload=payload_of(tags={"template": "bold"}),
    )
    stored()
    make_detail_rule(
        name="all of them",
        project=project,
        environment="staging",
        tenant="acme.*",
        plan=make_plan("Other"),
    )
    make_detail_rule(
        name="exact",
        project=project,
        environment="staging",
        tenant="acme.*",
        tag_key="template",
        tag_value="bold",
        older_hours=48,
    )

    assert chosen() == ["built-in: warning and above", "exact"]


def test_a_typed_rule_takes_its_place_in_the_order() -> None:
    stored()
    make_detail_rule(name="saved", position=2)

    assert chosen(DetailRule(name="before", position=1)) == ["before"]
    assert chosen(DetailRule(name="behind", position=2)) == ["saved"]
    assert chosen(DetailRule(name="off", position=1, is_active=False)) == ["saved"]


def test_a_typed_rule_stands_for_the_saved_one() -> None:
    stored()
    saved = make_detail_rule(name="saved")

    assert chosen(DetailRule(pk=saved.pk, name="changed", position=5)) == ["changed"]
    off = DetailRule(pk=saved.pk, name="changed", position=5, is_active=False)
    assert chosen(off) == ["built-in: warning and above"]


def test_a_typed_rule_of_a_project_looks_at_its_events() -> None:
    project = make_project()
    wanted = stored(issue=make_issue(project))
    stored()

    found = preview(NOW, DetailRule(name="x", project=project))

    assert [row.event for row in found.rows] == [wanted]


def test_events_without_a_readable_body_and_old_ones_are_left_out() -> None:
    stored(payload=None)
    stored(body=b"damaged")
    stored(received=NOW - timedelta(hours=25))

    assert preview(NOW).sentence == (
        "No event with a body was received within 24 hours."
    )


def test_the_newest_events_are_tried_in_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    issue = make_issue()
    for _ in range(EVENTS + 1):
        stored(issue=issue, tenant=make_tenant())

    with django_assert_num_queries(2):
        assert len(preview(NOW).rows) == EVENTS
