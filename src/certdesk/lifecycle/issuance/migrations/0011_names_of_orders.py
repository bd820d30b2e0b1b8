"""Each order keeps a digest of its names: a CA may count less for a set that it has issued for before."""

from hashlib import sha256

from django.db import migrations, models


PAGE = 500  # rows held at a time


def note_names(apps, schema_editor):
    """Of every order, also one that may still bring its certificate; as `limit_rules.digest_of` makes it."""
    model = apps.get_model("issuance", "OutsideOrder")
    orders = model.objects.using(schema_editor.connection.alias).order_by("pk")
    after = ""
    while page := list(orders.filter(pk__gt=after).values_list("pk", "application__names")[:PAGE]):
        rows = [model(pk=reference, names_digest=digest_of(names)) for reference, names in page]
        orders.bulk_update(rows, ["names_digest"])
        after = page[-1][0]


def digest_of(names):
    return sha256(";".join(sorted(names.split(";"))).encode()).hexdigest()


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
