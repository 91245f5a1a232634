"""Indexes that the search terms ``user:`` and free words in the value read."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0003_inbox_writer")]

    operations = [
        migrations.AddIndex(
            model_name="issue",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("value"),
                    name="gin_trgm_ops",
                ),
                name="issue_value_search",
            ),
        ),
        migrations.AddIndex(
            model_name="issueuser",
            index=models.Index(fields=["user"], name="issueuser_user"),
        ),
    ]
