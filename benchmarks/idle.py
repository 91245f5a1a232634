"""How soon one event on an idle system is visible with its score."""

import json
import time
import uuid

import httpx

from benchmarks.system import Connection, System

TRIES = 10
QUIET_SECONDS = 3.0
LONGEST = 30.0
SCORED = """
SELECT s.score FROM issues_event e JOIN issues_issuestats s ON s.issue_id = e.issue_id
WHERE e.event_id = %s AND s.events > 0 AND s.scored_at IS NOT NULL
"""


def measure_idle(system: System) -> list[float]:
    """Milliseconds from the sending of each event to its issue's score."""
    found = []
    with system.connect() as connection, httpx.Client() as client:
        for number in range(TRIES):
            time.sleep(QUIET_SECONDS)
            found.append(_once(system, connection, client, number) * 1000)
    return found


def _once(
    system: System, connection: Connection, client: httpx.Client, number: int
) -> float:
    event_id = uuid.uuid4().hex
    event = {
        "event_id": event_id,
        "level": "error",
        "platform": "python",
        "tags": {"tenant": f"idle-{number}.example.com"},
        "exception": {"values": [{"type": f"IdleError{number}", "value": "once"}]},
    }
    payload = json.dumps(event)
    body = f'{{"event_id":"{event_id}"}}\n{{"type":"event"}}\n{payload}\n'
    began = time.monotonic()
    answer = client.post(
        f"{system.base_url}/api/{system.project_id}/envelope/",
        params={"sentry_key": system.public_key},
        content=body.encode(),
    )
    answer.raise_for_status()
    while time.monotonic() - began < LONGEST:
        row = connection.execute(SCORED, [event_id]).fetchone()
        if row is not None:
            return time.monotonic() - began
        time.sleep(0.005)
    raise TimeoutError(f"event {event_id} had no score after {LONGEST:.0f} s")
