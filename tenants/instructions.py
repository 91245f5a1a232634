"""How to send to a project: its DSN, and what to paste, for one of its keys."""

from dataclasses import dataclass

from django.conf import settings

from tenants.models import Project, ProjectKey
from tenants.snippets import Facts, Platform, Step, ci, platforms


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a page or a script is told, with the key that stands in the DSN."""

    key: ProjectKey
    facts: Facts
    platforms: list[Platform]
    ci: list[Step]


def active_keys(project: Project) -> list[ProjectKey]:
    """The keys that may send, the oldest first."""
    keys = project.keys.filter(is_active=True).select_related("project")
    return list(keys.order_by("pk"))


def instructions_for(key: ProjectKey) -> Instructions:
    """The texts for the project of this key; no query if the project is at hand."""
    facts = Facts(
        base_url=settings.BASE_URL,
        organization=settings.ORGANIZATION_SLUG,
        project_id=key.project_id,
        slug=key.project.slug,
        public_key=key.public_key,
        dsn=key.dsn(settings.BASE_URL),
        tag=key.project.tenant_tags[0] if key.project.tenant_tags else "tenant",
    )
    return Instructions(key, facts, platforms(facts), ci(facts))
