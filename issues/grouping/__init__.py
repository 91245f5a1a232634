"""Which events are one issue: versions of the rule, by name.

A project stores the version it groups by. A version never changes its answers, as that
would split every issue: a better rule is a new module and a new entry here.
"""

from collections.abc import Callable, Sequence
from typing import Final

from issues.grouping import v1
from issues.grouping.outcome import Grouping, Part
from issues.grouping.rules import FingerprintRule, RuleError, parse_rule, parse_rules
from issues.normal_event import NormalEvent

__all__ = [
    "LATEST",
    "VERSIONS",
    "FingerprintRule",
    "Grouping",
    "Part",
    "RuleError",
    "group",
    "parse_rule",
    "parse_rules",
]

Grouper = Callable[[NormalEvent, Sequence[FingerprintRule]], Grouping]

VERSIONS: Final[dict[str, Grouper]] = {v1.VERSION: v1.group}
LATEST: Final = v1.VERSION


def group(
    event: NormalEvent,
    rules: Sequence[FingerprintRule] = (),
    version: str = LATEST,
) -> Grouping:
    """The fingerprint of ``event`` by the named version; KeyError if unknown."""
    return VERSIONS[version](event, rules)
