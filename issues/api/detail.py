"""One issue with all that explains it."""

from typing import Any

from rest_framework import serializers

from issues import queries
from issues.api.fields import ActivitySerializer, IssueSerializer
from issues.models import Fingerprint, HitListEntry, Issue, IssueActivity, IssueStats
from tenants.api.fields import name_of

TENANTS_SHOWN = 25
ACTIVITIES_SHOWN = 50


class ScoreSerializer(serializers.ModelSerializer[IssueStats]):
    parts = serializers.DictField(help_text="Every number behind the score.")

    class Meta:
        model = IssueStats
        fields = ["score", "exponent", "parts", "scored_at"]


class FingerprintSerializer(serializers.ModelSerializer[Fingerprint]):
    parts = serializers.ListField(help_text="What the hash was made of.")

    class Meta:
        model = Fingerprint
        fields = ["hash", "version", "reason", "parts", "issue", "first_seen"]


class MergedSerializer(serializers.ModelSerializer[Issue]):
    events = serializers.IntegerField(source="stats.events")

    class Meta:
        model = Issue
        fields = ["id", "title", "events"]


class GroupingSerializer(serializers.Serializer[Any]):
    fingerprints = FingerprintSerializer(many=True)
    merged = MergedSerializer(many=True)


class TenantHitSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="tenant_id")
    key = serializers.CharField()
    name = serializers.CharField()
    plan = serializers.CharField()
    weight = serializers.FloatField()
    monthly_revenue = serializers.DecimalField(12, 2, allow_null=True)
    events = serializers.IntegerField()
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()


class TenantsHitSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    revenue = serializers.DecimalField(
        20, 2, allow_null=True, help_text="Per month, of all tenants hit."
    )
    rows = TenantHitSerializer(many=True, help_text="The heaviest.")


class CurrentHitSerializer(serializers.ModelSerializer[HitListEntry]):
    owner = name_of("username")

    class Meta:
        model = HitListEntry
        fields = ["id", "reason", "owner", "added_at", "added_by", "expires_at"]


class IssuePageSerializer(IssueSerializer):
    """The columns of one issue."""

    merged_into = serializers.PrimaryKeyRelatedField[Issue](
        read_only=True, allow_null=True
    )
    first_release = name_of("version")
    resolution_release = name_of(
        "version",
        help_text="The release with the fix, or the newest when it was resolved.",
    )

    class Meta(IssueSerializer.Meta):
        fields = [
            *(name for name in IssueSerializer.Meta.fields if name != "listed"),
            "value",
            "logger",
            "status_changed",
            "merged_into",
            "first_release",
            "resolution_release",
            "archived_until",
            "archived_until_events",
            "archived_until_tenants",
        ]


class IssueDetailSerializer(IssuePageSerializer):
    """An issue with its score, grouping, tenants and history."""

    hit = CurrentHitSerializer(
        allow_null=True, help_text="Its entry on the hit list, if it stands there."
    )
    impact = ScoreSerializer()
    grouping = GroupingSerializer()
    tenants_hit = TenantsHitSerializer()
    activities = ActivitySerializer(many=True, help_text="The newest 50.")

    class Meta(IssuePageSerializer.Meta):
        fields = [
            *IssuePageSerializer.Meta.fields,
            "hit",
            "impact",
            "grouping",
            "tenants_hit",
            "activities",
        ]


def detail_of(issue: Issue) -> dict[str, Any]:
    """What IssueDetailSerializer describes, from a fixed number of queries."""
    family, merged = queries.family_of(issue)
    fingerprints = Fingerprint.objects.filter(issue__in=family).order_by("pk")
    hit = HitListEntry.objects.filter(issue=issue, removed_at=None)
    entry = hit.select_related("owner").first()
    tenants = queries.tenants_hit(family, "weight", TENANTS_SHOWN)
    activities = IssueActivity.objects.filter(issue=issue)[:ACTIVITIES_SHOWN]
    grouping = {"fingerprints": fingerprints, "merged": merged}
    return {
        **IssuePageSerializer(issue).data,
        "hit": CurrentHitSerializer(entry).data if entry else None,
        "impact": ScoreSerializer(issue.stats).data,
        "grouping": GroupingSerializer(grouping).data,
        "tenants_hit": TenantsHitSerializer(tenants).data,
        "activities": ActivitySerializer(activities, many=True).data,
    }
