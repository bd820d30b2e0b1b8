"""One account's events by time: what pages of the log and their filters from–to walk."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.AddIndex(
            "event", models.Index(fields=["account_id", "at", "id"], name="audit_by_moment")
        ),
        migrations.RemoveIndex("event", "audit_by_account"),
    ]
