from typing import Any

import pytest

from issues.digest.files import ReadyFile, read_file, why_left_out


@pytest.mark.parametrize(
    ("header", "file"),
    [
        (
            {"filename": "log.txt", "content_type": "text/plain"},
            ReadyFile("log.txt", "text/plain", "event.attachment", b"x"),
        ),
        (
            {"filename": "a.dmp", "attachment_type": "event.minidump"},
            ReadyFile("a.dmp", "", "event.minidump", b"x"),
        ),
        ({}, ReadyFile("unnamed", "", "event.attachment", b"x")),
        (
            {"filename": ["x"], "content_type": {}},
            ReadyFile("unnamed", "", "event.attachment", b"x"),
        ),
        (
            {"filename": "a\0b\ud83d\r\nSet-Cookie: x"},
            ReadyFile("a b Set-Cookie: x", "", "event.attachment", b"x"),
        ),
        (
            {"filename": "bill\u202egnp.exe"},  # would read "billexe.png"
            ReadyFile("bill gnp.exe", "", "event.attachment", b"x"),
        ),
        ({"filename": "ü" * 300}, ReadyFile("ü" * 255, "", "event.attachment", b"x")),
    ],
)
def test_a_file_is_what_its_header_says_in_texts_that_can_be_stored(
    header: dict[str, Any], file: ReadyFile
) -> None:
    assert read_file(header, b"x") == file


@pytest.mark.parametrize(
    ("header", "payload", "why"),
    [
        ({}, b"", ""),
        ({"discarded_bytes": 5}, b"", "unsupported"),
        ({"discarded_bytes": 5, "discarded": "too_large"}, b"", "too_large"),
        ({"discarded_bytes": 5, "discarded": "switched_off"}, b"", "switched_off"),
        ({"discarded_bytes": 5, "discarded": "because"}, b"", "unsupported"),
        ({"discarded_bytes": 5, "discarded": ["x"]}, b"", "unsupported"),
        ({"discarded_bytes": 5, "discarded": "too_large"}, b"still here", ""),
    ],
)
def test_the_front_door_tells_why_a_payload_is_gone(
    header: dict[str, Any], payload: bytes, why: str
) -> None:
    assert why_left_out(header, payload) == why
