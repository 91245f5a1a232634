"""Client networks that send errors of a release with a key that anyone can read.

Several of them tell a fault from one machine that makes things up.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network
from time import monotonic

from releases.health import NetworkKey
from releases.models import ReleaseNetwork


def network_of(address: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 address, as CIDR.

    ``address`` is in its usual form, as ingest stores it.
    """
    if ":" in address:
        return _wide_network(address)
    return address.rpartition(".")[0] + ".0/24"


@lru_cache(maxsize=4096)
def _wide_network(address: str) -> str:
    return str(ip_network((address, 48), strict=False))


class KnownNetworks:
    """Networks that this process has stored; bounded, safe to forget.

    A release with CAP of them has all that are kept: further ones are no news.
    """

    LIMIT = 1000  # pairs of release and environment
    # Retention deletes rows of old releases that still send: they are written again.
    SECONDS = 3600.0

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], set[str]] = {}
        self._since = monotonic()

    def unknown(self, networks: Iterable[NetworkKey]) -> list[NetworkKey]:
        """Those to store, sorted."""
        known = self._known
        return sorted(
            key
            for key in networks
            if len(stored := known.get(key[:2], ())) < ReleaseNetwork.CAP
            and key[2] not in stored
        )

    def remember(self, networks: Iterable[NetworkKey]) -> None:
        """Call after the commit: what was rolled back must be stored again."""
        if len(self._known) > self.LIMIT or monotonic() - self._since > self.SECONDS:
            self._known.clear()
            self._since = monotonic()
        for release_id, environment_id, network in networks:
            stored = self._known.setdefault((release_id, environment_id), set())
            if len(stored) < ReleaseNetwork.CAP:
                stored.add(network)
