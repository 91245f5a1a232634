import base64
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tenants.models import Tenant
from tenants.pagination import Cursor
from tests.factories import make_issue, make_tenant, token_client

pytestmark = pytest.mark.django_db

URL = "/api/v1/issues/"


@pytest.fixture
def client() -> APIClient:
    return token_client("issue:read", "tenant:read")


def rows(response: Any) -> list[int]:
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


def walk(client: APIClient, url: str, **query: Any) -> list[list[int]]:
    """Every page from the first on, by following next."""
    response = client.get(url, query)
    pages = [rows(response)]
    while response.json()["next"]:
        response = client.get(response.json()["next"])
        pages.append(rows(response))
    return pages


def test_pages_hold_every_row_once_though_many_tie(client: APIClient) -> None:
    made = [make_issue(stats={"exponent": n // 4}).pk for n in range(11)]

    pages = walk(client, URL, per_page=3)

    assert [len(page) for page in pages] == [3, 3, 3, 2]
    expected = sorted(made, key=lambda pk: (made.index(pk) // 4, pk), reverse=True)
    assert sum(pages, []) == expected


def test_the_last_page_that_is_full_has_no_next(client: APIClient) -> None:
    for _ in range(4):
        make_issue()

    assert [len(page) for page in walk(client, URL, per_page=2)] == [2, 2]


def test_previous_leads_back(client: APIClient) -> None:
    for n in range(5):
        make_issue(stats={"exponent": n % 2})
    first = client.get(URL, {"per_page": 2})
    second = client.get(first.json()["next"])
    third = client.get(second.json()["next"])

    back = client.get(third.json()["previous"])
    again = client.get(back.json()["previous"])

    assert rows(back) == rows(second)
    assert rows(again) == rows(first)
    assert first.json()["previous"] is None
    assert again.json()["previous"] is None
    assert rows(client.get(back.json()["next"])) == rows(third)


def test_rows_that_come_meanwhile_do_not_shift_the_pages(client: APIClient) -> None:
    for n in range(4):
        make_issue(stats={"exponent": n})
    first = client.get(URL, {"per_page": 2})
    make_issue(stats={"exponent": 99})

    second = client.get(first.json()["next"])

    assert not set(rows(first)) & set(rows(second))
    assert len(rows(second)) == 2


def test_a_minus_turns_the_order_round(client: APIClient) -> None:
    for n in range(5):
        make_issue(stats={"events": n // 2})

    down = walk(client, URL, per_page=2, ordering="events")
    up = walk(client, URL, per_page=2, ordering="-events")

    assert sum(up, []) == sum(down, [])[::-1]


@pytest.mark.parametrize("ordering", ["last_seen", "first_seen", "-last_seen"])
def test_times_are_compared_to_the_microsecond(
    client: APIClient, ordering: str
) -> None:
    for _ in range(5):
        make_issue()

    pages = walk(client, URL, per_page=2, ordering=ordering)

    assert len(set(sum(pages, []))) == 5


def test_filters_stay_in_the_links(client: APIClient) -> None:
    kept = [make_issue(status="resolved").pk for _ in range(3)]
    make_issue()

    pages = walk(client, URL, per_page=2, status="resolved")

    assert sorted(sum(pages, [])) == kept


def test_rows_without_the_ordering_value_are_left_out(client: APIClient) -> None:
    seen = make_tenant()
    make_tenant(last_seen=None)

    assert walk(client, "/api/v1/tenants/", ordering="last_seen") == [[seen.pk]]
    assert Tenant.objects.count() == 2


def test_a_page_neither_counts_nor_skips(client: APIClient) -> None:
    for _ in range(3):
        make_issue()
    after = client.get(URL, {"per_page": 1}).json()["next"]

    with CaptureQueriesContext(connection) as queries:
        client.get(after)

    sql = queries[-2]["sql"]
    assert "COUNT(" not in sql
    assert "OFFSET" not in sql
    assert '("issues_issuestats"."exponent", "issues_issue"."id") < (' in sql


@pytest.mark.parametrize("size", ["0", "101", "-1", "x", "", "1.5", "١"])
def test_a_wrong_page_size_is_named(client: APIClient, size: str) -> None:
    response = client.get(URL, {"per_page": size})

    assert response.json()["errors"] == {"per_page": "Give a number from 1 to 100."}


def token(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "{}",
        token({}),
        token(["impact"]),
        token(["impact", [1.0], False]),
        token(["impact", ["x", 1], False]),
        token(["impact", [1.0, "x"], False]),
        token(["impact", [1.0, {}], False]),
        token(["events", [1, 1], False]),
        token(["impact", [1.0, 1], "no"]),
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
    ],
)
def test_a_cursor_that_no_page_handed_out_is_a_problem(
    client: APIClient, cursor: str
) -> None:
    response = client.get(URL, {"cursor": cursor})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["cursor"]


def test_a_cursor_reads_what_it_wrote() -> None:
    cursor = Cursor("impact", [0.1, 7], True)

    assert Cursor.decode(cursor.encode()) == cursor
