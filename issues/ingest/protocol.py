"""What an ingest endpoint answers instead of 200."""

# For answers with 503.
RETRY_SECONDS = 5


class Refusal(Exception):
    """An answer other than 200.

    ``detail`` says what is wrong and what to do. ``reason``, where given, is counted
    per key and category, so that a minute with refusals is known as incomplete.
    ``retry_after``: seconds. ``limits``: an X-Sentry-Rate-Limits value. ``kinds``: the
    item types of the refused envelope, as far as they are known.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reason: str = "",
        causes: tuple[str, ...] = (),
        retry_after: int = 0,
        limits: str = "",
        kinds: tuple[str, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.causes = causes
        self.retry_after = retry_after
        self.limits = limits
        self.kinds = kinds


class ClientGone(Exception):
    """The client closed the connection before its body was complete."""


def unavailable() -> Refusal:
    """The answer while the database is away for longer than a request may wait."""
    return Refusal(
        503,
        "The database did not answer in time; send again later.",
        reason="unavailable",
        retry_after=RETRY_SECONDS,
    )
