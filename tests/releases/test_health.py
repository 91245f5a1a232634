"""Networks and users of releases, as digest adds them."""

import pytest
from django.utils import timezone

from releases import health
from releases.models import ReleaseNetwork, ReleaseUser

pytestmark = pytest.mark.django_db

CAP = ReleaseNetwork.CAP


def add_networks(*networks: tuple[int, int, str]) -> None:
    health.add_networks(sorted(networks), timezone.now())


def test_networks_that_are_there_take_no_place_of_the_cap() -> None:
    known = [(1, 1, f"{n:03}") for n in range(CAP - 1)]
    add_networks(*known)
    add_networks(*known, (1, 1, "fresh"), (1, 1, "more"), (2, 1, "other"))

    kept = ReleaseNetwork.objects.order_by("release_id", "network")
    assert kept.filter(release_id=1).count() == CAP
    assert [row.network for row in kept[CAP - 1 :]] == ["fresh", "other"]


def test_a_user_who_comes_back_is_one_row() -> None:
    health.add_users({(1, 1, 20_000, -7): False, (1, 1, 20_001, -7): False})
    health.add_users({(1, 1, 20_000, -7): False})

    assert ReleaseUser.objects.count() == 2


def test_a_user_who_crashed_once_stays_crashed() -> None:
    key = (1, 1, 20_000, 2**63 - 1)
    for crashed in (False, True, False):
        health.add_users({key: crashed})

    user = ReleaseUser.objects.get()
    assert user.crashed
    assert user.day.isoformat() == "2024-10-04"
