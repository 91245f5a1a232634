"""Who changed what, to read."""

from django_filters import rest_framework as filters
from rest_framework import serializers, viewsets

from tenants.api.fields import name_of
from tenants.api.filters import TimeFilter
from tenants.auth import PeoplePermission
from tenants.models import AuditEntry


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    user = name_of("username")
    changes = serializers.DictField(
        read_only=True, help_text="Each changed field with [before, after]."
    )

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "at",
            "actor",
            "user",
            "action",
            "object_type",
            "object_id",
            "object_label",
            "changes",
            "remote_addr",
        ]


class AuditFilters(filters.FilterSet):  # type: ignore[misc]
    actor = filters.CharFilter()
    action = filters.CharFilter()
    object_type = filters.CharFilter(help_text="Such as tenants.projectkey.")
    object_id = filters.CharFilter()
    after = TimeFilter("at", lookup_expr="gte")
    before = TimeFilter("at", lookup_expr="lt")


class AuditEntryViewSet(viewsets.ReadOnlyModelViewSet[AuditEntry]):
    """Every change by a person or a token, newest first."""

    queryset = AuditEntry.objects.select_related("user")
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilters
    permission_classes = [PeoplePermission]
    read_permission = "tenants.view_auditentry"
