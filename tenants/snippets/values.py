"""What a snippet is made of, and how this project's values are written into it."""

import html
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PLACE = re.compile(r"<<([A-Z]+)>>")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    ``code`` belongs into ``file``, or is typed into a shell or a browser's console
    where that is ''. ``note`` says in a sentence what else to know.
    """

    title: str
    language: str
    code: str
    file: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """How one kind of program sends; ``slug`` names it in addresses."""

    slug: str
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the snippets of a project say of it.

    ``base_url`` is where SDKs, sentry-cli and people find this installation, ``tag``
    the tag and attribute that names the tenant.
    """

    base_url: str
    organization: str
    project_id: int
    slug: str
    public_key: str
    dsn: str
    tag: str

    @property
    def release(self) -> str:
        """A version to begin with, of the form that all parts must agree on."""
        return f"{self.slug}@1.0.0"


def _single_quoted(text: str) -> str:
    """A string of PHP or Ruby in which nothing is replaced."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _attribute(text: str) -> str:
    return f'"{html.escape(text)}"'


def _bare(text: str) -> str:
    return text


QUOTES: Mapping[str, Callable[[str], str]] = {
    "python": _json,  # a string of JSON is one of Python, too
    "javascript": _json,
    "php": _single_quoted,
    "ruby": _single_quoted,
    "html": _attribute,
    "shell": shlex.quote,
    "http": _bare,
}


def filled(step: Step, values: Mapping[str, str]) -> Step:
    """The step with each ``<<NAME>>`` replaced: in its code by a literal of the
    language, in its note by the value itself; raises KeyError for an unknown name."""
    quote = QUOTES[step.language]
    return Step(
        step.title,
        step.language,
        PLACE.sub(lambda found: quote(values[found[1]]), step.code.strip("\n")),
        step.file,
        PLACE.sub(lambda found: values[found[1]], step.note),
    )
