"""Finds issues by words and ``key:value`` terms, as people type them.

checkout is:open level:>=error tenant:acme.example !browser:"Mobile Safari"
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from issues.models import Event, Issue
from issues.models.issue import IssueQuerySet
from issues.terms import TERMS, Asked, SearchError, family, hit, tagged

__all__ = [
    "SHORT_ID",
    "SearchError",
    "Term",
    "as_event_id",
    "family",
    "hit",
    "parse",
    "search",
    "tagged",
]

LONGEST = 1000  # characters of a search

_TERM = re.compile(
    r"""(?P<negated>!)?
    (?:(?:tags\[(?P<tag>[^\]\s]+)\]|(?P<key>[A-Za-z][\w.-]*)):)?+
    (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]\S*)?)(?=\s|\Z)""",
    re.VERBOSE,
)
# What people call an issue, such as CHECKOUT-42.
SHORT_ID = re.compile(r"([A-Za-z0-9_-]+)-([0-9]{1,18})\Z")


@dataclass(frozen=True, slots=True)
class Term:
    """One term as typed; a word has neither ``key`` nor ``tag``."""

    value: str
    key: str = ""
    tag: str = ""
    negated: bool = False
    quoted: bool = False


def search(
    queryset: IssueQuerySet,
    text: str,
    *,
    user: User | None = None,
    now: datetime | None = None,
) -> IssueQuerySet:
    """Narrow ``queryset`` (of shown issues) to those that match every term of ``text``.

    Words match title, culprit and value; all of them in one issue, or in one that is
    merged into it. ``user`` is who ``assigned:me`` means. Raises SearchError.
    """
    asked = Asked(now or timezone.now(), user)
    words = Q()
    for term in parse(text):
        named = None if term.quoted or _has_key(term) else _named(term.value)
        if not (named or term.negated or _has_key(term)):
            words &= _contains(term.value)
            continue
        condition = named or _condition(term, asked)
        queryset = queryset.filter(~condition if term.negated else condition)
    return queryset.filter(family(words)) if words else queryset


def parse(text: str) -> Iterator[Term]:
    """The terms of a search; raises SearchError for what is no term."""
    if len(text) > LONGEST:
        raise SearchError(f"The search is too long: {LONGEST} characters are the most.")
    if "\0" in text:
        raise SearchError("The search holds a NUL character: leave it out.")
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TERM.match(text, position)
        if match is None:
            raise SearchError(
                f"The quotes in {text[position:][:40]!r} do not match: write "
                'browser:"Mobile Safari" or "two words".'
            )
        position = match.end()
        yield _term(match)


def _term(match: re.Match[str]) -> Term:
    quoted, key, tag = match["quoted"], match["key"] or "", match["tag"] or ""
    negated = match["negated"] is not None
    value = match["bare"] or ""
    if quoted is not None:
        value = re.sub(r"\\(.)", r"\1", quoted)
    elif key and _is_prose(key, value):
        return Term(f"{key}:{value}", negated=negated)
    if not value:
        name = key or (f"tags[{tag}]" if tag else "browser")
        raise SearchError(
            f"{match[0]} has no value: write {name}:something, or a word to search for."
        )
    return Term(value, key, tag, negated, quoted is not None)


def _is_prose(key: str, value: str) -> bool:
    """``TypeError:``, ``https://…``, ``std::move`` and ``C:\\dir`` are words."""
    if value.startswith(("//", ":", "\\")):
        return True
    return not value and _plain(key) not in TERMS


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _has_key(term: Term) -> bool:
    return bool(term.key or term.tag)


def _condition(term: Term, asked: Asked) -> Q:
    if not _has_key(term):
        return family(_contains(term.value))
    build = TERMS.get(_plain(term.key))
    return (
        build(term.value, asked) if build else tagged(term.tag or term.key, term.value)
    )


def _contains(word: str) -> Q:
    """Reads the trigram indexes, which hold upper case."""
    return (
        Q(title__icontains=word) | Q(culprit__icontains=word) | Q(value__icontains=word)
    )


def _named(word: str) -> Q | None:
    """The issue that a short id or an event id names, None where it names none."""
    match = SHORT_ID.match(word)
    event_id = as_event_id(word)
    if match:
        named = Issue.objects.filter(pk=int(match[2]), project__slug__iexact=match[1])
    elif event_id:
        holders = Event.objects.filter(event_id=event_id).values_list("issue_id")
        named = Issue.objects.filter(
            pk__in=list(holders.values_list("issue_id", flat=True))
        )
    else:
        return None
    shown = list(named.values_list(Coalesce("merged_into_id", "pk"), flat=True))
    return Q(pk__in=shown) if shown else None


def as_event_id(word: str) -> UUID | None:
    """The event id that 32 hex digits, with or without dashes, write; else None."""
    if not re.fullmatch(r"[0-9a-fA-F-]{32,36}", word):
        return None
    try:
        return UUID(word)
    except ValueError:
        return None
