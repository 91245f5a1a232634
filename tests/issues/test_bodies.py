from concurrent.futures import ThreadPoolExecutor

import orjson
import zstandard

from issues import bodies
from tests.envelopes import event


def test_a_packed_body_unpacks_to_itself() -> None:
    body = event(extra={"ü": "€", "deep": [[{"a": None}]], "number": 1.5})
    assert bodies.unpack(bodies.pack(body)) == body


def test_a_body_packed_without_a_dictionary_unpacks() -> None:
    body = event()
    assert bodies.unpack(zstandard.compress(orjson.dumps(body))) == body


def test_the_dictionary_makes_a_small_event_smaller() -> None:
    body = event()
    plain = len(zstandard.compress(orjson.dumps(body)))
    assert len(bodies.pack(body)) < 0.8 * plain


def test_each_dictionary_carries_the_id_of_its_file() -> None:
    for path in bodies.DICTIONARY_FOLDER.glob("*.zdict"):
        dictionary = zstandard.ZstdCompressionDict(path.read_bytes())
        assert dictionary.dict_id() == int(path.stem)


def test_threads_read_bodies_at_the_same_time() -> None:
    written = [
        {"n": number, "text": f"text {number}" * 9 * number} for number in range(400)
    ]
    packed = [bodies.pack(body) for body in written]

    def read_all(_: int) -> bool:
        return [bodies.unpack(body) for body in packed] == written

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read_all, range(80)))
