from releases.models.health import ReleaseMinute, SessionState, TenantMinute
from releases.models.release import Environment, Release

__all__ = ["Environment", "Release", "ReleaseMinute", "SessionState", "TenantMinute"]
