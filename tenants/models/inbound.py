"""Which events of a project nobody needs: they are counted, and not kept."""

from collections.abc import Callable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from tenants.models.project import Project
from tenants.patterns import (
    MAX_PATTERN,
    PatternError,
    parse_browser,
    parse_glob,
    parse_network,
)

MAX_PATTERNS = 100


class Filter(models.TextChoices):
    """The filters, in the order in which they are asked; the first that says so counts.

    An event is counted as ``filtered:<value>``.
    """

    ADDRESSES = "addresses", "addresses"
    RELEASES = "releases", "releases"
    LOCALHOST = "localhost", "localhost"
    CRAWLERS = "crawlers", "crawlers"
    LEGACY_BROWSERS = "legacy_browsers", "legacy browsers"
    HEALTH_CHECKS = "health_checks", "health checks"
    BROWSER_EXTENSIONS = "browser_extensions", "browser extensions"
    CHUNK_LOAD_ERRORS = "chunk_load_errors", "chunk-load errors"
    HYDRATION_ERRORS = "hydration_errors", "hydration errors"
    MESSAGES = "messages", "messages"


def default_legacy_versions() -> list[str]:
    """Those that cannot import modules on demand, which today's bundles do."""
    return [
        "Android Browser",
        "Chrome < 63",
        "Edge < 79",
        "Firefox < 67",
        "Internet Explorer",
        "Opera",
        "Safari < 12",
    ]


def _validated(parse: Callable[[str], Any], text: str) -> None:
    try:
        parse(text)
    except PatternError as error:
        raise ValidationError(str(error)) from error


def validate_glob(text: str) -> None:
    _validated(parse_glob, text)


def validate_network(text: str) -> None:
    _validated(parse_network, text)


def validate_browser(text: str) -> None:
    _validated(parse_browser, text)


class InboundFilters(models.Model):
    """Which filters a project has on; a project without a row has the defaults.

    Each filter is a column of its name. See docs/filters.md for why a default is so.
    """

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="inbound_filters"
    )
    browser_extensions = models.BooleanField(
        default=True,
        help_text="Errors thrown by browser extensions, and by the scripts that "
        "in-app browsers put into every page.",
    )
    crawlers = models.BooleanField(
        default=True,
        help_text="Requests and pages of search engines, link previews, monitors and "
        "scanners, by their User-Agent. Slackbot is not one of them.",
    )
    legacy_browsers = models.BooleanField(
        default=True, help_text="Browsers of its list."
    )
    legacy_versions = ArrayField(
        models.CharField(max_length=40, validators=[validate_browser]),
        default=default_legacy_versions,
        blank=True,
        size=MAX_PATTERNS,
        help_text="A browser, or a browser and the first version that is welcome, "
        "such as Chrome < 63.",
    )
    localhost = models.BooleanField(
        default=False,
        help_text="Pages and servers at localhost, 127.0.0.1 or ::1, and file://.",
    )
    health_checks = models.BooleanField(
        default=True,
        help_text="Transactions of probes, such as /healthz or /ping: they would make "
        "error rates look lower. Errors of these paths stay.",
    )
    chunk_load_errors = models.BooleanField(
        "chunk-load errors",
        default=False,
        help_text="Pages that could not load a part of their own scripts. Often a "
        "deploy removed it: think twice.",
    )
    hydration_errors = models.BooleanField(
        default=False,
        help_text="Pages whose HTML from the server is not what the browser renders.",
    )
    messages = models.BooleanField(default=True, help_text="Errors of its patterns.")
    message_patterns = ArrayField(
        models.CharField(max_length=MAX_PATTERN, validators=[validate_glob]),
        default=list,
        blank=True,
        size=MAX_PATTERNS,
        help_text="Globs on “type: value”, the value alone, or the message, such as "
        "*ResizeObserver loop*.",
    )
    releases = models.BooleanField(
        default=True, help_text="What releases of its patterns send."
    )
    release_patterns = ArrayField(
        models.CharField(max_length=MAX_PATTERN, validators=[validate_glob]),
        default=list,
        blank=True,
        size=MAX_PATTERNS,
        help_text="Globs on the release, such as shop@0.* or *-dev.",
    )
    addresses = models.BooleanField(
        default=True, help_text="Visitors and senders of its networks."
    )
    address_patterns = ArrayField(
        models.CharField(max_length=50, validators=[validate_network]),
        default=list,
        blank=True,
        size=MAX_PATTERNS,
        help_text="Addresses and networks, such as 203.0.113.7 or 2001:db8::/48.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "inbound filters"

    def __str__(self) -> str:
        return f"inbound filters of {self.project}"

    @classmethod
    def of(cls, project: Project) -> "InboundFilters":
        """The project's row, or an unsaved one with the defaults."""
        found: InboundFilters | None = getattr(project, "inbound_filters", None)
        return found or cls(project=project)

    @property
    def on(self) -> frozenset[str]:
        """Names of the filters that are switched on and have what they need."""
        return frozenset(
            name.value
            for name in Filter
            if getattr(self, name) and (name not in LISTS or getattr(self, LISTS[name]))
        )


# Filters that look into a list of the team's own.
LISTS = {
    Filter.ADDRESSES: "address_patterns",
    Filter.RELEASES: "release_patterns",
    Filter.LEGACY_BROWSERS: "legacy_versions",
    Filter.MESSAGES: "message_patterns",
}
