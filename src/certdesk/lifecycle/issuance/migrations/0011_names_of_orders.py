"""Each order keeps a digest of its names: a CA may count less for a set that it has issued for before."""

from hashlib import sha256

from django.db import migrations, models


def note_names(apps, schema_editor):
    """Of what CAs outside issued before, as `limit_rules.digest_of` makes it."""
    orders = apps.get_model("issuance", "OutsideOrder").objects.using(schema_editor.connection.alias)
    found = orders.exclude(serial="").values_list("pk", "application__names")
    for reference, names in list(found):
        digest = sha256(";".join(sorted(names.split(";"))).encode()).hexdigest()
        orders.filter(pk=reference).update(names_digest=digest)


class Migration(migrations.Migration):
    dependencies = [("issuance", "0010_counted")]

    operations = [
        migrations.AddField(
            model_name="outsideorder",
            name="names_digest",
            field=models.CharField(
                db_default="",
                default="",
                help_text="Of the set of names, limit_rules.digest_of.",
                max_length=64,
            ),
        ),
        migrations.AddIndex(
            model_name="outsideorder",
            index=models.Index(fields=["issuer", "names_digest"], name="issuance_outside_names"),
        ),
        migrations.RunPython(note_names, migrations.RunPython.noop),
    ]
