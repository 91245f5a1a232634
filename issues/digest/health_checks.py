"""Whether a transaction is a probe that asks if the service lives.

Probes come every few seconds from each load balancer and never fail for long: among
the requests of an error rate they make it look lower, most so in a deploy.
"""

import re
from functools import lru_cache

# Words that name nothing else, wherever they stand.
_ANYWHERE = "health[_-]?check|healthz|livez|readyz"
# Words that could name a shop's page: only near the root, behind words of operations.
_WORDS = (
    "_?health|healthy|live|liveness|liveliness|ready|readiness|_?ping|up|_?alive"
    "|startupz?|_*(?:lb)?heartbeat_*|_ah/health|health/(?:live|liveness|ready|readiness|startup)"
)
_BEHIND = (
    "api|rest|app|internal|system|actuator|management|manage|admin|monitor|monitoring"
    r"|status|service|public|_|-|v\d{1,2}"
)
_PROBE = re.compile(
    rf"(?:(?:get|head|post|options) )?/?(?:(?:{_BEHIND})/)*(?:{_WORDS})/?\$?"
)
_NAMED = re.compile(_ANYWHERE)
# The controller of Rails.
_CLASSES = frozenset({"rails::healthcontroller#show"})


@lru_cache(maxsize=4096)
def is_health_check(name: str) -> bool:
    """``name`` is that of a server's transaction, such as "GET /healthz" or "ping"."""
    lowered = name.lower()
    return bool(
        _NAMED.search(lowered) or _PROBE.fullmatch(lowered) or lowered in _CLASSES
    )
