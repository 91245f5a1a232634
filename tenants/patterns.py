"""What a team writes to say which events it does not want.

Globs over text, addresses and networks, and browsers up to a version. Reading raises
PatternError, whose text tells what to write instead.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

MAX_PATTERN = 200
# Characters of a text that globs look at: what one event may cost stays bounded.
LOOKED_AT = 1000
# By engine: today's Edge, Opera and Samsung Internet are built on Chrome, and every
# browser on iOS on Safari.
BROWSERS = (
    "Android Browser",
    "Chrome",
    "Edge",
    "Firefox",
    "Internet Explorer",
    "Opera",
    "Safari",
)
EVERY_VERSION = 1_000_000

_BROWSER = re.compile(r"(?P<name>[a-z ]+?) *(?:< *(?P<version>\d{1,4}))?", re.I)
_BY_LOWER_NAME = {name.lower(): name for name in BROWSERS}


class PatternError(ValueError):
    """The text is no pattern of its kind; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern over a whole text: ``*`` any run of characters, ``?`` any one.

    ``parts`` are the texts between the stars in small letters; ``regex`` serves where
    a ``?`` stands in one of them, as finding texts is ten times faster.
    """

    parts: tuple[str, ...]
    regex: re.Pattern[str] | None

    @property
    def form(self) -> tuple[bool, bool] | None:
        """Whether one text is tied to the start and to the end; None for all else."""
        if self.regex is not None:
            return None
        return {
            ("text",): (True, True),
            ("text", ""): (True, False),
            ("", "text"): (False, True),
            ("", "text", ""): (False, False),
        }.get(tuple("text" if part else "" for part in self.parts))

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text``, given in small letters, is of the pattern."""
        if self.regex is not None:
            return self.regex.fullmatch(text) is not None
        if len(self.parts) == 1:
            return text == self.parts[0]
        start, *middle, end = self.parts
        if not (text.startswith(start) and text.endswith(end)):
            return False
        place, last = len(start), len(text) - len(end)
        for part in middle:
            place = text.find(part, place, last)
            if place < 0:
                return False
            place += len(part)
        return place <= last


def parse_glob(pattern: str) -> Glob:
    """Read a glob; case does not matter, and every other character is itself."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(
            f"This pattern has {len(pattern)} characters; at most {MAX_PATTERN} are "
            "taken: keep the part that tells."
        )
    if not pattern.strip("*? "):
        raise PatternError(
            "This pattern matches every text. Name something, such as *timeout*."
        )
    parts = tuple(pattern.lower().split("*"))
    return Glob(parts, _regex(parts) if "?" in pattern else None)


def _regex(parts: tuple[str, ...]) -> re.Pattern[str]:
    """Atomic groups: a part once found is not looked for again further on."""
    start, *others = (re.escape(part).replace(r"\?", ".") for part in parts)
    if not others:
        return re.compile(start, re.DOTALL)
    *middle, end = others
    found = "".join(f"(?>.*?{part})" for part in middle)
    return re.compile(f"{start}{found}.*{end}", re.DOTALL)


class Globs:
    """Several globs; a text is of them when it is of one.

    Sorted by form, as most are a text between two stars, and those are looked for in
    a twentieth of a microsecond each.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        globs = [parse_glob(pattern) for pattern in patterns]
        self._size = len(globs)
        self._whole = {glob.parts[0] for glob in globs if glob.form == (True, True)}
        self._starts = tuple(g.parts[0] for g in globs if g.form == (True, False))
        self._ends = tuple(g.parts[1] for g in globs if g.form == (False, True))
        self._within = tuple(g.parts[1] for g in globs if g.form == (False, False))
        self._others = tuple(glob for glob in globs if glob.form is None)

    def __bool__(self) -> bool:
        return bool(self._size)

    def match(self, text: str) -> bool:
        """By the first ``LOOKED_AT`` characters."""
        lowered = text[:LOOKED_AT].lower()
        if lowered in self._whole or lowered.startswith(self._starts):
            return True
        if lowered.endswith(self._ends):
            return True
        for part in self._within:
            if part in lowered:
                return True
        return any(glob.matches(lowered) for glob in self._others)


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """An address or a network in CIDR form, such as 203.0.113.7 or 2001:db8::/48."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise PatternError(
            f"{text} is neither an address nor a network. Write 203.0.113.7, "
            "203.0.113.0/24 or 2001:db8::/48."
        ) from error
    if not network.prefixlen:
        raise PatternError(
            f"{text} is every address. Name a smaller network, such as 203.0.113.0/24."
        )
    address = text.partition("/")[0].strip()
    if ip_address(address) != network.network_address:
        raise PatternError(
            f"{text} is an address within a network. Write {network} for the whole "
            f"network, or {address} for this address."
        )
    return network


class AddressSet:
    """Networks, by the length of their prefix: a look-up a length, not a network."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._by_shift: dict[tuple[int, int], set[int]] = {}
        for network in map(parse_network, networks):
            shift = network.max_prefixlen - network.prefixlen
            known = self._by_shift.setdefault((network.version, shift), set())
            known.add(int(network.network_address) >> shift)

    def __bool__(self) -> bool:
        return bool(self._by_shift)

    def __contains__(self, address: str) -> bool:
        version, number = _number(address)
        for (of_version, shift), known in self._by_shift.items():
            if of_version == version and number >> shift in known:
                return True
        return False


@lru_cache(maxsize=4096)
def _number(address: str) -> tuple[int, int]:
    """Version and number; of version 0 for what is no address. Mapped ones are IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return 0, 0
    found = getattr(found, "ipv4_mapped", None) or found
    return found.version, int(found)


def parse_browser(text: str) -> tuple[str, int]:
    """Name and first version that is not meant: "Chrome < 63" as ("Chrome", 63).

    A name alone means every version.
    """
    told = _BROWSER.fullmatch(text.strip())
    name = _BY_LOWER_NAME.get(" ".join(told["name"].lower().split())) if told else None
    if told is None or name is None:
        raise PatternError(
            f"{text} is not a browser. Write a name, or a name and the first version "
            f"that is welcome, such as Chrome < 63. Names: {', '.join(BROWSERS)}."
        )
    return name, int(told["version"]) if told["version"] else EVERY_VERSION
