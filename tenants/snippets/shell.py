"""Any language, by its HTTP alone; and what CI tells with sentry-cli."""

from tenants.snippets.values import Platform, Step

CURL = Platform(
    "curl",
    "Anything else",
    (
        Step(
            "Post an event as JSON",
            "shell",
            """
curl -sS <<STORE>> \\
  -H 'Content-Type: application/json' \\
  -d <<EVENT>>
""",
            note="Every Sentry SDK works with this project's DSN as its only "
            "change: mobile apps, Go, Java, .NET, Rust. The answer names the event's "
            "id.",
        ),
    ),
)

CI = (
    Step("Install sentry-cli", "shell", "npm install --global @sentry/cli"),
    Step(
        "Say where and what",
        "shell",
        """
export SENTRY_URL=<<BASE>>
export SENTRY_ORG=<<ORGANIZATION>>
export SENTRY_PROJECT=<<SLUG>>
export SENTRY_RELEASE=<<SLUG>>@"$(git rev-parse --short HEAD)"
""",
        note="SENTRY_AUTH_TOKEN comes from the secrets of your CI: make an API token "
        "with the scope release:write. The program must report the same "
        "SENTRY_RELEASE.",
    ),
    Step(
        "After the build: upload its source maps",
        "shell",
        """
sentry-cli sourcemaps inject dist
sentry-cli sourcemaps upload --release "$SENTRY_RELEASE" --wait dist
""",
        note="dist is where the bundler writes. Not needed where nothing is bundled.",
    ),
    Step(
        "Make the release, with its commits",
        "shell",
        """
sentry-cli releases new "$SENTRY_RELEASE"
sentry-cli releases set-commits "$SENTRY_RELEASE" --local --ignore-missing
sentry-cli releases finalize "$SENTRY_RELEASE"
""",
        note="The job needs the history: a clone of some depth, not of one commit.",
    ),
    Step(
        "After the deploy: tell of it, and its watch begins",
        "shell",
        """
sentry-cli deploys new --release "$SENTRY_RELEASE" --env <<ENVIRONMENT>>
""",
    ),
    Step(
        "Then wait for the verdict, and fail when it is bad",
        "shell",
        """
curl -fsS -o rush-gate.py <<GATE>>
RUSH_URL="$SENTRY_URL" RUSH_TOKEN="$SENTRY_AUTH_TOKEN" python3 rush-gate.py \\
  --project "$SENTRY_PROJECT" --release "$SENTRY_RELEASE" --environment <<ENVIRONMENT>>
""",
        note="It posts the deploy by itself: use it instead of the step before.",
    ),
)
