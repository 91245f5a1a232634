"""Attachments: listed by event, downloaded as bytes, deleted."""

from typing import Any

from django.http import FileResponse, Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.reverse import reverse

from issues import attachments
from issues.api.event_parts import EventPartViewSet, OfEventFilters
from issues.models import Attachment
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    project = name_of("slug", allow_null=False)
    event_id = serializers.CharField(
        source="event_id.hex", help_text="32 hex digits, as the SDK made it."
    )
    size = serializers.IntegerField(help_text="Bytes.")
    content_type = serializers.CharField(
        help_text="As the client says; a download is application/octet-stream."
    )
    kind = serializers.CharField(help_text="Such as event.attachment, event.minidump.")
    download = serializers.SerializerMethodField(help_text="Where the file is.")

    class Meta:
        model = Attachment
        fields = [
            "id",
            "project",
            "event_id",
            "received",
            "name",
            "content_type",
            "kind",
            "size",
            "download",
        ]

    def get_download(self, attachment: Attachment) -> str:
        name, args = "attachment-download", [attachment.pk]
        return str(reverse(name, args=args, request=self.context.get("request")))


class AttachmentFilters(OfEventFilters):
    project = ProjectFilter()
    received_after = TimeFilter("received", lookup_expr="gte")
    received_before = TimeFilter("received", lookup_expr="lt")


@extend_schema_view(
    destroy=extend_schema(
        description="Delete one, such as a screenshot that shows too much."
    )
)
class AttachmentViewSet(EventPartViewSet):
    """Files that clients sent with events, newest first. They are not scrubbed."""

    queryset = Attachment.objects.select_related("project")
    serializer_class = AttachmentSerializer
    filterset_class = AttachmentFilters
    write_permission = "issues.delete_attachment"

    @property
    def read_permission(self) -> str:
        if self.action == "download":
            return "issues.download_attachment"
        return "issues.view_attachment"

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def download(self, request: Request, pk: str) -> FileResponse:
        """The file, as bytes to be saved and never shown."""
        attachment = self.get_object()
        try:
            return attachments.download(attachment)
        except attachments.FileMissing as error:
            raise Http404(str(error)) from error

    def remove(self, row: Any) -> None:
        attachments.delete([row.pk])
