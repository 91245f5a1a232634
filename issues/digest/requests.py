"""Reads transactions and segment spans as requests: the denominator of error rates.

A request weighs 1/sample rate. Without a known rate it is counted but weighs
nothing: an unknown share of the traffic is no denominator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from issues.clean import REPLACEMENT, UNSTORABLE, parse_time
from issues.digest.clock import Clock
from issues.digest.senders import Sender, sender_of_span, sender_of_transaction
from issues.scrubbing import holds_token
from tenants.names import one_line, tenant_key

# A rate below this would make one request weigh more than a busy minute.
MIN_SAMPLE_RATE = 1e-6


@dataclass(slots=True)
class RequestSample:
    """One request; ``weight`` 0.0 where the sample rate is unknown.

    ``category`` is that of its kind in outcomes, ``sender`` what filters look at.
    """

    category: str
    minute: int
    release: str
    environment: str
    tenant: str
    weight: float
    sender: Sender


def read_transaction(
    payload: dict[str, Any],
    trace: Mapping[str, Any],
    tenant_tags: Sequence[str],
    clock: Clock,
) -> RequestSample:
    """A ``transaction`` item; ``trace`` is the envelope header's."""
    contexts = payload.get("contexts")
    context = contexts.get("trace") if isinstance(contexts, dict) else None
    context = context if isinstance(context, dict) else {}
    data = context.get("data")
    attributes = data if isinstance(data, dict) else {}
    tags = payload.get("tags")
    told = parse_time(payload.get("timestamp"))
    release = _text(payload.get("release")) or _text(trace.get("release"))
    return RequestSample(
        category="transaction",
        minute=clock.minute(told or clock.received),
        release=release,
        environment=_text(payload.get("environment"), 64)
        or _text(trace.get("environment"), 64)
        or "production",
        tenant=find_tenant(tags if isinstance(tags, dict) else {}, tenant_tags)
        or find_tenant(attributes, tenant_tags),
        weight=_weight(attributes.get("sentry.sample_rate"), trace),
        sender=sender_of_transaction(payload, context, release),
    )


def read_segment_spans(
    payload: dict[str, Any],
    trace: Mapping[str, Any],
    tenant_tags: Sequence[str],
    clock: Clock,
) -> list[RequestSample]:
    """The segments among a ``span`` item's spans; members are part of theirs."""
    spans = payload.get("items")
    if not isinstance(spans, list):
        return []
    return [
        _segment(span, trace, tenant_tags, clock)
        for span in spans
        if isinstance(span, dict) and span.get("is_segment") is True
    ]


def _segment(
    span: dict[str, Any],
    trace: Mapping[str, Any],
    tenant_tags: Sequence[str],
    clock: Clock,
) -> RequestSample:
    told_attributes = span.get("attributes")
    attributes = {
        key: value.get("value") if isinstance(value, dict) else value
        for key, value in (
            told_attributes.items() if isinstance(told_attributes, dict) else ()
        )
    }
    told = parse_time(span.get("end_timestamp"))
    release = _text(attributes.get("sentry.release")) or _text(trace.get("release"))
    return RequestSample(
        category="span",
        minute=clock.minute(told or clock.received),
        release=release,
        environment=_text(attributes.get("sentry.environment"), 64)
        or _text(trace.get("environment"), 64)
        or "production",
        tenant=find_tenant(attributes, tenant_tags),
        weight=_weight(attributes.get("sentry.sample_rate"), trace),
        sender=sender_of_span(span, attributes, release),
    )


def find_tenant(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of ``names`` that names a tenant; "" where none does.

    A token is none: tenants outlive every event.
    """
    for name in names:
        value = values.get(name)
        key = tenant_key(value) if isinstance(value, str) else ""
        if key and not holds_token(str(value)):
            return key
    return ""


def _weight(own: Any, trace: Mapping[str, Any]) -> float:
    for told in (own, trace.get("sample_rate")):
        if not isinstance(told, str | int | float):
            continue
        try:
            rate = float(told)
        except ValueError:
            continue
        if MIN_SAMPLE_RATE <= rate <= 1.0:
            return 1.0 / rate
    return 0.0


def _text(value: Any, limit: int = 250) -> str:
    """The text, storable too where it comes from the envelope's header."""
    if not isinstance(value, str):
        return ""
    return one_line(UNSTORABLE.sub(REPLACEMENT, value)).strip()[:limit]
