"""Starts PostgreSQL and Valkey from their wheels when none is configured."""

import hashlib
import tempfile
from pathlib import Path


def run_directory(data_dir: Path) -> Path:
    """Where the engines' sockets lie: beside the data unless that path is too long.

    A unix socket's path ends at 107 bytes (Linux) or 103 (macOS).
    """
    beside = data_dir / "run"
    if len(str(beside / ".s.PGSQL.5432.lock")) <= 100:
        return beside
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"rush-monitor-{digest}"
