from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("certificates", "0002_tags_and_csrs"),
    ]

    operations = [
        migrations.AddField(
            model_name="certificate",
            name="personal_data",
            field=models.BooleanField(
                default=False, help_text="People or an organization of its application are kept (PRV-4)."
            ),
        ),
    ]
