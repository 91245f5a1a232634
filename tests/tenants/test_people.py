"""How people are told: at the address of their account, or pages warn."""

import pytest
from django.utils import timezone

from tenants.delivery.trouble import trouble
from tenants.people import channel_of, unreachable
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_who_has_no_address_cannot_be_told() -> None:
    people = [make_user("lea", email="lea@example.com"), make_user("mute")]

    assert unreachable(people[:1]) == ""
    assert "account of mute" in unreachable(people)


def test_pages_warn_of_an_account_without_an_address() -> None:
    channel = channel_of(make_user("mute"))

    assert trouble(timezone.now()).off == [channel]


def test_a_mail_channel_follows_the_address_of_its_account() -> None:
    lea = make_user("lea", email="lea@example.com")
    channel_of(lea)

    lea.email = ""
    assert not channel_of(lea).is_active

    lea.email = "lea@example.org"
    channel = channel_of(lea)
    assert (channel.is_active, channel.disabled_at) == (True, None)
    assert channel.config == {"to": ["lea@example.org"]}
    assert channel_of(lea) == channel
