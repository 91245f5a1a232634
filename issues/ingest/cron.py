"""Check-ins by plain HTTP: ``/api/<project>/cron/<monitor>/<public key>/?status=ok``.

For jobs without an SDK: one curl at the end of a crontab line. GET or POST; a POST may
carry the fields of a check-in as JSON, with ``monitor_config`` among them.
"""

import zlib
from urllib.parse import parse_qsl

import orjson

from issues.ingest.decode import DecodeError, OverCap, decode
from issues.ingest.protocol import Refusal

STATUSES = ("in_progress", "ok", "error")
MAX_BYTES = 64 << 10
_IN_QUERY = frozenset({"status", "check_in_id", "environment", "duration", "release"})


def envelope_of(slug: str, query: bytes, raw: bytes, names: list[str]) -> bytes:
    """The envelope that an SDK would have sent; raises Refusal (400).

    ``names``: the content codings of the body ``raw``, in the order of undoing.
    """
    told = {**_body(raw, names), **_query(query)}
    told.setdefault("status", "ok")
    if told["status"] not in STATUSES:
        raise _invalid(f"status is not one of {', '.join(STATUSES)}")
    payload = orjson.dumps({**told, "monitor_slug": slug})
    return b'{}\n{"type":"check_in","length":%d}\n%s' % (len(payload), payload)


def _query(query: bytes) -> dict[str, object]:
    try:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=20)
    except ValueError as error:
        raise _invalid("the query has more than 20 fields") from error
    told: dict[str, object] = {k: v for k, v in pairs if k in _IN_QUERY}
    if "duration" in told:
        try:
            told["duration"] = float(str(told["duration"]))
        except ValueError as error:
            raise _invalid("duration is not a number of seconds") from error
    return told


def _body(raw: bytes, names: list[str]) -> dict[str, object]:
    try:
        body = decode(raw, names, MAX_BYTES).strip()
        told = orjson.loads(body) if body else {}
    except (DecodeError, OverCap, orjson.JSONDecodeError, zlib.error) as error:
        raise _invalid(f"the body is not JSON of at most 64 KiB: {error}") from error
    if not isinstance(told, dict):
        raise _invalid("the body is not a JSON object")
    return told


def _invalid(cause: str) -> Refusal:
    return Refusal(
        400,
        "The check-in cannot be read.",
        causes=(cause,),
        reason="invalid",
        kinds=("check_in",),
    )
