"""Names under which a customer's own data stands: mail, phone, postal address."""

import re
from functools import lru_cache

from issues.scrubbing.names import MAX_NAME, bare, words

_LAST = words(
    "email emails mail phone phones mobile telephone fax street city zip zipcode"
    " postcode postal recipient birthday birthdate dob surname firstname lastname"
    " fullname latitude longitude address1 address2 address3"
)
_LAST_TWO = words(
    "e-mail e-mails phone-number mobile-number first-name last-name full-name"
    " given-name family-name customer-name recipient-name postal-code zip-code"
    " post-code tracking-url tracking-urls status-url of-birth address-line address-1"
    " address-2 line-1 line-2"
)
# Addresses of machines.
_NO_POST = words(
    "ip mac server remote client peer host local bind memory instruction image"
    " network socket wallet contract"
)
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Part of the pre-check.
SIGN = (
    r"(?:e[-_ ]?mails?|mail|phones?|(?:phone|mobile)[-_ ]?number|mobile|telephone|fax"
    r"|street|city|zip|postal|recipient|birthday|birthdate|of[-_ ]?birth|dob|surname"
    r"|(?:postal|zip|post)[-_ ]?code"
    r"|(?:first|last|full|given|family|customer|recipient)[-_ ]?name"
    r"|(?:lat|long)itude|address[\w. -]{0,12}|line[-_ ]?[12]"
    r"|(?:tracking|status)[-_ ]?urls?)\\*[\"']?\]?\s*(?:[:=]|%3|'\s*,)"
)


def personal_word(name: str) -> str:
    """The word of the name that tells a customer's own data; "" where none does."""
    return _personal_word(name[:MAX_NAME])


@lru_cache(maxsize=4096)
def _personal_word(name: str) -> str:
    parts = [part.lower() for part in _HUMPS.findall(bare(name))]
    if not parts:
        return ""
    last = parts[-1]
    if "-".join(parts[-2:]) in _LAST_TWO:
        return " ".join(parts[-2:])
    before = parts[-2] if len(parts) > 1 else ""
    if last.startswith("address") and before not in _NO_POST:
        return "address"
    return last if last in _LAST else ""
