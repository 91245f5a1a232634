import pytest

from tenants.detail_order import move
from tenants.models import AuditEntry, DetailRule
from tests.factories import ANNA, make_detail_rule

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    return list(DetailRule.objects.values_list("name", flat=True))


def make(*made: str) -> list[int]:
    return [make_detail_rule(name=name).pk for name in made]


def test_a_new_rule_stands_last() -> None:
    make("a", "b", "c")

    assert names() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("places", "after"),
    [(-1, ["b", "a", "c"]), (1, ["a", "c", "b"])],
)
def test_a_rule_moves_up_and_down(places: int, after: list[str]) -> None:
    ids = make("a", "b", "c")

    assert move(ids[1], places, ANNA)

    assert names() == after


@pytest.mark.parametrize(("which", "places"), [(0, -1), (1, 1)])
def test_a_rule_stays_at_the_end_of_the_list(which: int, places: int) -> None:
    ids = make("a", "b")

    assert not move(ids[which], places, ANNA)

    assert names() == ["a", "b"]
    assert not AuditEntry.objects.exists()


def test_a_rule_that_is_gone_does_not_move() -> None:
    assert not move(999, 1, ANNA)


def test_rules_of_one_position_are_told_apart_by_moving() -> None:
    ids = [make_detail_rule(name=name, position=0).pk for name in "abc"]

    move(ids[2], -1, ANNA)

    assert names() == ["a", "c", "b"]


def test_each_rule_whose_number_changed_has_an_audit_row() -> None:
    ids = make("a", "b", "c")

    move(ids[0], 1, ANNA)

    rows = AuditEntry.objects.order_by("object_label")
    assert [(r.object_label, r.action, r.changes) for r in rows] == [
        ("a", "moved", {"position": [1, 2]}),
        ("b", "moved", {"position": [2, 1]}),
    ]
