from decimal import Decimal

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from issues.models import IssueTenant
from tests.admin_pages import client_of, page
from tests.factories import make_issue, make_tenant

pytestmark = pytest.mark.django_db


def test_the_page_of_a_tenant_tells_what_hurts_it() -> None:
    shop = make_tenant(name="Acme", monthly_revenue=Decimal(149))
    issue = make_issue(title="KeyError: 'CHF'", tenants=[shop])
    make_issue(title="elsewhere", tenants=[make_tenant()])
    IssueTenant.objects.filter(issue_id=issue.pk).update(events=4321)

    html = page(client_of("viewer"), "tenants_tenant_change", shop.pk)

    assert "KeyError: &#x27;CHF&#x27;" in html
    assert "4.3k" in html
    assert "elsewhere" not in html


def test_a_tenant_that_nothing_hurts_says_so() -> None:
    html = page(client_of("viewer"), "tenants_tenant_change", make_tenant().pk)

    assert "No issue has hit this tenant." in html


@pytest.mark.parametrize("tenants", [1, 20])
def test_the_list_counts_what_hurts_each_tenant_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries, tenants: int
) -> None:
    client = client_of("viewer")
    shops = [make_tenant() for _ in range(tenants)]
    make_issue(tenants=shops)
    make_issue(tenants=shops[:1])

    # Session, person, two of permissions, dead letters; plans for the filter, count,
    # tenants, issues that hurt.
    with django_assert_num_queries(9):
        response = client.get(reverse("admin:tenants_tenant_changelist"))

    counts = [tenant.hurting for tenant in response.context["cl"].result_list]
    assert sorted(counts) == [1] * (tenants - 1) + [2]


@pytest.mark.parametrize("address", ["0", "x", "9" * 30])
def test_an_unknown_tenant_leads_back_to_the_overview(address: str) -> None:
    url = reverse("admin:tenants_tenant_change", args=[address])

    assert client_of("viewer").get(url).status_code == 302
