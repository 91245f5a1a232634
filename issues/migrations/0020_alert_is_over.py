"""Whether what was told of ended after its incident was resolved."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0019_crash_free_users")]

    operations = [
        migrations.AddField("alert", "is_over", models.BooleanField(default=False)),
    ]
