"""Signs what we send, so that a receiver can tell that it is ours and fresh."""

import hashlib
import hmac
from datetime import datetime

SHORTEST_SECRET = 16  # letters of a signing key


def signed_headers(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """X-Rush-Timestamp (seconds) and X-Rush-Signature of a body sent at ``at``."""
    timestamp = str(int(at.timestamp()))
    return {
        "X-Rush-Timestamp": timestamp,
        "X-Rush-Signature": signature(secret, timestamp, body),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>``."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
