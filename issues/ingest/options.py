"""The settings of ingest."""

from dataclasses import dataclass
from pathlib import Path

from issues.ingest.limits import AttachmentBounds
from issues.ingest.remote import Network


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """The settings of ingest; bytes are decompressed bytes unless said.

    ``data_dir``: where an embedded database lies, None for one elsewhere.
    """

    conninfo: str
    max_compressed_bytes: int
    max_bytes: int
    max_bytes_in_flight: int
    wait_seconds: float
    inbox_max_envelopes: int
    inbox_max_bytes: int
    attachments: AttachmentBounds
    trusted_proxies: tuple[Network, ...] = ()
    data_dir: Path | None = None
