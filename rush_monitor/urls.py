"""Every URL on one screen. Ingest paths never arrive here: see asgi.py."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views import defaults
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from issues.api.alert_rules import AlertRuleViewSet
from issues.api.alerts import AlertViewSet
from issues.api.attachments import AttachmentViewSet
from issues.api.detail_rules import DetailRuleViewSet
from issues.api.events import EventViewSet, IssueEventViewSet
from issues.api.feedback import FeedbackViewSet
from issues.api.figures import FiguresView
from issues.api.hits import HitListViewSet
from issues.api.inbound_filters import InboundFiltersViewSet
from issues.api.inbox import DeadLetterViewSet, OutcomeViewSet
from issues.api.incident_policies import IncidentPolicyViewSet
from issues.api.incidents import IncidentViewSet
from issues.api.issues import IssueViewSet, TenantIssueViewSet
from issues.api.monitors import CheckInViewSet, MonitorViewSet
from issues.api.rules import FingerprintRuleViewSet, HitRuleViewSet, PathRuleViewSet
from issues.api.scrub_rules import ScrubRuleViewSet
from issues.api.sdk_detail import SdkDetailView
from issues.api.sentry_monitors import MonitorsView
from issues.api.setup import ProjectSetupView, ProjectTestEventView
from issues.api.slack_actions import slack_actions
from issues.api.weekly_reports import WeeklyReportViewSet
from releases.api.artifacts import ArtifactBundleViewSet, ArtifactViewSet
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
from releases.sentry_api.artifacts import (
    AssembleView,
    ChunkUploadView,
    DebugFilesView,
    OldDebugFilesView,
)
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
from tenants.api.channels import ChannelViewSet, DeliveryViewSet
from tenants.api.projects import ProjectKeyViewSet, ProjectViewSet
from tenants.api.slack_accounts import SlackAccountViewSet
from tenants.api.sources import SourceRepositoryViewSet
from tenants.api.tenants import PlanViewSet, TenantViewSet
from tenants.api.tokens import TokenViewSet

api = SimpleRouter()
api.trailing_slash = "/?"
api.register("projects", ProjectViewSet, "project")
api.register("keys", ProjectKeyViewSet, "key")
api.register("source-repositories", SourceRepositoryViewSet, "source-repository")
api.register("plans", PlanViewSet, "plan")
api.register("tenants", TenantViewSet, "tenant")
api.register(
    r"tenants/(?P<tenant_id>\d{1,18})/issues", TenantIssueViewSet, "tenant-issue"
)
api.register("tokens", TokenViewSet, "token")
api.register("audit", AuditEntryViewSet, "audit")
api.register("channels", ChannelViewSet, "channel")
api.register("slack-accounts", SlackAccountViewSet, "slack-account")
api.register("deliveries", DeliveryViewSet, "delivery")
api.register("releases", ReleaseViewSet, "release")
api.register("artifact-bundles", ArtifactBundleViewSet, "artifact-bundle")
api.register(
    r"artifact-bundles/(?P<bundle_id>\d{1,18})/files", ArtifactViewSet, "artifact"
)
api.register("environments", EnvironmentViewSet, "environment")
api.register("deploys", DeployViewSet, "deploy")
api.register(
    r"deploys/(?P<deploy_id>\d{1,18})/evaluations", EvaluationViewSet, "evaluation"
)
api.register("traffic", TrafficViewSet, "traffic")
api.register("rollback-targets", RollbackTargetViewSet, "rollback-target")
api.register("rollbacks", RollbackViewSet, "rollback")
api.register("thresholds", ThresholdViewSet, "threshold")
api.register("monitors", MonitorViewSet, "monitor")
api.register(r"monitors/(?P<monitor_id>\d{1,18})/check-ins", CheckInViewSet, "check-in")
api.register("attachments", AttachmentViewSet, "attachment")
api.register("feedback", FeedbackViewSet, "feedback")
api.register("issues", IssueViewSet, "issue")
api.register(r"issues/(?P<issue_id>[\w-]+)/events", IssueEventViewSet, "issue-event")
api.register("events", EventViewSet, "event")
api.register("hit-list", HitListViewSet, "hit")
api.register("incidents", IncidentViewSet, "incident")
api.register("incident-policies", IncidentPolicyViewSet, "incident-policy")
api.register("alert-rules", AlertRuleViewSet, "alert-rule")
api.register("alerts", AlertViewSet, "alert")
api.register("weekly-reports", WeeklyReportViewSet, "weekly-report")
api.register("hit-rules", HitRuleViewSet, "hit-rule")
api.register("path-rules", PathRuleViewSet, "path-rule")
api.register("fingerprint-rules", FingerprintRuleViewSet, "fingerprint-rule")
api.register("detail-rules", DetailRuleViewSet, "detail-rule")
api.register("scrub-rules", ScrubRuleViewSet, "scrub-rule")
api.register("dead-letters", DeadLetterViewSet, "dead-letter")
api.register("outcomes", OutcomeViewSet, "outcome")

# What sentry-cli calls. A version may hold anything, slashes too.
ORGANIZATION = "organizations/(?P<organization>[^/]+)"
PROJECT = "projects/(?P<organization>[^/]+)/(?P<project>[^/]+)"
RELEASE = f"{ORGANIZATION}/releases/(?P<version>.+?)"
sentry = [
    re_path("^$", InfoView.as_view()),
    re_path("^organizations/?$", OrganizationsView.as_view()),
    re_path(f"^{ORGANIZATION}/projects/?$", ProjectsView.as_view()),
    re_path(f"^{ORGANIZATION}/repos/?$", RepositoriesView.as_view()),
    re_path(f"^{ORGANIZATION}/monitors/?$", MonitorsView.as_view()),
    re_path(f"^{ORGANIZATION}/chunk-upload/?$", ChunkUploadView.as_view()),
    re_path(f"^{ORGANIZATION}/artifactbundle/assemble/?$", AssembleView.as_view()),
    re_path(f"^{ORGANIZATION}/releases/?$", ReleasesView.as_view()),
    re_path(f"^{RELEASE}/assemble/?$", AssembleView.as_view()),
    re_path(f"^{RELEASE}/commits/?$", CommitsView.as_view()),
    re_path(f"^{RELEASE}/previous-with-commits/?$", PreviousView.as_view()),
    re_path(f"^{RELEASE}/deploys/?$", DeploysView.as_view()),
    re_path(f"^{RELEASE}/?$", ReleaseView.as_view()),
    re_path(f"^{PROJECT}/releases/?$", ProjectReleasesView.as_view()),
    re_path(f"^{PROJECT}/files/difs/assemble/?$", DebugFilesView.as_view()),
    re_path(f"^{PROJECT}/files/dsyms/", OldDebugFilesView.as_view()),
    re_path("", no_such_path),
]
filters = r"^api/v1/projects/(?P<project_id>\d{1,18})/filters"
project = r"^api/v1/projects/(?P<project_id>\d{1,18})"
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
    re_path(
        rf"{filters}/?$",
        InboundFiltersViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update"}, detail=True
        ),
        name="project-filters",
    ),
    re_path(
        rf"{filters}/preview/?$",
        InboundFiltersViewSet.as_view({"post": "preview"}, detail=True),
        name="project-filters-preview",
    ),
    re_path(r"^api/v1/detail/?$", SdkDetailView.as_view(), name="sdk-detail"),
    path("api/v1/", include(api.urls)),
    re_path(rf"{project}/setup/?$", ProjectSetupView.as_view()),
    re_path(rf"{project}/test-event/?$", ProjectTestEventView.as_view()),
    re_path(rf"{health}/?$", ReleaseHealthView.as_view()),
    re_path(rf"{health}/tenants/?$", ReleaseTenantsView.as_view()),
    re_path(r"^api/v1/figures/?$", FiguresView.as_view(), name="figures"),
    re_path(r"^api/v1/slack/actions/?$", slack_actions, name="slack-actions"),
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
