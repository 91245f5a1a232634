"""Deploys in the admin: the list, the page, and the posts that change them."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from releases.admin import deploy_list, deploy_page
from releases.deploys import finish_deploy
from releases.models import Deploy
from tenants.audit import Actor
from tenants.audited import ReadOnlyAdmin, may
from tenants.refusals import Refusal


@admin.register(Deploy)
class DeployAdmin(ReadOnlyAdmin):
    """Deploys are posted by CI, read here and changed by actions."""

    def get_urls(self) -> list[URLPattern]:
        finish = path(
            "<int:deploy_id>/finish/",
            self.admin_site.admin_view(require_POST(self.finish_view)),
            name="releases_deploy_finish",
        )
        return [finish, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.must_view(request)
        context = {
            **deploy_list.list_context(request),
            "title": "Deploys",
            "content_title": "Deploys",
        }
        return self.own_page(request, "releases/deploys.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        deploy = deploy_page.find(object_id)
        context = {
            **deploy_page.page_context(request, deploy),
            "title": str(deploy),
        }
        return self.own_page(request, "releases/deploy.html", context)

    def finish_view(self, request: HttpRequest, deploy_id: int) -> HttpResponse:
        """Say that all of the new release is out."""
        if not may(request, "releases.change_deploy"):
            raise PermissionDenied
        deploy, now = get_object_or_404(Deploy, pk=deploy_id), timezone.now()
        try:
            finish_deploy(deploy, now, Actor.of(request), now)
        except Refusal as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Marked finished.")
        return HttpResponseRedirect(page_url(deploy_id))


def page_url(deploy_id: int) -> str:
    return reverse("admin:releases_deploy_change", args=[deploy_id])
