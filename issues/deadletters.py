"""Envelopes that digest could not read: kept with their error, digested again."""

from collections.abc import Collection

from django.db import connection, transaction

from issues.models import DeadLetter
from issues.models.inbox import ClaimedEnvelope
from tenants import audit
from tenants.audit import Actor

COPIED = "project_id, key_id, kind, received, size, body"


def bury(envelope_id: int, error: str, traceback: str) -> bool:
    """Move an envelope from the inbox to the dead letters, in the caller's transaction.

    False when the envelope is not in the inbox any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH gone AS (DELETE FROM issues_inboxenvelope WHERE id = %s RETURNING *)"
            f" INSERT INTO issues_deadletter ({COPIED}, attempts, error, traceback)"
            f" SELECT {COPIED}, attempts + 1, %s, %s FROM gone",
            [envelope_id, error[:500], traceback],
        )
        return bool(cursor.rowcount)


def keep(envelope: ClaimedEnvelope, error: str, trace: str) -> None:
    """Write a dead letter of an envelope that was taken out of the inbox already."""
    DeadLetter.objects.create(
        project_id=envelope.project_id,
        key_id=envelope.key_id,
        kind=envelope.kind,
        received=envelope.received,
        size=envelope.size,
        body=envelope.body,
        attempts=envelope.attempts + 1,
        error=_storable(error)[:500],
        traceback=_storable(trace),
    )


def digest_again(letter_ids: Collection[int], actor: Actor) -> int:
    """Put dead letters back into the inbox; returns how many went."""
    with transaction.atomic():
        letters = list(
            DeadLetter.objects.select_for_update()
            .filter(pk__in=letter_ids)
            .defer("body", "traceback")
            .order_by("pk")
        )
        for letter in letters:
            audit.record(actor, "digest again", letter, {"error": letter.error})
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH gone AS (DELETE FROM issues_deadletter WHERE id = ANY(%s)"
                " RETURNING *)"
                f" INSERT INTO issues_inboxenvelope ({COPIED}, attempts)"
                f" SELECT {COPIED}, attempts FROM gone ORDER BY id",
                [[letter.pk for letter in letters]],
            )
    return len(letters)


def _storable(text: str) -> str:
    """Error texts quote the payload, which may hold what PostgreSQL refuses."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")
