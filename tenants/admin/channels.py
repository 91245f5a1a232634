"""Channels, with their state and "send test"."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from tenants.admin.deliveries import badge
from tenants.admin.secret_form import SecretForm, secret_field
from tenants.audit import Actor
from tenants.audited import AuditedModelAdmin, may, row_id
from tenants.channels.checking import MAPS_PEOPLE, OWNERS_ONLY, problems_of
from tenants.channels.usage import users_of
from tenants.delivery import send_test, switched_by_hand
from tenants.models import Channel, Delivery

if TYPE_CHECKING:
    from django.forms import CheckboxInput, Textarea
else:
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldBooleanSwitchWidget as CheckboxInput

CONFIG = (
    'Slack app: {"channel": "C0123456789"}. E-mail: {"to": ["team@example.com"]}. '
    'Signed webhook: {"url": "https://…"}. The others: {}.'
)
SECRET = (
    "Slack app: the bot token. Signed webhook: the signing key. PagerDuty: the "
    "integration key. Slack incoming webhook, Teams, Discord: the URL itself. "
    "E-mail: none."
)
SIGNING, CLEARS = "new_signing_secret", "clear_signing_secret"
FIELDS = ("name", "kind", "config", "new_secret", SIGNING)
SIGNING_SECRET = (
    "Of a Slack app: with it, buttons of its messages work in Slack; without, they "
    "open pages here. See docs/alerts.md."
)


class ChannelForm(SecretForm):
    new_secret = secret_field(max_length=2000)
    new_signing_secret = secret_field("Signing secret", max_length=200)
    clear_signing_secret = forms.BooleanField(
        required=False,
        widget=CheckboxInput,
        help_text="Its buttons open pages here then.",
    )
    secrets = {"secret": SECRET, "signing_secret": SIGNING_SECRET}

    class Meta:
        model = Channel
        fields = ["name", "kind", "config", "hears_trouble", "is_active"]
        help_texts = {"config": CONFIG}
        widgets = {"config": Textarea(attrs={"rows": 4})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.fields[SIGNING].disabled:
            self.fields[SIGNING].help_text = OWNERS_ONLY

    def clean_config(self) -> Any:
        return self.cleaned_data["config"] or {}

    def problems(
        self, before: Channel | None, given: Mapping[str, Any], new_secret: str
    ) -> Mapping[str, str]:
        signing = given[SIGNING]
        if given[CLEARS]:
            if signing:
                return {CLEARS: "Enter a new one, or clear it: not both."}
            given = {**given, "signing_secret": ""}
        return problems_of(before, given, new_secret, signing)

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data[CLEARS]:
            self.instance.signing_secret = ""
        return super().save(commit)


@admin.register(Channel)
class ChannelAdmin(AuditedModelAdmin):
    form = ChannelForm
    goes_along = (Delivery,)
    list_display = ("name", "kind", "state", "last", "hears_trouble")
    list_filter = ("kind", "is_active")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": FIELDS}),
        ("Use", {"fields": (("is_active", "hears_trouble"),)}),
    )
    change_form_outer_before_template = "tenants/channel_state.html"

    def get_urls(self) -> list[URLPattern]:
        test = path(
            "<int:channel_id>/test/",
            self.admin_site.admin_view(require_POST(self.test_view)),
            name="tenants_channel_test",
        )
        return [test, *super().get_urls()]

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        if not may(request, MAPS_PEOPLE):
            form.base_fields = {**form.base_fields}
            for name in (SIGNING, CLEARS):
                form.base_fields[name] = copy(form.base_fields[name])
                form.base_fields[name].disabled = True
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        """To clear is offered where there is one, to those who may."""
        (title, first), *others = super().get_fieldsets(request, obj)
        if obj and obj.signing_secret and may(request, MAPS_PEOPLE):
            first = {**first, "fields": (*FIELDS, CLEARS)}
        return [(title, first), *others]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With the newest finished message of each; skipped ones say less."""
        newest = (
            Delivery.objects.filter(channel=OuterRef("pk"), finished_at__isnull=False)
            .exclude(state=Delivery.State.SKIPPED)
            .order_by("-pk")
        )
        return (
            super()
            .get_queryset(request)
            .annotate(
                last_state=Subquery(newest.values("state")[:1]),
                last_at=Subquery(newest.values("finished_at")[:1]),
                last_id=Subquery(newest.values("pk")[:1]),
            )
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What tells through it keeps a channel."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        users = [
            f"{capfirst(user._meta.verbose_name)}: {user}"
            for channel in objs
            for user in users_of(channel)
        ]
        return deleted, counts, needed, [*protected, *users]

    @admin.display(description="State", ordering="is_active")
    def state(self, channel: Channel) -> SafeString:
        kind, label = "resolved", "on"
        if not channel.is_active:
            kind, label = "fatal" if channel.disabled_at else "warning", "switched off"
        elif channel.paused_until and channel.paused_until > timezone.now():
            kind, label = "info", f"asked to wait until {channel.paused_until:%H:%M:%S}"
        return format_html(
            '<span class="rm-badge is-{}">{}</span> <span class="rm-small">{}</span>',
            kind,
            label,
            channel.disabled_reason[:200],
        )

    @admin.display(description="Last message")
    def last(self, channel: Any) -> SafeString | str:
        if channel.last_state is None:
            return "none yet"
        url = reverse("admin:tenants_delivery_change", args=[channel.last_id])
        return format_html(
            '{} <a class="rm-num" href="{}">{}</a>',
            badge(channel.last_state),
            url,
            f"{channel.last_at:%Y-%m-%d %H:%M}",
        )

    def save_model(
        self, request: HttpRequest, obj: Channel, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            switched_by_hand(obj, Actor.of(request).name, timezone.now())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        allowed = may(request, "tenants.change_channel")
        context = {
            **(extra_context or {}),
            "channel": Channel.objects.filter(pk=row_id(object_id)).first(),
            "may_test": allowed,
        }
        return super().change_view(request, object_id, form_url, context)

    def test_view(self, request: HttpRequest, channel_id: int) -> HttpResponse:
        """Send the test and show the channel's answer."""
        if not may(request, "tenants.change_channel"):
            raise PermissionDenied
        channel = get_object_or_404(Channel, pk=channel_id)
        delivery = send_test(channel, Actor.of(request), timezone.now())
        context = {
            "channel": channel,
            "delivery": delivery,
            "works": delivery.state == Delivery.State.SENT,
            "title": f"Test of {channel}",
            "content_title": f"Test of {channel}",
        }
        return self.own_page(request, "tenants/channel_test.html", context)
