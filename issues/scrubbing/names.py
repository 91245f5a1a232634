"""Which names tell that a secret follows: keys, headers, parameters, cookies.

The words are those that Sentry's servers scrub by default (getsentry/relay,
relay-pii/src/regexes.rs) and those of Shopify apps. Where a word also stands in
harmless names ("author", "token_type"), these are told apart here, so that the words
may be looked for anywhere inside a name.
"""

import re
from functools import lru_cache


def words(text: str) -> frozenset[str]:
    """The words of a text, as a table of them is written here."""
    return frozenset(text.split())


# Anywhere inside a name. Also part of the pre-check, so without look-around.
WORDS = (
    *("passw(?:or)?d", "passwort", "pass[-_. ]?(?:phrase|code|key)", "mysql[-_]?pwd"),
    *("secret", "credential", "token", "auth", "bearer", "csrf", "xsrf"),
    r"(?:api|private|access|signing|encryption|master|ssh)[-_. ]?key",
    r"sess(?:ion)?[-_. ]?id",
    *(r"conn(?:ection)?[-_. ]?str(?:ing)?", "two[-_. ]?factor", "one[-_. ]?time"),
    *("(?:recovery|backup)[-_. ]?code", "x[-_]shopify"),
    r"c(?:redit|ard)[-_. ]?(?:card|number|num|no\b)",
    "social[-_. ]?security",
)
# Whole words of a name, as in "dbPwd", "user_pin" or "otp".
WHOLE = words("otp totp pwd pw cvv cvc cvv2 cvc2 ssn iban jwt mfa hmac signature")
LAST = frozenset({"pass", "pin"})
# Names that are secrets only as a whole.
EXACT = frozenset({"sid", "connect.sid", "sig", "phpsessid", "jsessionid", "symfony"})
# Parameters and cookies by name; elsewhere these words say little.
COOKIES = words(
    "session sess _session remember remember_me _vercel_jwt cart cart_sig checkout"
    " secure_customer_sig storefront_digest _shopify_essential _master_udr"
    " _merchant_marketing"
)
COOKIE_HOLDERS = frozenset({"cookie", "cookies", "set-cookie", "http_cookie"})
MAX_NAME = 200

_WORDS = re.compile("|".join(WORDS), re.IGNORECASE)
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
# What follows a word and makes it harmless: author, tokenizer, secretary.
_OTHERWISE = {
    "auth": re.compile(r"or(?!i[sz]ation)|entic(?!ation)", re.IGNORECASE),
    "token": re.compile(r"i[sz]", re.IGNORECASE),
    "secret": re.compile(r"ar(?:y|iat)", re.IGNORECASE),
}
# Last words of names that describe a secret without holding it.
_DESCRIPTIVE = words(
    "type types method methods url uri endpoint provider backend backends mode"
    " count length len size limit expires expiry expiration at ttl enabled required"
    " valid status policy validators"
)
_SHOPIFY = re.compile(r"x[-_]shopify[-_](.*)")
# Headers of Shopify that name a shop and an occasion.
_SHOPIFY_OPEN = words(
    "topic shop-domain api-version webhook-id event-id triggered-at test name"
)
_QUOTES = ("'", '"')
_REPR = re.compile(r"b?(['\"])(.*)\1\Z", re.DOTALL)


def bare(name: str) -> str:
    """The name without what Python's ``repr`` put around it; of a path its end."""
    found = _REPR.match(name[:MAX_NAME])
    plain: str = found[2] if found else name[:MAX_NAME].strip()
    return plain.rpartition("/")[2]


def secret_word(name: str) -> str:
    """The word of the name that tells a secret, "" where none does."""
    return _secret_word(name[:MAX_NAME])


@lru_cache(maxsize=16384)
def _secret_word(name: str) -> str:
    name = bare(name)
    lower = name.lower()
    if lower in EXACT:
        return lower
    shopify = _SHOPIFY.search(lower)
    if shopify:
        is_open = shopify[1].replace("_", "-") in _SHOPIFY_OPEN
        return "" if is_open else "x-shopify"
    parts: list[str] = [part.lower() for part in _HUMPS.findall(name)]
    if not parts or parts[-1] in _DESCRIPTIVE:
        return ""
    for found in _WORDS.finditer(name):
        word: str = found[0].lower()
        otherwise = _OTHERWISE.get(word)
        if otherwise is None or not otherwise.match(name, found.end()):
            return word
    if parts[-1] in LAST:
        return parts[-1]
    return next((part for part in parts if part in WHOLE), "")


def parameter_word(name: str) -> str:
    """As ``secret_word``, of a cookie or a query parameter."""
    return _parameter_word(name[:MAX_NAME])


@lru_cache(maxsize=4096)
def _parameter_word(name: str) -> str:
    lower = bare(name).lower()
    plain = lower.removeprefix("__host-").removeprefix("__secure-")
    if plain in COOKIES or plain.endswith(("_session", "-session", ".sid")):
        return plain
    return _secret_word(name)


def holds_cookies(name: str) -> bool:
    """Whether a header of cookies, or a mapping of them, stands under this name."""
    if name[-1:] in _QUOTES:
        name = bare(name)
    return len(name) < 12 and name.lower() in COOKIE_HOLDERS
