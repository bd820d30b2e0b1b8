"""What CAs outside issued before; what this house issued stays empty, and is not written."""

from collections import defaultdict

from django.db import migrations, models

PAGE = 100  # law 13: rows of one transaction
HOUSE = (
    models.Q(issuer__in=["", "builtin"])
    | models.Q(issuer__startswith="builtin:")
    | models.Q(issuer__startswith="builtin-")
)


def note_issuer(apps, schema_editor):
    versions = apps.get_model("certificates", "Version").objects.using(schema_editor.connection.alias)
    current = versions.filter(number=models.F("certificate__current_version")).exclude(HOUSE)
    certificates = apps.get_model("certificates", "Certificate").objects.using(schema_editor.connection.alias)
    rows = current.order_by("id").values_list("id", "certificate_id", "issuer")
    last = 0
    while page := list(rows.filter(id__gt=last)[:PAGE]):
        last = page[-1][0]
        of_slug = defaultdict(list)
        for _, certificate_id, issuer in page:
            of_slug[issuer.partition(":")[0][:20]].append(certificate_id)
        for slug, ids in of_slug.items():
            certificates.filter(id__in=ids).update(issuer=slug)


class Migration(migrations.Migration):
    atomic = False  # each update is a transaction of its own; run again it writes the same

    dependencies = [("certificates", "0010_issuer")]

    operations = [migrations.RunPython(note_issuer, migrations.RunPython.noop)]
