"""What an ingest process committed last, so that a lost connection leaves no doubt."""

from django.db import migrations, models

# A compressed envelope of usual size stays in its row: moved out of line it costs two
# writes more on the way in and two on the way out. The row is rewritten by every
# batch, so its page keeps room for new versions.
SETTINGS = """
ALTER TABLE issues_inboxenvelope SET (toast_tuple_target = 8160);
ALTER TABLE issues_inboxwriter SET (fillfactor = 10);
"""


class Migration(migrations.Migration):
    dependencies = [("issues", "0002_event_table")]

    operations = [
        migrations.CreateModel(
            name="InboxWriter",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("batch", models.BigIntegerField()),
                ("seen", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(SETTINGS, migrations.RunSQL.noop),
    ]
