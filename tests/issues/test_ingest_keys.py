import asyncio

import pytest

from issues.ingest.keys import KeyDirectory, KeyRow, Origins, page_origin

KEY = "a" * 32


@pytest.mark.parametrize(
    ("allowed", "origin", "verdict"),
    [
        ([], "https://shop.example", True),
        ([], "", True),
        (["*"], "", True),
        (["shop.example", "*"], "https://evil.example", True),
        (["https://shop.example"], "https://shop.example", True),
        (["https://shop.example/"], "https://SHOP.example", True),
        (["https://shop.example"], "http://shop.example", False),
        (["https://shop.example"], "https://shop.example:8443", False),
        (["https://shop.example:8443"], "https://shop.example:8443", True),
        (["https://shop.example:8443"], "https://shop.example", False),
        (["shop.example"], "http://shop.example", True),
        (["shop.example"], "http://shop.example:3000", True),
        (["shop.example"], "https://a.shop.example", False),
        (["localhost:3000"], "http://localhost:3000", True),
        (["localhost:3000"], "http://localhost:3001", False),
        (["*.shop.example"], "https://a.shop.example", True),
        (["*.shop.example"], "https://a.b.shop.example:8443", True),
        (["*.shop.example"], "https://shop.example", False),
        (["*.shop.example"], "https://evilshop.example", False),
        (["*.shop.example"], "https://a.shop.example.evil.com", False),
        (["https://*.shop.example"], "https://a.shop.example", True),
        (["https://*.shop.example"], "http://a.shop.example", False),
        (["shop.example"], "", False),
        (["shop.example"], "null", False),
        (["shop.example"], "shop.example", False),
    ],
)
def test_origins_allow_the_pages_they_list(
    allowed: list[str], origin: str, verdict: bool
) -> None:
    assert Origins(allowed).allow(origin) is verdict


@pytest.mark.parametrize(
    ("origin", "referer", "page"),
    [
        ("https://a.example", "https://b.example/x", "https://a.example"),
        ("", "https://b.example:8443/x?y", "https://b.example:8443"),
        ("", "", ""),
        ("", "about:blank", ""),
        ("", "https://[broken", ""),
    ],
)
def test_the_referer_stands_in_for_a_missing_origin(
    origin: str, referer: str, page: str
) -> None:
    assert page_origin(origin, referer) == page


class Database:
    """Stands for the table: counts the readings, or is away."""

    def __init__(self) -> None:
        self.rows: list[KeyRow] = [(KEY, 7, 1, True, [], True)]
        self.readings = 0
        self.away = False

    async def fetch(self) -> list[KeyRow]:
        self.readings += 1
        await asyncio.sleep(0)
        if self.away:
            raise OSError("away")
        return self.rows


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(database: Database, clock: Clock) -> KeyDirectory:
    return KeyDirectory(database.fetch, clock=clock)


def test_a_known_key_is_read_once_in_ten_seconds(
    directory: KeyDirectory, database: Database, clock: Clock
) -> None:
    async def scenario() -> None:
        for _ in range(5):
            key = await directory.find(KEY)
            assert key is not None and (key.id, key.project_id) == (7, 1)
            clock.now += 1.9

    asyncio.run(scenario())
    assert database.readings == 1


def test_forged_keys_cost_one_reading_a_second(
    directory: KeyDirectory, database: Database, clock: Clock
) -> None:
    async def scenario() -> None:
        for n in range(40):
            assert await directory.find(f"{n:032}") is None
            clock.now += 0.1

    asyncio.run(scenario())
    assert database.readings == 4


def test_requests_at_once_share_one_reading(
    directory: KeyDirectory, database: Database
) -> None:
    async def scenario() -> None:
        keys = await asyncio.gather(*[directory.find(KEY) for _ in range(9)])
        assert None not in keys

    asyncio.run(scenario())
    assert database.readings == 1


def test_a_new_key_works_within_a_second(
    directory: KeyDirectory, database: Database, clock: Clock
) -> None:
    async def scenario() -> None:
        await directory.find(KEY)
        database.rows.append(("b" * 32, 8, 1, True, [], True))
        clock.now += 1.1
        assert await directory.find("b" * 32) is not None

    asyncio.run(scenario())


def test_a_change_is_known_after_ten_seconds(
    directory: KeyDirectory, database: Database, clock: Clock
) -> None:
    async def scenario() -> None:
        await directory.find(KEY)
        database.rows = []
        clock.now += 10.1
        assert directory.known(KEY) is not None  # the old list serves meanwhile
        await asyncio.sleep(0.01)
        assert directory.known(KEY) is None

    asyncio.run(scenario())


def test_known_keys_stay_good_while_the_database_is_away(
    directory: KeyDirectory, database: Database, clock: Clock
) -> None:
    async def scenario() -> None:
        await directory.find(KEY)
        database.away = True
        clock.now += 60
        assert directory.known(KEY) is not None
        await asyncio.sleep(0.01)
        assert directory.known(KEY) is not None
        await directory.stop()

    asyncio.run(scenario())


def test_a_first_reading_that_fails_is_told(
    directory: KeyDirectory, database: Database
) -> None:
    database.away = True
    with pytest.raises(OSError, match="away"):
        asyncio.run(directory.find(KEY))


def test_one_client_that_leaves_does_not_end_the_reading_of_others(
    directory: KeyDirectory,
) -> None:
    async def scenario() -> None:
        leaving = asyncio.ensure_future(directory.find(KEY))
        staying = asyncio.ensure_future(directory.find(KEY))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying is not None

    asyncio.run(scenario())
