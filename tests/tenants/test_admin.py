import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants.models import ApiToken, AuditEntry, Plan, Project, ProjectKey, Tenant
from tenants.tokens import find_token
from tests.admin_pages import client_of, page, told
from tests.factories import (
    make_key,
    make_plan,
    make_project,
    make_tenant,
    make_token,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer", "mia")


@pytest.fixture
def owner() -> Client:
    return client_of("owner", "olga")


def save(client: Client, page_name: str, *args: Any, **fields: Any) -> None:
    response = client.post(reverse(f"admin:{page_name}", args=args), fields)
    errors = response.context["errors"] if response.context else ""
    assert response.status_code == 302, errors


def last_audit() -> AuditEntry:
    entry = AuditEntry.objects.order_by("-pk").first()
    assert entry is not None
    return entry


def test_a_new_project_gets_a_key(maintainer: Client) -> None:
    save(
        maintainer,
        "tenants_project_add",
        name="Shop",
        slug="shop",
        tenant_tags="tenant\n\n  shop \n",
        ip_addresses="on",
    )

    project = Project.objects.get()
    assert project.tenant_tags == ["tenant", "shop"]
    assert project.keys.count() == 1
    assert (last_audit().actor, last_audit().action) == ("mia", "added")


def test_a_new_project_leads_to_its_set_up(maintainer: Client) -> None:
    url = reverse("admin:tenants_project_add")
    fields = {"name": "Shop", "slug": "shop", "tenant_tags": "tenant"}
    fields["ip_addresses"] = "on"

    response = maintainer.post(url, fields)

    page_of_it = reverse("admin:tenants_project_setup", args=[Project.objects.get().pk])
    assert response["Location"] == page_of_it
    assert "was added" in told(response)[0]


def test_who_adds_several_projects_goes_on_adding(maintainer: Client) -> None:
    url = reverse("admin:tenants_project_add")
    fields = {"name": "Shop", "slug": "shop", "tenant_tags": "tenant"}
    fields["ip_addresses"] = "on"

    response = maintainer.post(url, {**fields, "_addanother": "1"})

    assert response["Location"] == url


def test_the_page_of_a_project_has_its_dsn_and_leads_to_its_set_up(
    maintainer: Client, settings: LazySettings
) -> None:
    settings.BASE_URL = "https://rush.example"
    key = make_key(make_project(slug="shop"))
    make_key(key.project)
    address = reverse("admin:tenants_project_setup", args=[key.project_id])

    html = page(maintainer, "tenants_project_change", key.project_id)

    dsn = f"https://{key.public_key}@rush.example/{key.project_id}"
    assert f'<pre id="dsn" tabindex="0">{dsn}</pre>' in html
    assert f'href="{address}"' in html
    assert f'href="{address}"' in page(maintainer, "tenants_project_changelist")


def test_a_project_without_an_active_key_says_so(maintainer: Client) -> None:
    key = make_key(is_active=False)

    html = page(maintainer, "tenants_project_change", key.project_id)

    assert "no active key" in html
    assert 'id="dsn"' not in html


def test_a_key_is_switched_off_on_its_project_and_audited(maintainer: Client) -> None:
    key = make_key(make_project(slug="shop", name="Shop"))

    save(
        maintainer,
        "tenants_project_change",
        key.project_id,
        **{
            "name": "Shop",
            "slug": "shop",
            "tenant_tags": "\n".join(key.project.tenant_tags),
            "keep_attachments": "on",
            "ip_addresses": "on",
            "keys-TOTAL_FORMS": "1",
            "keys-INITIAL_FORMS": "1",
            "keys-0-id": str(key.pk),
            "keys-0-project": str(key.project_id),
            "keys-0-label": "storefront",
            "keys-0-allowed_origins": "*.shop.example\nhttps://other.example",
            "keys-0-new_tenants_per_hour": "2000",
        },
    )

    key.refresh_from_db()
    assert (key.is_active, key.allowed_origins) == (
        False,
        ["*.shop.example", "https://other.example"],
    )
    assert last_audit().changes == {
        f"project key {key.pk}: label": ["default", "storefront"],
        f"project key {key.pk}: is_active": [True, False],
        f"project key {key.pk}: allowed_origins": [
            [],
            ["*.shop.example", "https://other.example"],
        ],
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"allowed_origins": "not an origin"}, "is not an origin"),
        ({"rate_limit_count": "5"}, "both the count and the seconds"),
        ({"rate_limit_count": "5", "rate_limit_seconds": "9"}, "greater than or equal"),
    ],
)
def test_a_key_that_cannot_work_is_refused(
    maintainer: Client, fields: dict[str, str], message: str
) -> None:
    known = {"project": make_project().pk, "label": "x", "new_tenants_per_hour": "1"}
    url = reverse("admin:tenants_projectkey_add")

    response = maintainer.post(url, {**known, **fields})

    assert message in response.content.decode()
    assert not ProjectKey.objects.exists()


