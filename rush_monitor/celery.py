"""The Celery app, its queues, and every periodic tick on one screen."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rush_monitor.settings")

app = Celery("rush_monitor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["tenants", "releases", "issues"])

# Each task asks the tables for due work under an advisory lock, so a second beat is
# harmless and a lost message costs one interval.
app.conf.beat_schedule = {
    "digest": {"task": "issues.digest", "schedule": 2.0},
    "rescore": {"task": "issues.rescore", "schedule": 10.0},
    "workflow": {"task": "issues.workflow", "schedule": 30.0},
    "watch": {"task": "issues.watch", "schedule": 5.0},
    "incidents": {"task": "issues.incidents", "schedule": 5.0},
    "alerts": {"task": "issues.alerts", "schedule": 10.0},
    "weekly": {"task": "issues.weekly", "schedule": 60.0},
    "calibration": {"task": "issues.calibration", "schedule": 300.0},
    "retention": {"task": "issues.retention", "schedule": 600.0},
    "monitors": {"task": "issues.monitors", "schedule": 10.0},
    "attachments": {"task": "issues.attachments", "schedule": 60.0},
    "feedback": {"task": "issues.feedback", "schedule": 30.0},
    "symbolicate-again": {"task": "issues.symbolicate_again", "schedule": 30.0},
    "rollback": {"task": "releases.rollback", "schedule": 10.0},
    "artifacts": {"task": "releases.assemble", "schedule": 10.0},
    "artifact-expiry": {"task": "releases.artifact_expiry", "schedule": 3600.0},
    "deliver": {"task": "tenants.deliver", "schedule": 5.0},
}
app.conf.task_routes = {
    "issues.digest": {"queue": "digest"},
    "issues.rescore": {"queue": "watch"},
    "issues.workflow": {"queue": "watch"},
    "issues.watch": {"queue": "watch"},
    "issues.incidents": {"queue": "watch"},
    "issues.alerts": {"queue": "watch"},
    "issues.weekly": {"queue": "upkeep"},
    "issues.calibration": {"queue": "upkeep"},
    "issues.retention": {"queue": "upkeep"},
    "issues.monitors": {"queue": "watch"},
    "issues.attachments": {"queue": "upkeep"},
    "issues.feedback": {"queue": "upkeep"},
    "issues.symbolicate_again": {"queue": "upkeep"},
    "releases.rollback": {"queue": "notify"},
    "releases.assemble": {"queue": "upkeep"},
    "releases.artifact_expiry": {"queue": "upkeep"},
    "tenants.deliver": {"queue": "notify"},
}
