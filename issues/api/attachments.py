"""Attachments: listed by event, downloaded as bytes, deleted."""

from typing import Any

from django.db import transaction
from django.http import FileResponse, Http404
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from issues import attachments
from issues.models import Attachment
from issues.search import as_event_id
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.audit import Actor, record


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


class AttachmentFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    event = filters.CharFilter(method="by_event", help_text="Event id, 32 hex digits.")
    received_after = TimeFilter("received", lookup_expr="gte")
    received_before = TimeFilter("received", lookup_expr="lt")

    def by_event(self, rows: Any, name: str, value: str) -> Any:
        event_id = as_event_id(value)
        if event_id is None:
            raise serializers.ValidationError(
                {"event": "An event id has 32 hex digits."}
            )
        return rows.filter(event_id=event_id)


class AttachmentViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Attachment],
):
    """Files that clients sent with events, newest first. They are not scrubbed."""

    queryset = Attachment.objects.select_related("project")
    serializer_class = AttachmentSerializer
    filterset_class = AttachmentFilters
    lookup_value_regex = r"\d{1,18}"
    write_permission = "issues.delete_attachment"

    @property
    def scope(self) -> str:
        """Of tokens: deleting is for those that may change the project."""
        return "project" if self.request.method == "DELETE" else "event"

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

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete one, such as a screenshot that shows too much."""
        attachment = self.get_object()
        with transaction.atomic():
            record(Actor.of(request), "deleted", attachment, {})
            attachments.delete([attachment.pk])
        return Response(status=204)
