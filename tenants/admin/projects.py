"""Projects, their keys, and how to set up an SDK with them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from tenants.admin.lines import LinesField, OriginsField
from tenants.audited import AuditedModelAdmin, BaseStackedInline, row_id
from tenants.models import Project, ProjectKey

KEY_FIELDS = (
    ("label", "is_active"),
    "dsn",
    "is_public",
    "allowed_origins",
    ("rate_limit_count", "rate_limit_seconds"),
    "new_tenants_per_hour",
)


class ShowsDsn:
    """The DSN as a read-only field of a key."""

    @admin.display(description="DSN")
    def dsn(self, key: ProjectKey) -> str:
        if not key.pk:
            return "after saving"
        text = '<span class="rm-mono rm-break">{}</span>'
        return format_html(text, key.dsn(settings.BASE_URL))


class ProjectKeyInline(ShowsDsn, BaseStackedInline):
    model = ProjectKey
    extra = 0
    fields = KEY_FIELDS
    readonly_fields = ("dsn",)
    formfield_overrides = {ArrayField: {"form_class": OriginsField}}


@admin.register(Project)
class ProjectAdmin(AuditedModelAdmin):
    """A project is never deleted here: its issues and events would go with it."""

    list_display = ("name", "slug", "number", "active_keys", "created")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    fields = (
        ("name", "slug"),
        "tenant_tags",
        "repositories",
        ("ip_addresses", "scrub_personal_data"),
        "grouping_version",
    )
    readonly_fields = ("grouping_version",)
    inlines = (ProjectKeyInline,)
    formfield_overrides = {ArrayField: {"form_class": LinesField}}
    change_form_outer_before_template = "tenants/setup.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("keys")

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            ProjectKey.objects.create(project=form.instance)

    @admin.display(description="Number in the DSN", ordering="pk")
    def number(self, project: Project) -> int:
        return int(project.pk)

    @admin.display(description="Keys")
    def active_keys(self, project: Project) -> str:
        keys = project.keys.all()
        active = sum(key.is_active for key in keys)
        return f"{active} of {len(keys)} active" if active < len(keys) else f"{active}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        keys = ProjectKey.objects.select_related("project").filter(
            project_id=row_id(object_id), is_active=True
        )
        context = {**(extra_context or {}), "setup": setup_of(keys.order_by("pk"))}
        return super().change_view(request, object_id, form_url, context)


@admin.register(ProjectKey)
class ProjectKeyAdmin(ShowsDsn, AuditedModelAdmin):
    list_display = ("label", "project", "dsn", "is_active", "rate_limit", "created")
    list_filter = ("is_active", "project")
    list_select_related = ("project",)
    search_fields = ("label", "public_key", "project__name")
    fields = ("project", *KEY_FIELDS)
    readonly_fields = ("dsn",)
    formfield_overrides = {ArrayField: {"form_class": OriginsField}}

    @admin.display(description="Rate limit")
    def rate_limit(self, key: ProjectKey) -> str:
        if not key.rate_limit_count or not key.rate_limit_seconds:
            return "none"
        return f"{key.rate_limit_count:,} in {key.rate_limit_seconds:,} s"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code to copy; ``slug`` is its id in the page."""

    slug: str
    title: str
    code: str


@dataclass(frozen=True, slots=True)
class Setup:
    """The DSN of a project's first active key, and code for each client."""

    dsn: str
    snippets: list[Snippet]


def setup_of(keys: Iterable[ProjectKey]) -> Setup | None:
    """How to send events to the project of these keys; None without an active key."""
    key = next(iter(keys), None)
    if key is None:
        return None
    dsn = key.dsn(settings.BASE_URL)
    words = {
        "dsn": dsn,
        "base": settings.BASE_URL,
        "organization": settings.ORGANIZATION_SLUG,
        "project": key.project,
        "key": key.public_key,
        "tag": next(iter(key.project.tenant_tags), "tenant"),
    }
    return Setup(
        dsn,
        [
            Snippet(slug, title, code.strip().format(**words))
            for slug, title, code in SNIPPETS
        ],
    )


SNIPPETS = (
    (
        "python",
        "Python",
        """
import sentry_sdk

sentry_sdk.init(
    dsn="{dsn}",
    environment="production",
    release="{project.slug}@1.0.0",
)
# For each request or job, name the shop it works for:
sentry_sdk.set_tag("{tag}", "acme.example")
""",
    ),
    (
        "browser",
        "JavaScript",
        """
import * as Sentry from "@sentry/browser";

Sentry.init({{
  dsn: "{dsn}",
  environment: "production",
  release: "{project.slug}@1.0.0",
}});
Sentry.setTag("{tag}", location.hostname);
""",
    ),
    (
        "node",
        "Node",
        """
// instrument.mjs, loaded first: node --import ./instrument.mjs app.mjs
import * as Sentry from "@sentry/node";

Sentry.init({{
  dsn: "{dsn}",
  environment: "production",
  release: "{project.slug}@1.0.0",
}});
// For each request: Sentry.setTag("{tag}", shop);
""",
    ),
    (
        "curl",
        "Test with curl",
        """
curl '{base}/api/{project.pk}/store/?sentry_version=7&sentry_key={key}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"message": "Hello from curl", "tags": {{"{tag}": "acme.example"}}}}'
""",
    ),
    (
        "cli",
        "sentry-cli",
        """
export SENTRY_URL={base}
export SENTRY_ORG={organization}
export SENTRY_PROJECT={project.slug}
export SENTRY_AUTH_TOKEN=...    # make one under API tokens

SENTRY_DSN={dsn} sentry-cli send-event -m "Hello from sentry-cli"
sentry-cli releases new {project.slug}@1.0.0
""",
    ),
)
