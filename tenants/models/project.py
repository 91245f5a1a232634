"""Who sends: projects and their keys."""

import re
import secrets
from urllib.parse import urlsplit, urlunsplit

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

ORIGIN = re.compile(r"(\*|(https?://)?(\*\.)?[a-z0-9.-]+(:\d+)?)\Z", re.IGNORECASE)


def default_tenant_tags() -> list[str]:
    return ["tenant", "shop", "shop_domain", "store", "brand", "organization"]


def new_public_key() -> str:
    return secrets.token_hex(16)


def validate_origin(value: str) -> None:
    """Accept ``https://shop.example``, ``shop.example``, ``*.example`` or ``*``."""
    if not ORIGIN.match(value):
        raise ValidationError(
            "%(value)s is not an origin. Write https://shop.example.com, "
            "shop.example.com, *.example.com or *.",
            params={"value": value},
        )


class Project(models.Model):
    """One page template or service; its id stands in the DSN."""

    class Addresses(models.TextChoices):
        """What is stored of the IP addresses of clients and visitors."""

        ON = "on", "Stored"
        TRUNCATED = "truncated", "Truncated to their network"
        OFF = "off", "Not stored"

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, unique=True)
    tenant_tags = ArrayField(
        models.CharField(max_length=200),
        default=default_tenant_tags,
        help_text="Tags and span attributes that name the tenant, first found wins.",
    )
    repositories = ArrayField(
        models.CharField(max_length=200),
        default=list,
        db_default=[],
        blank=True,
        help_text="Names of its repositories, such as acme/shop: those that "
        "sentry-cli's set-commits --commit may give.",
    )
    ip_addresses = models.CharField(
        "IP addresses",
        max_length=10,
        choices=Addresses.choices,
        default=Addresses.ON,
        db_default=Addresses.ON,
        help_text="Truncated: the last part of IPv4, the last ten bytes of IPv6 become "
        "zero. Not stored: visitors known only by their address count as no user.",
    )
    scrub_personal_data = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Also scrub customers' e-mail, phone, postal address and names, "
        "wherever they are found. Secrets are always scrubbed.",
    )
    grouping_version = models.CharField(max_length=10, default="v1")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ProjectKey(models.Model):
    """A DSN. It is public: limits and origins guard it, not secrecy."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="keys")
    label = models.CharField(max_length=100, default="default")
    public_key = models.CharField(
        max_length=32, unique=True, default=new_public_key, editable=False
    )
    is_active = models.BooleanField(default=True)
    is_public = models.BooleanField(
        default=False,
        help_text="It stands in web pages, where anyone can read it: its errors alone "
        "roll a release back only when several networks send them. Set by itself when "
        "a browser sends.",
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=255, validators=[validate_origin]),
        default=list,
        blank=True,
        help_text="Pages that may send with this key, such as *.example.com. "
        "Empty: any page and any server.",
    )
    rate_limit_count = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Event bodies kept per window; further events are counted only.",
    )
    rate_limit_seconds = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(60)]
    )
    new_tenants_per_hour = models.PositiveIntegerField(
        default=2000,
        help_text="Tenants that events of this key may create in an hour; "
        "the rest count as (unknown).",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["project_id", "id"]
        constraints = [
            models.CheckConstraint(
                name="projectkey_rate_limit_whole",
                condition=models.Q(
                    rate_limit_count__isnull=True, rate_limit_seconds__isnull=True
                )
                | models.Q(
                    rate_limit_count__isnull=False, rate_limit_seconds__isnull=False
                ),
                violation_error_message="Give both the count and the seconds of the "
                "rate limit, or neither.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.project} / {self.label}"

    def dsn(self, base_url: str) -> str:
        """The DSN for SDKs: ``<scheme>://<key>@<host>[/<prefix>]/<project id>``."""
        url = urlsplit(base_url)
        netloc = f"{self.public_key}@{url.netloc}"
        path = f"{url.path.rstrip('/')}/{self.project_id}"
        return urlunsplit((url.scheme, netloc, path, "", ""))


class KeyMinute(models.Model):
    """What a key did in a minute; rate limits and the new-tenant cap read it."""

    pk = models.CompositePrimaryKey("key_id", "minute")
    key_id = models.BigIntegerField()
    minute = models.DateTimeField()
    events = models.PositiveIntegerField(default=0)
    new_tenants = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"key {self.key_id} at {self.minute:%Y-%m-%d %H:%M}"
