"""Secrets of many kinds, and an event that holds each of them in all its places.

Each secret has a needle: a part of it that nothing else holds, so that one can search
everything that was written for it.
"""

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tests.envelopes import event, frame

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Secret:
    """``key`` and ``value`` as in an object; ``text`` as it stands in a sentence."""

    kind: str
    needle: str
    key: str
    value: str
    text: str


def _mark() -> str:
    """12 characters of base 36 that occur nowhere else."""
    number = next(_numbers)
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    mixed = (number * 48_271_911_733 + 12_345_678_901) % 36**10
    text = ""
    for _ in range(10):
        mixed, rest = divmod(mixed, 36)
        text += digits[rest]
    return f"q{text}7"


def _digits(count: int) -> str:
    number = next(_numbers)
    return str((number * 73_939_133 + 10**17) % 10**count).zfill(count)


def luhn(prefix: str, length: int) -> str:
    """A number that begins with ``prefix`` and fulfils the checksum of cards."""
    body = prefix + _digits(length - len(prefix) - 1)
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def _iban() -> str:
    account = "37040044" + _digits(10)
    check = 98 - int(account + "131400") % 97
    return f"DE{check:02}{account}"


def by_name(
    kind: str, key: str, template: str = "{key}={value}"
) -> Callable[[], Secret]:
    """A secret that only its name tells."""

    def make() -> Secret:
        mark = _mark()
        return Secret(kind, mark, key, mark, template.format(key=key, value=mark))

    return make


def by_form(
    kind: str, write: Callable[[str], str], key: str = "note"
) -> Callable[[], Secret]:
    """A secret that its form tells, under a name that tells nothing."""

    def make() -> Secret:
        mark = _mark()
        value = write(mark)
        return Secret(kind, mark, key, value, f"failed with {value} at last")

    return make


def of_digits(kind: str, write: Callable[[], str]) -> Callable[[], Secret]:
    def make() -> Secret:
        value = write()
        return Secret(kind, value, "note", value, f"failed with {value} at last")

    return make


