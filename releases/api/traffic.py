"""Requests per minute, as web servers and proxies count them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.fields import (
    LineField,
    environment_field,
    project_field,
    version_field,
)
from releases.models import TrafficMinute
from releases.traffic import Told, take_traffic

MOST_MINUTES = 1000


class MinuteSerializer(serializers.Serializer[Any]):
    """What a source has counted of a minute so far; later posts replace it."""

    minute = serializers.DateTimeField(help_text="Its start, with the offset.")
    environment = environment_field()
    release = version_field(
        allow_blank=True,
        default="",
        help_text="Version. Without it: that of the newest deploy by then.",
    )
    requests = serializers.FloatField()
    tenants = serializers.DictField(
        child=serializers.FloatField(),
        default=dict,
        help_text="Requests by tenant key, a part of requests.",
    )


class TrafficSerializer(serializers.Serializer[Any]):
    project = project_field()
    source = LineField(  # type: ignore[assignment]
        max_length=100, help_text="Who counts, such as the host and process of a proxy."
    )
    minutes = serializers.ListField(
        child=MinuteSerializer(), allow_empty=False, max_length=MOST_MINUTES
    )


class TakenSerializer(serializers.Serializer[Any]):
    minutes = serializers.IntegerField(help_text="How many were counted.")
    unknown_tenants = serializers.IntegerField(
        help_text="Keys that no event and no import has named: not counted by tenant."
    )


class TrafficViewSet(viewsets.GenericViewSet[TrafficMinute]):
    """The denominator of error rates, posted every 10-60 seconds."""

    queryset = TrafficMinute.objects.none()
    serializer_class = TrafficSerializer
    pagination_class = None
    scope = "traffic"
    write_permission = "releases.add_trafficminute"

    @extend_schema(
        responses=TakenSerializer,
        examples=[
            OpenApiExample(
                "A minute of a proxy",
                {
                    "project": "tracking",
                    "source": "proxy-1",
                    "minutes": [
                        {
                            "minute": "2026-11-25T12:00:00Z",
                            "release": "tracking@2.4.0",
                            "requests": 1597,
                            "tenants": {"acme.example": 310, "beta.example": 44},
                        }
                    ],
                },
                request_only=True,
            )
        ],
    )
    def create(self, request: Request) -> Response:
        """Count requests; what the source said of the same minutes is replaced."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        told = [Told(**minute) for minute in given["minutes"]]
        taken = take_traffic(given["project"], given["source"], told, timezone.now())
        return Response(TakenSerializer(taken).data)
