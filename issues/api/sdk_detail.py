"""What an SDK's wrapper asks before it sends: the detail rules that concern it.

The DSN is public, so the answer names no tenant, plan, project or rule: who asks tells
its tenant, release and environment, and gets the conditions that are left.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import authentication, exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issues.ingest.auth import AuthError, public_key
from issues.ingest.keys import Origins, page_origin
from releases.seen import first_seen
from tenants.api.filters import project_named
from tenants.auth import ScopePermission, TokenAuthentication
from tenants.detail import BUILT_IN, DETAILS, Facts, Rule, concerns
from tenants.levels import Level
from tenants.models import DetailRule, Project, ProjectKey, Tenant
from tenants.names import tenant_key

MAX_AGE = 300  # seconds that a wrapper keeps the answer


class PublicKeyAuthentication(authentication.BaseAuthentication):
    """The DSN's public key, where SDKs put it; who gives none is left to the next."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ProjectKey] | None:
        told = [request.headers.get(n) for n in ("X-Sentry-Auth", "Authorization")]
        query = request.META.get("QUERY_STRING", "")
        try:
            auth, authorization = (text and text.encode() for text in told)
            found = public_key(auth or None, authorization or None, query.encode())
        except AuthError as error:
            raise exceptions.AuthenticationFailed(str(error)) from error
        if found is None:
            return None
        keys = ProjectKey.objects.select_related("project")
        key = keys.filter(public_key=found, is_active=True).first()
        if key is None:
            raise exceptions.AuthenticationFailed(
                "No active key is called so. Copy the DSN from the project's page."
            )
        _check_origin(request, key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="rush_monitor"'


def _check_origin(request: Request, key: ProjectKey) -> None:
    headers = request.headers
    origin = page_origin(headers.get("Origin", ""), headers.get("Referer", ""))
    if not Origins(key.allowed_origins).allow(origin):
        raise exceptions.PermissionDenied(
            f"{origin[:255] or 'A client without Origin'} may not use this key."
        )


class PublicKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Registers itself when this module is imported."""

    target_class = PublicKeyAuthentication
    name = "dsn"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "query",
            "name": "sentry_key",
            "description": "The public key of a DSN.",
        }


class KeyOrScope(ScopePermission):
    """A DSN's key, or what every other call wants."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ProjectKey):
            return True
        return super().has_permission(request, view)


class SdkRuleSerializer(serializers.Serializer[Any]):
    min_level = serializers.ChoiceField(choices=Level.labels)
    max_level = serializers.ChoiceField(choices=Level.labels)
    tag = serializers.CharField(help_text='"": whatever its tags.')
    value = serializers.CharField(help_text='Of the tag, * for anything; "": any.')
    detail = serializers.ChoiceField(choices=DETAILS)


class SdkDetailSerializer(serializers.Serializer[Any]):
    """The first rule that matches an event says how much of it is kept."""

    max_age = serializers.IntegerField(help_text="Seconds to go by this answer.")
    tenant_tags = serializers.ListField(
        child=serializers.CharField(), help_text="The first found names the tenant."
    )
    by_tenant = serializers.BooleanField(
        help_text="Whether another tenant might get another answer."
    )
    rules = SdkRuleSerializer(many=True)


EXAMPLE = OpenApiExample(
    "Previews of a template are cut to frames",
    {
        "max_age": MAX_AGE,
        "tenant_tags": ["shop"],
        "by_tenant": False,
        "rules": [
            {
                "min_level": "debug",
                "max_level": "fatal",
                "tag": "template",
                "value": "preview-*",
                "detail": "minimal",
            },
            {
                "min_level": "debug",
                "max_level": "fatal",
                "tag": "",
                "value": "",
                "detail": "full",
            },
        ],
    },
    response_only=True,
)


def _parameter(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, description=description)


class SdkDetailView(APIView):
    """The detail rules as one sender meets them, small and to be cached."""

    http_method_names = ["get", "head"]
    authentication_classes = [
        PublicKeyAuthentication,
        TokenAuthentication,
        authentication.SessionAuthentication,
    ]
    permission_classes = [KeyOrScope]
    scope = "project"
    read_permission = "tenants.view_detailrule"

    @extend_schema(
        operation_id="detail_retrieve",
        responses=SdkDetailSerializer,
        examples=[EXAMPLE],
        parameters=[
            _parameter("project", "Slug or id; a DSN's key tells it."),
            _parameter("tenant", "Key of the tenant that the events are about."),
            _parameter("release", "Version that sends."),
            _parameter("environment", "Where it runs."),
        ],
    )
    def get(self, request: Request) -> Response:
        """How much of an event would be kept, for a wrapper that cuts before it sends.

        Share and cap of the rules are missing: each event must be sent to be counted.
        """
        project = _project(request)
        told = _answer(project, request.query_params)
        etag = f'"{blake2b(repr(told).encode(), digest_size=12).hexdigest()}"'
        headers = {"ETag": etag, "Cache-Control": f"max-age={MAX_AGE}"}
        known = request.headers.get("If-None-Match", "")
        if etag in (part.strip().removeprefix("W/") for part in known.split(",")):
            response = Response(status=304, headers=headers)
        else:
            response = Response(told, headers=headers)
        if isinstance(request.auth, ProjectKey):
            _allow_pages(response, request, request.auth)
        return response


def _allow_pages(response: Response, request: Request, key: ProjectKey) -> None:
    """Let scripts of the pages that may send read the answer."""
    origin = request.headers.get("Origin")
    if Origins(key.allowed_origins).any:
        response["Access-Control-Allow-Origin"] = "*"
    elif origin:
        response["Access-Control-Allow-Origin"] = origin
    patch_vary_headers(response, ["Origin"])


def _project(request: Request) -> Project:
    if isinstance(request.auth, ProjectKey):
        return request.auth.project
    name = request.query_params.get("project", "")
    if not name:
        raise exceptions.ValidationError({"project": "Name the project."})
    return project_named(name)


def _answer(project: Project, asked: Any) -> dict[str, Any]:
    """The shape of SdkDetailSerializer."""
    rules = [
        row.rule()
        for row in DetailRule.objects.filter(is_active=True)
        if row.project_id in (None, project.pk)
    ]
    facts = Facts(
        level=0,
        environment=asked.get("environment", "").strip() or "production",
        tenant=tenant_key(asked.get("tenant", "")),
        release_age=_age(project, asked.get("release", "").strip(), rules),
    )
    if facts.tenant and any(rule.plan_id is not None for rule in rules):
        facts.plan_id = _plan_of(facts.tenant)
    return {
        "max_age": MAX_AGE,
        "tenant_tags": list(project.tenant_tags),
        "by_tenant": any(rule.tenant or rule.plan_id is not None for rule in rules),
        "rules": [
            {
                "min_level": Level(max(rule.min_level, Level.DEBUG)).label,
                "max_level": Level(min(rule.max_level, Level.FATAL)).label,
                "tag": rule.tag_key,
                "value": rule.tag_value,
                "detail": rule.detail.value,
            }
            for rule in _up_to_catch_all([*rules, *BUILT_IN], facts)
        ],
    }


def _plan_of(tenant: str) -> int | None:
    found = Tenant.objects.filter(key=tenant).values_list("plan", flat=True)
    return found.first()


def _age(project: Project, version: str, rules: Iterable[Rule]) -> float | None:
    if not version or "\0" in version or not any(r.asks_release_age for r in rules):
        return None
    first = first_seen(project.pk, version[:250])
    since = (timezone.now() - first).total_seconds() if first else 0.0
    return max(since, 0.0)


def _up_to_catch_all(rules: Iterable[Rule], facts: Facts) -> list[Rule]:
    """The rules that concern the sender, but none behind one that catches every event:
    that would never be reached.
    """
    told = []
    for rule in rules:
        if not concerns(rule, facts):
            continue
        told.append(rule)
        whole = rule.min_level <= Level.DEBUG and rule.max_level >= Level.FATAL
        if whole and not rule.tag_key:
            break
    return told
