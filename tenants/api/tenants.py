"""Plans and tenants, and the import that sets them by the thousand."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, parsers, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.fields import NameField
from tenants.api.filters import TimeFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.audit import Actor
from tenants.importing import COLUMNS, read_csv, upsert
from tenants.models import Plan, Tenant


class PlanSerializer(ConstrainedSerializer):
    class Meta:
        model = Plan
        fields = ["id", "name", "weight"]


class PlanViewSet(AuditedWrites, viewsets.ModelViewSet[Plan]):
    """Price plans; the weight says how much one tenant on it counts."""

    queryset = Plan.objects.all()
    serializer_class = PlanSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "tenant"
    read_permission = "tenants.view_plan"
    write_permission = "tenants.change_plan"


class TenantSerializer(ConstrainedSerializer):
    plan = NameField(
        slug_field="name",
        queryset=Plan.objects.all(),
        allow_null=True,
        required=False,
        help_text="Name of the plan.",
    )
    weight = serializers.FloatField(
        read_only=True, help_text="Plan weight × weight_factor."
    )

    class Meta:
        model = Tenant
        fields = [
            "id",
            "key",
            "name",
            "plan",
            "weight_factor",
            "weight",
            "monthly_revenue",
            "installed_at",
            "uninstalled_at",
            "source",
            "first_seen",
            "last_seen",
        ]
        # Events name the tenant by its key.
        read_only_fields = ["key", "source", "first_seen", "last_seen"]


class TenantFilters(filters.FilterSet):  # type: ignore[misc]
    key = filters.CharFilter(help_text="The whole key.")
    q = filters.CharFilter(method="filter_text", help_text="Part of key or name.")
    plan = filters.CharFilter(field_name="plan__name", lookup_expr="iexact")
    source = filters.ChoiceFilter(choices=Tenant.Source.choices)
    uninstalled = filters.BooleanFilter(
        field_name="uninstalled_at", lookup_expr="isnull", exclude=True
    )
    last_seen_after = TimeFilter("last_seen", lookup_expr="gte")
    last_seen_before = TimeFilter("last_seen", lookup_expr="lt")

    def filter_text(
        self, queryset: QuerySet[Tenant], name: str, value: str
    ) -> QuerySet[Tenant]:
        return queryset.filter(Q(key__icontains=value) | Q(name__icontains=value))


class RowErrorSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="From 1; in a CSV the line of the file.")
    message = serializers.CharField()


class ImportResultSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = RowErrorSerializer(many=True)


class TenantRowSerializer(serializers.Serializer[Any]):
    """A row of the import; what is left out stays as it is, null clears."""

    key = serializers.CharField()
    name = serializers.CharField(required=False, allow_null=True)
    plan = serializers.CharField(required=False, allow_null=True)
    weight_factor = serializers.FloatField(required=False, allow_null=True)
    monthly_revenue = serializers.DecimalField(12, 2, required=False, allow_null=True)
    installed_at = serializers.DateTimeField(required=False, allow_null=True)
    uninstalled_at = serializers.DateTimeField(required=False, allow_null=True)


class CSVParser(parsers.BaseParser):
    """``text/csv`` as the rows of a tenant import."""

    media_type = "text/csv"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return read_csv(stream.read())


@extend_schema_view(
    partial_update=extend_schema(
        examples=[
            OpenApiExample(
                "What a shop pays",
                {"plan": "Pro", "monthly_revenue": "249.00"},
                request_only=True,
            )
        ]
    )
)
class TenantViewSet(
    AuditedWrites,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Tenant],
):
    """Shops, brands, organizations: made by the first event or by an import."""

    queryset = Tenant.objects.select_related("plan")
    serializer_class = TenantSerializer
    filterset_class = TenantFilters
    http_method_names = ["get", "post", "patch", "head", "options"]
    scope = "tenant"
    read_permission = "tenants.view_tenant"
    write_permission = "tenants.change_tenant"
    orders = {"key": "key", "newest": "-pk", "last_seen": "-last_seen"}

    @extend_schema(
        request={
            "application/json": TenantRowSerializer(many=True),
            "text/csv": OpenApiTypes.STR,
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            },
        },
        parameters=[
            OpenApiParameter(
                "create_plans",
                bool,
                description="Make plans that are not there, with weight 1.",
            )
        ],
        responses=ImportResultSerializer,
        filters=False,
        examples=[
            OpenApiExample(
                "Two shops",
                [
                    {"key": "acme.example", "plan": "Pro", "monthly_revenue": "249.00"},
                    {"key": "beta.example", "uninstalled_at": "2026-11-01T00:00:00Z"},
                ],
                request_only=True,
                media_type="application/json",
            ),
            OpenApiExample(
                "The same as CSV",
                "key,plan,monthly_revenue\nacme.example,Pro,249.00\n",
                request_only=True,
                media_type="text/csv",
            ),
        ],
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        parser_classes=[parsers.JSONParser, CSVParser, parsers.MultiPartParser],
        pagination_class=None,
    )
    def import_rows(self, request: Request) -> Response:
        """Make and change tenants by the thousand; rows that are wrong are listed."""
        rows, first_row = _rows(request)
        flag = request.query_params.get("create_plans", "false").lower()
        if flag not in {"true", "false", "1", "0"}:
            raise ValidationError({"create_plans": "Write true or false."})
        result = upsert(
            rows,
            Actor.of(request),
            create_plans=flag in {"true", "1"},
            first_row=first_row,
        )
        return Response(
            {
                "created": result.created,
                "updated": result.updated,
                "unchanged": result.unchanged,
                "refused": [{"row": n, "message": text} for n, text in result.errors],
            }
        )


def _rows(request: Request) -> tuple[Iterable[Mapping[str, Any]], int]:
    """The rows of the request, and the number of the first: a CSV has a header."""
    if request.content_type.startswith("multipart/"):
        file = request.FILES.get("file")
        if file is None:
            raise ValidationError({"file": "Send the CSV as the form field file."})
        return read_csv(file.read()), 2
    if not isinstance(request.data, list):
        raise ValidationError(
            f"Send a list of objects with {', '.join(COLUMNS)}; only key is required."
        )
    return request.data, 2 if request.content_type.startswith("text/csv") else 1
