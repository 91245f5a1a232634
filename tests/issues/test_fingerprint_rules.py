"""Fingerprint rules: what they match, what they put in place, what they refuse."""

from typing import Any

import pytest

from issues.grouping import RuleError, group, parse_rule, parse_rules
from issues.grouping.rules import first_match, matches
from issues.normal_event import ExceptionValue, Frame
from tests.normal_events import event, python_frame

FRAMES = [
    Frame("checkout", "orders.views", "orders/views.py", "/srv/orders/views.py"),
    python_frame("quote", abs_path="/srv/orders/pricing.py"),
]
SAMPLE: dict[str, Any] = {
    "type": "PricingError",
    "value": "no price for order 1001: timeout",
    "tags": {"shop": "Nordic.example", "plan": "pro"},
    "level": "error",
    "logger": "orders",
    "environment": "production",
    "release": "shop@2.1.0",
    "transaction": "/api/checkout/",
    "message": "could not price",
    "tenant": "nordic.example",
}


@pytest.mark.parametrize(
    "matcher",
    [
        "error.type:PricingError",
        "error.type:pricing*",
        'error.value:"*order 10??:*"',
        'message:"*timeout"',
        'message:"could not*"',
        "logger:orders",
        "level:error",
        "!level:info",
        "tags.shop:*",
        "tags.shop:nordic.*",
        '!tags."shop":bella.*',
        "!tags.missing:*",
        "environment:prod* release:shop@2.*",
        "transaction:/api/*",
        "tenant:nordic.example",
        "platform:python",
        "stack.function:quote",
        "stack.module:orders.*",
        "stack.abs_path:/srv/*/views.py",
        "stack.filename:orders/pricing.py",
        "stack.function:quote stack.module:orders.pricing app:yes",
        "stack.function:checkout app:no",
    ],
)
def test_a_matcher_fits(matcher: str) -> None:
    assert matches(parse_rule(f"{matcher} -> x"), event(*FRAMES, **SAMPLE))


@pytest.mark.parametrize(
    "matcher",
    [
        "error.type:Pricing",
        "!error.type:PricingError",
        "level:info",
        "tags.missing:*",
        "!tags.shop:*",
        "error.type:PricingError level:info",
        "stack.function:missing",
        # Each fits a frame, but no single frame fits both.
        "stack.function:quote stack.module:orders.views",
        "url:*",
    ],
)
def test_a_matcher_does_not_fit(matcher: str) -> None:
    assert not matches(parse_rule(f"{matcher} -> x"), event(*FRAMES, **SAMPLE))


def test_any_exception_of_the_chain_may_fit() -> None:
    chained = event(*FRAMES, **SAMPLE)
    chained.exceptions.insert(0, ExceptionValue(type="KeyError", value="'CHF'"))
    assert matches(parse_rule("error.type:KeyError -> x"), chained)


def test_the_first_rule_that_fits_wins() -> None:
    rules = parse_rules(
        """
        # A comment and an empty line.

        level:info -> quiet
        error.type:* -> first
        error.type:PricingError -> second
        """
    )
    found = first_match(rules, event(*FRAMES, **SAMPLE))
    assert found is not None and found.fingerprint == ("first",)


