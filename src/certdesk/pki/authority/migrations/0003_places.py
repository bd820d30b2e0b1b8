from django.db import migrations, models

import certdesk.foundation.common.fields


class Migration(migrations.Migration):
    """Several authorities of one place in the hierarchy: those of before each hold the place of their slug."""

    dependencies = [
        ("authority", "0002_revocation"),
        ("keystore", "0002_token"),
    ]

    operations = [
        migrations.AddField(
            model_name="authority",
            name="place",
            field=models.CharField(default="", help_text="Its place in the hierarchy: the slug of the first one.", max_length=20),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="authority",
            name="retired_at",
            field=certdesk.foundation.common.fields.MomentField(help_text="Since when it signs no more certificates; its CRLs and OCSP answers go on.", null=True),
        ),
        migrations.RunSQL("UPDATE authority_authority SET place = slug", migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="authority",
            constraint=models.UniqueConstraint(condition=models.Q(("retired_at", None)), fields=("place",), name="authority_one_of_a_place"),
        ),
    ]
