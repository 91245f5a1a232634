import pytest

from tenants.scrub_rules import ScrubRuleError, check_name, check_pattern


@pytest.mark.parametrize("name", ["customer_*", "X-Parcel-Key", "a?c ok", "sh*"])
def test_a_name_may_hold_wildcards(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("*", "fits nearly every name"),
        ("a*b", "fits nearly every name"),
        ("", "A name is made of"),
        ("[ab]cd", "A name is made of"),
        ("naïve", "A name is made of"),
        ('a"bc', "A name is made of"),
    ],
)
def test_a_name_that_fits_everywhere_or_nowhere_is_refused(
    name: str, reason: str
) -> None:
    with pytest.raises(ScrubRuleError, match=reason):
        check_name(name)


def test_what_is_kept_must_be_named_more_closely() -> None:
    with pytest.raises(ScrubRuleError, match="at least 3 letters"):
        check_name("to*", least=3)


@pytest.mark.parametrize(
    "pattern", [r"\bPK-\d{6}\b", "^ab+$", "(?i)acme", "ä+", r"\\Ab"]
)
def test_a_pattern_of_re2_is_taken(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(ab", "RE2 cannot read this pattern: missing"),
        (r"(?<=a)b", "It knows no look-around"),
        (r"(a)\1", "no back references"),
        ("a*", "matches the empty text"),
        (r"\Aab", r"Write \^ and \$"),
        (r"ab\z", r"Write \^ and \$"),
        ("(?:ab{1,900}){900}", "RE2 cannot read"),
        ("[a-zäöü]{900}x", "too large"),
    ],
)
def test_a_pattern_that_would_not_work_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ScrubRuleError, match=reason):
        check_pattern(pattern)
