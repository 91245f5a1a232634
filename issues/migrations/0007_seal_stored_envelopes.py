"""Seals what waits in the inbox and the dead letters from before they were sealed."""

from django.db import migrations

from issues.sealed_envelopes import Sender, seal_envelope

PIECE = 200


def seal(apps, schema_editor):
    for name in ("InboxEnvelope", "DeadLetter"):
        model = apps.get_model("issues", name)
        last = 0
        while True:
            rows = list(model.objects.filter(pk__gt=last).order_by("pk")[:PIECE])
            if not rows:
                break
            for row in rows:
                sender = Sender(row.remote_addr, row.user_agent, row.origin, row.query)
                row.body = seal_envelope(sender, bytes(row.body))
            model.objects.bulk_update(rows, ["body"])
            last = rows[-1].pk
        # Errors of that time quoted what clients sent.
        if name == "DeadLetter":
            model.objects.update(error="(from before errors were scrubbed)", traceback="")


class Migration(migrations.Migration):
    dependencies = [("issues", "0006_detail_minute")]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
