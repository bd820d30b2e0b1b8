from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('validation', '0043_each_asked_record'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='askedrecord',
            index=models.Index(fields=['application_id'], name='validation_asked_application'),
        ),
    ]
