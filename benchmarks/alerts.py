"""How soon after an event does Slack hear of it, and what does a storm of issues make?

A real ``up``, a Slack of our own (tests/slack_server.py), real envelopes:

- idle: new issues a second apart, from sending the event to the call of Slack;
- busy: the same while other events arrive;
- storm: many new issues within a minute under one rule: messages, causes, delays. It
  begins when all that came before it is digested.

The rules of the first two tell of a new issue by its tag ``lane``: no rule meets more
than two a minute, so none is folded. Takes about six minutes; writes results/alerts.md.

    python -m benchmarks.alerts [--tries 100] [--rate 500] [--storm 10000]
"""

import argparse
import json
import re
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from benchmarks.large import django, quantile
from benchmarks.load import fresh_bodies
from benchmarks.page import publish, table
from benchmarks.sender import EVENT_ID, Sender
from benchmarks.system import Connection, System, running_system
from tests.receiver import Received, Reply
from tests.slack_server import CHANNEL, TOKEN, Slack, slack_running

LANES = 50
STORM_RATE = 200.0
LONGEST = 90.0
SECRET_KEY = "benchmark" * 5
BARS = {"idle": 3.0, "busy": 10.0}
MOST_MESSAGES, MOST_SECONDS = 5, 60.0
NEVER = float("inf")
LAG = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(received)), 0)::float8
FROM issues_inboxenvelope
"""
DRAIN_SECONDS = 300.0
UNTOLD = "SELECT count(*) FROM issues_alert WHERE state IN ('pending', 'held')"
STORM = """
SELECT a.issue_id, extract(epoch FROM a.at)::float8,
    extract(epoch FROM (a.data->>'happened')::timestamptz)::float8,
    (SELECT d.key::text FROM tenants_delivery d WHERE d.subject = a.message)
FROM issues_alert a JOIN issues_alertrule r ON r.id = a.rule_id WHERE r.name = 'storm'
"""


@dataclass
class Heard:
    """When Slack was called for each probe, and for each message by its key."""

    probes: dict[str, float] = field(default_factory=dict)
    keys: dict[str, float] = field(default_factory=dict)


@contextmanager
def hearing() -> Iterator[tuple[Slack, Heard]]:
    """A Slack that notes when it is called."""
    heard = Heard()
    with slack_running() as slack:

        def answer(received: Received) -> Reply:
            at = time.time()
            for probe in re.findall(rb"Probe[a-z]+\d+", received.body):
                heard.probes.setdefault(probe.decode(), at)
            body = received.json
            heard.keys.setdefault(body["metadata"]["event_payload"]["key"], at)
            return slack.answer(received)

        slack.receiver.answer = answer
        yield slack, heard


def envelope(fault: str, tags: dict[str, str]) -> str:
    """An event of an issue of its own; its id is put in by the sender."""
    event = {
        "event_id": EVENT_ID.decode(),
        "level": "error",
        "platform": "python",
        "tags": tags,
        "fingerprint": [fault],
        "exception": {"values": [{"type": fault, "value": "once"}]},
    }
    head = json.dumps({"event_id": EVENT_ID.decode()})
    return f'{head}\n{{"type":"event"}}\n{json.dumps(event)}\n'


def probe(system: System, heard: Heard, name: str, tries: int) -> list[float]:
    """Seconds from sending each event to the call of Slack."""
    sent: dict[str, float] = {}
    with httpx.Client() as client:
        for number in range(tries):
            due = time.monotonic() + 1
            fault = f"Probe{name}{number}"
            body = envelope(fault, {"lane": str(number % LANES)})
            sent[fault] = time.time()
            answer = client.post(
                f"{system.base_url}/api/{system.project_id}/envelope/",
                params={"sentry_key": system.public_key},
                content=body.replace(EVENT_ID.decode(), uuid.uuid4().hex).encode(),
            )
            answer.raise_for_status()
            time.sleep(max(0.0, due - time.monotonic()))
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline and not sent.keys() <= heard.probes.keys():
        time.sleep(0.1)
    return [heard.probes.get(fault, NEVER) - at for fault, at in sent.items()]


def sender(system: System, bodies: Sequence[str], rate: float) -> Sender:
    encoded = [body.encode() for body in bodies]
    return Sender(system.port, system.project_id, system.public_key, encoded, rate=rate)


def lag_of(connection: Connection) -> tuple[int, float]:
    """Envelopes that wait for digest, and for how many seconds the oldest has."""
    count, seconds = connection.execute(LAG.encode()).fetchone() or (0, 0.0)
    return int(str(count)), float(str(seconds))


def drain(connection: Connection) -> None:
    """Wait until nothing waits: a storm does not answer for what came before it."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while lag_of(connection)[0]:
        if time.monotonic() > deadline:
            sys.exit(f"digest did not catch up within {DRAIN_SECONDS:.0f} s")
        time.sleep(0.5)


