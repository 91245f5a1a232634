"""How far each alert rule has looked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0016_peaks")]

    operations = [
        migrations.AddField(
            "alertrule", "asks_since", models.DateTimeField(editable=False, null=True)
        ),
        migrations.AddField(
            "alertrule", "looked_until", models.DateTimeField(editable=False, null=True)
        ),
    ]
