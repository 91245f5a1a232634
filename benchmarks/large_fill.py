"""Fills an empty database with generated events: see large.py.

usage: python -m benchmarks.large_fill EVENTS ISSUES
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from issues import partitions  # noqa: E402
from issues.bodies import pack  # noqa: E402
from rush_monitor.roles import ensure_roles  # noqa: E402

DAYS = 30
PROJECTS = 4
RELEASES = 5
TENANTS = 1500
USERS = 9000  # below the cap, where users are counted one by one

BODY = {
    "event_id": "0" * 32,
    "platform": "javascript",
    "level": "error",
    "exception": {
        "values": [
            {
                "type": "TypeError",
                "value": "Cannot read properties of undefined",
                "stacktrace": {
                    "frames": [
                        {
                            "function": f"step{number}",
                            "filename": "https://track.example/assets/orders.js",
                            "lineno": 10 + number,
                            "colno": 7,
                            "in_app": True,
                        }
                        for number in range(4)
                    ]
                },
            }
        ]
    },
    "request": {"url": "https://track.example/order/7"},
}

# Some issues and tenants are busy, most are not: powers of a random number.
MASTER = f"""
INSERT INTO tenants_plan (name, weight) VALUES ('basic', 1), ('plus', 5);
INSERT INTO tenants_tenant (key, name, plan_id, weight_factor, monthly_revenue, source,
    last_seen)
SELECT 'shop-' || g || '.example.com', 'Shop ' || g, 1 + g % 2, 1, 50 + g % 300,
    'import', now() FROM generate_series(1, {TENANTS}) g;
INSERT INTO tenants_project (name, slug, tenant_tags, grouping_version, created)
SELECT 'Project ' || g, 'project-' || g, '{{tenant}}', 'v1', now()
FROM generate_series(1, {PROJECTS}) g;
INSERT INTO releases_environment (project_id, name)
SELECT g, 'production' FROM generate_series(1, {PROJECTS}) g;
INSERT INTO releases_release (project_id, version, commit, url, authors)
SELECT p, 'web@1.' || r, '', '', '{{}}' FROM generate_series(1, {PROJECTS}) p,
    generate_series(0, {RELEASES} - 1) r ORDER BY p, r;
"""
ISSUES = f"""
INSERT INTO issues_issue (project_id, title, type, value, culprit, platform, logger,
    level, first_seen, status, resolution, first_release_id)
SELECT 1 + (g - 1) %% {PROJECTS}, 'TypeError: fault ' || g, 'TypeError', 'fault ' || g,
    '/order/' || g %% 50, 'javascript', '', 40, now() - interval '{DAYS} days',
    CASE WHEN g %% 10 = 0 THEN 'resolved' ELSE 'open' END, '', 1
FROM generate_series(1, %s) g;
"""
FINGERPRINTS = """
INSERT INTO issues_fingerprint (project_id, hash, version, issue_id, reason, parts)
SELECT project_id, gen_random_uuid(), 'v1', id, 'in-app frames', '[]' FROM issues_issue;
"""
EVENTS = f"""
INSERT INTO issues_event (event_id, project_id, issue_id, received, occurred, level,
    unhandled, environment_id, release_id, tenant_id, "user", transaction, title, tags,
    body)
SELECT gen_random_uuid(), 1 + i %% {PROJECTS}, i + 1, t, t, 40, true,
    1 + i %% {PROJECTS}, 1 + (i %% {PROJECTS}) * {RELEASES} + g %% {RELEASES},
    1 + floor({TENANTS} * random() ^ 3), 'id:' || floor({USERS} * random() ^ 3),
    '/order/' || i %% 50, 'TypeError: fault ' || i + 1,
    ARRAY['browser=Chrome ' || g %% 7, 'os=iOS ' || g %% 4, 'sdk=sentry.javascript 9',
        'template=theme-' || g %% 12, 'url=https://track.example/order/' || g %% 150],
    %s
FROM (
    SELECT g, floor(%s * random() ^ 4)::bigint AS i,
        %s::timestamptz + g * interval '1 second' * %s AS t
    FROM generate_series(0, %s - 1) g
) chosen
"""
COUNTERS = {
    "minutes": """
