from issues.models.counters import (
    IssueHour,
    IssueMinute,
    IssueTag,
    IssueTenant,
    IssueUser,
)
from issues.models.event import Event
from issues.models.hitlist import HitListEntry, HitRule
from issues.models.inbox import (
    DeadLetter,
    DigestRun,
    InboxEnvelope,
    Outcome,
    SeenEvent,
)
from issues.models.incident import (
    EscalationStep,
    Incident,
    IncidentEntry,
    IncidentIssue,
    IncidentPolicy,
    Severity,
)
from issues.models.issue import Fingerprint, Issue, IssueStats, Level
from issues.models.rules import FingerprintRule, PathRule
from issues.models.workflow import IssueActivity
from issues.models.writer import InboxWriter

__all__ = [
    "DeadLetter",
    "DigestRun",
    "EscalationStep",
    "Event",
    "Fingerprint",
    "FingerprintRule",
    "HitListEntry",
    "HitRule",
    "Incident",
    "IncidentEntry",
    "IncidentIssue",
    "IncidentPolicy",
    "InboxEnvelope",
    "InboxWriter",
    "Issue",
    "IssueActivity",
    "IssueHour",
    "IssueMinute",
    "IssueStats",
    "IssueTag",
    "IssueTenant",
    "IssueUser",
    "Level",
    "Outcome",
    "PathRule",
    "SeenEvent",
    "Severity",
]
