"""What becomes of IP addresses: kept, truncated to their network, or taken out."""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network

from issues.scrubbing.names import MAX_NAME, bare, words

# Names under which SDKs, servers and proxies tell a client's address.
_NAMES = words(
    "ip ipaddress ipaddr ips remoteaddr remoteaddress remoteip clientip"
    " clientaddress clientipaddress httpclientip useripaddress userip sourceip"
    " hostip xforwardedfor forwarded forwardedfor xrealip realip xclientip xremoteip"
    " xremoteaddr cfconnectingip cfconnectingipv6 truecientip trueclientip"
    " fastlyclientip flyclientip xclusterclientip xoriginalforwardedfor"
    " xvercelforwardedfor xenvoyexternaladdress xappengineuserip xazureclientip"
    " netpeerip netsockpeeraddr networkpeeraddress"
)
_SEPARATORS = re.compile(r"[-_. ]")
# Part of the pre-check: what each of the names holds.
SIGN = (
    r"(?:ips?|ipv6|addr(?:ess)?|forwarded(?:[-_ ]?for)?)"
    r"\\*[\"']?\]?\s*(?:[:=]|'?,)"
)


def is_address_name(name: str) -> bool:
    """Whether a client's address stands under this name."""
    return _is_address_name(name[:MAX_NAME])


@lru_cache(maxsize=4096)
def _is_address_name(name: str) -> bool:
    plain = _SEPARATORS.sub("", bare(name).lower())
    return plain in _NAMES or plain.removeprefix("http") in _NAMES


@lru_cache(maxsize=4096)
def truncated(address: str) -> str:
    """The first address of its network (IPv4 /24, IPv6 /48); "" for what is none."""
    text = address.strip().strip("[]'\"")
    try:
        known = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    known = getattr(known, "ipv4_mapped", None) or known
    length = 24 if known.version == 4 else 48
    return str(ip_network((known, length), strict=False).network_address)


def truncated_list(text: str) -> str:
    """As ``truncated``, for each address of a list with commas; "" if one is none."""
    parts = [truncated(part) for part in text[:2048].split(",")]
    return ", ".join(parts) if all(parts) else ""
