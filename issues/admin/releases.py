"""Releases in the admin: what shipped, how it does, and the issues it brought."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from issues.admin import release_list, release_page
from releases.models import Release
from tenants.audited import ReadOnlyAdmin


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Made by CI or by the first event that names one: read here, never changed."""

    search_fields = ("version",)

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        context = {
            **release_list.list_context(request),
            "content_title": "Releases",
            "title": "Releases",
        }
        return self.own_page(request, "issues/releases.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        release = release_page.find(object_id)
        context = {
            **release_page.page_context(request, release),
            "title": release.version,
            "content_title": "Release",
        }
        return self.own_page(request, "issues/release.html", context)
