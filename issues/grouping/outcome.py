"""What grouping answers: the fingerprint of an event, and why it is that one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that grouping looked at.

    ``kind`` is rule, fingerprint, type, value, message, mechanism or frame.
    """

    kind: str
    text: str
    contributes: bool


@dataclass(frozen=True, slots=True)
class Grouping:
    """Events with the same ``version`` and ``hash`` (32 hex digits) are one issue.

    ``reason`` is one sentence for people. ``title``, ``type``, ``value`` and
    ``culprit`` name the issue that the first such event opens.
    """

    version: str
    hash: str
    parts: list[Part]
    reason: str
    title: str
    type: str
    value: str
    culprit: str
