"""Requests that are wrong in some way, each with what must come of it."""

import base64
import gzip
import json
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import brotli
import zstandard

from tests.envelopes import envelope, item
from tests.flow import hostile
from tests.flow.hostile import ABSURD_TIMES, HOSTILE_NAMES, NOW, dumps

MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """A request and its fate.

    ``fate``: event, counted (by session, request or outcome), dead letter, refused
    (an answer of the protocol, nothing stored) or nothing (there is nothing in it);
    "" for any but lost.
    """

    name: str
    fate: str
    body: bytes
    kind: str = "envelope"
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""

    def __str__(self) -> str:
        return self.name


def event(**fields: Any) -> bytes:
    """An event item with an id of its own."""
    return item("event", {**hostile.EVENT, "event_id": uuid.uuid4().hex, **fields})


def sent(*items: bytes) -> bytes:
    """An envelope of these items with an event id."""
    return envelope(*items, event_id=uuid.uuid4().hex)


def raw(text: str | bytes) -> bytes:
    """An envelope whose event is this text."""
    return sent(item("event", text.encode() if isinstance(text, str) else text))


def deep(levels: int) -> bytes:
    return b'{"extra":' + b'{"a":[' * levels + b"1" + b"]}" * levels + b"}"


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 1),
    "deflate": lambda body: zlib.compress(body, 1),
    "br": lambda body: bytes(brotli.compress(body, quality=1)),
    "zstd": lambda body: bytes(zstandard.compress(body)),
}


def codings() -> Iterator[Case]:
    good = sent(event())
    # Over INGEST_MAX_BYTES, and a few kB on the wire.
    zeros = b'{}\n{"type":"attachment","length":125829120}\n' + bytes(120 * MIB)
    for name, codec in CODECS.items():
        once = {"content_encoding": name}
        whole, bomb = codec(good), codec(zeros)
        for what, fate, body in (
            ("as it should be", "event", whole),
            ("cut off", "refused", whole[: len(whole) // 2]),
            ("without its last byte", "refused", whole[:-1]),
            ("with one byte changed", "", _flipped(whole)),
            ("that is plain", "refused", good),
            ("of nothing", "refused", codec(b"")),
            ("without bytes", "refused", b""),
            ("with bytes behind", "refused", whole + b"trailing bytes"),
            ("bomb", "refused", bomb),
        ):
            yield Case(f"{name} {what}", fate, body, headers=once)
        twice = {"content_encoding": f"{name}, {name}"}
        yield Case(f"{name} twice", "event", codec(whole), headers=twice)
        yield Case(f"{name} bomb in {name}", "refused", codec(bomb), headers=twice)
    for coding, fate in (
        ("identity", "event"),
        ("", "event"),
        ("lzma", "refused"),
        ("gzip, gzip, gzip, gzip", "refused"),
        ("\xff" * 300, "refused"),
    ):
        headers = {"content_encoding": coding}
        yield Case(f"the coding {coding[:30]!a}", fate, good, headers=headers)


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0x55]) + body[middle + 1 :]


def headers() -> Iterator[Case]:
    """Envelope headers."""
    good = event()
    for name, fate, line in (
        ("no JSON", "refused", b"hello"),
        ("a list", "refused", b"[]"),
        ("a number", "refused", b"7"),
        ("1 MiB", "refused", b'{"a":"%s"}' % (b"x" * MIB)),
        ("bad UTF-8", "refused", b'{"a":"\xff\xfe"}'),
        ("nested deeply", "refused", deep(5_000)),
        ("lone surrogates", "event", b'{"trace":{"release":"\\ud83d\\u0000"}}'),
        ("event_id that is none", "refused", b'{"event_id":"7"}'),
        ("event_id that is a list", "refused", b'{"event_id":[]}'),
        ("event_id of zeros", "event", b'{"event_id":"%s"}' % (b"0" * 32)),
        ("sent_at that is no time", "event", b'{"sent_at":"x"}'),
        ("sent_at that is an object", "event", b'{"sent_at":{}}'),
        ("sent_at twice", "refused", b'{"sent_at":"a","sent_at":"b"}'),
        ("trace that is text", "event", b'{"trace":"x"}'),
        ("dsn that is a number", "refused", b'{"dsn":7}'),
        ("dsn of nobody", "refused", b'{"dsn":"http://%s@x/1"}' % (b"f" * 32)),
    ):
        yield Case(f"an envelope header: {name}", fate, line + b"\n" + good)
    yield Case("no bytes", "refused", b"")
    yield Case("a newline", "refused", b"\n")
    yield Case("an envelope header alone", "nothing", b"{}")


