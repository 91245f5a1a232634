"""Columns for unnest, on the real database."""

from uuid import UUID

import pytest
from django.db import connection

from tenants.arrays import columns

pytestmark = pytest.mark.django_db


def test_rows_come_back_as_they_went() -> None:
    rows = [
        (1, 0.1, UUID(int=7), "a,{}\"'\\", True),
        (-(2**62), 1e300, UUID(int=8), "", False),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM unnest(%s::bigint[], %s::float8[], %s::uuid[], %s::text[],"
            " %s::bool[])",
            columns(rows),
        )
        assert cursor.fetchall() == rows


def test_whole_numbers_may_stand_in_a_column_of_fractions() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM unnest(%s::float8[])", columns([(1,), (0.5,)]))
        assert cursor.fetchall() == [(1.0,), (0.5,)]
