from releases.models.artifact import Artifact, ArtifactBundle, StoredFile
from releases.models.deploy import Deploy, Evaluation, Watch
from releases.models.health import (
    Calibration,
    ReleaseMinute,
    ReleaseNetwork,
    ReleaseUser,
    SessionState,
    TenantMinute,
    TrafficMinute,
)
from releases.models.release import Commit, Environment, Release
from releases.models.rollback import Rollback, RollbackAttempt, RollbackTarget
from releases.models.threshold import Action, Threshold

__all__ = [
    "Action",
    "Artifact",
    "ArtifactBundle",
    "Calibration",
    "Commit",
    "Deploy",
    "Environment",
    "Evaluation",
    "Release",
    "ReleaseMinute",
    "ReleaseNetwork",
    "ReleaseUser",
    "Rollback",
    "RollbackAttempt",
    "RollbackTarget",
    "SessionState",
    "StoredFile",
    "TenantMinute",
    "Threshold",
    "TrafficMinute",
    "Watch",
]