def items() -> Iterator[Case]:
    """Item headers and lengths."""
    payload = dumps(hostile.EVENT)
    for name, fate, header in (
        ("length too short", "refused", '{"type":"event","length":5}'),
        ("length too long", "refused", '{"type":"event","length":99999}'),
        ("length below zero", "refused", '{"type":"event","length":-1}'),
        ("length beyond 64 bits", "refused", f'{{"type":"event","length":{2**70}}}'),
        ("length that is text", "refused", '{"type":"event","length":"9"}'),
        ("length that is a fraction", "refused", '{"type":"event","length":1.5}'),
        ("length that is true", "refused", '{"type":"event","length":true}'),
        ("no type", "refused", "{}"),
        ("a type that is a number", "refused", '{"type":7}'),
        ("an empty type", "refused", '{"type":""}'),
        ("no JSON", "refused", "event"),
        ("1 MiB", "refused", '{"type":"event","a":"%s"}' % ("x" * MIB)),
        ("a type with NUL", "counted", '{"type":"a\\u0000b"}'),
        ("a type with a lone surrogate", "counted", '{"type":"\\ud83d"}'),
        ("a type of 300 characters", "counted", '{"type":"%s"}' % ("x" * 300)),
    ):
        body = b"{}\n" + header.encode() + b"\n" + payload
        yield Case(f"an item header: {name}", fate, body)
    good = event()
    crlf = b'{}\r\n{"type":"event"}\r\n' + payload + b"\r\n"
    hologram, many = item("hologram", b"\x00\n{}"), [item("hologram", b"1")]
    for name, fate, body in (
        ("an event without payload", "refused", b'{}\n{"type":"event"}\n'),
        ("an event of length 0", "refused", sent(item("event", b""))),
        ("two events", "refused", sent(good, event())),
        ("event and transaction", "refused", sent(good, item("transaction", {}))),
        ("unknown items first", "event", sent(hologram, hologram, good)),
        ("an unknown item alone", "counted", sent(hologram)),
        ("900 unknown items", "counted", sent(*many * 900)),
        ("2,000 unknown items", "refused", sent(*many * 2000)),
        ("101 sessions", "refused", sent(*[item("session", {})] * 101)),
        ("blank lines", "event", b"{}\n\n\n" + good + b"\n\n"),
        ("Windows line ends", "event", crlf),
        ("item_count of 71 bits", "counted", sent(item("log", b"", item_count=2**70))),
        ("item_count below zero", "counted", sent(item("log", b"", item_count=-5))),
    ):
        yield Case(name, fate, body)


def texts() -> Iterator[Case]:
    """Events whose text is odd; all that is a JSON object is kept as an event."""
    for name, text in (
        ("text", '"text"'),
        ("a list", "[]"),
        ("null", "null"),
        ("no JSON", "{broken"),
        ("cut off", '{"message":"abc'),
        ("HTML", "<html></html>"),
    ):
        yield Case(f"an event that is {name}", "dead letter", raw(text))
    utf16 = '{"message":"a"}'.encode("utf-16")
    yield Case("an event in UTF-16", "dead letter", raw(utf16))
    nines = "9" * 5000
    for name, odd in (
        ("no fields", b"{}"),
        ("NUL", b'{"message":"a\\u0000b","tags":{"a\\u0000":"\\u0000"}}'),
        ("lone surrogates", b'{"message":"\\ud83d","tags":{"\\udc00":"\\ud83d"}}'),
        ("bad UTF-8", b'{"message":"\xff\xfe\x80"}'),
        ("NaN and infinity", b'{"extra":{"a":NaN,"b":-Infinity,"c":1e999}}'),
        ("5,000 digits", f'{{"extra":{{"a":{nines}}},"level":{nines}}}'.encode()),
        ("duplicate keys", b'{"message":"a","message":"b","tags":{"a":1,"a":2}}'),
        ("tabs inside texts", b'{"message":"a\tb\nc"}'),
        ("a byte order mark", '\ufeff{"message":"a"}'.encode()),
        ("120 levels", deep(60)),
        ("2,000 levels", deep(1_000)),
        ("200,000 levels", deep(100_000)),
    ):
        yield Case(f"an event with {name}", "event", raw(odd))
    everywhere: list[Any] = [None, "", [], [[[]], [1]], {}, 7, True, "\x00"]
    for value in everywhere:
        body = raw(dumps(dict.fromkeys(hostile.EVENT, value)))
        yield Case(f"an event with {value!a} everywhere", "event", body)


