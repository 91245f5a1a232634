"""What to paste into a program or a pipeline so that it reports to a project."""

import json
from urllib.parse import urlsplit

from tenants.snippets.javascript import BROWSER, NODE
from tenants.snippets.php import PHP
from tenants.snippets.python import DJANGO, PYTHON
from tenants.snippets.ruby import RUBY
from tenants.snippets.shell import CI, CURL
from tenants.snippets.values import Facts, Platform, Step, filled

__all__ = ["ENVIRONMENT", "Facts", "Platform", "Step", "ci", "platforms"]

ENVIRONMENT = "production"
PLATFORMS = (DJANGO, PYTHON, NODE, BROWSER, PHP, RUBY, CURL)


def platforms(facts: Facts) -> list[Platform]:
    """Every platform, its steps with this project's values."""
    values = _values(facts)
    return [
        Platform(
            platform.slug,
            platform.title,
            tuple(filled(step, values) for step in platform.steps),
        )
        for platform in PLATFORMS
    ]


def ci(facts: Facts) -> list[Step]:
    """What a pipeline tells, with this project's values."""
    values = _values(facts)
    return [filled(step, values) for step in CI]


def _values(facts: Facts) -> dict[str, str]:
    base = facts.base_url
    place = urlsplit(base)
    event = {
        "message": "First error",
        "level": "error",
        "release": facts.release,
        "environment": ENVIRONMENT,
        "tags": {facts.tag: "acme.example"},
    }
    query = f"sentry_version=7&sentry_key={facts.public_key}"
    return {
        "DSN": facts.dsn,
        "BASE": base,
        "ORIGIN": f"{place.scheme}://{place.netloc}",
        "STORE": f"{base}/api/{facts.project_id}/store/?{query}",
        "SECURITY": f"{base}/api/{facts.project_id}/security/"
        f"?sentry_key={facts.public_key}",
        "GATE": f"{base}/rush-gate.py",
        "ORGANIZATION": facts.organization,
        "SLUG": facts.slug,
        "RELEASE": facts.release,
        "ENVIRONMENT": ENVIRONMENT,
        "TAG": facts.tag,
        "EVENT": json.dumps(event),
    }
