"""What CAs outside issued before is asked for too: its first question is due at once."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("issuance", "0008_advice"), ("certificates", "0009_machine")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO issuance_advice"
            " (order_id, certificate_id, version, hurried, page, problem, failures, next_at)"
            " SELECT o.placement_id, o.certificate_id, v.number, FALSE, '', '', 0, 0"
            " FROM issuance_outsideorder o"
            " JOIN certificates_certificate c ON c.id = o.certificate_id"
            " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
            " AND v.serial = o.serial WHERE o.serial <> ''",
            migrations.RunSQL.noop,
        ),
    ]