def fields() -> Iterator[Case]:
    """Fields of the right type and of absurd content."""
    long = {
        name: name[0] * 10_000
        for name in (
            *("release", "environment", "transaction", "logger", "server_name"),
            *("platform", "dist", "culprit", "level", "event_id"),
        )
    }
    frames = [{"function": "f", "vars": {"a": "x" * 12_000}}] * 250
    stack = [{"type": "E", "stacktrace": {"frames": frames}}]
    told: dict[str, dict[str, Any]] = {
        "1,000 tags": {"tags": {f"t{n}": n for n in range(1000)}},
        "1,000 pairs of tags": {"tags": [[f"t{n}", n] for n in range(1000)]},
        "long tags": {"tags": {"k" * 5000: "v" * 5000}},
        "1,000 breadcrumbs": {"breadcrumbs": [{"message": "x"}] * 1000},
        "1,000 exceptions": {"exception": [{"type": "E"}] * 1000},
        "1,000 frames": {
            "threads": None,
            "stacktrace": {"frames": [{"function": "f"}] * 1000},
        },
        "1,000 fingerprints": {"fingerprint": ["x" * 500] * 1000},
        "braces": {"fingerprint": ["{{ default }}", "{{", "{{ x }}", "{{ tags.a }}"]},
        "1,000 contexts": {"contexts": {f"c{n}": {"a": n} for n in range(1000)}},
        "long names": long,
        "names of blanks": {"release": " ", "environment": "\n", "platform": "\t"},
        "names that grow": {"release": "İ" * 250, "environment": "İ" * 64},
        "a long user": {"user": {"id": "😀" * 10_000}},
        "a long URL": {"request": {"url": "https://a.example/" + "x" * MIB}},
        "no URL": {"request": {"url": "http://[::1"}},
        "a format bomb": {"logentry": {"message": "%9999999d" * 500, "params": [1]}},
        "a long message": {"message": "m" * MIB, "logentry": None},
        "1 MiB of extra": {"extra": {"a": ["x" * 1000] * 1000}},
        "3 MiB of extra": {"extra": {"a": ["x" * 1000] * 3000}},
        "3 MiB of variables": {"exception": stack},
        "3 MiB of an unknown field": {"unknown": {"a": "x" * 3 * MIB}},
    }
    for name, changed in told.items():
        yield Case(f"an event with {name}", "event", sent(event(**changed)))
    large = event(extra={"a": "x" * 5 * MIB})
    yield Case("an event of 5 MiB", "refused", sent(large))


def times() -> Iterator[Case]:
    for stamp in ABSURD_TIMES:
        good = event(timestamp=stamp)
        yield Case(f"the time {stamp!a}", "event", sent(good))
        for year in ("0001", "9999"):
            sent_at = f"{year}-12-31T23:59:59Z"
            name = f"the time {stamp!a} sent in {year}"
            header = {"event_id": uuid.uuid4().hex, "sent_at": sent_at}
            yield Case(name, "event", envelope(good, **header))
            session = {**hostile.SESSION, "started": stamp}
            body = envelope(item("session", session), sent_at=sent_at)
            yield Case(f"a session: {name}", "counted", body)
            request = {**hostile.TRANSACTION, "timestamp": stamp}
            body = envelope(item("transaction", request), sent_at=sent_at)
            yield Case(f"a transaction: {name}", "counted", body)


def tenants() -> Iterator[Case]:
    for tenant in HOSTILE_NAMES:
        tags = {"tenant": tenant}
        told = f"the tenant {str(tenant)[:12]!a}"
        yield Case(f"an event of {told}", "event", sent(event(tags=tags)))
        request = item("transaction", {**hostile.TRANSACTION, "tags": tags})
        yield Case(f"a transaction of {told}", "counted", sent(request))