INSERT INTO issues_issueminute (issue_id, minute, environment_id, release_id, tenant_id,
    events, unhandled, level, path_weight)
SELECT issue_id, date_trunc('minute', received), environment_id, release_id, tenant_id,
    count(*), count(*), 40, 1 FROM issues_event
WHERE received > now() - interval '8 days' GROUP BY 1, 2, 3, 4, 5
""",
    "hours": """
INSERT INTO issues_issuehour (issue_id, hour, events)
SELECT issue_id, date_trunc('hour', received), count(*) FROM issues_event GROUP BY 1, 2
""",
    "tenants": """
INSERT INTO issues_issuetenant (issue_id, tenant_id, events, first_seen, last_seen)
SELECT issue_id, tenant_id, count(*), min(received), max(received) FROM issues_event
GROUP BY 1, 2
""",
    "users": """
INSERT INTO issues_issueuser (issue_id, "user", last_seen)
SELECT issue_id, "user", max(received) FROM issues_event GROUP BY 1, 2
""",
    "tags": """
INSERT INTO issues_issuetag (issue_id, key, value)
SELECT id, key, name || n FROM issues_issue, (VALUES ('browser', 'Chrome ', 7),
    ('os', 'iOS ', 4), ('template', 'theme-', 12),
    ('url', 'https://track.example/order/', 150)) kinds (key, name, many),
    generate_series(0, many - 1) n
UNION ALL SELECT id, 'sdk', 'sentry.javascript 9' FROM issues_issue
UNION ALL SELECT i.id, 'environment', 'production' FROM issues_issue i
UNION ALL SELECT i.id, 'release', r.version FROM issues_issue i
    JOIN releases_release r USING (project_id)
""",
    "stats": """
INSERT INTO issues_issuestats (issue_id, events, tenants, users, last_seen,
    last_release_id, score, exponent, parts, scored_at)
SELECT i.id, coalesce(e.n, 0), coalesce(t.n, 0), coalesce(u.n, 0), e.last, 1,
    100 * (1 - exp(-coalesce(t.n, 0) / 1500.0)), coalesce(t.n, 0) / 1500.0, '{}', now()
FROM issues_issue i
LEFT JOIN (SELECT issue_id, sum(events) AS n, max(hour) AS last FROM issues_issuehour
    GROUP BY 1) e ON e.issue_id = i.id
LEFT JOIN (SELECT issue_id, count(*) AS n FROM issues_issuetenant GROUP BY 1) t
    ON t.issue_id = i.id
LEFT JOIN (SELECT issue_id, count(*) AS n FROM issues_issueuser GROUP BY 1) u
    ON u.issue_id = i.id
""",
}


def main() -> None:
    """Migrate, fill, analyse; prints how long each step took."""
    events, issues = int(sys.argv[1]), int(sys.argv[2])
    call_command("migrate", verbosity=0)
    ensure_roles()
    User.objects.create_superuser("admin", password="benchmark")
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(MASTER)
        cursor.execute(ISSUES, [issues])
        cursor.execute(FINGERPRINTS)
        began = time.monotonic()
        fill_events(events, issues)
        print(f"{events:,} events: {time.monotonic() - began:.0f} s")
        for name, statement in COUNTERS.items():
            began = time.monotonic()
            cursor.execute(statement)
            print(f"{name}: {cursor.rowcount:,} rows, {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        cursor.execute("VACUUM ANALYZE")
        print(f"vacuum: {time.monotonic() - began:.0f} s")


def fill_events(events: int, issues: int) -> None:
    """The same number on each of the last days, today up to now."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    body = pack(BODY)
    per_day = events // DAYS
    with connection.cursor() as cursor:
        for back in range(DAYS - 1, -1, -1):
            start = midnight - timedelta(days=back)
            partitions.create(start.date())
            length = min(timedelta(days=1), now - start)
            gap = length.total_seconds() / max(per_day, 1)
            cursor.execute(EVENTS, [body, issues, start, gap, per_day])


if __name__ == "__main__":
    main()
