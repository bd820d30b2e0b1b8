"""What CAs outside issued before; what this house issued stays empty, and is not written."""

from django.db import migrations, models


def note_issuer(apps, schema_editor):
    versions = apps.get_model("certificates", "Version").objects.using(schema_editor.connection.alias)
    current = versions.filter(number=models.F("certificate__current_version")).exclude(issuer="")
    found = current.exclude(issuer__startswith="builtin").values_list("certificate_id", "issuer")
    certificates = apps.get_model("certificates", "Certificate").objects.using(schema_editor.connection.alias)
    for certificate_id, issuer in list(found):
        certificates.filter(id=certificate_id).update(issuer=issuer.partition(":")[0][:20])


class Migration(migrations.Migration):
    dependencies = [("certificates", "0010_issuer")]

    operations = [migrations.RunPython(note_issuer, migrations.RunPython.noop)]
