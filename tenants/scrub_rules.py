"""What a project's own scrub rules may say: checked when saved, so that they work."""

import re

import re2

MAX_PROGRAM = 2000  # instructions of RE2; a long alternation of words has some hundred
NAME_CHARACTERS = re.compile(r"[\w.$: *?-]+", re.ASCII)
# They mean the ends of a text, and a pre-check joins many.
_TEXT_ENDS = re.compile(r"(?<!\\)(?:\\\\)*\\[AzC]")


class ScrubRuleError(ValueError):
    """A rule cannot be used; the message says why and what helps."""


def check_name(text: str, *, least: int = 2) -> None:
    """Accept a glob on names, such as ``customer_*``; raises ScrubRuleError.

    ``least``: letters or digits in a row that it must hold, so that it is not met
    everywhere.
    """
    if not NAME_CHARACTERS.fullmatch(text):
        raise ScrubRuleError(
            "A name is made of letters, digits, blanks and _ . - : $, with * for any "
            "characters and ? for one, such as customer_*."
        )
    longest = max(map(len, re.findall(r"[A-Za-z0-9]+", text)), default=0)
    if longest < least:
        raise ScrubRuleError(
            f"This fits nearly every name: give at least {least} letters in a row."
        )


def check_pattern(text: str) -> None:
    """Accept a pattern that RE2 reads, on texts; raises ScrubRuleError."""
    if _TEXT_ENDS.search(text):
        raise ScrubRuleError(r"Write ^ and $ for the ends of a text, not \A and \z.")
    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(text, options)
    except re2.error as error:
        raise ScrubRuleError(
            f"RE2 cannot read this pattern: {_reason(error)}. It knows no look-around "
            "and no back references (github.com/google/re2/wiki/Syntax)."
        ) from error
    if pattern.search("") is not None:
        raise ScrubRuleError("This matches the empty text, so it is met everywhere.")
    if pattern.programsize > MAX_PROGRAM:
        raise ScrubRuleError(
            "This pattern is too large for every text of every event: write smaller "
            "counts, or several rules."
        )


def _reason(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
