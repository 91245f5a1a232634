"""Artifact bundles: what CI uploaded, how far it is, and the files that it holds."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString

from releases.models import Artifact, ArtifactBundle
from tenants.audited import AuditedModelAdmin, EndlessPaginator, row_id
from tenants.pages import LAST_PAGE, page_of

FILES_PER_PAGE = 100
State = ArtifactBundle.State
TONES = {
    State.CREATED: "info",
    State.ASSEMBLING: "info",
    State.OK: "resolved",
    State.ERROR: "fatal",
}


def badge(bundle: ArtifactBundle) -> SafeString:
    """A bundle's state in its colour."""
    state = State(bundle.state)
    return format_html(
        '<span class="rm-badge is-{}">{}</span>', TONES[state], state.label
    )


def _moment(text: str) -> SafeString:
    """A time that is not broken into two lines."""
    return format_html('<span class="rm-num">{}</span>', text)


@admin.register(ArtifactBundle)
class ArtifactBundleAdmin(AuditedModelAdmin):
    """Made by uploads: read here and deleted, never changed."""

    paginator = EndlessPaginator
    list_display = (
        "at",
        "project",
        "release_or_none",
        "dist",
        "state_badge",
        "files",
        "unpacked",
        "used",
        "told",
    )
    list_display_links = ("at",)
    list_filter = ("state", "project")
    list_select_related = ("project", "release")
    search_fields = ("release__version", "checksum")
    search_help_text = "Release, or the checksum of the bundle"
    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Uploaded", ordering="uploaded")
    def at(self, bundle: ArtifactBundle) -> SafeString:
        return _moment(f"{bundle.uploaded:%Y-%m-%d %H:%M}")

    @admin.display(description="Release", ordering="release__version")
    def release_or_none(self, bundle: ArtifactBundle) -> str:
        return bundle.release.version if bundle.release else "–"

    @admin.display(description="State", ordering="state")
    def state_badge(self, bundle: ArtifactBundle) -> SafeString:
        return badge(bundle)

    @admin.display(description="Files", ordering="file_count")
    def files(self, bundle: ArtifactBundle) -> int:
        return bundle.file_count

    @admin.display(description="Size", ordering="size")
    def unpacked(self, bundle: ArtifactBundle) -> str:
        return filesizeformat(bundle.size)

    @admin.display(description="Last used", ordering="last_used")
    def used(self, bundle: ArtifactBundle) -> SafeString:
        return _moment(f"{bundle.last_used:%Y-%m-%d}")

    @admin.display(description="Error")
    def told(self, bundle: ArtifactBundle) -> str:
        return bundle.detail

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """The bundles by name, their files by number: there may be thousands."""
        bundles = list(objs)
        files = sum(bundle.file_count for bundle in bundles)
        names = [f"{bundle} of {bundle.project}" for bundle in bundles]
        return names, {"bundles": len(bundles), "files": files}, set(), []

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        bundle = found(object_id)
        context = {
            "bundle": bundle,
            "badge": badge(bundle),
            "moving": bundle.state in (State.CREATED, State.ASSEMBLING),
            **files_of(bundle, request.GET),
            "may_delete": self.has_delete_permission(request, bundle),
            "title": f"Artifact bundle {bundle}",
            "content_title": "Artifact bundle",
        }
        return self.own_page(request, "releases/artifact_bundle.html", context)


class FilesForm(forms.Form):
    """Which files of a bundle are shown; what is wrong is left out."""

    q = forms.CharField(required=False, max_length=200)
    page = forms.IntegerField(min_value=1, max_value=LAST_PAGE, required=False)


def files_of(bundle: ArtifactBundle, query: QueryDict) -> dict[str, Any]:
    """A page of the bundle's files, narrowed by debug id or a part of the URL."""
    form = FilesForm(query)
    form.is_valid()
    asked, rows = form.cleaned_data.get("q", ""), bundle.artifacts.order_by("url", "pk")
    try:
        rows = rows.filter(debug_id=UUID(asked))
    except ValueError:
        rows = rows.filter(url__icontains=asked) if asked else rows
    full = Artifact.objects.select_related("stored")
    number = form.cleaned_data.get("page") or 1
    return {"q": asked, "page": page_of(rows, full, number, FILES_PER_PAGE)}


def found(object_id: str) -> ArtifactBundle:
    """The bundle of this id; raises Http404."""
    rows = ArtifactBundle.objects.select_related("project", "release")
    bundle = rows.filter(pk=row_id(object_id)).first()
    if bundle is None:
        raise Http404("This artifact bundle is gone: nobody used it for long.")
    return bundle
