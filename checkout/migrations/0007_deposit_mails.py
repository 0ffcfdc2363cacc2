"""Mails with the account to pay into."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0006_ledger_is_append_only'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='ordermail',
            name='order_mails_kind_is_known',
        ),
        migrations.AlterField(
            model_name='ordermail',
            name='kind',
            field=models.CharField(choices=[('receipt', 'receipt'), ('refund', 'refund'), ('payment_failed', 'failed payment'), ('deposit', 'account to pay into')], max_length=16, verbose_name='mail'),
        ),
        migrations.AddConstraint(
            model_name='ordermail',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['receipt', 'refund', 'payment_failed', 'deposit'])), name='order_mails_kind_is_known'),
        ),
    ]
