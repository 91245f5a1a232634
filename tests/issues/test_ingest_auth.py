import pytest

from issues.ingest.auth import AuthError, agreed, parse_dsn, public_key

KEY = "0123456789abcdef0123456789abcdef"
DASHED = "01234567-89ab-cdef-0123-456789abcdef"
OTHER = "f" * 32


@pytest.mark.parametrize(
    "header",
    [
        f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=python/2.75",
        f"Sentry sentry_version=7,sentry_client=raven,sentry_key={KEY},sentry_secret=x",
        f"sentry  sentry_version = 7 ,  sentry_key = {KEY}",
        f"SENTRY SENTRY_KEY={KEY.upper()}",
        f'Sentry sentry_key="{KEY}"',
        f"sentry_key={KEY}",
        f"Sentry sentry_timestamp=1790000000,\n sentry_key={DASHED}",
    ],
)
def test_the_key_is_read_from_the_header(header: str) -> None:
    assert public_key(header.encode(), None, b"") == KEY


@pytest.mark.parametrize(
    "query",
    [
        f"sentry_version=7&sentry_key={KEY}&sentry_client=sentry.javascript.browser",
        f"sentry_key={KEY}",
        f"a=b&sentry_key={DASHED}",
        f"sentry_key=%30{KEY[1:]}",
    ],
)
def test_the_key_is_read_from_the_query(query: str) -> None:
    assert public_key(None, None, query.encode()) == KEY


def test_old_sdks_send_the_key_as_authorization() -> None:
    assert public_key(None, f"Sentry sentry_key={KEY}".encode(), b"") == KEY


@pytest.mark.parametrize("value", [b"Bearer abc", b"Basic sentry_key=a", b"Sentry"])
def test_other_authorization_is_not_a_key(value: bytes) -> None:
    assert public_key(None, value, b"") is None


@pytest.mark.parametrize("query", [b"", b"sentry_version=7", b"xsentry_key=1"])
def test_a_request_without_key_has_none(query: bytes) -> None:
    assert public_key(None, None, query) is None


@pytest.mark.parametrize(
    ("header", "query"),
    [
        (f"Sentry sentry_key={KEY}", f"sentry_key={OTHER}"),
        ("Sentry sentry_key=short", ""),
        ("", "sentry_key=x%00"),
        ("", "sentry_key="),
        (f"Sentry sentry_key={KEY}{KEY}", ""),
    ],
)
def test_bad_and_differing_keys_are_refused(header: str, query: str) -> None:
    with pytest.raises(AuthError):
        public_key(header.encode() or None, None, query.encode())


def test_header_and_query_may_name_the_same_key() -> None:
    header = f"Sentry sentry_key={DASHED}".encode()
    assert public_key(header, None, f"sentry_key={KEY}".encode()) == KEY


def test_values_of_unusual_length_are_read_too() -> None:
    long = "x" * 5000
    header = f"Sentry sentry_client={long}, sentry_key={KEY}".encode()
    assert public_key(header, None, f"a={long}&sentry_key={KEY}".encode()) == KEY


@pytest.mark.parametrize(
    ("dsn", "project"),
    [
        (f"https://{KEY}@rush.example.com/7", "7"),
        (f"https://{KEY}:secret@rush.example.com:8000/7/", "7"),
        (f"https://{KEY}@rush.example.com/prefix/a/42", "42"),
        (f"http://{DASHED}@[::1]:8000/1", "1"),
    ],
)
def test_a_dsn_names_key_and_project(dsn: str, project: str) -> None:
    assert parse_dsn(dsn) == (KEY, project)


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        None,
        7,
        "nonsense",
        "https://rush.example.com/7",
        f"https://{KEY}@rush.example.com",
        f"https://{KEY}@rush.example.com/",
        "https://short@rush.example.com/7",
        "https://[broken/7",
        f"https://{KEY}@host/" + "7" * 2000,
    ],
)
def test_what_is_no_dsn_is_refused(dsn: object) -> None:
    with pytest.raises(AuthError):
        parse_dsn(dsn)


@pytest.mark.parametrize(
    ("known", "other", "result"),
    [(None, None, None), (KEY, None, KEY), (None, KEY, KEY), (KEY, KEY, KEY)],
)
def test_keys_agree_when_they_are_one(
    known: str | None, other: str | None, result: str | None
) -> None:
    assert agreed(known, other, "x") == result
