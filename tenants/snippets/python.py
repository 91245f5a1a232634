"""Django, and Python of any other kind."""

from tenants.snippets.values import Platform, Step

INSTALL = Step("Install the SDK", "shell", "pip install --upgrade sentry-sdk")

INIT = """
import os

import sentry_sdk

sentry_sdk.init(
    dsn=<<DSN>>,
    release=os.environ.get("SENTRY_RELEASE", <<RELEASE>>),
    environment=os.environ.get("SENTRY_ENVIRONMENT", <<ENVIRONMENT>>),
    traces_sample_rate=0.1,
)
"""

STREAMED = (
    'With trace_lifecycle="stream" spans carry no tags: call '
    'sentry_sdk.set_attribute("<<TAG>>", …) beside set_tag there.'
)

DJANGO = Platform(
    "django",
    "Django",
    (
        INSTALL,
        Step(
            "Begin the settings with this",
            "python",
            INIT,
            "settings.py",
            "Of traces_sample_rate only page speed and request counts depend; errors "
            "are always sent.",
        ),
        Step(
            "Name the tenant of each request",
            "python",
            """
import sentry_sdk


def name_tenant(get_response):
    \"\"\"Middleware that says which shop a request works for: here, its host.\"\"\"

    def middleware(request):
        sentry_sdk.set_tag(<<TAG>>, request.get_host())
        return get_response(request)

    return middleware
""",
            "name_tenant.py",
            "Beside manage.py. Where the shop is known by other means, such as the "
            f"session, set the tag there. {STREAMED}",
        ),
        Step(
            "End the settings with this",
            "python",
            """
MIDDLEWARE = ["name_tenant.name_tenant", *MIDDLEWARE]
""",
            "settings.py",
        ),
        Step(
            "Send the first error",
            "python",
            """
urlpatterns += [path("first-error/", lambda request: 1 / 0)]
""",
            "urls.py",
            "Open /first-error/ once, then remove the line.",
        ),
    ),
)

PYTHON = Platform(
    "python",
    "Python, Celery",
    (
        INSTALL,
        Step(
            "Set it up in a module that everything imports first",
            "python",
            INIT
            + """

def for_tenant(tenant, work, *arguments):
    \"\"\"Do work for one tenant: what fails in it is reported in its name.\"\"\"
    with sentry_sdk.isolation_scope() as scope:
        scope.set_tag(<<TAG>>, tenant)
        try:
            return work(*arguments)
        except Exception:
            sentry_sdk.capture_exception()
            raise
""",
            "monitoring.py",
            f"FastAPI, Flask, RQ and others are found by the SDK itself. {STREAMED}",
        ),
        Step(
            "Celery: name the tenant of each task",
            "python",
            """
import monitoring  # first: it finds Celery by itself
import sentry_sdk
from celery.signals import task_prerun


@task_prerun.connect
def name_tenant(kwargs=None, **_):
    \"\"\"Tasks called with tenant=… are reported in its name.\"\"\"
    if kwargs and "tenant" in kwargs:
        sentry_sdk.set_tag(<<TAG>>, kwargs["tenant"])
""",
            "celery_tenant.py",
            "Import it where the Celery app is made, so that workers and beat have it.",
        ),
        Step(
            "Send the first error",
            "shell",
            "python -c \"import monitoring; monitoring.for_tenant('acme.example', "
            'lambda: 1 / 0)"',
        ),
    ),
)
