import pytest
from django.urls import reverse

from issues.models import FingerprintRule, PathRule
from tests.admin_pages import client_of

pytestmark = pytest.mark.django_db


def test_a_fingerprint_rule_that_digest_can_read_is_saved() -> None:
    rule = 'error.type:TimeoutError tags.carrier:dhl -> "dhl is slow"'

    client_of("maintainer").post(
        reverse("admin:issues_fingerprintrule_add"),
        {"rule": rule, "position": "0", "is_active": "on"},
    )

    assert FingerprintRule.objects.get().rule == rule


@pytest.mark.parametrize("rule", ["no arrow", 'error.type:"open -> x', "-> x"])
def test_a_fingerprint_rule_that_digest_cannot_read_is_refused(rule: str) -> None:
    response = client_of("maintainer").post(
        reverse("admin:issues_fingerprintrule_add"), {"rule": rule, "position": "0"}
    )

    assert "This rule cannot be read" in response.content.decode()
    assert not FingerprintRule.objects.exists()


def test_a_path_rule_is_saved() -> None:
    client_of("maintainer").post(
        reverse("admin:issues_pathrule_add"),
        {"pattern": "*/checkout*", "weight": "3", "position": "0"},
    )

    assert PathRule.objects.get().weight == 3


@pytest.mark.parametrize("name", ["pathrule", "fingerprintrule", "hitrule"])
@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_rules_are_made_by_maintainers(name: str, role: str) -> None:
    url = reverse(f"admin:issues_{name}_add")

    assert client_of(role).get(url).status_code == 403
