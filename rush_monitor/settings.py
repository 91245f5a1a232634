"""Every setting of rush_monitor, read from the environment once.

A variable that cannot be used stops the process with its name and the cure.
A secret may also be given as a file: ``<NAME>_FILE`` holds the path.
With nothing set, database and broker are the embedded engines under ``DATA_DIR``.
"""

import os
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError

from rush_monitor.embedded import run_directory

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(expand_vars=False)


def secret(name: str, default: str = "") -> str:
    """The variable, or the contents of the file that ``<name>_FILE`` names."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}_FILE={path}: {error.strerror}. Name a file that this user can "
            f"read, or set {name} itself."
        ) from error


def database(name: str) -> dict[str, object] | None:
    """The connection that the URL in variable ``name`` describes, if it is set."""
    url = secret(name)
    if not url:
        return None
    try:
        parsed = dict(dj_database_url.parse(url))
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"{name}: not a database URL ({error})") from error
    if parsed.get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            f"{name}: rush_monitor needs PostgreSQL 15 or newer; write it as "
            "postgresql://user:password@host:5432/name"
        )
    return parsed


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """The networks and addresses that variable ``name`` lists."""
    found = []
    for entry in filter(None, map(str.strip, env.list(name, []))):
        try:
            found.append(ip_network(entry, strict=False))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name}: {entry} is no network; list addresses or networks such as "
                "10.0.0.0/8,127.0.0.1"
            ) from error
    return found


def mail_server(name: str) -> dict[str, object]:
    """The mail server that variable ``name`` describes; no host: none is set."""
    value = secret(name)
    if not value:
        return {"EMAIL_HOST": ""}
    schemes = {"smtp": (25, False, False), "smtp+tls": (587, True, False)}
    schemes["smtps"] = (465, False, True)
    try:
        url = urlsplit(value)
        usual, tls, ssl = schemes[url.scheme]
        port = url.port or usual
    except (KeyError, ValueError) as error:
        raise ImproperlyConfigured(
            f"{name}: write smtp://, smtp+tls:// (STARTTLS) or smtps:// and "
            "user:password@host:port, with odd characters of the password encoded"
        ) from error
    return {
        "EMAIL_HOST": url.hostname or "",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_TLS": tls,
        "EMAIL_USE_SSL": ssl,
    }


def blob_storage(name: str) -> dict[str, object]:
    """The storage of files that variable ``name`` describes."""
    value = os.environ.get(name, "database")
    if value == "database":
        return {"BACKEND": "tenants.blobs.DatabaseStorage"}
    scheme, _, rest = value.partition("://")
    if scheme == "file" and rest.startswith("/"):
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": rest, "allow_overwrite": True},
        }
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ImproperlyConfigured(
            f"{name}={value}: write database, file:///a/directory or s3://bucket/prefix"
        )
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise ImproperlyConfigured(
            f"{name}={value}: S3 needs two more packages; "
            "pip install 'rush_monitor[s3]'"
        )
    options = {"bucket_name": bucket, "location": prefix, "default_acl": None}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


try:
    DEBUG = env.bool("DEBUG", False)
    DATA_DIR = env.path("DATA_DIR", BASE_DIR / "var").expanduser().absolute()
    BASE_URL = env.str("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
    ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", [])
    # Networks whose X-Forwarded-For is believed, e.g. 10.0.0.0/8,127.0.0.1
    TRUSTED_PROXIES = networks("TRUSTED_PROXIES")
    # Networks that may be called although they are not public, such as a CD's.
    OUTBOUND_ALLOWED_NETWORKS = networks("OUTBOUND_ALLOWED_NETWORKS")
    # Where a page's own server may forward envelopes; they name their DSN themselves.
    TUNNEL_PATH = env.str("TUNNEL_PATH", "/tunnel/")
    # Where the front door sends what is not ingest; empty: Django in its process.
    DJANGO_UPSTREAM = env.str("DJANGO_UPSTREAM", "")
    ORGANIZATION_SLUG = env.str("ORGANIZATION_SLUG", "rush")
    LOG_FORMAT = env.str("LOG_FORMAT", "console")
    LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()

    # Ingest (bytes are decompressed bytes unless said)
    INGEST_MAX_COMPRESSED_BYTES = env.int("INGEST_MAX_COMPRESSED_BYTES", 20 << 20)
    INGEST_MAX_BYTES = env.int("INGEST_MAX_BYTES", 100 << 20)
    INGEST_MAX_BYTES_IN_FLIGHT = env.int("INGEST_MAX_BYTES_IN_FLIGHT", 128 << 20)
    INGEST_WAIT_SECONDS = env.float("INGEST_WAIT_SECONDS", 10.0)
    INBOX_MAX_ENVELOPES = env.int("INBOX_MAX_ENVELOPES", 2_000_000)
    INBOX_MAX_BYTES = env.int("INBOX_MAX_BYTES", 8 << 30)
    # What is larger is counted and left out; its event is kept.
    ATTACHMENT_MAX_BYTES = env.int("ATTACHMENT_MAX_BYTES", 10 << 20)
    ATTACHMENTS_MAX_BYTES_PER_EVENT = env.int(
        "ATTACHMENTS_MAX_BYTES_PER_EVENT", 20 << 20
    )
    # Of one project.
    ATTACHMENTS_MAX_BYTES_PER_HOUR = env.int(
        "ATTACHMENTS_MAX_BYTES_PER_HOUR", 100 << 20
    )
    FEEDBACK_MAX_PER_HOUR = env.int("FEEDBACK_MAX_PER_HOUR", 1000)

    # Pipelines that may wait for a verdict at a time; each keeps a connection open.
    GATE_MAX_WAITING = env.int("GATE_MAX_WAITING", 500)

    # Artifact bundles (bytes): as uploaded, a file of one, and all files unpacked.
    ARTIFACT_MAX_BUNDLE_BYTES = env.int("ARTIFACT_MAX_BUNDLE_BYTES", 512 << 20)
    ARTIFACT_MAX_FILE_BYTES = env.int("ARTIFACT_MAX_FILE_BYTES", 64 << 20)
    ARTIFACT_MAX_UNPACKED_BYTES = env.int("ARTIFACT_MAX_UNPACKED_BYTES", 2 << 30)
    ARTIFACT_MAX_FILES = env.int("ARTIFACT_MAX_FILES", 20_000)
    # Days after the last use.
    ARTIFACT_RETENTION_DAYS = env.int("ARTIFACT_RETENTION_DAYS", 90)

    # Retention (days)
    EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", 30)
    DEAD_LETTER_RETENTION_DAYS = env.int("DEAD_LETTER_RETENTION_DAYS", 30)
    DEAD_LETTER_MAX_BYTES = env.int("DEAD_LETTER_MAX_BYTES", 1 << 30)
    SEEN_EVENT_DAYS = env.int("SEEN_EVENT_DAYS", 7)

    # Digest
    DIGEST_BATCH_SIZE = env.int("DIGEST_BATCH_SIZE", 500)
    # Processes of one digest worker; further workers on other machines add up.
    DIGEST_PROCESSES = env.int("DIGEST_PROCESSES", 2)
    # Source maps that each of them keeps ready, in megabytes.
    SOURCE_MAP_CACHE_MB = env.int("SOURCE_MAP_CACHE_MB", 192)
except EnvError as error:
    raise ImproperlyConfigured(str(error)) from error

if urlsplit(BASE_URL).scheme not in {"http", "https"} or not urlsplit(BASE_URL).netloc:
    raise ImproperlyConfigured(
        f"BASE_URL={BASE_URL}: give the address that people and SDKs use, such as "
        "https://rush.example.com"
    )
if not TUNNEL_PATH.strip("/") or TUNNEL_PATH.startswith("/api/"):
    raise ImproperlyConfigured(
        f"TUNNEL_PATH={TUNNEL_PATH}: give a path of its own, such as /tunnel/"
    )
if SOURCE_MAP_CACHE_MB < 1:
    raise ImproperlyConfigured(
        f"SOURCE_MAP_CACHE_MB={SOURCE_MAP_CACHE_MB}: give megabytes, such as 192"
    )
if LOG_FORMAT not in {"console", "json"}:
    raise ImproperlyConfigured(f"LOG_FORMAT={LOG_FORMAT}: use console or json")
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
    raise ImproperlyConfigured(
        f"LOG_LEVEL={LOG_LEVEL}: use DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )

# `up` writes a key of its own into DATA_DIR; a process started without it and without
# SECRET_KEY may run commands, but Django refuses to sign anything with an empty key.
_key_file = DATA_DIR / "secret_key"
SECRET_KEY = secret("SECRET_KEY") or (
    _key_file.read_text(encoding="utf-8").strip()
    if os.access(_key_file, os.R_OK)
    else ""
)

# Former values of SECRET_KEY, so that what they encrypted stays readable.
SECRET_KEY_FALLBACKS = list(filter(None, secret("SECRET_KEY_FALLBACKS").split(",")))

RUN_DIR = run_directory(DATA_DIR)
EMBEDDED_DATABASE = not secret("DATABASE_URL")
EMBEDDED_BROKER = not secret("CELERY_BROKER_URL")

DATABASES: dict[str, dict[str, object]] = {
    "default": database("DATABASE_URL")
    or {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "rush_monitor",
        "USER": "rush_monitor",
        "HOST": str(RUN_DIR),
        "PORT": "",
    }
}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

STORAGES = {
    "default": {"BACKEND": "tenants.blobs.DatabaseStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    # Source maps and attachments. S3's endpoint and credentials are AWS's variables.
    "blobs": blob_storage("BLOB_STORAGE"),
}

# Mail to people, and the reports of rules.
globals().update(mail_server("EMAIL_URL"))
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = os.environ.get(
    "EMAIL_FROM", f"rush_monitor <rush@{urlsplit(BASE_URL).hostname}>"
)

CELERY_BROKER_URL = secret("CELERY_BROKER_URL") or (
    f"redis+socket://{RUN_DIR / 'valkey.sock'}"
)

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "rush_monitor.apps.RushMonitorConfig",
    "issues.apps.IssuesConfig",
    "releases.apps.ReleasesConfig",
    "tenants.apps.TenantsConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
]

MIDDLEWARE = [
    "rush_monitor.client_address.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_VERBOSE = False
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_ENABLE_ADMIN = False
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "rush_monitor.urls"
WSGI_APPLICATION = "rush_monitor.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
# The commits of a large release with their files are some megabytes.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 << 20
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
FORMAT_MODULE_PATH = ["rush_monitor.formats"]

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
# Served straight from the packages: nothing to collect before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

_hosts = {urlsplit(BASE_URL).hostname or "", "localhost", "127.0.0.1", "[::1]"}
ALLOWED_HOSTS = sorted({*ALLOWED_HOSTS, *_hosts})
CSRF_TRUSTED_ORIGINS = [f"{urlsplit(BASE_URL).scheme}://{urlsplit(BASE_URL).netloc}"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
FORCE_SCRIPT_NAME = urlsplit(BASE_URL).path or None

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.auth.ScopePermission"],
    "DEFAULT_FILTER_BACKENDS": ["tenants.api.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "tenants.pagination.KeysetPagination",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tenants.problems.problem_response",
    "NON_FIELD_ERRORS_KEY": "request",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "rush_monitor",
    "VERSION": "1",
    "DESCRIPTION": "Issues, their impact on tenants, and the releases behind them.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "ArtifactStateEnum": "releases.models.ArtifactBundle.State",
        "ActivityKindEnum": "issues.models.IssueActivity.Kind",
        "DetailEnum": "tenants.detail.DETAILS",
        "DeliveryStateEnum": "tenants.models.Delivery.State",
        "EnvelopeKindEnum": "issues.models.inbox.EnvelopeKind",
        "ExposureSourceEnum": "releases.models.Watch.Source",
        "IncidentSourceEnum": "issues.models.Incident.Source",
        "IncidentStateEnum": "issues.models.Incident.State",
        "ScrubRuleKindEnum": "tenants.models.ScrubRule.Kind",
        "LevelEnum": "tenants.levels.Level.labels",
        "ResolutionEnum": "issues.models.Issue.Resolution",
        "RollbackStateEnum": "releases.models.Rollback.State",
        "StatusEnum": "issues.models.Issue.Status",
        "VerdictEnum": "releases.models.Watch.Verdict",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tenants.openapi.add_problems",
    ],
    # The page's scripts lie in a package: nothing is fetched from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

UNFOLD = {
    "SITE_TITLE": "rush_monitor",
    "SITE_HEADER": "rush_monitor",
    "SITE_SYMBOL": "bolt",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "rush_monitor.admin.environment_badge",
    "DASHBOARD_CALLBACK": "rush_monitor.admin.home",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": "rush_monitor.admin.favicon",
        }
    ],
    "STYLES": ["rush_monitor.admin.stylesheet"],
    "SCRIPTS": ["rush_monitor.admin.script"],
    "SIDEBAR": {"show_search": False, "navigation": "rush_monitor.admin.navigation"},
    "BORDER_RADIUS": "8px",
    "COLORS": {
        # A blue-violet that no level or status of an issue uses.
        "primary": {
            "50": "oklch(96.2% .018 272.314)",
            "100": "oklch(93% .034 272.788)",
            "200": "oklch(87% .065 274.039)",
            "300": "oklch(78.5% .115 274.713)",
            "400": "oklch(67.3% .182 276.935)",
            "500": "oklch(58.5% .233 277.117)",
            "600": "oklch(51.1% .262 276.966)",
            "700": "oklch(45.7% .24 277.023)",
            "800": "oklch(39.8% .195 277.366)",
            "900": "oklch(35.9% .144 278.697)",
            "950": "oklch(25.7% .09 281.288)",
        }
    },
}

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "upkeep"
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"()": "rush_monitor.logs.console_formatter"},
        "json": {"()": "rush_monitor.logs.json_formatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "botocore": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
