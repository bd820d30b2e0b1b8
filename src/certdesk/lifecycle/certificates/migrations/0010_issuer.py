from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('certificates', '0009_machine'),
    ]

    operations = [
        migrations.AddField(
            model_name='certificate',
            name='issuer',
            field=models.CharField(db_default='', default='', help_text='CA outside that issued the current version, by its slug; empty = none, or this house.', max_length=20),
        ),
        migrations.AddIndex(
            model_name='certificate',
            index=models.Index(condition=models.Q(('issuer', ''), _negated=True), fields=['account_id', 'issuer'], name='certificates_by_issuer'),
        ),
    ]
