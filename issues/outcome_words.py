"""Why something was not stored, in words that a person understands at once."""

from tenants.models import Filter

REASONS = {
    "unsupported": "a kind that is not kept",
    "duplicate": "an event id that was seen within 7 days",
    "rate_limit": "over a limit: events counted, their bodies dropped",
    "detail_rule": "a detail rule keeps no such body or attachment: counted",
    "detail_cap": "over a detail rule's cap per issue and minute: counted",
    "inbox_full": "refused with 429 while the inbox was full",
    "invalid": "could not be read",
    "too_large": "over a bound in bytes",
    "hourly_limit": "attachments or feedback over what a project may keep in an hour",
    "switched_off": "the project keeps no attachments, or the monitor is disabled",
    "too_many": "more monitors, or environments of one, than a project may have; "
    "more feedback than an envelope may hold",
    "filtered": "its event was filtered out",
}
# The reasons of the protocol, see its page on client reports; some SDKs know more.
CLIENT = {
    "backpressure": "its app was overloaded, so it sampled less",
    "before_send": "a before_send of the app dropped them",
    "buffer_overflow": "its buffer was full",
    "cache_overflow": "its offline cache was full",
    "event_processor": "an event processor of the app or the SDK dropped them",
    "ignored": "the app's options tell it to ignore them",
    "insufficient_data": "there was too little in them to be of use",
    "internal_sdk_error": "it failed itself",
    "invalid": "they were not valid",
    "network_error": "the network failed, or nobody answered",
    "no_parent_span": "they were spans outside of any transaction",
    "queue_overflow": "its queue was full, as it may be when much comes at once",
    "ratelimit_backoff": "rush_monitor had told it to wait (rate limited by us)",
    "sample_rate": "its sample rate left them out",
    "send_error": "they were sent, and refused",
}


def explained(reason: str) -> str:
    """A reason in words; '' for one that nobody has described."""
    kind, _, told = reason.partition(":")
    if kind == "filtered" and told in Filter.values:
        return f"an inbound filter of the project drops these ({Filter(told).label})"
    if kind == "client" and told:
        return f"the SDK dropped them: {CLIENT.get(told, told)}"
    return REASONS.get(reason, "")
