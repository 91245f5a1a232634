"""The four roles, as Django groups. Each may do what the one before it may."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

VIEWER = Q(codename__startswith="view_") & ~Q(
    content_type__model__in=["apitoken", "user", "group", "permission"]
)
RESPONDER = Q(
    content_type__app_label="issues",
    codename__in=[
        "change_issue",
        "change_monitor",
        "download_attachment",
        "add_hitlistentry",
        "change_hitlistentry",
        "delete_hitlistentry",
        "add_incident",
        "change_incident",
    ],
) | Q(content_type__app_label="releases", codename="add_rollback")
MAINTAINER = Q(
    content_type__app_label__in=["issues", "releases", "tenants"],
    content_type__model__in=[
        "alertrule",
        "artifactbundle",
        "attachment",
        "channel",
        "deadletter",
        "delivery",
        "deploy",
        "detailrule",
        "escalationstep",
        "feedback",
        "fingerprintrule",
        "hitrule",
        "inboundfilters",
        "incidentpolicy",
        "monitor",
        "pathrule",
        "plan",
        "project",
        "projectkey",
        "release",
        "rollbacktarget",
        "sourcerepository",
        "scrubrule",
        "tenant",
        "threshold",
        "weeklyreport",
    ],
)
OWNER = Q(content_type__app_label__in=["issues", "releases", "tenants", "auth"])

ROLES = {
    "viewer": VIEWER,
    "responder": VIEWER | RESPONDER,
    "maintainer": VIEWER | RESPONDER | MAINTAINER,
    "owner": VIEWER | RESPONDER | MAINTAINER | OWNER,
}


def ensure_roles() -> None:
    """Make the groups, or bring their permissions up to date."""
    for name, rule in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(Permission.objects.filter(rule))
