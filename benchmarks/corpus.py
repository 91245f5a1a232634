"""Send a directory of recorded requests to a fresh system, and say what came of them.

Each ``.http`` file below the directory holds one request as it came over a socket.
Those to an ingest path are sent byte by byte to a new ``manage.py up``, whose projects
and keys are those that the requests name. Where the directory has an ``index.json``
(a list of {"file", "answer"}), requests that its recorder refused are left out.

    python -m benchmarks.corpus ~/recordings

Ends with status 1 unless every request is answered with 200, every event is stored
once, and nothing becomes a dead letter.
"""

import argparse
import contextlib
import json
import re
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from benchmarks.ledger import wait_until_digested
from benchmarks.system import Connection, System, running_system
from issues.ingest.decode import decode, encodings
from issues.ingest.envelope import EnvelopeError, Item, frame, normal_event_id

INGEST = re.compile(r"/api/(\d+)/(envelope|store|security)/?\Z")
KEY = re.compile(rb"sentry_key=([0-9a-fA-F-]{32,36})")
DIGEST_SECONDS = 120.0
MAX_BYTES = 200 << 20


@dataclass(frozen=True, slots=True)
class Recording:
    """One request to an ingest path; ``events`` are the ids of the events in it."""

    name: str
    raw: bytes
    project: int
    key: str
    kind: str
    events: tuple[UUID, ...]

    @property
    def client(self) -> str:
        return self.name.rpartition("/")[0]


@dataclass(slots=True)
class Tally:
    """What became of one client's requests; only ``refused`` and ``lost`` are bad."""

    requests: int = 0
    refused: list[str] = field(default_factory=list)
    events: set[UUID] = field(default_factory=set)
    lost: set[UUID] = field(default_factory=set)


def recordings(directory: Path) -> Iterator[Recording]:
    """The requests to ingest paths that their recorder, if known, accepted."""
    refused = refused_by_recorder(directory / "index.json")
    for path in sorted(directory.rglob("*.http")):
        name = path.relative_to(directory).with_suffix("").as_posix()
        if name not in refused:
            found = read(name, path.read_bytes())
            if found is not None:
                yield found


def refused_by_recorder(index: Path) -> set[str]:
    if not index.exists():
        return set()
    rows = json.loads(index.read_text(encoding="utf-8"))
    return {row["file"] for row in rows if row.get("answer", 200) != 200}


def read(name: str, raw: bytes) -> Recording | None:
    """A recorded request; None where it is not to an ingest path."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    target = urlsplit(first.split(" ")[1])
    match = INGEST.search(target.path)
    if match is None:
        return None
    pairs = (line.partition(":") for line in lines)
    headers = {key.strip().lower(): value.strip() for key, _, value in pairs}
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = dechunked(body)
    coding = headers.get("content-encoding", "")
    plain = decode(body, encodings(coding), MAX_BYTES)
    project, kind = int(match[1]), match[2]
    return Recording(
        name, raw, project, public_key(head, plain), kind, event_ids(kind, plain)
    )


def dechunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)


def public_key(head: bytes, plain: bytes) -> str:
    """From a header, the query, or the DSN in the envelope's header; "" for none."""
    if match := KEY.search(head):
        return match[1].decode().replace("-", "").lower()
    with contextlib.suppress(ValueError):
        header = json.loads(plain.partition(b"\n")[0])
        return urlsplit(str(header.get("dsn", ""))).username or ""
    return ""


def event_ids(kind: str, plain: bytes) -> tuple[UUID, ...]:
    """Of the events in an envelope or of a stored event; none for reports."""
    with contextlib.suppress(EnvelopeError, ValueError):
        if kind == "store":
            return (UUID(json.loads(plain)["event_id"]),)
        if kind == "envelope":
            framed = frame(plain)
            events = [item for item in framed.items if item.type == "event"]
            return tuple(UUID(framed.event_id or own_id(plain, e)) for e in events)
    return ()


def own_id(plain: bytes, item: Item) -> str:
    return normal_event_id(json.loads(plain[item.start : item.end]).get("event_id"))


def admit(system: System, found: Sequence[Recording]) -> None:
    """Make the projects and keys that the requests name."""
    wanted = {(recording.project, recording.key) for recording in found}
    with system.connect() as connection:
        for project, key in sorted(wanted):
            if key:
                _admit(connection, project, key)


def _admit(connection: Connection, project: int, key: str) -> None:
    connection.execute(
        "INSERT INTO tenants_project (id, name, slug, tenant_tags, grouping_version,"
        " created) SELECT %s, %s, %s, tenant_tags, grouping_version, now()"
        " FROM tenants_project ORDER BY id LIMIT 1 ON CONFLICT DO NOTHING",
        (project, f"Recorded {project}", f"recorded-{project}"),
    )
    connection.execute(
        "INSERT INTO tenants_projectkey (project_id, label, public_key, is_active,"
        " allowed_origins, new_tenants_per_hour, created)"
        " VALUES (%s, 'recorded', %s, true, '{}', 2000, now()) ON CONFLICT DO NOTHING",
        (project, key),
    )


def send(port: int, raw: bytes) -> int:
    """The status of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(raw)
        response = HTTPResponse(connection, method="POST")
        response.begin()
        response.read()
        return response.status


def replay(system: System, found: Sequence[Recording]) -> dict[str, Tally]:
    """Send all requests and wait until they are digested; tallies by client."""
    admit(system, found)
    tallies: dict[str, Tally] = {}
    for recording in found:
        tally = tallies.setdefault(recording.client, Tally())
        tally.requests += 1
        status = send(system.port, recording.raw)
        if status != 200:
            tally.refused.append(f"{recording.name}: {status}")
        else:
            tally.events.update(recording.events)
    wait_until_digested(system.connect, DIGEST_SECONDS)
    return tallies


def judge(system: System, found: Sequence[Recording], tallies: dict[str, Tally]) -> int:
    """Print what came of the requests; the number of faults."""
    with system.connect() as connection:
        rows = connection.execute("SELECT event_id FROM issues_event").fetchall()
        letters = connection.execute("SELECT error FROM issues_deadletter").fetchall()
    stored = Counter(row[0] for row in rows)
    twice = [event_id for event_id, count in stored.items() if count > 1]
    print(f"{'client':24} {'requests':>8} {'refused':>8} {'events':>8} {'lost':>8}")
    for client, tally in tallies.items():
        tally.lost = {event_id for event_id in tally.events if not stored[event_id]}
        numbers = (tally.requests, len(tally.refused), len(tally.events))
        print(f"{client:24} " + " ".join(f"{n:8}" for n in (*numbers, len(tally.lost))))
    faults = [line for tally in tallies.values() for line in tally.refused]
    faults += [f"lost: {i}" for tally in tallies.values() for i in tally.lost]
    faults += [f"stored twice: {event_id}" for event_id in twice]
    faults += [f"dead letter: {error}" for (error,) in letters]
    reports = sum(recording.kind == "security" for recording in found)
    print(f"\n{stored.total()} events stored, {reports} reports of browsers among them")
    print("\n".join(faults) if faults else "every event is stored once")
    return len(faults)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, help="where the .http files are")
    arguments = parser.parse_args()
    found = list(recordings(arguments.directory))
    if not found:
        parser.error(
            f"{arguments.directory} holds no recorded request to an ingest path; name "
            "a directory with .http files, one request in each."
        )
    with running_system() as system:
        faults = judge(system, found, replay(system, found))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
