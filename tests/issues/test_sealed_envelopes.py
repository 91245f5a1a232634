from issues.sealed_envelopes import Sender, seal_envelope, unseal_envelope


def test_an_envelope_comes_back_with_its_sender() -> None:
    sender = Sender("2001:db8::1", "Ä" * 512, "https://shop.example", "q" * 2048)

    assert unseal_envelope(seal_envelope(sender, b"\0body")) == (sender, b"\0body")


def test_nothing_of_it_can_be_read() -> None:
    sender = Sender("203.0.113.9", "agent", "https://shop.example", "sentry_key=1")
    stored = seal_envelope(sender, b"body")

    for text in (b"203.0.113.9", b"agent", b"shop.example", b"sentry_key", b"body"):
        assert text not in stored
