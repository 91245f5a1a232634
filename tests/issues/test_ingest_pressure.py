import asyncio
import shutil
from collections import namedtuple
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from psycopg_pool import AsyncConnectionPool

from issues.disk import disk_use
from issues.ingest.commit import conninfo
from issues.ingest.pressure import Backlog, Pressure, estimate
from issues.models import InboxEnvelope

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "table_bytes", "body_bytes", "oldest", "backlog"),
    [
        pytest.param(0, 80 << 20, 0, None, (0, 0), id="empty, not yet vacuumed"),
        pytest.param(1000, 80 << 20, 1800, NOW, (1000, 2_000_000), id="span rules"),
        pytest.param(
            5_000_000, 2_000_000, 1800, NOW, (1000, 2_000_000), id="one row stays long"
        ),
    ],
)
def test_the_smaller_bound_holds(
    span: int,
    table_bytes: int,
    body_bytes: float,
    oldest: datetime | None,
    backlog: tuple[int, int],
) -> None:
    found = estimate(span, table_bytes, body_bytes, oldest)
    assert (found.envelopes, found.bytes) == backlog


def test_lag_is_the_age_of_the_oldest() -> None:
    later = NOW + timedelta(seconds=9)
    assert Backlog(1, 1, NOW).lag(later) == 9.0
    assert Backlog(0, 0, None).lag(later) == 0.0


def fill(rows: int, body: bytes) -> None:
    InboxEnvelope.objects.bulk_create(
        InboxEnvelope(
            project_id=7,
            key_id=1,
            kind="envelope",
            received=NOW,
            size=len(body),
            body=body,
        )
        for _ in range(rows)
    )


def judged(
    *,
    runs: Sequence[int] = (),
    max_envelopes: int = 1000,
    max_bytes: int = 1 << 30,
    data_dir: Path | None = None,
) -> Pressure:
    """A pressure after one refresh, and one more after each deletion of ``runs``."""

    async def run() -> Pressure:
        async with AsyncConnectionPool(
            conninfo(connection.settings_dict), open=False
        ) as pool:
            found = Pressure(
                pool,
                max_envelopes=max_envelopes,
                max_bytes=max_bytes,
                data_dir=data_dir,
            )
            await found.refresh()
            for delete in runs:
                async with pool.connection() as own:
                    await own.execute(
                        "DELETE FROM issues_inboxenvelope WHERE id IN (SELECT id "
                        "FROM issues_inboxenvelope ORDER BY id LIMIT %s)",
                        [delete],
                    )
                await found.refresh()
            return found

    return asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_an_empty_inbox_is_open() -> None:
    found = judged()
    assert (found.full, found.backlog.envelopes, found.fresh) == ("", 0, True)


@pytest.mark.django_db(transaction=True)
def test_the_backlog_is_estimated_within_a_tenth() -> None:
    fill(900, bytes(1000))
    backlog = judged().backlog
    assert 810 <= backlog.envelopes <= 900
    assert 0.8e6 <= backlog.bytes <= 1.2e6


@pytest.mark.django_db(transaction=True)
def test_past_either_cap_the_inbox_is_full() -> None:
    fill(100, bytes(2000))
    assert judged(max_envelopes=50).full == "inbox_full"
    assert judged(max_bytes=100_000).full == "inbox_full"


@pytest.mark.django_db(transaction=True)
def test_a_full_inbox_opens_again_somewhat_below_its_cap() -> None:
    fill(100, bytes(2000))
    assert judged(max_envelopes=90, runs=[12]).full == "inbox_full"
    fill(12, bytes(2000))
    assert judged(max_envelopes=90, runs=[20]).full == ""


Usage = namedtuple("Usage", "total used free")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("free", "full"), [(4, "disk_full"), (6, "")])
def test_a_disk_that_is_nearly_full_closes_the_inbox(
    free: int, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 100 - free, free))
    assert judged(data_dir=Path("/data")).full == full


def test_a_disk_that_cannot_be_asked_is_not_full() -> None:
    assert disk_use(Path("/nowhere/at/all")) == 0.0
