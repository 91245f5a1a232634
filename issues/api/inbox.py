"""What did not become an event: dead letters, and counts of what was not stored."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues.deadletters import digest_again
from issues.letter_contents import contents_of
from issues.models import DeadLetter, Outcome
from issues.outcome_words import explained
from tenants.api.filters import ProjectFilter, StrictFilterBackend, TimeFilter
from tenants.audit import Actor

MOST_OUTCOMES = 500
UNTOLD = timedelta(hours=24)


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    class Meta:
        model = DeadLetter
        fields = [
            "id",
            "project_id",
            "key_id",
            "kind",
            "received",
            "failed_at",
            "attempts",
            "size",
            "error",
        ]


class PartSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    text = serializers.CharField(
        help_text="JSON scrubbed by the project's rules; of what is no JSON the shape, "
        "x for each letter and 0 for each digit."
    )


class SenderSerializer(serializers.Serializer[Any]):
    remote_addr = serializers.CharField()
    user_agent = serializers.CharField()
    origin = serializers.CharField()
    query = serializers.CharField()


class ContentsSerializer(serializers.Serializer[Any]):
    """What may be shown of an envelope that was never scrubbed."""

    sender = SenderSerializer()
    parts = PartSerializer(many=True)
    problem = serializers.CharField(help_text="Why there is less to show.")


class DeadLetterDetailSerializer(DeadLetterSerializer):
    contents = serializers.SerializerMethodField()

    class Meta(DeadLetterSerializer.Meta):
        fields = [*DeadLetterSerializer.Meta.fields, "traceback", "contents"]

    @extend_schema_field(ContentsSerializer)
    def get_contents(self, letter: DeadLetter) -> Any:
        return ContentsSerializer(contents_of(letter)).data


class LettersSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1), allow_empty=False, max_length=1000
    )


class MovedSerializer(serializers.Serializer[Any]):
    moved = serializers.IntegerField(help_text="How many went back to the inbox.")


class DeadLetterFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter("project_id")
    failed_after = TimeFilter("failed_at", lookup_expr="gte")
    failed_before = TimeFilter("failed_at", lookup_expr="lt")


class DeadLetterViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[DeadLetter],
):
    """Envelopes that digest could not read, newest first."""

    queryset = DeadLetter.objects.all()
    serializer_class = DeadLetterSerializer
    filterset_class = DeadLetterFilters
    scope = "project"
    read_permission = "issues.view_deadletter"
    write_permission = "issues.change_deadletter"

    def get_queryset(self) -> QuerySet[DeadLetter]:
        letters = DeadLetter.objects.all()
        return letters if self.detail else letters.defer("body", "traceback")

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return DeadLetterDetailSerializer if self.detail else DeadLetterSerializer

    @extend_schema(
        request=LettersSerializer,
        responses=MovedSerializer,
        filters=False,
        examples=[OpenApiExample("Three", {"ids": [1, 2, 3]}, request_only=True)],
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="digest-again",
        pagination_class=None,
        filterset_class=None,
    )
    def digest_again(self, request: Request) -> Response:
        """Put letters back into the inbox; what fails again comes back."""
        serializer = LettersSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        moved = digest_again(serializer.validated_data["ids"], Actor.of(request))
        return Response({"moved": moved})


class OutcomeSerializer(serializers.Serializer[Any]):
    project_id = serializers.IntegerField()
    key_id = serializers.IntegerField()
    category = serializers.CharField(help_text="Such as error or transaction.")
    reason = serializers.CharField(help_text="Such as duplicate or rate_limit.")
    quantity = serializers.IntegerField()
    explanation = serializers.SerializerMethodField(
        help_text="The reason in words; empty for one that nobody has described."
    )

    def get_explanation(self, row: Mapping[str, Any]) -> str:
        return explained(row["reason"])


class OutcomeFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter("project_id")
    key = filters.NumberFilter(field_name="key_id")
    category = filters.CharFilter()
    reason = filters.CharFilter()
    after = TimeFilter(
        "minute", lookup_expr="gte", help_text="Without it: 24 hours ago."
    )
    before = TimeFilter("minute", lookup_expr="lt")


class OutcomeViewSet(viewsets.GenericViewSet[Outcome]):
    """What was refused, discarded or dropped by clients, summed over a time."""

    queryset = Outcome.objects.all()
    serializer_class = OutcomeSerializer
    filterset_class = OutcomeFilters
    filter_backends = [StrictFilterBackend]
    pagination_class = None
    scope = "project"
    read_permission = "issues.view_outcome"

    @extend_schema(responses=OutcomeSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Sums by project, key, category and reason; the 500 largest."""
        outcomes = self.filter_queryset(self.get_queryset())
        if not request.query_params.get("after"):
            outcomes = outcomes.filter(minute__gte=timezone.now() - UNTOLD)
        sums = (
            outcomes.values("project_id", "key_id", "category", "reason")
            .annotate(quantity=Sum("quantity"))
            .order_by("-quantity", "project_id", "key_id", "category", "reason")
        )
        return Response(OutcomeSerializer(sums[:MOST_OUTCOMES], many=True).data)
