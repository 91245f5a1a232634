from datetime import UTC, datetime
from typing import Any

import pytest

from issues.digest.clock import Clock
from issues.digest.requests import find_tenant, read_segment_spans, read_transaction

CLOCK = Clock(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
TAGS = ["tenant", "shop"]


def transaction(**fields: Any) -> dict[str, Any]:
    return {"timestamp": "2026-11-23T11:59:30Z", "release": "api@1", **fields}


@pytest.mark.parametrize(
    ("own", "told", "weight"),
    [
        (None, "0.25", 4.0),
        (0.5, "0.25", 2.0),
        (1, None, 1.0),
        (None, None, 0.0),
        (None, "0", 0.0),
        (None, "nan", 0.0),
        (None, "-1", 0.0),
        (None, ["0.1"], 0.0),
        (None, "1e-300", 0.0),
    ],
)
def test_a_request_weighs_one_over_its_known_sample_rate(
    own: Any, told: Any, weight: float
) -> None:
    contexts = {"trace": {"data": {"sentry.sample_rate": own}}}
    trace = {"sample_rate": told}
    read = read_transaction(transaction(contexts=contexts), trace, TAGS, CLOCK)
    assert read.weight == weight


def test_a_transaction_takes_what_it_lacks_from_the_trace() -> None:
    trace = {"release": "web@2", "environment": "staging"}
    read = read_transaction(transaction(release=None), trace, TAGS, CLOCK)
    assert (read.release, read.environment) == ("web@2", "staging")


def test_a_tenant_is_found_in_tags_before_span_data() -> None:
    contexts = {"trace": {"data": {"shop": "from-data"}}}
    payload = transaction(tags={"shop": "From-Tags"}, contexts=contexts)
    assert read_transaction(payload, {}, TAGS, CLOCK).tenant == "from-tags"


def test_only_segments_are_requests() -> None:
    items = [{"is_segment": True}, {"is_segment": False}, {"is_segment": 1}, None]
    assert len(read_segment_spans({"items": items}, {}, TAGS, CLOCK)) == 1


@pytest.mark.parametrize("items", [None, {}, "x", 3])
def test_spans_of_a_wrong_shape_are_no_requests(items: Any) -> None:
    assert read_segment_spans({"items": items}, {}, TAGS, CLOCK) == []


@pytest.mark.parametrize("attributes", [None, [], "x", {"shop": {"value": 4}}])
def test_a_segment_with_odd_attributes_is_a_request_without_tenant(
    attributes: Any,
) -> None:
    spans = {"items": [{"is_segment": True, "attributes": attributes}]}
    assert read_segment_spans(spans, {}, TAGS, CLOCK)[0].tenant == ""


@pytest.mark.parametrize("value", [None, 7, "", "   ", ["a"], {"a": 1}])
def test_what_is_no_text_names_no_tenant(value: Any) -> None:
    assert find_tenant({"tenant": value}, TAGS) == ""
