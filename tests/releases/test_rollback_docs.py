"""What docs/rollback.md tells receivers to do works with what is sent."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from releases.rollbacks.interlocks import OVERRIDABLE
from tenants.signing import signature
from tests.running import ROOT

TEXT = (ROOT / "docs" / "rollback.md").read_text(encoding="utf-8")


@pytest.fixture
def is_ours() -> Callable[..., bool]:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "rollback.md", "exec"), names)
    found: Callable[..., bool] = names["is_ours"]
    return found


def test_the_documented_check_takes_what_is_sent(is_ours: Callable[..., bool]) -> None:
    now = str(int(time.time()))
    signed = signature("key", now, b"{}")

    assert is_ours("key", now, signed, b"{}")
    assert not is_ours("other", now, signed, b"{}")
    assert not is_ours("key", now, signed, b"{ }")


def test_the_documented_check_refuses_an_old_call(is_ours: Callable[..., bool]) -> None:
    then = str(int(time.time()) - 400)

    assert not is_ours("key", then, signature("key", then, b"{}"), b"{}")


def test_every_reason_is_documented() -> None:
    source = "".join(
        (ROOT / "releases" / "rollbacks" / name).read_text(encoding="utf-8")
        for name in ("interlocks.py", "calling.py")
    )
    reasons = set(re.findall(r'Interlock\(\s*"(\w+)"', source))
    reasons |= set(re.findall(r'return "(\w+)", ', source))

    assert len(reasons) > 10
    assert [reason for reason in reasons if f"`{reason}`" not in TEXT] == []
    assert all(f"`{reason}`" in TEXT for reason in OVERRIDABLE)
