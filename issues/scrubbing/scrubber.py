"""One project's rules, compiled, with a pre-check for all of them at once."""

from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from re import IGNORECASE, escape
from re import Pattern as Regex
from re import compile as regex
from typing import Any

import re2

from issues.scrubbing import addresses, personal
from issues.scrubbing.names import MAX_NAME, WORDS, parameter_word, secret_word
from issues.scrubbing.tokens import BOUNDED, DISTINCT
from issues.scrubbing.values import IN_TEXTS, PERSONAL, Detector, compiled

ON, TRUNCATED, OFF = "on", "truncated", "off"
MAX_NAMES = 20_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What a project wants scrubbed besides what always is.

    ``addresses``: what becomes of IP addresses: on, truncated or off. ``personal``:
    whether customers' mail, phone and postal address go. ``keys`` and ``patterns`` are
    pairs of a rule's label and its glob on names, or its RE2 pattern on texts. Names
    that fit a glob of ``kept`` are left alone by all but the project's own rules.
    """

    addresses: str = ON
    personal: bool = False
    keys: tuple[tuple[str, str], ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    tenant_tags: tuple[str, ...] = ()
    salt: bytes = b""  # of the hashes that stand for users whose identity goes


class Scrubber:
    """A compiled policy; one for all events of a project, of any thread."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.hides_addresses = policy.addresses != ON
        self.tenant_tags = frozenset(policy.tenant_tags)
        self.detectors: tuple[Detector, ...] = (
            *IN_TEXTS,
            *(PERSONAL if policy.personal else ()),
        )
        self.patterns = [(label, re2.compile(text)) for label, text in policy.patterns]
        self._keys = [(label, _glob(text)) for label, text in policy.keys]
        self._kept = [_glob(text) for text in policy.kept]
        self._words: dict[tuple[str, bool], str] = {}
        self._signs = compiled(_signs(policy))
        self._own_signs = _own_signs(policy)

    def may_touch(self, json: bytes) -> bool:
        """Whether anything in the JSON may be a secret; never False where one is."""
        if self._signs.search(json) is not None:
            return True
        own = self._own_signs
        return own is not None and own.search(_as_lines(json)) is not None

    def may_touch_text(self, text: bytes) -> bool:
        """As ``may_touch``, of a text that is not JSON."""
        if self._signs.search(text) is not None:
            return True
        return self._own_signs is not None and self._own_signs.search(text) is not None

    def may_hold_token(self, json: bytes) -> bool:
        """As ``may_touch``, of tokens that tell themselves by their form."""
        return _TOKEN_SIGNS.search(json) is not None

    def word(self, name: str, is_parameter: bool = False) -> str:
        """What makes the name secret: a word, or the label of an own rule; "" for none.

        Addresses are not among them: see ``addresses.is_address_name``.
        """
        key = (name, is_parameter)
        word = self._words.get(key)
        if word is None:
            word = self._find_word(name, is_parameter)
            if len(name) < 100:
                if len(self._words) > MAX_NAMES:
                    self._words.clear()
                self._words[key] = word
        return word

    def keeps(self, name: str) -> bool:
        """Whether the project wants what stands under the name left alone."""
        return bool(self._kept) and any(
            glob.match(name[:MAX_NAME]) for glob in self._kept
        )

    def _find_word(self, name: str, is_parameter: bool) -> str:
        for label, glob in self._keys:
            if glob.match(name[:MAX_NAME]):
                return label
        if self.keeps(name):
            return ""
        word = parameter_word(name) if is_parameter else secret_word(name)
        if not word and self.policy.personal:
            word = personal.personal_word(name)
        return word


@lru_cache(maxsize=256)
def scrubber_of(policy: Policy) -> Scrubber:
    """The scrubber of a policy, compiled once in this process."""
    return Scrubber(policy)


def _glob(text: str) -> Regex[str]:
    return regex(translate(text), IGNORECASE)


