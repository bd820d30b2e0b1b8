from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('validation', '0042_outside_orders'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='automaticrecord',
            name='validation_automatic_once',
        ),
        migrations.AddConstraint(
            model_name='automaticrecord',
            constraint=models.UniqueConstraint(fields=('challenge_id', 'asked_id', 'value'), name='validation_automatic_each_once'),
        ),
    ]