def test_a_project_is_never_deleted_by_hand(owner: Client) -> None:
    url = reverse("admin:tenants_project_delete", args=[make_project().pk])

    assert owner.post(url, {"post": "yes"}).status_code == 403


def test_a_token_is_shown_once(owner: Client, settings: LazySettings) -> None:
    settings.BASE_URL = "https://rush.example"
    expires = timezone.now() + timedelta(days=90)

    response = owner.post(
        reverse("admin:tenants_apitoken_add"),
        {
            "name": "CI",
            "scopes": ["release:write", "issue:read"],
            "expires_at": f"{expires:%Y-%m-%dT%H:%M}",
        },
    )

    found = re.search(r"sntrys_[\w=/+.-]+", response.content.decode())
    assert found is not None
    token = find_token(found[0])
    assert token is not None
    assert token.scopes == ["release:write", "issue:read"]
    assert token.created_by is not None
    assert token.created_by.username == "olga"
    assert "no-store" in response["Cache-Control"]
    assert found[0] not in page(owner, "tenants_apitoken_changelist")
    assert found[0] not in str(last_audit().changes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "CI"}, "This field is required"),
        ({"name": "CI", "scopes": ["root"]}, "Select a valid choice"),
        (
            {"name": "CI", "scopes": ["issue:read"], "expires_at": "2020-01-01T00:00"},
            "This time has passed",
        ),
    ],
)
def test_a_token_that_cannot_be_made_is_refused(
    owner: Client, fields: dict[str, Any], message: str
) -> None:
    response = owner.post(reverse("admin:tenants_apitoken_add"), fields)

    assert message in response.content.decode()
    assert not ApiToken.objects.exists()


def test_a_revoked_token_works_no_more(owner: Client) -> None:
    row, token = make_token("issue:read")

    owner.post(
        reverse("admin:tenants_apitoken_changelist"),
        {"action": "revoke", "_selected_action": [row.pk]},
    )

    assert find_token(token) is None
    assert last_audit().action == "revoked"
    assert "revoked" in page(owner, "tenants_apitoken_change", row.pk)


@pytest.mark.parametrize("role", ["viewer", "responder", "maintainer"])
def test_tokens_are_for_owners(role: str) -> None:
    client = client_of(role)

    for name in ("add", "changelist"):
        url = reverse(f"admin:tenants_apitoken_{name}")
        assert client.get(url).status_code == 403


def test_a_tenant_is_moved_to_another_plan_and_the_change_audited(
    maintainer: Client,
) -> None:
    tenant, plan = make_tenant("acme.example"), make_plan("Enterprise", 10)

    save(
        maintainer,
        "tenants_tenant_change",
        tenant.pk,
        name="Acme",
        plan=plan.pk,
        weight_factor="2",
        monthly_revenue="1490.00",
    )

    tenant.refresh_from_db()
    assert (tenant.plan, tenant.weight) == (plan, 20)
    assert last_audit().changes["monthly_revenue"] == [None, "1490.00"]
    assert last_audit().changes["plan"] == [None, plan.pk]


def upload(client: Client, text: str, **fields: str) -> Any:
    file = SimpleUploadedFile("tenants.csv", text.encode())
    url = reverse("admin:tenants_tenant_import")
    return client.post(url, {"file": file, **fields})


def test_tenants_are_imported_from_csv(maintainer: Client) -> None:
    make_tenant("old.example")

    response = upload(
        maintainer,
        "key,plan,monthly_revenue\nold.example,Pro,149\nnew.example,Pro,29.5\n"
        "bad.example,Pro,lots\n",
        create_plans="on",
    )

    html = response.content.decode()
    assert "lots" in html
    assert '<td class="rm-num">4</td>' in html
    revenues = dict(Tenant.objects.values_list("key", "monthly_revenue"))
    assert revenues == {"old.example": Decimal(149), "new.example": Decimal("29.50")}
    assert (last_audit().actor, last_audit().action) == ("mia", "import")


