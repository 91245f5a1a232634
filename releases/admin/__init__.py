"""The admin pages of deploys; Django's autodiscovery registers them from here.

Those of releases are registered by ``issues.admin.releases``, which adds the issues
that each one brought: this app knows nothing of issues.
"""

from releases.admin import artifacts, deploys, environments, rollbacks, thresholds

__all__ = ["artifacts", "deploys", "environments", "rollbacks", "thresholds"]
