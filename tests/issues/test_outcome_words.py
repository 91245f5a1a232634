import pytest

from issues.outcome_words import CLIENT, explained

# sentry-docs: develop-docs/sdk/telemetry/client-reports.mdx
PROTOCOL = [
    *("queue_overflow", "cache_overflow", "ratelimit_backoff", "network_error"),
    *("sample_rate", "before_send", "event_processor", "send_error"),
    *("internal_sdk_error", "insufficient_data", "backpressure", "buffer_overflow"),
    *("ignored", "invalid"),
]


@pytest.mark.parametrize("reason", PROTOCOL)
def test_each_reason_of_the_protocol_has_its_words(reason: str) -> None:
    assert explained(f"client:{reason}") == f"the SDK dropped them: {CLIENT[reason]}"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("client:of_tomorrow", "the SDK dropped them: of_tomorrow"),
        ("client:", ""),
        ("of_tomorrow", ""),
        ("too_large", "over a bound in bytes"),
    ],
)
def test_other_reasons_say_what_is_known(reason: str, words: str) -> None:
    assert explained(reason) == words
