"""Node with Express, and the pages of a template."""

from tenants.snippets.values import Platform, Step

NODE = Platform(
    "node",
    "Node, Express",
    (
        Step("Install the SDK", "shell", "npm install @sentry/node"),
        Step(
            "Set it up in a file of its own",
            "javascript",
            """
import * as Sentry from "@sentry/node";

Sentry.init({
  dsn: <<DSN>>,
  release: process.env.SENTRY_RELEASE ?? <<RELEASE>>,
  environment: process.env.SENTRY_ENVIRONMENT ?? <<ENVIRONMENT>>,
  tracesSampleRate: 0.1,
});
""",
            "instrument.mjs",
        ),
        Step(
            "Name the tenant of each request, and report what routes throw",
            "javascript",
            """
import * as Sentry from "@sentry/node";
import express from "express";

const app = express();

// Before the routes. Errors carry tags, spans carry attributes: so say it twice.
app.use((request, response, next) => {
  const tenant = request.hostname;
  Sentry.setTag(<<TAG>>, tenant);
  Sentry.setAttributes?.({ <<TAG>>: tenant });
  next();
});

app.get("/first-error", () => {
  throw new Error("First error");
});

// After the routes.
Sentry.setupExpressErrorHandler(app);

app.listen(process.env.PORT ?? 3000);
""",
            "app.mjs",
            "Here the tenant is the host; take it from where your app knows it.",
        ),
        Step(
            "Start it with the SDK first",
            "shell",
            "node --import ./instrument.mjs app.mjs",
        ),
        Step(
            "Send the first error",
            "shell",
            "curl -i http://127.0.0.1:3000/first-error",
            note="Then remove the route.",
        ),
    ),
)

BROWSER = Platform(
    "browser",
    "Browser template",
    (
        Step("Install the SDK", "shell", "npm install @sentry/browser"),
        Step(
            "Let the template say whose page it is",
            "html",
            """
<meta name="monitoring" data-tenant="{{ shop.domain }}"
  data-release=<<RELEASE>> data-environment=<<ENVIRONMENT>>>
""",
            "head.html",
            "Your template engine fills in the shop, and CI the release. One bundle "
            "then serves every shop.",
        ),
        Step(
            "Import this first in the page's script",
            "javascript",
            """
import * as Sentry from "@sentry/browser";

const page = document.querySelector('meta[name="monitoring"]')?.dataset ?? {};
const tenant = page.tenant || location.hostname;

Sentry.init({
  dsn: <<DSN>>,
  release: page.release,
  environment: page.environment,
  tracesSampleRate: 0.1,
  integrations: [Sentry.browserTracingIntegration()],
});
// Errors carry tags, spans carry attributes: so say it twice.
Sentry.setTag(<<TAG>>, tenant);
Sentry.setAttributes?.({ <<TAG>>: tenant });
""",
            "monitoring.js",
            "Anyone can read the key in the page: give pages a key of their own and "
            "list their origins there.",
        ),
        Step(
            "If the page has a Content-Security-Policy, let it report",
            "http",
            "Content-Security-Policy: connect-src 'self' <<ORIGIN>>; "
            "report-uri <<SECURITY>>",
            note="Add these to what the header has already.",
        ),
        Step(
            "Send the first error from the browser's console",
            "javascript",
            """
setTimeout(() => { throw new Error("First error"); });
""",
        ),
    ),
)
