"""Rules that are there have looked until now: they do not tell of their first days."""

from django.db import migrations
from django.db.models.functions import Now


def mark(apps, schema_editor):
    apps.get_model("issues", "AlertRule").objects.update(looked_until=Now())


class Migration(migrations.Migration):
    dependencies = [("issues", "0017_alert_marks")]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop, elidable=True)]
