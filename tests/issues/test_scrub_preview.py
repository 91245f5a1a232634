from typing import Any

import pytest

from issues.models import Event
from issues.scrub_preview import tried
from tenants.models import ScrubRule
from tenants.refusals import Refusal
from tests.factories import make_event, make_issue, make_project

pytestmark = pytest.mark.django_db

PAYLOAD: dict[str, Any] = {
    "exception": {
        "values": [
            {
                "type": "KeyError",
                "value": "no PK-123456",
                "stacktrace": {"frames": [{"vars": {"parcel_no": "'7'"}}]},
            }
        ]
    },
    "request": {"url": "https://a.example/?parcel_no=7"},
    "extra": {"parcel": {"a": 1}, "note": "PK-123456"},
}


def event_with(payload: dict[str, Any] | None = None) -> Event:
    return make_event(make_issue(), payload=payload or PAYLOAD)


def test_each_text_that_would_change_is_told_with_its_place() -> None:
    event = event_with()

    found = tried(str(event.pk), ScrubRule(kind="key", value="parcel*"))

    told = [(c.path, c.rules, c.before, c.after) for c in found.changes]
    assert told == [
        ("exception[0].frames[0].vars.parcel_no", ["this rule"], "'7'", "[Filtered]"),
        (
            "request.url",
            ["this rule"],
            "https://a.example/?parcel_no=7",
            "https://a.example/?parcel_no=[Filtered]",
        ),
        ("extra.parcel", ["this rule"], '{"a":1}', "[Filtered]"),
    ]


def test_a_pattern_is_tried_by_the_event_id_too() -> None:
    event = event_with()
    rule = ScrubRule(kind="pattern", value=r"PK-\d{6}")

    found = tried(f" {event.event_id.hex} ", rule)

    assert [(c.path, c.after) for c in found.changes] == [
        ("exception[0].value", "no [Filtered]"),
        ("extra.note", "[Filtered]"),
    ]


def test_the_other_rules_of_the_project_hold_as_well() -> None:
    event = event_with()
    other = ScrubRule.objects.create(
        project=event.project, kind="key", value="note", is_active=True
    )
    ScrubRule.objects.create(project=make_project(), kind="key", value="extra")

    found = tried(str(event.pk), ScrubRule(kind="key", value="nothing"))

    assert [(c.path, c.rules) for c in found.changes] == [
        ("extra.note", [f"rule {other.pk}"])
    ]


def test_a_saved_rule_is_tried_as_it_was_typed() -> None:
    event = event_with()
    rule = ScrubRule.objects.create(kind="key", value="note")
    rule.value = "nothing"

    assert tried(str(event.pk), rule).changes == []


def test_nothing_is_stored() -> None:
    event = event_with()

    tried(str(event.pk), ScrubRule(kind="key", value="parcel*"))

    assert Event.objects.get().payload == PAYLOAD


def test_changes_beyond_a_number_are_counted() -> None:
    event = event_with({"extra": {f"parcel{n}": "x" for n in range(250)}})

    found = tried(str(event.pk), ScrubRule(kind="key", value="parcel*"))

    assert (len(found.changes), found.more) == (200, 50)


def test_events_stored_in_any_shape_are_tried() -> None:
    odd = {"exception": "x", "tags": [], "contexts": 1, "user": "parcel", "extra": None}
    event = event_with({**odd, "parcel": "x"})

    found = tried(str(event.pk), ScrubRule(kind="key", value="parcel"))

    assert [c.path for c in found.changes] == ["parcel"]


@pytest.mark.parametrize("name", ["", "nope", "0", "99999999", "f" * 32])
def test_an_event_that_is_not_stored_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="Name a stored event"):
        tried(name, ScrubRule(kind="key", value="parcel"))


def test_an_event_without_a_body_is_refused() -> None:
    event = make_event(make_issue(), payload=None)

    with pytest.raises(Refusal, match="no body was kept"):
        tried(str(event.pk), ScrubRule(kind="key", value="parcel"))


def test_an_event_of_another_project_is_refused() -> None:
    rule = ScrubRule(kind="key", value="parcel", project=make_project())

    with pytest.raises(Refusal, match="of another project"):
        tried(str(event_with().pk), rule)


def test_a_damaged_body_is_refused() -> None:
    event = make_event(make_issue(), body=b"damaged")

    with pytest.raises(Refusal, match="cannot be read"):
        tried(str(event.pk), ScrubRule(kind="key", value="parcel"))
