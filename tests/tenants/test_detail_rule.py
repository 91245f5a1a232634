"""The table of detail rules: what it refuses, and how a rule reads."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import ProtectedError

from tenants.detail import Detail, Rule
from tenants.models import DetailRule
from tests.factories import make_detail_rule, make_plan, make_project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"share": 1.5}, "less than or equal to 1"),
        ({"share": -0.1}, "greater than or equal to 0"),
        ({"min_level": 50, "max_level": 40}, "must not be above"),
        ({"younger_hours": 2, "older_hours": 2}, "No release is younger"),
        ({"older_hours": 0}, "greater than or equal to 1"),
        ({"tag_value": "bold"}, "Name the tag"),
        ({"detail": "some"}, "not a valid choice"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        DetailRule(**{"name": "x", **fields}).full_clean()


def test_the_database_refuses_it_too() -> None:
    with pytest.raises(IntegrityError):
        make_detail_rule(share=1.5)


def test_a_tenant_is_written_as_events_name_it() -> None:
    assert make_detail_rule(tenant="  Acme.Example ").tenant == "acme.example"


def test_a_plan_that_a_rule_names_cannot_go() -> None:
    """Without it the rule would hold for every tenant."""
    plan = make_plan()
    make_detail_rule(plan=plan)

    with pytest.raises(ProtectedError):
        plan.delete()


def test_a_rule_becomes_plain_values() -> None:
    plan = make_plan()
    row = make_detail_rule(
        name="n", detail="minimal", plan=plan, younger_hours=3, share=0.5, cap=2
    )

    assert row.rule() == Rule(
        id=row.pk,
        name="n",
        detail=Detail.MINIMAL,
        min_level=10,
        max_level=50,
        plan_id=plan.pk,
        younger_hours=3,
        share=0.5,
        cap=2,
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "every event"),
        ({"min_level": 40}, "error to fatal"),
        ({"min_level": 20, "max_level": 20}, "info only"),
        ({"tag_key": "template"}, "template=*"),
        (
            {"environment": "staging", "tenant": "*.test", "older_hours": 48},
            "staging, tenant *.test, release ≥ 48 h",
        ),
    ],
)
def test_conditions_read_as_words(fields: dict[str, Any], words: str) -> None:
    assert make_detail_rule(**fields).conditions == words


def test_project_and_plan_stand_in_the_words() -> None:
    rule = make_detail_rule(project=make_project(name="Shop"), plan=make_plan("Pro"))

    assert rule.conditions == "Shop, plan Pro"
