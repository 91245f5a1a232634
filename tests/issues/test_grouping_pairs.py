"""Grouping v1 on labelled pairs of real events: one fault, or two."""

import pytest

from issues.grouping import Grouping, group
from tests.issues.grouping_cases import Pair, all_pairs

PAIRS = all_pairs()


def test_there_are_enough_pairs_of_each_label() -> None:
    same = sum(pair.same for pair in PAIRS)
    assert min(same, len(PAIRS) - same) >= 100


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id=pair.name) for pair in PAIRS if pair.same]
)
def test_events_of_one_fault_are_one_issue(pair: Pair) -> None:
    left, right = group(pair.left), group(pair.right)
    assert left.hash == right.hash, [_counted(left), _counted(right)]


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id=pair.name) for pair in PAIRS if not pair.same]
)
def test_events_of_two_faults_are_two_issues(pair: Pair) -> None:
    left, right = group(pair.left), group(pair.right)
    assert left.hash != right.hash, _counted(left)


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id=pair.name) for pair in PAIRS if pair.same]
)
def test_the_explanation_is_the_same_for_one_fault(pair: Pair) -> None:
    left, right = group(pair.left), group(pair.right)
    assert set(_counted(left)) == set(_counted(right))


def _counted(answer: Grouping) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in answer.parts if part.contributes]
