import django.db.models.deletion
from django.db import migrations, models

import certdesk.foundation.common.fields


def note_what_is_kept(apps, schema_editor):
    """Certificates of before: those with a contact or a company have something to forget."""
    applications = apps.get_model("applications", "Application")
    personal = applications.objects.filter(models.Q(contact__isnull=False) | ~models.Q(company={}))
    certificates = apps.get_model("certificates", "Certificate")
    certificates.objects.filter(id__in=personal.values("certificate_id")).update(personal_data=True)


class Migration(migrations.Migration):

    dependencies = [
        ("certificates", "0003_personal_data"),
        ("applications", "0011_stored_csr"),
    ]

    operations = [
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("certificate", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="draft", serialize=False, to="certificates.certificate")),
                ("account_id", models.CharField(max_length=32)),
                ("values", models.JSONField(help_text="By the form's field names.")),
                ("saved_by", models.CharField(max_length=32)),
                ("saved_at", certdesk.foundation.common.fields.MomentField()),
            ],
        ),
        migrations.RunPython(note_what_is_kept, migrations.RunPython.noop),
    ]
