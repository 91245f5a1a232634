import pytest

from issues.digest.networks import KnownNetworks, network_of
from releases.models import ReleaseNetwork


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::1", "::/48"),
    ],
)
def test_addresses_are_told_by_their_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_what_was_remembered_is_not_stored_again() -> None:
    known = KnownNetworks()
    known.remember([(1, 1, "a")])

    assert known.unknown({(1, 1, "a"), (1, 1, "b"), (2, 1, "a")}) == [
        (1, 1, "b"),
        (2, 1, "a"),
    ]


def test_a_release_with_all_the_networks_that_are_kept_takes_no_more() -> None:
    known = KnownNetworks()
    known.remember([(1, 1, str(n)) for n in range(ReleaseNetwork.CAP + 5)])

    assert known.unknown({(1, 1, "new"), (1, 2, "new")}) == [(1, 2, "new")]


def test_networks_are_forgotten_when_their_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = KnownNetworks()
    known.remember([(1, 1, "a")])
    monkeypatch.setattr(KnownNetworks, "SECONDS", 0.0)
    known.remember([(1, 1, "b")])

    assert known.unknown({(1, 1, "a"), (1, 1, "b")}) == [(1, 1, "a")]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownNetworks, "LIMIT", 2)
    known = KnownNetworks()
    for release in range(4):
        known.remember([(release, 1, "a")])

    assert known.unknown({(n, 1, "a") for n in range(4)}) == [
        (n, 1, "a") for n in range(3)
    ]
