"""Every URL on one screen. Ingest paths never arrive here: see asgi.py."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views import defaults
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from issues.api.events import EventViewSet, IssueEventViewSet
from issues.api.hits import HitListViewSet
from issues.api.inbox import DeadLetterViewSet, OutcomeViewSet
from issues.api.incident_policies import IncidentPolicyViewSet
from issues.api.incidents import IncidentViewSet
from issues.api.issues import IssueViewSet, TenantIssueViewSet
from issues.api.rules import FingerprintRuleViewSet, HitRuleViewSet, PathRuleViewSet
from releases.api.commits import ReleaseCommitViewSet
from releases.api.deploys import DeployViewSet, EvaluationViewSet
from releases.api.health import ReleaseHealthView, ReleaseTenantsView
from releases.api.releases import EnvironmentViewSet, ReleaseViewSet
from releases.api.rollbacks import (
    DeployRollbackViewSet,
    RollbackTargetViewSet,
    RollbackViewSet,
)
from releases.api.thresholds import ThresholdViewSet
from releases.api.traffic import TrafficViewSet
from releases.api.verdict import VerdictView, rush_gate_file
from releases.sentry_api.base import no_such_path
from releases.sentry_api.deploys import DeploysView
from releases.sentry_api.organization import (
    InfoView,
    OrganizationsView,
    ProjectsView,
    RepositoriesView,
)
from releases.sentry_api.releases import (
    CommitsView,
    PreviousView,
    ProjectReleasesView,
    ReleasesView,
    ReleaseView,
)
from tenants import problems
from tenants.api.audit import AuditEntryViewSet
from tenants.api.projects import ProjectKeyViewSet, ProjectViewSet
from tenants.api.tenants import PlanViewSet, TenantViewSet
from tenants.api.tokens import TokenViewSet

api = SimpleRouter()
api.trailing_slash = "/?"
api.register("projects", ProjectViewSet, "project")
api.register("keys", ProjectKeyViewSet, "key")
api.register("plans", PlanViewSet, "plan")
api.register("tenants", TenantViewSet, "tenant")
api.register(
    r"tenants/(?P<tenant_id>\d{1,18})/issues", TenantIssueViewSet, "tenant-issue"
)
api.register("tokens", TokenViewSet, "token")
api.register("audit", AuditEntryViewSet, "audit")
api.register("releases", ReleaseViewSet, "release")
api.register("environments", EnvironmentViewSet, "environment")
api.register("deploys", DeployViewSet, "deploy")
api.register(
    r"deploys/(?P<deploy_id>\d{1,18})/evaluations", EvaluationViewSet, "evaluation"
)
api.register("traffic", TrafficViewSet, "traffic")
api.register("rollback-targets", RollbackTargetViewSet, "rollback-target")
api.register("rollbacks", RollbackViewSet, "rollback")
api.register("thresholds", ThresholdViewSet, "threshold")
api.register("issues", IssueViewSet, "issue")
api.register(r"issues/(?P<issue_id>[\w-]+)/events", IssueEventViewSet, "issue-event")
api.register("events", EventViewSet, "event")
api.register("hit-list", HitListViewSet, "hit")
api.register("incidents", IncidentViewSet, "incident")
api.register("incident-policies", IncidentPolicyViewSet, "incident-policy")
api.register("hit-rules", HitRuleViewSet, "hit-rule")
api.register("path-rules", PathRuleViewSet, "path-rule")
api.register("fingerprint-rules", FingerprintRuleViewSet, "fingerprint-rule")
api.register("dead-letters", DeadLetterViewSet, "dead-letter")
api.register("outcomes", OutcomeViewSet, "outcome")

# What sentry-cli calls. A version may hold anything, slashes too.
ORGANIZATION = "organizations/(?P<organization>[^/]+)"
RELEASE = f"{ORGANIZATION}/releases/(?P<version>.+?)"
sentry = [
    re_path("^$", InfoView.as_view()),
    re_path("^organizations/?$", OrganizationsView.as_view()),
    re_path(f"^{ORGANIZATION}/projects/?$", ProjectsView.as_view()),
    re_path(f"^{ORGANIZATION}/repos/?$", RepositoriesView.as_view()),
    re_path(f"^{ORGANIZATION}/releases/?$", ReleasesView.as_view()),
    re_path(f"^{RELEASE}/commits/?$", CommitsView.as_view()),
    re_path(f"^{RELEASE}/previous-with-commits/?$", PreviousView.as_view()),
    re_path(f"^{RELEASE}/deploys/?$", DeploysView.as_view()),
    re_path(f"^{RELEASE}/?$", ReleaseView.as_view()),
    re_path(
        "^projects/(?P<organization>[^/]+)/(?P<project>[^/]+)/releases/?$",
        ProjectReleasesView.as_view(),
    ),
    re_path("", no_such_path),
]
health = r"^api/v1/releases/(?P<release_id>\d{1,18})/health"

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(
        r"^api/v1/releases/(?P<release_id>\d{1,18})/commits/?$",
        ReleaseCommitViewSet.as_view({"get": "list", "put": "update"}),
    ),
    re_path(
        r"^api/v1/deploys/(?P<deploy_id>\d{1,18})/verdict/?$",
        VerdictView.as_view(),
        name="deploy-verdict",
    ),
    re_path(
        r"^api/v1/deploys/(?P<deploy_id>\d{1,18})/rollback/?$",
        DeployRollbackViewSet.as_view(
            {"get": "retrieve", "post": "create"}, detail=True
        ),
        name="deploy-rollback",
    ),
    path("api/v1/", include(api.urls)),
    re_path(rf"{health}/?$", ReleaseHealthView.as_view()),
    re_path(rf"{health}/tenants/?$", ReleaseTenantsView.as_view()),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/v1/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"
    ),
    path("api/0/", include(sentry)),
    re_path(r"^api/", problems.no_such_path),
    path("rush-gate.py", rush_gate_file, name="rush-gate"),
]


def handler500(request: HttpRequest) -> HttpResponse:
    """Programs get a problem document, people a page."""
    if request.path_info.startswith("/api/"):
        return problems.our_fault(request)
    return defaults.server_error(request)
