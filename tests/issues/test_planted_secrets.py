"""No secret that a client sends reaches any table, any log line or any message.

Events with more than a thousand secrets come in by the front door; then everything that
the database holds is searched, before digest and after, and what was logged.
"""

import asyncio
import json
import logging
from typing import Any
from uuid import uuid4

import pytest
import zstandard
from django.db import connection
from django.utils import timezone

from issues import bodies, deadletters
from issues.digest import write
from issues.digest.batch import Digest
from issues.models import DeadLetter, Event, Feedback, InboxEnvelope, Issue, Outcome
from releases.models import Release, ReleaseNetwork
from tenants.audit import SYSTEM
from tenants.models import Project, Tenant
from tests.door import KEY, Door, make_key, through
from tests.envelopes import envelope, event, item
from tests.planted import KINDS, Planting, Secret, planted_events

AGENT = "shpat_agent0a1b2c3d"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def key() -> None:
    make_key(7, KEY)


def send(*raw: bytes, path: str = f"/api/7/envelope/?sentry_key={KEY}") -> None:
    """Each body by the front door, from an agent whose name is a secret."""

    async def scenario(door: Door) -> list[int]:
        posts = (
            door.post(
                body, path, user_agent=f"agent {AGENT}", origin="https://a.example"
            )
            for body in raw
        )
        return [answer.status_code for answer in await asyncio.gather(*posts)]

    assert set(through(scenario)) == {200}


