"""Tells the planner that a tag's value names its key.

Taken as independent, a common pair looks rare: a search for it would then sort every
issue that has it instead of walking the list in its order until a page is full.
"""

from django.db import migrations

CREATE = """
CREATE STATISTICS issuetag_pairs (dependencies) ON key, value FROM issues_issuetag;
ANALYZE issues_issuetag;
"""


class Migration(migrations.Migration):
    dependencies = [("issues", "0008_drop_readable_columns")]

    operations = [migrations.RunSQL(CREATE, "DROP STATISTICS issuetag_pairs")]
