from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tenants.models import AuditEntry, DetailRule
from tests.admin_pages import client_of, page, told
from tests.envelopes import event as payload_of
from tests.factories import (
    make_detail_rule,
    make_event,
    make_issue,
    make_plan,
    make_project,
)

pytestmark = pytest.mark.django_db

ADD = "admin:tenants_detailrule_add"
LIST = "tenants_detailrule_changelist"
TYPED = {
    "name": "Test shops",
    "position": "1",
    "is_active": "on",
    "min_level": "10",
    "max_level": "50",
    "tenant": "*.test",
    "detail": "minimal",
    "share": "12.5",
    "cap": "5",
}


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer")


def test_a_rule_is_saved_with_its_share_as_a_fraction(maintainer: Client) -> None:
    maintainer.post(reverse(ADD), TYPED)

    rule = DetailRule.objects.get()
    assert (rule.name, rule.tenant, rule.share, rule.cap) == (
        *("Test shops", "*.test", 0.125, 5),
    )
    assert AuditEntry.objects.get().action == "added"


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"share": "101"}, "Give 0 to 100 percent"),
        ({"min_level": "50", "max_level": "40"}, "must not be above the last"),
        ({"tag_value": "x"}, "Name the tag that has this value"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    maintainer: Client, typed: dict[str, str], complaint: str
) -> None:
    response = maintainer.post(reverse(ADD), {**TYPED, **typed})

    assert complaint in response.content.decode()
    assert not DetailRule.objects.exists()


def test_the_list_tells_what_the_rules_do_in_their_order(maintainer: Client) -> None:
    make_detail_rule(name="second", position=2, share=0.1, cap=3)
    make_detail_rule(name="first", position=1, tenant="*.test")

    html = page(maintainer, LIST)

    assert html.index("first") < html.index("second")
    assert "tenant *.test" in html
    assert "10 %, at most 3 a minute and issue" in html


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "all"), (0.125, "12.5 %"), (0.1, "10 %"), (0.0, "0 %")]
)
def test_a_share_reads_in_percent(maintainer: Client, share: float, words: str) -> None:
    make_detail_rule(share=share)

    assert f">{words}<" in page(maintainer, LIST).replace("\n", "").replace("  ", "")


def moved(client: Client, rule: DetailRule, step: str) -> Any:
    return client.post(
        reverse("admin:tenants_detailrule_move", args=[rule.pk, step]), follow=True
    )


def test_a_rule_is_moved_up(maintainer: Client) -> None:
    first, second = make_detail_rule(name="a"), make_detail_rule(name="b")

    moved(maintainer, second, "up")

    assert list(DetailRule.objects.all()) == [second, first]
    assert AuditEntry.objects.filter(action="moved", actor__contains="user").exists()


@pytest.mark.parametrize("step", ["down", "sideways"])
def test_a_rule_that_cannot_move_there_stays(maintainer: Client, step: str) -> None:
    rules = [make_detail_rule(), make_detail_rule()]

    response = moved(maintainer, rules[1], step)

    assert list(DetailRule.objects.all()) == rules
    assert "at the end of the list" in "".join(told(response)) or step == "sideways"


def test_viewers_see_the_order_and_change_nothing() -> None:
    rule, viewer = make_detail_rule(name="only"), client_of("viewer")

    html = page(viewer, LIST)

    assert "only" in html
    assert "formaction" not in html
    assert moved(viewer, rule, "up").status_code == 403
    assert viewer.get(reverse(ADD)).status_code == 403
    assert viewer.post(reverse(PREVIEW), TYPED).status_code == 403


PREVIEW = "admin:tenants_detailrule_preview"


def test_the_saved_rules_are_previewed_on_stored_events() -> None:
    make_event(make_issue(title="A lone fault"), payload=payload_of())
    make_detail_rule(name="cut down", detail="minimal")

    html = page(client_of("viewer"), "tenants_detailrule_preview")

    assert "A lone fault" in html
    assert "cut down" in html
    assert "bytes would stay" in html


def test_a_typed_rule_is_previewed_and_not_saved(maintainer: Client) -> None:
    make_event(make_issue(), payload=payload_of(tags={"tenant": "a.test"}))
    typed = {**TYPED, "tenant": "", "share": "100"}

    response = maintainer.post(reverse(PREVIEW), typed)

    (row,) = response.context["preview"].rows
    assert (row.rule.name, row.dropped) == ("Test shops", "")
    assert not DetailRule.objects.exists()


def test_a_change_of_a_rule_is_previewed(maintainer: Client) -> None:
    make_event(make_issue(), payload=payload_of())
    rule = make_detail_rule(name="saved")

    query = f"?of={rule.pk}"
    response = maintainer.post(
        reverse(PREVIEW) + query, {**TYPED, "tenant": "", "name": "changed"}
    )

    assert response.context["preview"].rows[0].rule.name == "changed"
    rule.refresh_from_db()
    assert rule.name == "saved"


def test_a_preview_of_what_makes_no_sense_tells_why(maintainer: Client) -> None:
    response = maintainer.post(reverse(PREVIEW), {**TYPED, "share": "200"})

    assert response.context["preview"] is None
    assert "Give 0 to 100 percent" in response.content.decode()


def test_the_form_offers_the_preview(maintainer: Client) -> None:
    rule = make_detail_rule()

    html = page(maintainer, "tenants_detailrule_change", rule.pk)

    assert f'formaction="{reverse(PREVIEW)}?of={rule.pk}"' in html


@pytest.mark.parametrize("rules", [1, 10])
def test_the_list_takes_the_same_queries_however_much_it_shows(
    maintainer: Client, django_assert_num_queries: DjangoAssertNumQueries, rules: int
) -> None:
    for _ in range(rules):
        make_detail_rule(project=make_project(), plan=make_plan(f"p{_}"))

    with django_assert_num_queries(8):
        page(maintainer, LIST)


def noted(**note: Any) -> dict[str, Any]:
    detail = {"rule": 0, "name": "built-in", "level": "standard", **note}
    return {**payload_of(), "_rush": {"detail": detail}}


def test_an_event_tells_its_rule_and_what_was_left_out() -> None:
    rule = make_detail_rule(name="Test shops")
    note = {"rule": rule.pk, "name": "Test shops", "share": 0.1}
    payload = noted(**note, left_out=["request body", "3 of 9 breadcrumbs"])
    event = make_event(make_issue(), payload=payload)

    html = page(client_of("viewer"), "issues_event_change", event.pk)

    assert reverse("admin:tenants_detailrule_change", args=[rule.pk]) in html
    assert "left out request body, 3 of 9 breadcrumbs" in html
    assert "which keeps 10.0% of the bodies" in html


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (payload_of(), "built-in: warning and above: all that was sent is kept"),
        (noted(), "there was nothing to leave out"),
    ],
)
def test_an_event_that_lost_nothing_says_so(
    payload: dict[str, Any], words: str
) -> None:
    event = make_event(make_issue(), payload=payload)

    assert words in page(client_of("viewer"), "issues_event_change", event.pk)
