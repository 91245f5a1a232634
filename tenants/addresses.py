"""Which addresses requests must not go to, because they lead into a network of ours.

Networks of special use: IANA's registries for IPv4 (RFC 6890) and IPv6. Of IPv6 only
what is assigned to the public internet may be called.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_IPV6 = IPv6Network("2000::/3")
# Both carry an IPv4 address in their last 32 bits.
MAPPED = IPv6Network("::ffff:0:0/96")
NAT64 = IPv6Network("64:ff9b::/96")
ISATAP = {0x0000_5EFE, 0x0200_5EFE}

SPECIAL: dict[str, str] = {
    "0.0.0.0/8": "this machine itself",
    "10.0.0.0/8": "a private address",
    "100.64.0.0/10": "an address of a provider's inner network",
    "127.0.0.0/8": "this machine itself",
    "168.63.129.16/32": "the metadata service of a cloud",
    "169.254.169.254/32": "the metadata service of a cloud",
    "169.254.0.0/16": "a link-local address",
    "172.16.0.0/12": "a private address",
    "192.0.0.0/24": "an address of special use",
    "192.0.2.0/24": "an address for examples",
    "192.31.196.0/24": "an address of special use",
    "192.52.193.0/24": "an address of special use",
    "192.88.99.0/24": "a relay to other networks",
    "192.168.0.0/16": "a private address",
    "192.175.48.0/24": "an address of special use",
    "198.18.0.0/15": "an address for measurements",
    "198.51.100.0/24": "an address for examples",
    "203.0.113.0/24": "an address for examples",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "a reserved address",
    "::1/128": "this machine itself",
    "::/128": "this machine itself",
    "fc00::/7": "a private address",
    "fe80::/10": "a link-local address",
    "ff00::/8": "a multicast address",
    "2001::/23": "an address of special use",
    "2001:db8::/32": "an address for examples",
    "2002::/16": "a relay to other networks",
    "2620:4f:8000::/48": "an address of special use",
    "3fff::/20": "an address for examples",
}
REFUSED: list[tuple[Network, str]] = [
    (ip_network(network), reason) for network, reason in SPECIAL.items()
]


def refusal_of(address: Address, allowed: Collection[Network]) -> str:
    """What makes an address one that must not be called, such as "a private address".

    "" where nothing does: it is public, or lies in one of the ``allowed`` networks.
    """
    meant = _meant(address)
    if any(
        candidate in network for candidate in (address, meant) for network in allowed
    ):
        return ""
    for network, reason in REFUSED:
        if meant in network:
            return reason
    if isinstance(meant, IPv6Address) and not _is_public(meant):
        return "not an address of the public internet"
    return ""


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv6Address) and (address in MAPPED or address in NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: IPv6Address) -> bool:
    tunnels_to_ipv4 = (int(address) >> 32) & 0xFFFF_FFFF in ISATAP
    return address in PUBLIC_IPV6 and not tunnels_to_ipv4
