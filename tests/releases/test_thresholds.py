import pytest

from releases.models import Action, Threshold
from releases.thresholds import rule_from, rule_of, settings_of, threshold_for
from releases.verdict import Rule
from tenants.models import Project
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Project:
    return make_project(slug="shop")


def make_all(shop: Project) -> None:
    """One of each kind, told apart by their ratios."""
    Threshold.objects.create(ratio=2)
    Threshold.objects.create(environment="production", ratio=3)
    Threshold.objects.create(project=shop, ratio=4)
    Threshold.objects.create(project=shop, environment="production", ratio=5)
    Threshold.objects.create(project=make_project(), environment="production", ratio=6)


@pytest.mark.parametrize(
    ("environment", "gone", "ratio"),
    [
        ("production", [], 5),
        ("production", [5], 4),
        ("production", [5, 4], 3),
        ("production", [5, 4, 3], 2),
        ("staging", [], 4),
        ("staging", [4], 2),
        ("", [], 4),
        ("", [4], 2),
    ],
)
def test_the_most_specific_threshold_holds(
    shop: Project, environment: str, gone: list[int], ratio: int
) -> None:
    make_all(shop)
    Threshold.objects.filter(ratio__in=gone).delete()

    assert threshold_for(shop, environment).ratio == ratio


def test_without_any_the_defaults_hold_and_alert(shop: Project) -> None:
    threshold = threshold_for(shop, "production")

    assert not Threshold.objects.exists()
    assert threshold.action == Action.ALERT
    assert rule_of(threshold) == Rule()


def test_a_watch_remembers_the_whole_threshold(shop: Project) -> None:
    threshold = Threshold(
        ratio=2.5,
        tolerated_drift=1.2,
        floor=0.01,
        confidence=0.95,
        min_events=7,
        min_tenants=4,
        grace_minutes=3,
        window_minutes=30,
        guard_new_issue=False,
        guard_tenant=False,
        outside_control=False,
        action=Action.ROLLBACK,
    )

    settings = settings_of(threshold)

    assert rule_from(settings) == rule_of(threshold) != Rule()
    assert (settings["grace"], settings["window"]) == (3, 30)
    assert (settings["action"], settings["outside_control"]) == ("rollback", False)


def test_settings_of_an_older_watch_leave_the_defaults() -> None:
    assert rule_from({"ratio": 2.0, "no_longer": 1}) == Rule(ratio=2.0)
