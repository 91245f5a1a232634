"""What alert rules ask, as tables of cases."""

from typing import Any

import pytest

from issues.alerts.conditions import (
    Asked,
    Facts,
    applies,
    crash_free_below,
    crash_free_users_below,
    events_reached,
    impact_reached,
    lag_over,
    overstayed,
    tenants_reached,
    unusual,
)

FACTS = Facts(
    project_id=1,
    level=40,
    environments={"production", "staging"},
    releases={"shop@2.4.1"},
    tags={"carrier": {"dhl-express", "ups"}},
    tenants={"a.example.com"},
    plans={7},
    paths={"/checkout/pay", "orders.pricing in quote"},
)


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({}, True),
        ({"project_id": 1}, True),
        ({"project_id": 2}, False),
        ({"min_level": 40}, True),
        ({"min_level": 50}, False),
        ({"environment": "prod*"}, True),
        ({"environment": "PRODUCTION"}, True),
        ({"environment": "prod"}, False),
        ({"release": "shop@2.*"}, True),
        ({"release": "shop@3.*"}, False),
        ({"tag_key": "carrier"}, True),
        ({"tag_key": "region"}, False),
        ({"tag_key": "carrier", "tag_value": "dhl*"}, True),
        ({"tag_key": "carrier", "tag_value": "gls"}, False),
        ({"tenant": "*.example.com"}, True),
        ({"tenant": "b.*"}, False),
        ({"plan_id": 7}, True),
        ({"plan_id": 8}, False),
        ({"path": "*/checkout*"}, True),
        ({"path": "/cart*"}, False),
        ({"environment": "staging", "plan_id": 8}, False),
    ],
)
def test_every_condition_that_is_set_must_hold(
    asked: dict[str, Any], holds: bool
) -> None:
    assert applies(Asked(**asked), FACTS) is holds


def test_what_is_not_known_does_not_hold() -> None:
    assert not applies(Asked(environment="prod*"), Facts())
    assert not applies(Asked(plan_id=1), Facts())


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (impact_reached(50, 50), "Its impact is 50, at least 50."),
        (impact_reached(49.9, 50), ""),
        (tenants_reached(20, 20, 10), "It hit 20 tenants in 10 min, at least 20."),
        (tenants_reached(19, 20, 10), ""),
        (events_reached(1000, 1000, 5), "1,000 events in 5 min, at least 1,000."),
        (events_reached(999, 1000, 5), ""),
        (lag_over(61, 60), "The oldest event has waited for 61 s, longer than 60 s."),
        (lag_over(60, 60), ""),
        (overstayed(73, 72), "It has stood on the hit list for 73 hours, over 72."),
        (overstayed(72, 72), ""),
        (overstayed(72, None), ""),
        # Nothing to compare with, too few, within chance, within the percentage.
        (unusual(1000, [], 50, 5), ""),
        (unusual(9, [1.0], 50, 5), ""),
        (unusual(18, [10.0], 50, 5), ""),
        (unusual(1400, [1000.0], 50, 5), ""),
        (
            unusual(1500, [900.0, 1100.0], 50, 5),
            "1,500 events in 5 min; 1,000 are usual in this hour of the week, at most "
            "50 % more.",
        ),
        (crash_free_users_below(19, 19, 99), ""),
        (crash_free_users_below(1000, 10, 99), ""),
        (
            crash_free_users_below(1000, 11, 99),
            "98.90 % of 1,000 users of the day (UTC) were crash-free, below 99 %.",
        ),
        (crash_free_below(19, 19, 99, 5), ""),
        (crash_free_below(1000, 10, 99, 5), ""),
        (
            crash_free_below(1000, 11, 99, 5),
            "98.90 % of 1,000 sessions in 5 min were crash-free, below 99 %.",
        ),
    ],
)
def test_a_number_is_judged_with_a_sentence(sentence: str, told: str) -> None:
    assert sentence == told
