"""Alerts: every cause that a rule found, and how it was told."""

from typing import Any

from django_filters import rest_framework as filters
from rest_framework import serializers, viewsets

from issues.models import Alert
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter


class AlertSerializer(serializers.ModelSerializer[Alert]):
    rule = name_of("name", allow_null=False)
    project = name_of("slug")
    issue = serializers.IntegerField(source="issue_id", read_only=True, allow_null=True)
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The numbers behind the text."
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "rule",
            "cause",
            "at",
            "title",
            "text",
            "url",
            "project",
            "issue",
            "data",
            "state",
            "message",
            "told_at",
        ]


class AlertFilters(filters.FilterSet):  # type: ignore[misc]
    rule = filters.NumberFilter("rule_id", help_text="Id of a rule.")
    state = filters.MultipleChoiceFilter(choices=Alert.State.choices)
    project = ProjectFilter()
    issue = filters.NumberFilter("issue_id")
    message = filters.CharFilter(
        help_text="The subject of the message that told it, such as alert:3:17."
    )
    after = TimeFilter("at", lookup_expr="gte")
    before = TimeFilter("at", lookup_expr="lt")


class AlertViewSet(viewsets.ReadOnlyModelViewSet[Alert]):
    """Each cause that a rule found, and the message that told it; kept 90 days."""

    queryset = Alert.objects.select_related("rule", "project")
    serializer_class: type[serializers.BaseSerializer[Any]] = AlertSerializer
    filterset_class = AlertFilters
    scope = "issue"
    read_permission = "issues.view_alert"
