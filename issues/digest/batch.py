"""One batch: claim → open → group → write → commit, exactly once.

A data error halves the batch until the one bad envelope stands alone and becomes a
dead letter. Operational errors (connection, deadlock, full disk) roll back and are
the caller's to retry: they never make dead letters.
"""

import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from issues import deadletters, partitions
from issues.digest import claim, write
from issues.digest.claim import Journal, Run
from issues.digest.context import DigestContext
from issues.digest.parcel import Parcel
from issues.digest.parse import open_envelope
from issues.digest.source_maps import SourceMaps
from issues.digest.write import Known, Written
from issues.failures import told, trace
from issues.models.inbox import ClaimedEnvelope
from releases import artifacts

logger = logging.getLogger(__name__)

OPERATIONAL = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


@dataclass(slots=True)
class BatchResult:
    """What a batch changed; ``envelopes`` 0 means that nothing was waiting."""

    envelopes: int = 0
    events: int = 0
    duplicates: int = 0
    filtered: int = 0
    dead: int = 0
    issue_ids: set[int] = field(default_factory=set)  # those that show the events

    def add(self, other: "BatchResult") -> None:
        self.envelopes += other.envelopes
        self.events += other.events
        self.duplicates += other.duplicates
        self.filtered += other.filtered
        self.dead += other.dead
        self.issue_ids |= other.issue_ids


class UnknownProjectError(Exception):
    """The envelope's project was deleted after it was accepted."""

    tellable = True


class Digest:
    """Digests batches on one database connection; one instance per process."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.journal = Journal()
        self.context = DigestContext()
        self.known = Known()
        self.maps = SourceMaps(settings.SOURCE_MAP_CACHE_MB << 20)
        self._partitions_checked: date | None = None
        self._to_forget: list[int] = []

    def batch(self) -> BatchResult:
        """Digest the next envelopes; first those of processes that died."""
        self._ensure_partitions()
        self._forget_rolled_back()
        noted = claim.noted_runs()
        for run in noted:
            result = self._retry(run)
            if result is not None:
                return result
        return self._next([pk for run in noted for pk in run.envelope_ids])

    def close(self) -> None:
        self.journal.close()
        self.maps.close()

    def _next(self, noted: Sequence[int]) -> BatchResult:
        ids: list[int] = []
        run_id = 0
        try:
            with transaction.atomic():
                ids = claim.lock_next(self.batch_size, noted)
                if not ids:
                    return BatchResult()
                run_id = self.journal.note(ids)
                result, written = self._digest(ids, run_id)
        except Exception as error:
            self._rolled_back(run_id, error)
            return self._halve(ids, error)
        self._remember(written)
        return result

    def _these(self, ids: Sequence[int], run_id: int = 0) -> BatchResult | None:
        """Digest exactly these envelopes; None while another worker holds them."""
        try:
            with transaction.atomic():
                locked = claim.lock(ids)
                if locked is None:
                    return None
                if run_id:
                    self.journal.restart(run_id)
                else:
                    run_id = self.journal.note(ids)
                result, written = self._digest(locked, run_id)
        except Exception as error:
            self._rolled_back(run_id, error)
            return self._halve(ids, error)
        self._remember(written)
        return result

    def _remember(self, written: Written) -> None:
        """The batch is committed: the next need not store the same again."""
        self.known.tags.remember(written.tags)
        self.known.networks.remember(written.networks)
        self.context.public_keys |= written.public_keys

    def _digest(self, ids: Sequence[int], run_id: int) -> tuple[BatchResult, Written]:
        self.context.refresh()
        # A batch is a hundred thousand dicts without cycles, all dead at its end: the
        # collector would walk them again and again (a third of the time, measured).
        gc.disable()
        try:
            return self._digest_taken(claim.take(ids), run_id)
        finally:
            gc.enable()

    def _digest_taken(
        self, rows: Sequence[ClaimedEnvelope], run_id: int
    ) -> tuple[BatchResult, Written]:
        parcels, dead = [], 0
        for row in rows:
            try:
                parcels.append(self._open(row))
            except Exception as error:
                logger.warning("envelope %s is a dead letter: %s", row.id, told(error))
                deadletters.keep(row, told(error), trace(error))
                dead += 1
        now = timezone.now()
        written = write.write(parcels, self.context, self.known, now)
        used = self.maps.to_touch()
        if used:
            artifacts.touch(used, now)
        unfetched = self.maps.unfetched()
        if unfetched:
            artifacts.look_again(unfetched)
        claim.forget_in_batch(run_id)
        result = BatchResult(
            len(rows),
            written.events,
            written.duplicates,
            written.filtered,
            dead,
            written.issue_ids,
        )
        return result, written

    def _open(self, row: ClaimedEnvelope) -> Parcel:
        rules = self.context.projects.get(row.project_id)
        if rules is None:
            raise UnknownProjectError(f"project {row.project_id} no longer exists")
        return open_envelope(row, rules, self.maps)

    def _halve(self, ids: Sequence[int], error: Exception) -> BatchResult:
        """After a data error: try each half, or bury the one that stands alone."""
        total = BatchResult()
        if len(ids) == 1:
            logger.warning("envelope %s is a dead letter: %s", ids[0], told(error))
            with transaction.atomic():
                total.dead += deadletters.bury(ids[0], told(error), trace(error))
            total.envelopes = 1
            return total
        logger.warning("a batch of %s is halved: %s", len(ids), told(error))
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            result = self._these(half)
            if result is not None:
                total.add(result)
        return total

    def _retry(self, run: Run) -> BatchResult | None:
        """Try again what a dead process had claimed; None for a live run."""
        with transaction.atomic():
            locked = claim.lock(run.envelope_ids)
            if locked is None:
                return None
            if not locked:
                claim.forget_in_batch(run.id)
                return None
            if run.started is not None:
                return self._after_death(run)
        return self._these(run.envelope_ids, run.id)

    def _after_death(self, run: Run) -> BatchResult:
        run.deaths += 1
        alone = len(run.envelope_ids) == 1
        logger.warning(
            "a digest process died with %s envelopes in work", len(run.envelope_ids)
        )
        if alone and run.deaths >= claim.MAX_DEATHS:
            deadletters.bury(
                run.envelope_ids[0], f"ended the digest process {run.deaths} times", ""
            )
            claim.forget_in_batch(run.id)
            return BatchResult(envelopes=1, dead=1)
        claim.split(run)
        return BatchResult(envelopes=1)

    def _rolled_back(self, run_id: int, error: Exception) -> None:
        """The batch rolled back in good order: its note must not look like a death."""
        if run_id:
            self._to_forget.append(run_id)
        if isinstance(error, OPERATIONAL):
            raise error
        self._forget_rolled_back()

    def _forget_rolled_back(self) -> None:
        while self._to_forget:
            self.journal.forget(self._to_forget[-1])
            self._to_forget.pop()

    def _ensure_partitions(self) -> None:
        today = timezone.now().date()
        if self._partitions_checked != today:
            partitions.ensure_ahead(today)
            self._partitions_checked = today
