import pytest

from issues.digest.context import DigestContext
from issues.scrub_policies import policies, policy_of
from issues.scrubbing import Policy
from tenants.models import Project, ScrubRule
from tenants.sealing import derived
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def rule(kind: str, value: str, **fields: object) -> ScrubRule:
    return ScrubRule.objects.create(kind=kind, value=value, **fields)


def test_a_project_without_wishes_has_the_defaults() -> None:
    project = make_project(tenant_tags=["shop"])

    assert policies([project])[project.pk] == Policy(
        tenant_tags=("shop",), salt=derived("users")
    )


def test_a_policy_holds_the_projects_settings_and_rules() -> None:
    project = make_project(ip_addresses="off", scrub_personal_data=True)
    key = rule("key", "parcel*", project=project)
    pattern = rule("pattern", r"PK-\d+")
    rule("keep", "api_token_name")
    rule("key", "theirs", project=make_project())
    rule("key", "asleep", is_active=False)

    policy = policies([project])[project.pk]

    assert (policy.addresses, policy.personal) == ("off", True)
    assert policy.keys == ((f"rule {key.pk}", "parcel*"),)
    assert policy.patterns == ((f"rule {pattern.pk}", r"PK-\d+"),)
    assert policy.kept == ("api_token_name",)


def test_a_rule_that_cannot_be_read_is_skipped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = make_project()
    rule("pattern", "(broken")
    rule("pattern", "fine")

    policy = policies([project])[project.pk]

    assert [text for _, text in policy.patterns] == ["fine"]
    assert "is skipped: RE2 cannot read this pattern" in caplog.text


def test_a_rule_that_is_tried_is_called_this_rule() -> None:
    tried = ScrubRule(kind="key", value="parcel*")

    assert policy_of(make_project(), [tried]).keys == (("this rule", "parcel*"),)


def test_digest_reads_the_rules_with_the_projects() -> None:
    project = make_project()
    context = DigestContext()
    context.refresh()
    rule("key", "parcel*", project=project)
    Project.objects.update(ip_addresses="truncated")
    context.forget()

    context.refresh()

    scrubber = context.projects[project.pk].scrubber
    assert scrubber.word("parcel_no") and scrubber.hides_addresses