def dump() -> str:
    """Every row of every table, with what its bytes hold: decoded and unpacked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        names = [name for (name,) in cursor.fetchall()]
        parts = []
        for name in names:
            cursor.execute(f'SELECT * FROM "{name}"')
            parts += [text for row in cursor.fetchall() for text in map(_text, row)]
    assert len(names) > 40
    return "\n".join(parts)


def _text(value: Any) -> str:
    if not isinstance(value, bytes | memoryview):
        return value if isinstance(value, str) else json.dumps(value, default=str)
    raw = bytes(value)
    texts = [raw.decode("utf-8", "replace")]
    try:
        texts.append(json.dumps(bodies.unpack(raw), ensure_ascii=False))
    except (ValueError, KeyError, zstandard.ZstdError):
        # Not the body of an event; a plain frame would still be readable.
        if raw[:4] == b"\x28\xb5\x2f\xfd":
            texts.append(zstandard.decompress(raw).decode("utf-8", "replace"))
    return "\n".join(texts)


def leaked(secrets: list[tuple[str, Secret]], *texts: str) -> list[tuple[str, str]]:
    """Place and kind of the secrets that can be read in the texts, in any case."""
    text = "\n".join(texts).lower()
    assert AGENT not in text
    return [(place, s.kind) for place, s in secrets if s.needle.lower() in text]


def drain(digest: Digest) -> int:
    dead = 0
    while True:
        result = digest.batch()
        if not result.envelopes:
            return dead
        dead += result.dead


def test_the_harness_finds_what_is_not_scrubbed(digest: Digest) -> None:
    send(envelope(item("event", event(extra={"note": "qplain0marker7"}))))
    drain(digest)

    assert "qplain0marker7" in dump()


def test_no_secret_of_any_kind_in_any_place_is_stored(
    digest: Digest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planting = Planting()
    events = list(planted_events(planting))
    assert len(KINDS) >= 25
    assert len(planting.secrets) >= 1000

    send(*(envelope(item("event", body)) for body in events))
    waiting = dump()
    assert drain(digest) == 0

    assert InboxEnvelope.objects.count() == 0
    assert Event.objects.count() == len(events)
    assert leaked(planting.secrets, waiting, dump(), caplog.text) == []
    tenants = set(Event.objects.values_list("tenant__key", flat=True))
    assert tenants == {"shop-1.example"}


def test_no_secret_of_what_is_only_counted_is_stored(digest: Digest) -> None:
    planting = Planting()
    started = timezone.now().isoformat()
    sent = []
    for secret in planting.all("names"):
        token = f"shpat_{uuid4().hex}"
        names = {"release": token, "environment": token[:60]}
        planting.secrets.append(("names", Secret("name", token, "", token, token)))
        session = {"sid": str(uuid4()), "init": True, "did": secret.value}
        told = {"sid": secret.value, "attrs": names, "started": started}
        transaction = {
            **{"type": "transaction", "transaction": secret.text, "tags": {}},
            **{"tags": {"tenant": token}, "timestamp": started, **names},
        }
        span = {
            "is_segment": True,
            "end_timestamp": timezone.now().timestamp(),
            "attributes": {"tenant": {"value": token}, "name": {"value": secret.text}},
        }
        dropped = {"category": "error", "reason": secret.text, "quantity": 1}
        sent.append(
            envelope(
                item("session", {**told, **session}),
                item("transaction", transaction),
                item("span", {"version": 2, "items": [span]}, item_count=1),
                item("client_report", {"discarded_events": [dropped]}),
                item(token[:30], {"text": secret.text}),
                trace={"release": token, "environment": token, "sample_rate": "1"},
            )
        )

    send(*sent)
    drain(digest)

    assert Outcome.objects.filter(reason__startswith="client:").exists()
    assert leaked(planting.secrets, dump()) == []
    assert not Tenant.objects.exists()
    assert set(Release.objects.values_list("version", flat=True)) == {"[Filtered]"}


def test_what_cannot_be_digested_tells_no_secret(
    digest: Digest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planting = Planting()
    for secret in planting.all("broken"):
        text = f"{secret.key}: {secret.text} {secret.value}"
        send(envelope(item("event", json.dumps({"message": text})[:-2].encode())))

    assert drain(digest) == len(KINDS)

    assert leaked(planting.secrets, dump(), caplog.text) == []
    letter = DeadLetter.objects.latest("pk")
    assert letter.error.startswith("NotAnEvent: the payload is not JSON")


def test_a_failure_that_quotes_the_event_tells_no_secret(
    digest: Digest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    planting = Planting()
    text = " ".join(planting.texts("failure"))

    def fails(*_: object) -> None:
        try:
            int(text)
        except ValueError as error:
            with connection.cursor() as cursor:
                cursor.execute("SELECT %s::int", [text])
            raise RuntimeError(text) from error

    send(envelope(item("event", event())))
    with monkeypatch.context() as patch:
        patch.setattr(write, "write", fails)
        assert drain(digest) == 1

    letter = DeadLetter.objects.get()
    assert "InvalidTextRepresentation (22P02)" in letter.error
    assert "in fails" in letter.traceback
    assert leaked(planting.secrets, dump(), caplog.text) == []
    assert deadletters.digest_again([letter.pk], SYSTEM) == 1
    assert drain(digest) == 0
    assert Issue.objects.count() == 1


def test_no_secret_that_people_write_is_stored(digest: Digest) -> None:
    planting = Planting()
    sent = []
    for secret in planting.all("feedback"):
        told = {
            "message": f"please help: {secret.text}",
            "name": secret.text,
            "contact_email": secret.text,
            "url": f"https://a.example/?{secret.key}={secret.value}",
            "source": secret.text,
            "replay_id": secret.text,
            "associated_event_id": secret.text,
        }
        names = {"release": secret.text, "environment": secret.text[:60]}
        names = names if secret.kind.startswith("shp") else {}
        report = {"event_id": secret.text, "name": secret.text, "email": secret.text}
        sent += [
            envelope(item("feedback", {"contexts": {"feedback": told}, **names})),
            envelope(item("user_report", {**report, "comments": secret.text})),
        ]
    send(*sent)
    assert drain(digest) == 0

    assert Feedback.objects.count() == 2 * len(KINDS)
    assert leaked(planting.secrets, dump()) == []


def test_a_secret_of_a_security_report_is_not_stored(digest: Digest) -> None:
    planting = Planting()
    for secret in planting.all("report"):
        report = {
            "document-uri": f"https://a.example/?{secret.key}={secret.value}",
            "blocked-uri": f"https://b.example/?{secret.key}={secret.value}",
            "effective-directive": "script-src",
            "script-sample": secret.text,
        }
        send(
            json.dumps({"csp-report": report}).encode(),
            path=f"/api/7/security/?sentry_key={KEY}",
        )
    drain(digest)

    assert Event.objects.count() == len(KINDS)
    assert leaked(planting.secrets, dump()) == []


@pytest.mark.parametrize("addresses", ["off", "truncated"])
def test_no_address_of_a_client_is_stored_but_its_network_guards_deploys(
    digest: Digest, addresses: str
) -> None:
    Project.objects.update(ip_addresses=addresses)
    client = "203.0.113.9"  # of the tests' front door
    planted = event(
        platform="javascript",
        message=f"no answer to {client}",
        user={"ip_address": "{{auto}}"},
        request={
            "headers": {"X-Forwarded-For": client},
            "env": {"REMOTE_ADDR": client},
        },
    )
    send(
        envelope(item("event", planted)),
        envelope(item("event", event(user={}, extra={"ip": client}))),
        envelope(item("event", b"{}]")),
    )
    waiting = dump()
    assert drain(digest) == 1

    assert client not in waiting + dump()
    assert ReleaseNetwork.objects.get().network == "203.0.113.0/24"
    users = set(Event.objects.values_list("user", flat=True))
    assert users == ({""} if addresses == "off" else {"", "ip:203.0.113.0"})


def test_no_personal_data_is_stored_where_a_project_says_so(digest: Digest) -> None:
    Project.objects.update(scrub_personal_data=True)
    person = {
        "email": "ann.nowak@mail.example",
        "phone": "+49 170 9876543",
        "shipping_address": "Lange Gasse 17",
        "first_name": "Annegret",
    }
    text = f"mail {person['email']} or call {person['phone']}"
    send(
        envelope(
            item("event", event(user={"email": person["email"], "name": "Annegret"})),
        ),
        envelope(
            item("event", event(extra=person, message=text, exception=None)),
        ),
        envelope(item("event", event(request={"data": json.dumps({"order": person})}))),
    )
    drain(digest)

    stored = dump()
    assert [value for value in person.values() if value in stored] == []
    hidden = Event.objects.filter(user__startswith="email:#")
    assert hidden.count() == 1
