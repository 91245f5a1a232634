"""Attachments: the list, the download, and the way to be rid of one."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import FileResponse, Http404, HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues import attachments
from issues.models import Attachment
from tenants.audited import EndlessPaginator, ReadOnlyAdmin, may


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """Names and sizes for all; the files for those who may download them."""

    paginator = EndlessPaginator
    list_display = ("name", "project", "event", "kind", "bytes", "received")
    list_filter = ("project", "kind")
    list_select_related = ("project",)
    search_fields = ("name",)
    ordering = ("-id",)
    fields = (
        *("name", "project", "event", "kind", "content_type", "bytes", "received"),
        "file",
    )
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        download = path(
            "<int:attachment_id>/download/",
            self.admin_site.admin_view(self.download_view),
            name="issues_attachment_download",
        )
        return [download, *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, "issues.delete_attachment")

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        attachments.delete([obj.pk])

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Attachment]
    ) -> None:
        attachments.delete(list(queryset.order_by().values_list("pk", flat=True)))

    def download_view(self, request: HttpRequest, attachment_id: int) -> FileResponse:
        """The bytes, to be saved by the browser and never shown by it."""
        if not may_download(request):
            raise PermissionDenied
        attachment = Attachment.objects.filter(pk=attachment_id).first()
        if attachment is None:
            raise Http404("This attachment is gone: it goes with its event's day.")
        try:
            return attachments.download(attachment)
        except attachments.FileMissing as error:
            raise Http404(str(error)) from error

    @admin.display(description="Size", ordering="size")
    def bytes(self, attachment: Attachment) -> str:
        return filesizeformat(attachment.size)

    @admin.display(description="Event")
    def event(self, attachment: Attachment) -> SafeString:
        event_id = attachment.event_id.hex
        url = reverse("admin:issues_event_change", args=[event_id])
        text = '<a class="rm-link rm-mono" href="{}">{}</a>'
        return format_html(text, url, event_id[:8])

    @admin.display(description="File")
    def file(self, attachment: Attachment) -> SafeString:
        url = reverse("admin:issues_attachment_download", args=[attachment.pk])
        return format_html('<a class="rm-link" href="{}">Download</a>', url)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if may_download(request) else self.fields[:-1]


def may_download(request: HttpRequest) -> bool:
    """Attachments are not scrubbed: not everyone who sees events may open them."""
    return may(request, "issues.download_attachment")
