"""API tokens: made on a page that shows them once, revoked, never edited."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.audit import Actor, record
from tenants.audited import ReadOnlyAdmin, may
from tenants.models import ApiToken
from tenants.models.token import Scope
from tenants.tokens import issue_token


class TokenForm(forms.Form):
    """What a new token may do, and until when."""

    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"class": "rm-input"}),
        help_text="Who or what will use it, such as CI of the order page.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in Scope.values],
        widget=forms.CheckboxSelectMultiple,
        help_text="write includes read of the same noun. CI needs release:write.",
    )
    expires_at = forms.DateTimeField(
        label="Expires (UTC)",
        required=False,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M",
            attrs={"type": "datetime-local", "class": "rm-input"},
        ),
        help_text="Empty: it works until it is revoked.",
    )

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise forms.ValidationError("This time has passed: choose a later one.")
        return expires_at


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "ending",
        "allowed",
        "created_by",
        "created",
        "last_used",
        "state",
    )
    list_select_related = ("created_by",)
    search_fields = ("name",)
    actions = ("revoke",)
    fields = (*list_display, "expires_at", "revoked_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, "tenants.add_apitoken")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may(request, "tenants.change_apitoken")

    @admin.display(description="Ends with")
    def ending(self, token: ApiToken) -> str:
        return f"…{token.hint}"

    @admin.display(description="Scopes")
    def allowed(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(description="State")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return "revoked"
        expired = token.expires_at and token.expires_at <= timezone.now()
        return "expired" if expired else "active"

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Whoever uses these tokens is refused from now on."""
        now = timezone.now()
        tokens = list(
            ApiToken.objects.filter(
                revoked_at=None, pk__in=queryset
            ).select_for_update()
        )
        for token in tokens:
            token.revoked_at = now
            token.save(update_fields=["revoked_at"])
            record(Actor.of(request), "revoked", token, {"revoked_at": [None, now]})
        self.message_user(request, f"Revoked {len(tokens)}.", messages.SUCCESS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page that makes a token, then shows it this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TokenForm(request.POST or None, label_suffix="")
        token = None
        if request.method == "POST" and form.is_valid():
            token = self._issue(request, form.cleaned_data)
        context = {
            "form": form,
            "token": token,
            "base_url": settings.BASE_URL,
            "title": "New API token",
            "content_title": "New API token",
        }
        page = self.own_page(request, "tenants/token.html", context)
        page["Cache-Control"] = "no-store"
        return page

    @transaction.atomic
    def _issue(self, request: HttpRequest, given: dict[str, Any]) -> str:
        assert isinstance(request.user, User)
        row, token = issue_token(
            given["name"],
            given["scopes"],
            base_url=settings.BASE_URL,
            organization=settings.ORGANIZATION_SLUG,
            created_by=request.user,
            expires_at=given["expires_at"],
        )
        changes = {"scopes": [None, row.scopes], "expires_at": [None, row.expires_at]}
        record(Actor.of(request), "added", row, changes)
        return token
