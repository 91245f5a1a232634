"""How fast incidents are dealt with, and how many deploys fail: JSON and CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import renderers, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issues.incidents.figures import Figures, Group, Share, Spread
from issues.incidents.measured import figures_until
from tenants.api.fields import NameField
from tenants.models import Project

MOST_WEEKS = 104
FIRST_YEAR, LAST_YEAR = 2000, 2200
SPREADS = ("detect", "acknowledge", "mitigate", "resolve", "restore")
SHARES = ("in_target", "in_ten_minutes", "failures")


class FiguresQuery(serializers.Serializer[Any]):
    weeks = serializers.IntegerField(
        default=12,
        min_value=1,
        max_value=MOST_WEEKS,
        help_text="How many, the last one included.",
    )
    until = serializers.DateField(
        required=False, help_text="A day of the last week; without it: today."
    )
    project = NameField(
        slug_field="slug",
        queryset=Project.objects.all(),
        required=False,
        help_text="Slug; without it: every project.",
    )

    def validate_until(self, day: date) -> date:
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise serializers.ValidationError(
                f"Give a day of the years {FIRST_YEAR} to {LAST_YEAR}."
            )
        return day


class SpreadSerializer(serializers.Serializer[Any]):
    """Seconds; nearest-rank, so that some incident really took them."""

    count = serializers.IntegerField(help_text="Incidents that it is known of.")
    p50 = serializers.FloatField(allow_null=True, help_text="null for fewer than 5.")
    p90 = serializers.FloatField(allow_null=True, help_text="null for fewer than 10.")
    least = serializers.FloatField(allow_null=True)
    most = serializers.FloatField(allow_null=True)


class ShareSerializer(serializers.Serializer[Any]):
    part = serializers.IntegerField()
    whole = serializers.IntegerField()
    share = serializers.FloatField(
        allow_null=True, help_text="0-1; null for fewer than 5."
    )


class FiguresGroupSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Such as 2026-W47, or a project's slug.")
    incidents = serializers.IntegerField()
    detect = SpreadSerializer(help_text="From began to detected.")
    acknowledge = SpreadSerializer(help_text="From detected.")
    mitigate = SpreadSerializer(help_text="While harm was done, from detected on.")
    resolve = SpreadSerializer(help_text="From detected.")
    restore = SpreadSerializer(help_text="Of deploys: from began to mitigated.")
    in_target = ShareSerializer()
    in_ten_minutes = ShareSerializer()
    deploys = serializers.IntegerField(
        allow_null=True, help_text="Without those that carry out a rollback."
    )
    failures = ShareSerializer(
        help_text="Change failure rate: degraded or rolled back, of those judged."
    )


class IncidentFiguresSerializer(serializers.Serializer[Any]):
    deploys_a_week = serializers.FloatField()
    all = FiguresGroupSerializer(many=True, help_text="One.")
    week = FiguresGroupSerializer(
        many=True, help_text="Oldest first; weeks begin on Monday."
    )
    project = FiguresGroupSerializer(many=True)
    severity = FiguresGroupSerializer(many=True)
    source = FiguresGroupSerializer(  # type: ignore[assignment]
        many=True, help_text="By what detected it."
    )


def as_json(found: Figures) -> dict[str, Any]:
    """What ``IncidentFiguresSerializer`` describes."""
    groups = {kind: [_group(one) for one in rows] for kind, rows in found.groups}
    return {"deploys_a_week": found.deploys_a_week, **groups}


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "incidents": group.incidents,
        **{name: _spread(getattr(group, name)) for name in SPREADS},
        **{name: _share(getattr(group, name)) for name in SHARES},
        "deploys": group.deploys,
    }


def _spread(spread: Spread) -> dict[str, Any]:
    values = spread.values
    return {
        "count": spread.count,
        "p50": spread.p50,
        "p90": spread.p90,
        "least": values[0] if values else None,
        "most": values[-1] if values else None,
    }


def _share(share: Share) -> dict[str, Any]:
    return {"part": share.part, "whole": share.whole, "share": share.share}


class CsvRenderer(renderers.BaseRenderer):
    """The groups one below another: ``by`` says of what kind each is."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> str | bytes:
        if (renderer_context or {})["response"].exception:
            return bytes(renderers.JSONRenderer().render(data))
        text = io.StringIO()
        rows = list(_rows(data))
        writer = csv.DictWriter(text, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _rows(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, groups in data.items():
        for group in groups if isinstance(groups, list) else []:
            row = {"by": kind}
            for name, value in group.items():
                inner = value if isinstance(value, dict) else {"": value}
                row |= {"_".join(filter(None, (name, k))): v for k, v in inner.items()}
            yield row


class FiguresView(APIView):
    """Times to detect, acknowledge, mitigate and resolve; change failure rate."""

    renderer_classes = [renderers.JSONRenderer, CsvRenderer]
    scope = "issue"
    read_permission = "issues.view_incident"

    @extend_schema(
        examples=[
            OpenApiExample(
                "A share of few, and a spread",
                {
                    "deploys_a_week": 9.5,
                    "all": [
                        {
                            "name": "all",
                            "incidents": 6,
                            "mitigate": {
                                "count": 6,
                                "p50": 240.0,
                                "p90": None,
                                "least": 65.0,
                                "most": 1200.0,
                            },
                            "in_target": {"part": 5, "whole": 6, "share": 0.8333},
                        }
                    ],
                },
                response_only=True,
                media_type="application/json",
            )
        ],
        parameters=[FiguresQuery],
        responses={
            (200, "application/json"): IncidentFiguresSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> Response:
        """The figures of some weeks, as JSON, or as CSV with ``format=csv``."""
        query = FiguresQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        given, now = query.validated_data, timezone.now()
        last = given.get("until") or now.date()
        found = figures_until(last, given["weeks"], now, project=given.get("project"))
        return Response(as_json(found))
