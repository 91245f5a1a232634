"""Django (admin and REST) as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from rush_monitor.celery import app as celery_app

__all__ = ["application", "celery_app"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rush_monitor.settings")

application = get_wsgi_application()
