import pytest

from issues.scrubbing.checksums import iban_length, is_card

# Numbers that the issuers give out for tests.
CARDS = [
    *("4242424242424242", "4111 1111 1111 1111", "4000-0566-5566-5556"),
    *("5555555555554444", "2223003122003222", "5105 1051 0510 5100"),
    *("378282246310005", "3782 822463 10005", "6011111111111117", "3566002020360505"),
    *("6205500000000000004", "3056 930902 5904"),
]


@pytest.mark.parametrize("number", CARDS)
def test_a_card_is_known_by_issuer_and_checksum(number: str) -> None:
    assert is_card(number)


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424241",  # checksum
        "9242424242424249",  # no issuer
        "424242424242424",  # length
        "39412345678901",  # an id of Shopify
        "1764202685123",
    ],
)
def test_other_numbers_are_no_cards(number: str) -> None:
    assert not is_card(number)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("DE89370400440532013000", 22),
        ("GB29 NWBK 6016 1331 9268 19 and more", 27),
        ("NO9386011117947", 15),
        ("DE89370400440532013001", 0),
        ("XX89370400440532013000", 0),
        ("DE8937040044", 0),
        ("DE893704004405320130001", 0),
    ],
)
def test_an_iban_is_known_by_country_length_and_checksum(
    text: str, length: int
) -> None:
    assert iban_length(text) == length
