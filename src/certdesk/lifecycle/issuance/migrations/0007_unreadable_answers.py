from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('issuance', '0006_outside_lookups'),
    ]

    operations = [
        migrations.AddField(
            model_name='outsideorder',
            name='unreadable',
            field=models.IntegerField(db_default=0, default=0, help_text='Answers in a row that could not be read.'),
        ),
    ]
