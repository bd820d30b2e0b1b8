"""Substrings of names by trigrams: an FTS5 table on SQLite, GIN indexes on PostgreSQL.

PostgreSQL's extension may be forbidden to this user; searches then read every name, as before.
"""

from django.db import migrations, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.utils import Error

SQLITE = (
    "CREATE VIRTUAL TABLE certificates_namesearch"
    " USING fts5(text, content='', detail=none, columnsize=0, tokenize='trigram')"
)
POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX certificates_name_trigrams ON certificates_certificatename USING gin (name gin_trgm_ops)",
    "CREATE INDEX certificates_title_trigrams ON certificates_certificate"
    " USING gin (LOWER(name) gin_trgm_ops)",
)


def make(apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "sqlite":
        editor.execute(SQLITE)
        return
    try:
        with transaction.atomic(using=editor.connection.alias):
            for statement in POSTGRESQL:
                editor.execute(statement)
    except Error:
        pass


def drop(apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "sqlite":
        editor.execute("DROP TABLE certificates_namesearch")
        return
    for name in ("certificates_name_trigrams", "certificates_title_trigrams"):
        editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ("certificates", "0003_personal_data"),
    ]

    operations = [
        migrations.CreateModel(
            name="NamesRead",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("upto", models.BigIntegerField(default=0, help_text="Last CertificateName in the trigrams.")),
            ],
        ),
        migrations.RunPython(make, drop),
    ]
