"""Gives a project every kind of rule, so that ingest pays for all of them.

Every inbound filter is on, with patterns of its own that match nothing in the load;
ten detail rules, of which most events try all; ten scrub rules and an alert rule.
"""

import subprocess
import sys

from benchmarks.system import ROOT, System

PREPARE = """
from issues.models import AlertRule
from tenants.models import Channel, DetailRule, InboundFilters, Project, ScrubRule

project = Project.objects.get(pk={project})
InboundFilters.objects.create(
    project=project,
    localhost=True,
    chunk_load_errors=True,
    hydration_errors=True,
    message_patterns=[f"*never said {{n}}*" for n in range(10)],
    release_patterns=[f"never-{{n}}@*" for n in range(10)],
    address_patterns=[f"192.0.2.{{n}}" for n in range(10)],
)
for n in range(9):
    DetailRule.objects.create(
        name=f"never {{n}}", position=n, tag_key="region", tag_value=f"never-{{n}}*"
    )
DetailRule.objects.create(
    name="old releases", position=9, older_hours=24 * 365, detail="minimal"
)
for n in range(5):
    ScrubRule.objects.create(kind="key", value=f"customer_{{n}}_*")
    ScrubRule.objects.create(kind="pattern", value=rf"\\bPK{{n}}-\\d{{{{6}}}}\\b")
channel = Channel.objects.create(
    name="nobody", kind="webhook", config={{"url": "https://example.com"}},
    is_active=False,
)
rule = AlertRule.objects.create(name="all that is new", when="new_issue")
rule.channels.add(channel)
"""


def add_rules(system: System) -> None:
    """Add them to the system's first project; they hold within seconds."""
    subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-v",
            "0",
            "-c",
            PREPARE.format(project=system.project_id),
        ],
        cwd=ROOT,
        env=system.environment(),
        check=True,
    )
