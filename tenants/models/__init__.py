from tenants.models.audit import AuditEntry
from tenants.models.blob import Blob
from tenants.models.channel import Channel, Delivery
from tenants.models.detail import DetailRule
from tenants.models.inbound import Filter, InboundFilters
from tenants.models.project import KeyMinute, Project, ProjectKey
from tenants.models.scrubbing import ScrubRule
from tenants.models.slack import SlackAccount, SlackPress
from tenants.models.source import SourceRepository
from tenants.models.tenant import Plan, Tenant
from tenants.models.token import ApiToken

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Blob",
    "Filter",
    "InboundFilters",
    "DetailRule",
    "Channel",
    "Delivery",
    "KeyMinute",
    "Plan",
    "Project",
    "ProjectKey",
    "SlackAccount",
    "SlackPress",
    "SourceRepository",
    "ScrubRule",
    "Tenant",
]
