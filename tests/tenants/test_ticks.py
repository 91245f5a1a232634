from zlib import crc32

import psycopg
import pytest
from django.db import connection

from tenants.ticks import NAMESPACE, one_after_another


@pytest.mark.django_db(transaction=True)
def test_one_after_another_holds_the_others_until_its_transaction_ends() -> None:
    params = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    told = {name: params[name] for name in names if params.get(name)}
    key = crc32(b"a step") - 2**31
    ask = "SELECT pg_try_advisory_xact_lock(%s, %s)"
    with psycopg.connect(**told, autocommit=True) as other:
        with one_after_another("a step"):
            assert other.execute(ask, [NAMESPACE, key]).fetchone() == (False,)
        assert other.execute(ask, [NAMESPACE, key]).fetchone() == (True,)
