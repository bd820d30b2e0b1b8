from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('issuance', '0005_outside_orders'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='outsideorder',
            index=models.Index(fields=['issuer', 'serial'], name='issuance_outside_serials'),
        ),
        migrations.AddIndex(
            model_name='outsideorder',
            index=models.Index(fields=['application'], name='issuance_outside_application'),
        ),
        migrations.RemoveIndex(
            model_name='outsideorder',
            name='issuance_outside_serial',
        ),
    ]
