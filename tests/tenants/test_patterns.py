"""Globs, networks and browsers as a team writes them."""

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.models.inbound import default_legacy_versions
from tenants.patterns import (
    EVERY_VERSION,
    LOOKED_AT,
    AddressSet,
    Globs,
    PatternError,
    parse_browser,
    parse_glob,
    parse_network,
)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("abc", "abc", True),
        ("ABC", "abc", True),
        ("abc", "abcd", False),
        ("abc*", "abcd", True),
        ("abc*", "xabc", False),
        ("*abc", "xabc", True),
        ("*abc", "abcx", False),
        ("*abc*", "xabcx", True),
        ("*abc*", "abx", False),
        ("a*c", "abbbc", True),
        ("a*c", "ac", True),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("*a*b*c*", "xxaxxbxxcxx", True),
        ("*a*b*c*", "cba", False),
        ("a**c", "abc", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("*a?c*", "xxabcxx", True),
        ("what?", "what?", True),
        # Nothing else is special.
        ("[object Object]", "[object object]", True),
        ("[ab]c", "ac", False),
        ("*a.c*", "xabcx", False),
        ("{a,b}", "{a,b}", True),
        ("*(evaluating 'x.y')*", "is not an object (evaluating 'x.y')", True),
        ("two\nlines*", "two\nlines and more", True),
        ("*end", "first\nend", True),
        ("a?b", "a\nb", True),
    ],
)
def test_a_glob_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert parse_glob(pattern).matches(text) is matches
    assert Globs([pattern]).match(text) is matches


@given(
    st.text("ab*?[.", min_size=1, max_size=8).filter(lambda text: text.strip("*? ")),
    st.text("ab[.", max_size=12),
)
def test_globs_say_what_a_regular_expression_would(pattern: str, text: str) -> None:
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    assert Globs([pattern]).match(text) is bool(re.fullmatch(regex, text, re.DOTALL))


def test_a_text_is_of_several_globs_when_it_is_of_one() -> None:
    globs = Globs(["*x*", "whole", "start*", "*end", "a*b*c", "wh?"])
    texts = ["a x b", "whole", "starts", "the end", "a1b2c", "who", "none", ""]
    assert [globs.match(text) for text in texts] == [*[True] * 6, False, False]
    assert not Globs([]).match("")


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    globs = Globs(["*needle*"])
    assert globs.match("x" * (LOOKED_AT - 6) + "needle")
    assert not globs.match("x" * LOOKED_AT + "needle")


@pytest.mark.parametrize("pattern", ["", "*", "**", "?", " * ", "*?*", "x" * 201])
def test_a_glob_that_names_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse_glob(pattern)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.0/24 ", "203.0.113.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_an_address_and_a_network_are_read(text: str, network: str) -> None:
    assert parse_network(text) == ip_network(network)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("203.0.113.7/24", "Write 203.0.113.0/24 for the whole network"),
        ("0.0.0.0/0", "is every address"),
        ("::/0", "is every address"),
        ("203.0.113", "neither an address nor a network"),
        ("203.0.113.*", "neither an address nor a network"),
        ("shop.example", "neither an address nor a network"),
        ("", "neither an address nor a network"),
    ],
)
def test_a_network_that_cannot_be_meant_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(PatternError, match=re.escape(complaint)):
        parse_network(text)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:db8:ffff::1", True),
        ("2001:db9::1", False),
        ("::ffff:10.1.2.3", True),
        ("", False),
        ("x", False),
    ],
)
def test_an_address_is_looked_up_in_all_networks(address: str, inside: bool) -> None:
    networks = AddressSet(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"])
    assert (address in networks) is inside


@pytest.mark.parametrize(
    ("text", "browser"),
    [
        ("Chrome < 63", ("Chrome", 63)),
        ("chrome<63", ("Chrome", 63)),
        ("  Internet   Explorer  ", ("Internet Explorer", EVERY_VERSION)),
        ("android browser < 5", ("Android Browser", 5)),
    ],
)
def test_a_browser_is_read(text: str, browser: tuple[str, int]) -> None:
    assert parse_browser(text) == browser


@pytest.mark.parametrize(
    "text", ["", "Konqueror", "Chrome > 63", "Chrome 63", "Chrome < x", "< 63", "<"]
)
def test_what_is_no_browser_is_refused_with_the_names(text: str) -> None:
    with pytest.raises(PatternError, match="Names: Android Browser, Chrome"):
        parse_browser(text)


def test_the_default_browsers_can_be_read() -> None:
    assert len(dict(map(parse_browser, default_legacy_versions()))) == 7
