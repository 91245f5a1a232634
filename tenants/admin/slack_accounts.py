"""Whose account a Slack user is."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest

from tenants.audited import AuditedModelAdmin
from tenants.models import SlackAccount


@admin.register(SlackAccount)
class SlackAccountAdmin(AuditedModelAdmin):
    """An owner maps people: what they press in Slack is done in the account's name."""

    list_display = ("slack_user", "team", "user", "by_email", "created")
    list_filter = ("by_email",)
    list_select_related = ("user",)
    search_fields = ("slack_user", "team", "user__username", "user__email")
    fields = (("team", "slack_user"), "user")

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user":
            people = User.objects.filter(is_active=True, is_staff=True)
            kwargs["queryset"] = people.order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: SlackAccount, form: Any, change: bool
    ) -> None:
        # From now on a person answers for it.
        obj.by_email = False
        super().save_model(request, obj, form, change)
