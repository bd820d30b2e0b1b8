from django.db import migrations, models

import certdesk.foundation.common.fields


class Migration(migrations.Migration):
    dependencies = [("certificates", "0006_first_issued")]

    operations = [
        migrations.AddField(
            model_name="certificate",
            name="renews_id",
            field=models.CharField(
                default="", help_text="The certificate that it was bought to renew (REN-3).", max_length=16
            ),
        ),
        migrations.AddField(
            model_name="certificate",
            name="paid_until",
            field=certdesk.foundation.common.fields.MomentField(
                help_text="Last second of the paid period; its versions may end earlier (REN-8)."
                " None = not_after.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(
                condition=models.Q(("renews_id", ""), _negated=True),
                fields=["renews_id"],
                name="certificates_renewals",
            ),
        ),
    ]