@pytest.mark.parametrize(
    ("text", "fingerprint", "title"),
    [
        ("level:error -> a", ("a",), ""),
        ("level:error -> a, {{ tags.shop }}", ("a", "{{ tags.shop }}"), ""),
        ('level:error -> "dhl is slow", b c', ("dhl is slow", "b c"), ""),
        ('level:error -> "a, b"', ("a, b",), ""),
        (r'level:error -> "say \"hi\""', ('say "hi"',), ""),
        ('message:"a -> b" -> c', ("c",), ""),
        (
            'level:error -> a title="No price in {{ tags.shop }}"',
            ("a",),
            "No price in {{ tags.shop }}",
        ),
        ('level:error -> a, b, title="T"', ("a", "b"), "T"),
        ("level:error->a", ("a",), ""),
    ],
)
def test_the_right_side_is_read(
    text: str, fingerprint: tuple[str, ...], title: str
) -> None:
    rule = parse_rule(text)
    assert (rule.fingerprint, rule.title, rule.text) == (fingerprint, title, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level:error", "there is no arrow"),
        ("", "there is no arrow"),
        ("-> a", "there is no matcher left"),
        ("level:error ->", "there is no fingerprint right"),
        ("level -> a", "“level” is no matcher; write it as key:pattern"),
        ("colour:red -> a", "there is no matcher “colour”; there are app, environment"),
        ("tags.:x -> a", "there is no matcher “tags.”"),
        ("level: -> a", "“level:” needs a pattern right behind the colon"),
        ('message:"" -> a', "the pattern of “message” is empty"),
        ('message:"open -> a', "a quotation mark is not closed"),
        ("level:error -> a,,b", "cannot read “,b”; separate the parts"),
        ('level:error -> "a" b', "cannot read"),
        (
            "level:error -> {{ colour }}",
            "there is no variable “colour”; there are default",
        ),
        ("level:error -> x{{ default }}", "{{ default }} stands alone"),
        ('level:error -> a title="{{ nope }}"', "there is no variable “nope”"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, message: str) -> None:
    with pytest.raises(RuleError) as told:
        parse_rule(text)
    assert message in str(told.value)


def test_the_line_that_cannot_be_read_is_named() -> None:
    with pytest.raises(RuleError, match=r"^line 3: there is no arrow"):
        parse_rules("# prices\nlevel:error -> a\nlevel:info\n")


def test_a_hostile_pattern_takes_no_time() -> None:
    rule = parse_rule(f'message:"{"*a" * 60}b" -> x')
    assert not matches(rule, event(**{**SAMPLE, "message": "a" * 8000}))


def hash_with(rule: str, **fields: Any) -> str:
    return group(event(*FRAMES, **{**SAMPLE, **fields}), [parse_rule(rule)]).hash


def test_a_rule_joins_what_lies_apart() -> None:
    rule = [parse_rule("error.type:*Error -> prices")]
    one = group(event(*FRAMES, **SAMPLE), rule)
    other = group(event(python_frame("refund"), type="KeyError", value="x"), rule)
    assert one.hash == other.hash


def test_a_variable_divides() -> None:
    rule = "level:error -> prices, {{ tags.shop }}"
    same = hash_with(rule, value="another message")
    assert hash_with(rule) == same != hash_with(rule, tags={"shop": "b.example"})


def test_the_default_part_keeps_the_places_apart() -> None:
    rule = "level:error -> {{ default }}, {{ tags.shop }}"
    one = hash_with(rule)
    elsewhere = group(event(python_frame("refund"), **SAMPLE), [parse_rule(rule)]).hash
    assert one != elsewhere != hash_with(rule, tags={"shop": "b.example"}) != one


def test_a_rule_of_the_default_alone_changes_nothing() -> None:
    plain = group(event(*FRAMES, **SAMPLE))
    assert hash_with("level:error -> {{default}}") == plain.hash


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("error.type", "PricingError"),
        ("transaction", "/api/checkout/"),
        ("level", "error"),
        ("logger", "orders"),
        ("release", "shop@2.1.0"),
        ("environment", "production"),
        ("tenant", "nordic.example"),
        ("message", "no price for order <int>: timeout"),
        ("error.value", "no price for order <int>: timeout"),
        ("tags.plan", "pro"),
        ("tags.none", "<no tags.none>"),
        ("stack.function", "quote"),
        ("stack.module", "orders.pricing"),
        ("stack.filename", "orders/pricing.py"),
        ("server_name", "<no server_name>"),
    ],
)
def test_variables_stand_for_what_the_event_tells(variable: str, value: str) -> None:
    assert hash_with(f"level:error -> {{{{ {variable} }}}}") == hash_with(
        f'level:error -> "{value}"'
    )


def test_a_rule_can_name_the_issue() -> None:
    rule = parse_rule('level:error -> a title="No price in {{ tags.shop }}"')
    assert group(event(*FRAMES, **SAMPLE), [rule]).title == "No price in Nordic.example"


def test_the_rule_is_told_as_the_reason() -> None:
    rule = parse_rule("level:error -> prices")
    answer = group(event(*FRAMES, **SAMPLE), [rule])
    assert answer.reason == "The fingerprint rule “level:error -> prices” matches."
    assert [part.kind for part in answer.parts if part.contributes] == [
        "rule",
        "fingerprint",
    ]
