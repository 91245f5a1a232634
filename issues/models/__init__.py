from issues.models.alert import Alert
from issues.models.alert_rule import AlertRule
from issues.models.attachment import Attachment
from issues.models.counters import (
    DetailMinute,
    IssueHour,
    IssueMinute,
    IssueTag,
    IssueTenant,
    IssueUser,
    ScoreHour,
)
from issues.models.event import Event
from issues.models.feedback import Feedback
from issues.models.hitlist import HitListEntry, HitRule
from issues.models.inbox import (
    DeadLetter,
    DigestRun,
    InboxEnvelope,
    IngestLagMinute,
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
from issues.models.issue import Fingerprint, Issue, IssueStats
from issues.models.monitor import (
    CheckIn,
    CheckInStatus,
    Monitor,
    MonitorClock,
    MonitorEnvironment,
)
from issues.models.report import WeeklyReport
from issues.models.rules import FingerprintRule, PathRule
from issues.models.waiting import WaitingEvent
from issues.models.workflow import IssueActivity
from issues.models.writer import InboxWriter
from tenants.levels import Level

__all__ = [
    "Alert",
    "AlertRule",
    "Attachment",
    "CheckIn",
    "CheckInStatus",
    "DeadLetter",
    "DetailMinute",
    "DigestRun",
    "EscalationStep",
    "Event",
    "Feedback",
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
    "IngestLagMinute",
    "Issue",
    "IssueActivity",
    "IssueHour",
    "IssueMinute",
    "IssueStats",
    "IssueTag",
    "IssueTenant",
    "IssueUser",
    "Level",
    "Monitor",
    "MonitorClock",
    "MonitorEnvironment",
    "Outcome",
    "PathRule",
    "ScoreHour",
    "SeenEvent",
    "WaitingEvent",
    "WeeklyReport",
    "Severity",
]
