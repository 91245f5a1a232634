import psycopg
import pytest
from django.db import DataError, OperationalError, connection

from issues.failures import told, trace
from issues.normal_event import NotAnEvent

SECRET = "shpat_0a1b2c3d4e5f"


def caught(*errors: Exception) -> Exception:
    """The last error, raised while each one before it was handled."""
    *causes, last = errors
    try:
        try:
            raise causes[0] if causes else last
        except Exception as cause:
            if not causes:
                raise
            raise last from cause
    except Exception as error:
        return error


def test_an_error_that_says_so_speaks_for_itself() -> None:
    assert told(NotAnEvent("the payload is a list")) == (
        "NotAnEvent: the payload is a list"
    )
    assert told(NotAnEvent(f"item 3 ({SECRET})")) == "NotAnEvent: item 3 ([Filtered])"


def test_of_any_other_there_is_its_type_and_place() -> None:
    text = told(caught(ValueError(f"invalid literal: {SECRET!r}")))

    assert text.startswith("ValueError in caught, line ")
    assert SECRET not in text


def test_a_traceback_has_places_and_source_but_no_texts() -> None:
    text = trace(caught(KeyError(SECRET), RuntimeError(SECRET)))

    assert SECRET not in text
    assert text.index("KeyError in caught") < text.index("which led to")
    assert "raise last from cause" in text


@pytest.mark.django_db
def test_of_a_database_error_there_is_what_is_wrong_with_what() -> None:
    with pytest.raises(DataError) as found, connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [SECRET])

    assert told(found.value) == "DataError: InvalidTextRepresentation (22P02)"


@pytest.mark.django_db
def test_a_constraint_is_named() -> None:
    with pytest.raises(Exception, match="null") as found, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_plan (name, weight) VALUES (%s, NULL)", [SECRET]
        )

    assert told(found.value) == (
        "IntegrityError: NotNullViolation (23502), table tenants_plan, column weight"
    )
    assert SECRET not in trace(found.value)


@pytest.mark.parametrize(
    "error",
    [OperationalError("no route\nDETAIL: x"), psycopg.OperationalError("no route\nx")],
)
def test_an_outage_tells_its_first_line(error: Exception) -> None:
    assert told(error) == "OperationalError: no route"
