"""The pre-check: it may look for nothing, but it must miss nothing."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from issues.scrubbing import Policy, Run, Scrubber, scrubber_of
from tests.issues.test_scrubbing_names import HARMLESS, SECRET
from tests.planted import KINDS, Secret
from tests.wire import load_all

DEFAULT = scrubber_of(Policy())


def strings_of(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in strings_of(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in strings_of(value)]
    return []


@pytest.mark.parametrize("make", KINDS)
def test_no_kind_of_secret_is_missed(make: Callable[[], Secret]) -> None:
    secret = make()
    for tree in (
        {secret.key: secret.value},
        {"a": secret.text},
        {"a": f"line\n{secret.text}\tä"},
        {"a": json.dumps({"b": json.dumps({secret.key: secret.value})})},
        {"a": repr({secret.key: secret.value})},
        {"a": [[secret.key, secret.value]]},
        {"a": [{"name": secret.key, "value": secret.value}]},
        {"a": [f"--{secret.key}", secret.value]},
    ):
        assert DEFAULT.may_touch(orjson.dumps(tree)), tree


@pytest.mark.parametrize("name", SECRET)
def test_no_name_of_a_secret_is_missed(name: str) -> None:
    for tree in (
        {name: "x1"},
        {"a": json.dumps({name: "x1"})},
        {"a": repr({name: "x1"})},
        {"a": f"{name}=x1"},
    ):
        assert DEFAULT.may_touch(orjson.dumps(tree)), tree


def test_most_names_need_no_look() -> None:
    looked = [n for n in HARMLESS if DEFAULT.may_touch(orjson.dumps({n: "x"}))]

    assert len(looked) < len(HARMLESS) / 2


def test_whatever_is_scrubbed_was_seen_by_the_pre_check() -> None:
    """On every text that real clients sent, seen or not, looked at one by one."""
    texts = {
        text
        for request in load_all()
        for line in request.plain.split(b"\n")
        if line[:1] in (b"{", b"[")
        for text in strings_of(_parsed(line))
    }
    assert len(texts) > 5000
    for text in sorted(texts):
        if not DEFAULT.may_touch(orjson.dumps({"a": text})):
            assert _Blind(DEFAULT).tree(text, "") == text


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


class _Blind(Run):
    """Looks at everything."""

    def may_touch_text(self, text: bytes) -> bool:
        return True


def test_own_names_and_patterns_are_seen() -> None:
    own = Scrubber(
        Policy(
            keys=(("rule 1", "parcel*"),),
            patterns=(("rule 2", r"^PK-\d+$"), ("rule 3", 'say "x"')),
        )
    )

    for tree, seen in (
        ({"parcel_no": 1}, True),
        ({"a": "PK-12"}, True),
        ({"a": 'they say "x"'}, True),
        ({"a": "a\nPK-12"}, True),
        ({"a": "see PK-12"}, False),
    ):
        assert own.may_touch(orjson.dumps(tree)) is seen, tree


def test_personal_data_and_addresses_are_seen_only_where_they_go() -> None:
    tree = orjson.dumps({"email": "a", "ip_address": "b", "t": "x@y.example"})

    assert not DEFAULT.may_touch(tree)
    assert Scrubber(Policy(personal=True)).may_touch(tree)
    assert Scrubber(Policy(addresses="off")).may_touch(tree)


def test_a_policy_is_compiled_once() -> None:
    assert scrubber_of(Policy(kept=("a_b_c",))) is scrubber_of(Policy(kept=("a_b_c",)))