def companions() -> Iterator[Case]:
    """What stands beside an event must not take it along."""
    good = event()
    broken = (b"", b"{broken", b"[]", b"7", b'{"a":"\xff"}', deep(5_000))
    for kind in ("session", "sessions", "client_report", "span", "check_in"):
        for payload in broken:
            other, name = item(kind, payload), f"a {kind} of {payload[:8]!a}"
            yield Case(name, "counted", sent(other))
            yield Case(f"{name} before an event", "event", sent(other, good))
            yield Case(f"{name} after an event", "event", sent(good, other))
    for payload in broken[1:]:
        body = sent(item("transaction", payload))
        yield Case(f"a transaction of {payload[:8]!a}", "counted", body)
    entry = {"reason": "a\x00b", "category": "\ud83d", "quantity": 3}
    report = item("client_report", {"discarded_events": [entry]})
    yield Case("a report with NUL before an event", "event", sent(report, good))
    counts = dict.fromkeys(("exited", "errored", "crashed", "abnormal"), 10**18)
    full = {**hostile.SESSIONS, "aggregates": [{"started": NOW, **counts}] * 100}
    body = sent(item("sessions", full), good)
    yield Case("more sessions than fit a counter before an event", "event", body)
    trace = {"release": "a\x00b\ud83d", "environment": "e" * 500, "sample_rate": "1"}
    for other in (
        item("transaction", {"transaction": "/"}),
        item("span", {"items": [{"is_segment": True}]}),
    ):
        body = envelope(other, event_id=uuid.uuid4().hex, trace=trace)
        yield Case(f"a hostile trace with {other[10:20]!a}", "counted", body)


def stored() -> Iterator[Case]:
    """Bodies for /store/."""
    good = dumps({**hostile.EVENT, "event_id": uuid.uuid4().hex})
    bomb = base64.b64encode(zlib.compress(bytes(64 * MIB)))
    for name, fate, body in (
        ("an event", "event", good),
        ("an event without id", "event", b'{"message":"a"}'),
        ("no fields", "event", b"{}"),
        ("base64 of zlib", "event", base64.b64encode(zlib.compress(good))),
        ("base64 of a bomb", "refused", bomb),
        ("NUL in its id", "refused", b'{"event_id":"\\u0000"}'),
        ("an id that is a list", "refused", b'{"event_id":[1]}'),
        ("no bytes", "refused", b""),
        ("a list", "refused", b"[]"),
        ("text", "refused", b"hello"),
        ("cut off", "refused", good[:-5]),
        ("5 MiB", "refused", dumps({"extra": "x" * 5 * MIB})),
        ("200,000 levels", "refused", deep(100_000)),
        ("lone surrogates", "event", b'{"message":"\\ud83d\\u0000"}'),
    ):
        yield Case(f"/store/: {name}", fate, body, "store")


def reports() -> Iterator[Case]:
    """Bodies for /security/."""
    report = {"csp-report": hostile.CSP}
    odd_uri = {"csp-report": {**hostile.CSP, "blocked-uri": "http://[::1"}}
    for name, fate, body in (
        ("a report", "event", dumps(report)),
        ("two reports", "event", dumps([report, report])),
        ("of the Reporting API", "event", b'[{"type":"csp-violation","body":{}}]'),
        ("an empty one", "event", b'{"csp-report":{}}'),
        ("a URI that is none", "event", dumps(odd_uri)),
        ("no report", "counted", b"{}"),
        ("another kind", "counted", b'[{"type":"deprecation","body":{}}]'),
        ("no bytes", "refused", b""),
        ("no JSON", "refused", b"{broken"),
        ("text", "refused", b'"text"'),
        ("5 MiB", "refused", dumps({"csp-report": {"a": "x" * 5 * MIB}})),
    ):
        yield Case(f"/security/: {name}", fate, body, "security")
    query = f"&sentry_release={'r' * 3000}&sentry_environment=%00%ff%ed%a0%bd"
    body = json.dumps(report).encode()
    yield Case("/security/: a hostile query", "event", body, "security", query=query)


CASES = [
    *codings(),
    *headers(),
    *items(),
    *texts(),
    *fields(),
    *times(),
    *tenants(),
    *companions(),
    *stored(),
    *reports(),
]
ITEMS: dict[str, dict[str, Any]] = {
    "session": hostile.SESSION,
    "sessions": hostile.SESSIONS,
    "transaction": hostile.TRANSACTION,
    "span": hostile.SPAN,
    "client_report": hostile.CLIENT_REPORT,
}


def mutated(kind: str) -> Iterator[Case]:
    """Every wrong value in every place of an item or report of this kind."""
    if kind == "security":
        report = {"csp-report": hostile.CSP}
        for name, odd in hostile.mutations(report, 3, hostile.WRONG):
            yield Case(f"/security/: {name}", "", dumps(odd), "security")
        return
    wrong = hostile.WRONG + hostile.ODD_NUMBERS
    for name, odd in hostile.mutations(ITEMS[kind], 6, wrong):
        # A session that is neither new nor worse than before changes no count.
        fate = "" if name.startswith("init") else "counted"
        yield Case(f"{kind}: {name}", fate, sent(item(kind, odd)))