@pytest.mark.parametrize(
    ("text", "message"),
    [("name\nAcme\n", "with key among them"), ("key,shoe\n", "is not known")],
)
def test_a_file_that_cannot_be_imported_is_told(
    maintainer: Client, text: str, message: str
) -> None:
    response = upload(maintainer, text)

    assert message in told(response)[0]
    assert not Tenant.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_imports_are_for_maintainers(role: str) -> None:
    url = reverse("admin:tenants_tenant_import")

    assert client_of(role).get(url).status_code == 403
    assert url not in page(client_of(role), "tenants_tenant_changelist")


def test_a_plan_shows_how_many_tenants_it_has(maintainer: Client) -> None:
    plan = make_plan("Pro", 3)
    make_tenant(plan=plan)

    response = maintainer.get(reverse("admin:tenants_plan_changelist"))

    assert response.context["cl"].result_list[0].tenants == 1


def test_deleting_plans_leaves_audit_rows(maintainer: Client) -> None:
    plans = [make_plan("Pro"), make_plan("Free")]

    maintainer.post(
        reverse("admin:tenants_plan_changelist"),
        {
            "action": "delete_selected",
            "_selected_action": [plan.pk for plan in plans],
            "post": "yes",
        },
    )

    assert not Plan.objects.exists()
    deleted = AuditEntry.objects.filter(action="deleted", object_type="tenants.plan")
    assert {entry.object_label for entry in deleted} == {"Pro", "Free"}


def test_the_history_of_an_object_is_its_audit_entries(maintainer: Client) -> None:
    plan = make_plan("Pro")
    save(maintainer, "tenants_plan_change", plan.pk, name="Pro", weight="3")
    save(maintainer, "tenants_plan_add", name="Other", weight="1")

    response = maintainer.get(
        reverse("admin:tenants_plan_history", args=[plan.pk]), follow=True
    )

    assert [entry.object_id for entry in response.context["cl"].result_list] == [
        str(plan.pk)
    ]


def test_an_audit_entry_shows_what_changed_to_what(maintainer: Client) -> None:
    plan = make_plan("<b>Pro</b>")
    save(maintainer, "tenants_plan_change", plan.pk, name="Plus", weight="3")

    html = page(maintainer, "tenants_auditentry_change", last_audit().pk)

    assert "&lt;b&gt;Pro&lt;/b&gt;" in html
    assert "→ Plus" in html
    assert "<b>Pro</b>" not in html


def test_the_audit_log_cannot_be_changed(owner: Client, maintainer: Client) -> None:
    save(maintainer, "tenants_plan_add", name="Pro", weight="1")
    entry = last_audit()

    for verb in ("change", "delete"):
        url = reverse(f"admin:tenants_auditentry_{verb}", args=[entry.pk])
        assert owner.post(url, {"post": "yes"}).status_code == 403
    assert owner.get(reverse("admin:tenants_auditentry_add")).status_code == 403


def test_a_new_person_may_log_in(owner: Client) -> None:
    group = Group.objects.get(name="viewer")
    save(
        owner,
        "auth_user_add",
        username="vera",
        password1="correct horse battery",
        password2="correct horse battery",
        usable_password="true",
        groups=[group.pk],
    )

    vera = User.objects.get(username="vera")
    assert vera.is_staff
    assert vera.groups.get() == group
    changes = AuditEntry.objects.get(object_label="vera").changes
    assert changes["groups"] == [None, [group.pk]]
    assert changes["password1"] == ["(secret)", "(secret)"]


def test_passwords_never_stand_in_the_audit_log(owner: Client) -> None:
    vera = make_user("vera", role="viewer")

    save(
        owner,
        "auth_user_password_change",
        vera.pk,
        password1="correct horse battery",
        password2="correct horse battery",
        usable_password="true",
    )

    vera.refresh_from_db()
    assert vera.check_password("correct horse battery")
    assert "horse" not in str(list(AuditEntry.objects.values_list("changes")))


@pytest.mark.parametrize("role", ["viewer", "responder", "maintainer"])
def test_people_are_managed_by_owners(role: str) -> None:
    url = reverse("admin:auth_user_changelist")

    assert client_of(role).get(url).status_code == 403


def test_roles_are_neither_added_nor_deleted(owner: Client) -> None:
    group = Group.objects.get(name="viewer")

    assert owner.get(reverse("admin:auth_group_add")).status_code == 403
    url = reverse("admin:auth_group_delete", args=[group.pk])
    assert owner.post(url, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    "name", ["plan", "project", "projectkey", "tenant", "auditentry"]
)
def test_a_viewer_reads_every_list_and_changes_none(name: str) -> None:
    viewer = client_of("viewer")

    assert viewer.get(reverse(f"admin:tenants_{name}_changelist")).status_code == 200
    assert viewer.get(reverse(f"admin:tenants_{name}_add")).status_code == 403
