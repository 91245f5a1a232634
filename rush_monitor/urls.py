"""Every URL on one screen. Ingest paths never arrive here: see asgi.py."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
