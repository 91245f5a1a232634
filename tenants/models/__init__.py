from tenants.models.audit import AuditEntry
from tenants.models.blob import Blob
from tenants.models.project import KeyMinute, Project, ProjectKey
from tenants.models.scrubbing import ScrubRule
from tenants.models.tenant import Plan, Tenant
from tenants.models.token import ApiToken

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Blob",
    "KeyMinute",
    "Plan",
    "Project",
    "ProjectKey",
    "ScrubRule",
    "Tenant",
]
