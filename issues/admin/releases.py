"""Releases in the admin: what shipped, how it does, and the issues it brought."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from issues.admin import release_list, release_page
from releases.models import Release
from tenants.audited import ReadOnlyAdmin


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Made by CI or by the first event that names one: read here, never changed."""

    search_fields = ("version",)

    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            **release_list.list_context(request),
            "content_title": "Releases",
            "title": "Releases",
        }
        return TemplateResponse(request, "issues/releases.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        release = release_page.find(object_id)
        context = {
            **self.admin_site.each_context(request),
            **release_page.page_context(request, release),
            "title": release.version,
            "content_title": "Release",
        }
        return TemplateResponse(request, "issues/release.html", context)
