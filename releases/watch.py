"""Watches a deploy: opens its judgement, looks at it every half minute, closes it.

``look`` reads the counters, ``conclude`` judges them, ``record`` writes what was
decided. Who chains them (``issues.tasks``) adds what only issues know: new issues,
drops, and how far digest has come.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from releases.baseline import MINUTE, Source
from releases.conclude import Conclusion
from releases.look import CLOSING, minute_of
from releases.models import Action, Deploy, Evaluation, Watch
from releases.rollbacks import ordering
from releases.sentence import sentence_of
from releases.thresholds import settings_of, threshold_for

Verdict = Watch.Verdict

EVERY = timedelta(seconds=30)


@transaction.atomic
def open_watch(deploy: Deploy, now: datetime) -> Watch:
    """The watch of a new deploy; an older one of the environment is superseded.

    Call it in the transaction that records the deploy. A deploy that started before
    the environment's newest one, posted late, is superseded itself.
    """
    threshold = threshold_for(deploy.project, deploy.environment.name)
    open_ones = Watch.objects.filter(
        deploy__environment=deploy.environment_id, verdict=Verdict.PENDING
    ).exclude(deploy=deploy)
    earlier = open_ones.filter(deploy__started_at__lte=deploy.started_at)
    # Locked: a look that decides just now must not be overwritten.
    related = earlier.select_related("deploy__release", "deploy__environment")
    for older in related.select_for_update(of=("self",)):
        _close(older, Verdict.INCONCLUSIVE, "superseded", now)
        older.save()
    watch = Watch(
        deploy=deploy,
        threshold=threshold if threshold.pk else None,
        settings=settings_of(threshold),
        opened_at=now,
        due_at=now,
    )
    if open_ones.filter(deploy__started_at__gt=deploy.started_at).exists():
        _close(watch, Verdict.INCONCLUSIVE, "superseded", now)
    watch.save()
    return watch


def due(now: datetime) -> list[int]:
    """Ids of the deploys whose watches are to be looked at now, longest due first."""
    rows = Watch.objects.filter(verdict=Verdict.PENDING, due_at__lte=now)
    return list(rows.order_by("due_at").values_list("pk", flat=True))


def claim(deploy_id: int) -> Watch | None:
    """The open watch, locked for this transaction; None where another worker has it."""
    rows: QuerySet[Watch] = Watch.objects.select_related(
        "deploy__release", "deploy__environment", "deploy__project", "baseline"
    )
    return (
        rows.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=deploy_id, verdict=Verdict.PENDING)
        .first()
    )


def record(
    watch: Watch,
    conclusion: Conclusion,
    suspects: Sequence[dict[str, Any]],
    now: datetime,
) -> None:
    """Write the evaluation and, once final, the verdict with its sentence and rollback.

    In the transaction in which ``claim`` locked the watch.
    """
    numbers = conclusion.numbers
    if numbers:
        watch.numbers = numbers
        watch.suspects = list(suspects)
        Evaluation.objects.create(
            watch=watch,
            at=now,
            minutes=numbers["minutes"],
            errors=numbers["errors"],
            exposure=numbers["exposure"],
            ratio=numbers["ratio"],
            log_evidence=numbers["log_evidence"],
            numbers=numbers,
        )
    if conclusion.verdict != Verdict.PENDING:
        _close(watch, conclusion.verdict, conclusion.reason, now, conclusion.action)
    else:
        watch.sentence = sentence_of(watch)
        watch.due_at = next_look(watch, now)
    watch.save()
    if watch.verdict == Verdict.DEGRADED and conclusion.action == Action.ROLLBACK:
        ordering.decide(watch, now)


def _close(
    watch: Watch, decided: str, reason: str, now: datetime, action: str = ""
) -> None:
    watch.verdict, watch.reason, watch.action = decided, reason, action
    watch.decided_at = now
    watch.sentence = sentence_of(watch)


def postpone(deploy_id: int, now: datetime) -> None:
    """Look at the watch later: the look that was due failed."""
    Watch.objects.filter(pk=deploy_id).update(due_at=now + EVERY)


def next_look(watch: Watch, now: datetime) -> datetime:
    """In half a minute, or right after the next minute has closed."""
    closing = CLOSING[Source(watch.source or Source.NONE)]
    closes = minute_of(now - closing) + MINUTE + closing + timedelta(seconds=1)
    return min(now + EVERY, closes)
