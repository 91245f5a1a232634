"""Source maps and scripts from CI: uploaded, assembled, found again, and forgotten.

``stored.py`` keeps files once by checksum, ``bundle.py`` reads a bundle (pure),
``requested.py`` answers an upload, ``assembling.py`` unpacks what was uploaded,
``lookup.py`` finds the files of a frame, ``expiry.py`` deletes what nobody uses.
"""

from releases.artifacts.lookup import (
    MapFiles,
    find_by_debug_id,
    find_by_url,
    look_again,
    touch,
)
from tenants.blobs import read_blob

__all__ = [
    "MapFiles",
    "find_by_debug_id",
    "find_by_url",
    "look_again",
    "read_blob",
    "touch",
]