def _grouped(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _jwt(mark: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
    return f"{head}.eyJzdWIi{mark}.{mark}"


def _pem(mark: str) -> str:
    return (
        f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{mark}\n{mark}\n"
        "-----END RSA PRIVATE KEY-----"
    )


def _basic(mark: str) -> str:
    return f"Basic {base64.b64encode(f'ann:{mark}'.encode()).decode()}"


def basic() -> Secret:
    mark = _mark()
    value = _basic(mark)
    needle = value.removeprefix("Basic ")[:14]
    return Secret("basic", needle, "note", value, f"sent {value} twice")


KINDS: list[Callable[[], Secret]] = [
    by_name("password", "password"),
    by_name("passwd", "db_passwd", "{key}: {value}"),
    by_name("secret", "client_secret"),
    by_name("api key", "x-api-key", "{key}: {value}"),
    by_name("apikey", "apiKey"),
    by_name("credentials", "credentials"),
    by_name("private key name", "privateKey", '"{key}": "{value}"'),
    by_name("token", "access_token"),
    by_name("shop token", "shop_access_token"),
    by_name("authorization", "Authorization", "{key}: Digest {value}"),
    by_name("csrf", "csrfmiddlewaretoken"),
    by_name("session", "PHPSESSID"),
    by_name("otp", "otp"),
    by_name("mysql", "mysql_pwd"),
    by_name("shopify header", "X-Shopify-Hmac-Sha256", "{key}: {value}"),
    by_form("bearer", lambda mark: f"Bearer {mark}"),
    by_form("jwt", _jwt),
    by_form("pem", _pem),
    by_form("shpat", lambda mark: f"shpat_{mark}0a1b2c3d"),
    by_form("shpss", lambda mark: f"shpss_{mark}0a1b2c3d"),
    by_form("shpca", lambda mark: f"shpca_{mark}0a1b2c3d"),
    by_form("shpua", lambda mark: f"shpua_{mark}0a1b2c3d"),
    by_form("url auth", lambda mark: f"https://ann:{mark}@db.example/x"),
    by_form("github", lambda mark: f"ghp_{mark}ABCDEFGHIJKLMNOPQRSTUVWX"),
    by_form("slack", lambda mark: f"xoxb-1234567890-{mark}"),
    by_form("stripe", lambda mark: f"sk_live_{mark}ABCDEFGH"),
    by_form("google", lambda mark: f"AIzaSy{mark}ABCDEFGHIJKLMNOPQRSTU"),
    by_form("sendgrid", lambda mark: f"SG.{mark}ABCDEFGH.{mark}ABCDEFGHIJKL"),
    by_form("gitlab", lambda mark: f"glpat-{mark}ABCDEFGH"),
    basic,
    of_digits("visa", lambda: luhn("4", 16)),
    of_digits("visa grouped", lambda: _grouped(luhn("4", 16))),
    of_digits("mastercard", lambda: luhn("53", 16)),
    of_digits("amex", lambda: luhn("37", 15)),
    of_digits("discover", lambda: luhn("6011", 16)),
    of_digits("ssn", lambda: f"4{_digits(2)}-4{_digits(1)}-4{_digits(3)}"),
    of_digits("iban", _iban),
    of_digits("iban grouped", lambda: _grouped(_iban())),
]


class Planting:
    """Makes secrets and keeps account of them by place."""

    def __init__(self) -> None:
        self.secrets: list[tuple[str, Secret]] = []

    def all(self, place: str) -> list[Secret]:
        """One new secret of each kind for a place."""
        made = [kind() for kind in KINDS]
        self.secrets += [(place, secret) for secret in made]
        return made

    def pairs(self, place: str) -> dict[str, str]:
        """As an object; equal names are told apart by a number in front."""
        found: dict[str, str] = {}
        for number, secret in enumerate(self.all(place)):
            key = secret.key
            found[f"{number}-{key}" if key in found else key] = secret.value
        return found

    def texts(self, place: str) -> list[str]:
        return [secret.text for secret in self.all(place)]


def planted_events(planting: Planting) -> Iterator[dict[str, Any]]:
    """Events that hold a secret of each kind in each of their places."""
    yield _request_event(planting)
    yield _context_event(planting)
    yield _forms_event(planting)
    for text in planting.texts("message"):
        yield event(exception=None, logentry={"formatted": text, "message": text})
    for text in planting.texts("exception"):
        raised = {"type": "ValueError", "value": text}
        yield event(exception={"values": [raised]})
    for text in planting.texts("fingerprint"):
        yield event(fingerprint=["{{ default }}", text])
    for text in planting.texts("transaction"):
        yield event(transaction=f"/call {text}")
    for secret in planting.all("user"):
        yield event(user={"id": "7", "username": secret.text, secret.key: secret.value})
    for text in planting.texts("old message"):
        yield event(exception=None, message=text, culprit=text, server_name=text[:190])


def _request_event(planting: Planting) -> dict[str, Any]:
    repeated = [[key, value] for key, value in planting.pairs("header pairs").items()]
    cookies = "; ".join(
        f"{s.key}={quote(s.value)}" for s in planting.all("cookies") if " " not in s.key
    )
    return event(
        request={
            "url": f"https://a.example/p?{urlencode(planting.pairs('url'))}",
            "query_string": urlencode(planting.pairs("query string")),
            "headers": {**planting.pairs("headers"), "Cookie": cookies},
            "cookies": planting.pairs("cookie object"),
            "data": planting.pairs("body object"),
            "env": planting.pairs("environment"),
        },
        extra={
            "raw": repeated,
            "sent": [
                {"name": s.key, "value": s.value} for s in planting.all("named values")
            ],
        },
    )


def _context_event(planting: Planting) -> dict[str, Any]:
    crumbs = [{"message": text} for text in planting.texts("breadcrumb")]
    crumbs.append({"data": planting.pairs("breadcrumb data")})
    local = {key: repr(value) for key, value in planting.pairs("locals").items()}
    as_repr = [repr({s.key: s.value}) for s in planting.all("repr of locals")]
    raised = event()["exception"]["values"][0]
    raised["stacktrace"]["frames"] = [
        frame("pricing", "rate_for", vars={**local, "config": as_repr})
    ]
    return event(
        exception={"values": [raised]},
        breadcrumbs=crumbs,
        extra=planting.pairs("extra"),
        contexts={"shop": planting.pairs("context")},
        tags={"tenant": "shop-1.example", **planting.pairs("tags")},
    )


def _forms_event(planting: Planting) -> dict[str, Any]:
    nested = json.dumps({"inner": json.dumps(planting.pairs("nested JSON"))})
    cut = json.dumps(planting.pairs("JSON cut off"))[:-2]
    return event(
        request={
            "url": "https://a.example/",
            "data": json.dumps(planting.pairs("body JSON")),
        },
        extra={
            "form": urlencode(planting.pairs("body form")),
            "nested": nested,
            "cut": cut,
            "headers": "\r\n".join(
                f"{s.key}: {s.value}" for s in planting.all("raw headers")
            ),
            "link": "/back?next="
            + quote(f"https://b.example/?{urlencode(planting.pairs('url in url'))}"),
        },
    )
