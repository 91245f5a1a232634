"""How a release does: crash-free sessions and users, adoption, error rates."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from releases.exposure import Counts, Source
from releases.figures import (
    PERIODS,
    Health,
    ReleaseFigures,
    environments_of,
    health_of,
    tenant_rates,
)
from releases.models import Environment, Release

RELEASE_ID = OpenApiParameter("release_id", int, OpenApiParameter.PATH)
EXPOSURE_HELP = "What the errors are counted per; none: no denominator is known."
RATE_HELP = "Errors per unit of exposure; null where there is no denominator."
FIGURES = {
    "id": 12,
    "version": "tracking@2.4.0",
    "events": 950,
    "errors": 812,
    "unhandled": 790,
    "exposure": 203000.0,
    "error_rate": 0.004,
    "sessions": 51000,
    "crash_free_sessions": 0.996,
    "users": 20100,
    "crash_free_users": 0.991,
}
HOUR = {
    "hour": "2026-11-23T09:00:00Z",
    "errors": 31,
    "exposure": 8100.0,
    "error_rate": 0.0038,
    "sessions": 2050,
    "crash_free_sessions": 0.997,
}


class HealthQuery(serializers.Serializer[Any]):
    period = serializers.ChoiceField(
        choices=sorted(PERIODS, key=lambda name: PERIODS[name]),
        default="24h",
        help_text="Whole hours up to now, the running one included.",
    )
    environment = serializers.CharField(
        required=False, max_length=64, help_text="Name of one; else all of them."
    )


class TenantsQuery(serializers.Serializer[Any]):
    period = serializers.ChoiceField(
        choices=["1h", "24h"], default="24h", help_text="Up to now, by whole hours."
    )
    environment = serializers.CharField(
        required=False,
        max_length=64,
        help_text="Name; needed where the release runs in several.",
    )


class HourSerializer(serializers.Serializer[Any]):
    hour = serializers.DateTimeField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    exposure = serializers.FloatField()
    error_rate = serializers.FloatField(allow_null=True)
    sessions = serializers.IntegerField()
    crash_free_sessions = serializers.FloatField(allow_null=True)


class FiguresSerializer(serializers.Serializer[Any]):
    """A release in an environment over the period; shares are 0-1."""

    id = serializers.IntegerField()
    version = serializers.CharField()
    events = serializers.IntegerField()
    errors = serializers.IntegerField(  # type: ignore[assignment]
        help_text="Events of level error and fatal."
    )
    unhandled = serializers.IntegerField()
    exposure = serializers.FloatField(help_text="Of the source.")
    error_rate = serializers.FloatField(allow_null=True, help_text=RATE_HELP)
    sessions = serializers.IntegerField()
    crash_free_sessions = serializers.FloatField(
        allow_null=True, help_text="Without those crashed or ended by an unhandled one."
    )
    users = serializers.IntegerField(help_text="By whole days (UTC).")
    crash_free_users = serializers.FloatField(allow_null=True)
    hours = HourSerializer(many=True, help_text="Oldest first.")


class EnvironmentHealthSerializer(serializers.Serializer[Any]):
    environment = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Source.choices, help_text=EXPOSURE_HELP
    )
    adoption = serializers.FloatField(
        allow_null=True,
        help_text="Share of the environment's exposure within the last 24 hours.",
    )
    release = FiguresSerializer()
    previous = FiguresSerializer(
        allow_null=True, help_text="The release that ran there before."
    )


class ReleaseHealthSerializer(serializers.Serializer[Any]):
    period = serializers.CharField()
    environments = EnvironmentHealthSerializer(many=True, help_text="Busiest first.")


class TenantRateSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="tenant.pk")
    key = serializers.CharField(source="tenant.key")
    name = serializers.CharField(source="tenant.name")
    errors = serializers.IntegerField()  # type: ignore[assignment]
    exposure = serializers.FloatField()
    error_rate = serializers.FloatField(allow_null=True, help_text=RATE_HELP)


class TenantRatesSerializer(serializers.Serializer[Any]):
    period = serializers.CharField()
    environment = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Source.choices, help_text=EXPOSURE_HELP
    )
    tenants_hit = serializers.IntegerField()
    tenants = TenantRateSerializer(
        many=True, help_text="Those with most errors first, 100 at most."
    )


def health_answer(healths: list[Health], period: str) -> dict[str, Any]:
    """What ReleaseHealthSerializer describes."""
    return {
        "period": period,
        "environments": [
            {
                "environment": health.environment.name,
                "source": health.source,
                "adoption": health.adoption,
                "release": _figures(health.own),
                "previous": health.previous and _figures(health.previous),
            }
            for health in healths
        ],
    }


def _figures(figures: ReleaseFigures) -> dict[str, Any]:
    source = figures.source
    return {
        "id": figures.release.pk,
        "version": figures.release.version,
        "events": figures.counts.events,
        "unhandled": figures.counts.unhandled,
        **_rates(figures.counts, source),
        "users": figures.users.users,
        "crash_free_users": figures.users.crash_free,
        "hours": [
            {"hour": time, **_rates(counts, source)} for time, counts in figures.hours
        ],
    }


def _rates(counts: Counts, source: str) -> dict[str, Any]:
    return {
        "errors": counts.errors,
        "exposure": counts.exposure(source),
        "error_rate": counts.error_rate(source),
        "sessions": counts.sessions,
        "crash_free_sessions": counts.crash_free,
    }


class ReleaseView(APIView):
    """What both answers share."""

    scope = "release"
    read_permission = "releases.view_release"

    def release(self) -> Release:
        return get_object_or_404(Release, pk=self.kwargs["release_id"])

    def asked(self, query: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The parameters of the request; raises ValidationError for wrong ones."""
        serializer = query(data=self.request.query_params)
        serializer.is_valid(raise_exception=True)
        unknown = sorted(set(self.request.query_params) - set(serializer.fields))
        if unknown:
            offered = ", ".join(serializer.fields)
            message = f"No parameter of this call; there are: {offered}."
            raise ValidationError(dict.fromkeys(unknown, message))
        return dict(serializer.validated_data)


