"""The client's address, seen through the proxies that are trusted."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from ipaddress import IPv4Network as Network4

Network = Network4 | IPv6Network
Address = IPv4Address | IPv6Address


class TrustedProxies:
    """X-Forwarded-For counts only from these networks."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._trusts = lru_cache(maxsize=4096)(self._in_networks)

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._networks)

    def trusts(self, peer: str) -> bool:
        """Whether the address ``peer`` is one of the proxies."""
        return bool(self._networks) and self._trusts(peer)

    def client(self, peer: str, forwarded_for: str) -> str:
        """The right-most address that is no trusted proxy, "" if there is none.

        ``forwarded_for``: all X-Forwarded-For headers, joined by commas.
        """
        if not self.trusts(peer):
            return normal_address(peer)
        client = peer
        for part in reversed(forwarded_for.split(",")):
            address = parse_address(part)
            if address is None:
                break
            client = str(address)
            if not self.trusts(client):
                break
        return normal_address(client)

    def _in_networks(self, peer: str) -> bool:
        address = parse_address(peer)
        return address is not None and any(address in net for net in self._networks)


def parse_address(text: str) -> Address | None:
    """An address, also as ``1.2.3.4:567``, ``[::1]:567`` or IPv4 in IPv6; or None."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@lru_cache(maxsize=4096)
def normal_address(text: str) -> str:
    """The address in its usual form, "" for what is none."""
    address = parse_address(text)
    return "" if address is None else str(address)