# Behind a name: quotes, and what parts it from its value. In JSON the quote of a key
# has a colon behind it, that of a text a comma.
_BEHIND = r"\\*[\"'`]?\]?(?:\s|\\[nrt])*(?:[:=>]|%3)|(?:'|\\+\")\s*,"
# In front of a name whose value follows as the next text.
_BEFORE = r"(?:\[|(?:name|key|header|field)\\*\"\s*:\s*)\\*\"[\w.'-]*"
_AUTH = r"auth(?:[^oe]|o[^r]|ori|e[^n]|en[^t]|ent[^i]|enti[^c]|entication)"
_WHOLE_NAMES = (
    r"(?:t?otp|pwd|pw|pass|pin|cvv2?|cvc2?|ssn|iban|jwt|mfa|hmac|signature|sid|sig"
    r"|symfony|phpsessid|jsessionid|cookies?)"
)
_PARAMETERS = (
    r"(?:session|sess|remember|remember_me|_vercel_jwt|cart|cart_sig|checkout"
    r"|secure_customer_sig|storefront_digest|_shopify_essential|_master_udr"
    r"|_merchant_marketing|code)"
)
_COUNTS = regex(r"\{(\d+)(?:,\d*)?\}")


def _as_lines(json: bytes) -> bytes:
    """Each text of the JSON as it is, on a line of its own among what parts them."""
    if b"\\" not in json:
        return json.replace(b'"', b"\n")
    # JSON holds no control characters, so two of them may stand for something else.
    json = json.replace(b"\\\\", b"\x01").replace(b'\\"', b"\x02")
    json = json.replace(b'"', b"\n").replace(b"\\n", b"\n").replace(b"\\t", b"\t")
    return json.replace(b"\\r", b"\r").replace(b"\x01", b"\\").replace(b"\x02", b'"')


def _token_signs() -> list[str]:
    return [
        *map(_shorter, (*DISTINCT.values(), *BOUNDED.values())),
        r"PRIVATE[ +_]KEY",
        r":(?:\\*/){2}[^/@\s\"'<>\\]*:[^/@\s\"'<>\\]+@",
    ]


def _signs(policy: Policy) -> str:
    """One pattern on JSON that matches wherever a detector or a name could.

    Without boundaries on the left: in JSON a line feed is a backslash and an n.
    """
    words = [word for word in WORDS if word != "auth"]
    signs = [
        rf"(?i:{'|'.join(words)}|{_AUTH}|basic[ %\\+])",
        rf"(?i:{_WHOLE_NAMES})(?:[^a-z][\w.\]-]*)?(?:{_BEHIND})",
        rf"(?i:--?{_WHOLE_NAMES})[\s\\\"]",
        rf"{_BEFORE}(?i:{_WHOLE_NAMES})(?:[^a-z][\w.\]-]*)?'?\\*\"\s*,",
        rf"(?i:{_PARAMETERS})(?:=|%3)",
        *_token_signs(),
        r"(?:3[04-9]|4\d|5[1-5]|2[2-7]|6[0245])(?:[ -]?\d){12}",
        r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11}",
        r"\d{3}-\d{2}-\d{4}",
    ]
    if policy.personal:
        signs += [f"(?i:{personal.SIGN})", r"@(?:[\w-]+\.)+[A-Za-z]{2}"]
        signs += [r"\+\d[\d ().-]{6}", r"\(\d{3}\) ?\d{3}[-. ]\d{4}"]
        signs.append(r"\d{3}[-.]\d{3}[-.]\d{4}")
    if policy.addresses != ON:
        signs.append(f"(?i:{addresses.SIGN})")
    # Globs of names hold letters, digits and _.- only, which JSON writes as they are.
    for _, glob in policy.keys:
        longest = max(glob.replace("?", "*").split("*"), key=len)
        signs.append(f"(?i:{escape(longest)})")
    return "|".join(signs)


def _shorter(pattern: str) -> str:
    """A pattern that matches more: counts would make too many states for RE2."""
    return _COUNTS.sub(lambda found: f"{{{min(int(found[1]), 6)},}}", pattern)


def _own_signs(policy: Policy) -> Any:
    """The project's own patterns as one, on texts joined by line feeds."""
    if not policy.patterns:
        return None
    joined = "|".join(f"(?:{text})" for _, text in policy.patterns)
    return re2.compile(f"(?m:{joined})")


_TOKEN_SIGNS = compiled("|".join(_token_signs()))