class ReleaseHealthView(ReleaseView):
    @extend_schema(
        parameters=[RELEASE_ID, HealthQuery],
        responses=ReleaseHealthSerializer,
        examples=[
            OpenApiExample(
                "A day in production",
                {
                    "period": "24h",
                    "environments": [
                        {
                            "environment": "production",
                            "source": "traffic",
                            "adoption": 0.97,
                            "release": {**FIGURES, "hours": [HOUR]},
                            "previous": None,
                        }
                    ],
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, release_id: str) -> Response:
        """How a release does in each environment, beside the one before it."""
        asked = self.asked(HealthQuery)
        healths = health_of(
            self.release(),
            PERIODS[asked["period"]],
            timezone.now(),
            asked.get("environment", ""),
        )
        return Response(health_answer(healths, asked["period"]))


class ReleaseTenantsView(ReleaseView):
    @extend_schema(
        parameters=[RELEASE_ID, TenantsQuery],
        responses=TenantRatesSerializer,
    )
    def get(self, request: Request, release_id: str) -> Response:
        """The errors of a release by tenant, per request where those are counted."""
        asked = self.asked(TenantsQuery)
        release = self.release()
        place = _one_of(environments_of(release, asked.get("environment", "")))
        hours = {"1h": 1, "24h": PERIODS["24h"]}[asked["period"]]
        rates = tenant_rates(release.pk, place.pk, hours, timezone.now())
        answer = {
            "period": asked["period"],
            "environment": place.name,
            "source": rates.source,
            "tenants_hit": rates.hit,
            "tenants": rates.rows,
        }
        return Response(TenantRatesSerializer(answer).data)


def _one_of(places: list[Environment]) -> Environment:
    if not places:
        raise ValidationError(
            {"environment": "The release did nothing there within 15 days."}
        )
    if len(places) > 1:
        names = ", ".join(place.name for place in places)
        raise ValidationError({"environment": f"Name one of {names}."})
    return places[0]
