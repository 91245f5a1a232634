import pytest
from django.conf import LazySettings

from tenants.sealing import SealBroken, derived, seal, unseal


def test_what_was_sealed_is_opened_and_cannot_be_read() -> None:
    sealed = seal(b"hunter2" * 100)

    assert unseal(sealed) == b"hunter2" * 100
    assert b"hunter2" not in sealed
    assert len(sealed) == 731


def test_the_same_is_never_sealed_alike() -> None:
    assert seal(b"x") != seal(b"x")


def test_a_former_key_opens_while_it_is_a_fallback(settings: LazySettings) -> None:
    sealed = seal(b"x")
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another"

    with pytest.raises(SealBroken, match="SECRET_KEY_FALLBACKS"):
        unseal(sealed)
    settings.SECRET_KEY_FALLBACKS = ["third", former]
    assert unseal(sealed) == b"x"


@pytest.mark.parametrize("place", [0, 1, 5, 20, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    sealed = bytearray(seal(b"some text"))
    sealed[place] ^= 1

    with pytest.raises(SealBroken):
        unseal(bytes(sealed))


@pytest.mark.parametrize("stored", [b"", b"\x01", b"\x28\xb5\x2f\xfd plain zstd frame"])
def test_what_was_never_sealed_is_refused(stored: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(stored)


def test_what_was_sealed_on_another_day_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    sealed = seal(b"x")
    monkeypatch.undo()

    assert unseal(sealed) == b"x"
    assert sealed[:3] != seal(b"x")[:3]


def test_derived_bytes_differ_by_purpose_and_key(settings: LazySettings) -> None:
    first = derived("users")

    assert len(first) == 32
    assert derived("users") == first != derived("others")
    settings.SECRET_KEY = "another"
    assert derived("users") != first