def storm(
    system: System, connection: Connection, heard: Heard, issues: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """What so many new issues made: which bars were missed, and rows of the result."""
    bodies = [envelope(f"Storm{i}", {"storm": "yes"}) for i in range(issues)]
    began, started = time.monotonic(), time.time()
    with sender(system, bodies, STORM_RATE).running() as load:
        while len(load.acknowledged) < issues:
            time.sleep(0.05)
    took = time.monotonic() - began
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        time.sleep(1)
        rows = connection.execute(STORM.encode()).fetchall()
        (waiting,) = connection.execute(UNTOLD.encode()).fetchone() or (1,)
        if len(rows) >= issues and not waiting:
            break
    time.sleep(2)
    rows = connection.execute(STORM.encode()).fetchall()
    delays = [
        heard.keys.get(str(key), NEVER) - float(str(happened))
        for _, _, happened, key in rows
    ]
    told = {issue for issue, _, _, key in rows if str(key) in heard.keys}
    calls = sum(at >= started for at in heard.keys.values())
    most = max(delays, default=NEVER)
    missed = []
    if calls > MOST_MESSAGES or len(told) < issues or most > MOST_SECONDS:
        missed.append("storm")
    return missed, [
        ("storm: new issues", f"{issues:,} in {took:.0f} s"),
        (f"storm: messages that Slack got (bar {MOST_MESSAGES})", f"**{calls}**"),
        ("storm: issues that those tell of", f"**{len(told):,}**"),
        (
            f"storm: from receipt to the call of Slack, s (bar {MOST_SECONDS:g})",
            f"median {quantile(delays, 0.5):.1f}, most **{most:.1f}**",
        ),
    ]


def row(name: str, what: str, seconds: Sequence[float]) -> tuple[str, str]:
    late = sum(one > BARS[name] for one in seconds)
    return (
        f"{what}: event sent → Slack called, s (bar p99 {BARS[name]:g})",
        f"p50 {quantile(seconds, 0.5):.2f}, p99 **{quantile(seconds, 0.99):.2f}**, "
        f"most {max(seconds):.2f}; {late} of {len(seconds)} over the bar",
    )


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--storm", type=int, default=10_000)
    parser.add_argument("--database-url", default="", help="a server of yours")
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    variables = {"SECRET_KEY": SECRET_KEY, "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}
    with (
        hearing() as (slack, heard),
        running_system(args.database_url, variables) as system,
        system.connect() as connection,
    ):
        told = {"api": slack.api, "channel": CHANNEL, "token": TOKEN, "lanes": LANES}
        django(
            system.database_url,
            "benchmarks.alerts_prepare",
            json.dumps(told),
            SECRET_KEY=SECRET_KEY,
        )
        idle = probe(system, heard, "idle", args.tries)
        with sender(system, fresh_bodies(), args.rate).running() as load:
            began = time.monotonic()
            busy = probe(system, heard, "busy", args.tries)
            rate = len(load.acknowledged) / (time.monotonic() - began)
            waiting, lag = lag_of(connection)
        drain(connection)
        missed, stormy = storm(system, connection, heard, args.storm)
        version = str(connection.info.parameter_status("server_version"))
    rows = [
        row("idle", "idle", idle),
        row("busy", f"at {rate:.0f} events/s", busy),
        ("… what waited for digest at its end", f"{waiting:,}, for {lag:.1f} s"),
        *stormy,
    ]
    heading = f"{args.tries} new issues a second apart, {args.storm:,} at once"
    publish("alerts", heading, version, table(rows), keep=not args.dry)
    for name, seconds in (("idle", idle), ("busy", busy)):
        if quantile(seconds, 0.99) > BARS[name]:
            missed.append(name)
    if missed:
        sys.exit(f"beyond the bars: {', '.join(missed)}")


if __name__ == "__main__":
    main()
