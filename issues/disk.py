"""How full the disk of the embedded database is, and from where on that matters."""

import shutil
from pathlib import Path

# From here on the oldest event bodies go; from the second on ingest answers 429.
HIGH, FULL = 0.85, 0.95


def disk_use(path: Path) -> float:
    """The used share of the file system at ``path``, 0-1; 0 where it is unknown."""
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return 0.0
    return 1 - usage.free / usage.total if usage.total else 0.0
