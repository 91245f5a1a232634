import pytest

from issues.impact import Window, impact, trend


def hit(**fields: float) -> Window:
    values = {
        "events": 10,
        "events_10m": 2,
        "unhandled": 1,
        "level": 40,
        "tenants": 1,
        "weight_hit": 1.0,
        "weight_active": 1500.0,
        **fields,
    }
    return Window(**values)  # type: ignore[arg-type]


def test_an_issue_without_events_in_the_window_scores_zero() -> None:
    assert impact(Window()).score == 0.0


def test_forty_small_tenants_outrank_one_failing_ten_thousand_times() -> None:
    many = impact(hit(events=40, tenants=40, weight_hit=40 * 0.2835))
    one = impact(hit(events=10_000, tenants=1, weight_hit=1.0))
    assert many.exponent > one.exponent


def test_half_and_all_of_the_tenants_differ_in_order() -> None:
    half = impact(hit(tenants=750, weight_hit=750.0))
    whole = impact(hit(tenants=1500, weight_hit=1500.0))
    assert whole.exponent > half.exponent


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"level": 50}, {"level": 40}),
        ({"level": 40}, {"level": 30}),
        ({"level": 30}, {"level": 20}),
        ({"unhandled": 1}, {"unhandled": 0}),
        ({"path_weight": 3.0}, {"path_weight": 1.0}),
        ({"events_10m": 9}, {"events_10m": 0}),
        ({"weight_hit": 5.0}, {"weight_hit": 1.0}),
    ],
)
def test_what_is_worse_scores_higher(
    worse: dict[str, float], better: dict[str, float]
) -> None:
    assert impact(hit(**worse)).exponent > impact(hit(**better)).exponent


def test_one_tenant_of_three_is_not_a_third_of_the_business() -> None:
    assert impact(hit(weight_active=3.0)).parts["reach"] == pytest.approx(1 / 20)


def test_events_without_tenant_are_worth_their_users_share() -> None:
    judged = impact(hit(tenants=0, weight_hit=0.0, users=50, users_active=200))
    assert (judged.parts["basis"], judged.parts["reach"]) == ("users", 0.25)


def test_events_without_tenant_and_user_are_worth_their_share_of_errors() -> None:
    judged = impact(hit(tenants=0, weight_hit=0.0, events=50, project_errors=200))
    assert (judged.parts["basis"], judged.parts["reach"]) == ("share", 0.25)


def test_reach_never_exceeds_one() -> None:
    assert impact(hit(weight_hit=9000.0)).parts["reach"] == 1.0


@pytest.mark.parametrize(
    ("last_10", "before_50", "expected"),
    [(0, 0, 1.0), (0, 500, 0.5), (500, 0, 2.0), (10, 50, 1.0)],
)
def test_trend_compares_rates_within_half_and_double(
    last_10: int, before_50: int, expected: float
) -> None:
    assert trend(last_10, before_50) == pytest.approx(expected)


def test_the_sentence_names_who_is_hit() -> None:
    sentence = impact(hit(events=12, tenants=3, weight_hit=15.0)).parts["sentence"]
    assert sentence == (
        "12 events within 60 minutes hit 3 tenants: 1.0% of the active tenants by "
        "weight."
    )
