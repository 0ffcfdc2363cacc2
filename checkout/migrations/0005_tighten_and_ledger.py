"""Ledger, mails and events of orders; and the columns of the two migrations before are now required."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0003_full_text_index'),
        ('checkout', '0004_refund_lines'),
        ('sellers', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('booking', models.UUIDField(default=uuid.uuid4, editable=False, verbose_name='booking')),
                ('entry_key', models.CharField(editable=False, max_length=120, unique=True)),
                ('kind', models.CharField(choices=[('charge', 'charge'), ('refund', 'refund')], max_length=8, verbose_name='kind')),
                ('account', models.CharField(choices=[('provider', 'payment provider'), ('seller', 'seller'), ('fee', 'platform fee'), ('house', 'own sales'), ('buyer', 'owed to the buyer')], max_length=8, verbose_name='account')),
                ('amount_krw', models.IntegerField(verbose_name='amount')),
                ('booked_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='booked at')),
            ],
            options={
                'verbose_name': 'ledger entry',
                'verbose_name_plural': 'ledger entries',
                'db_table': 'ledger_entries',
            },
        ),
        migrations.CreateModel(
            name='OrderMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('receipt', 'receipt'), ('refund', 'refund'), ('payment_failed', 'failed payment')], max_length=16, verbose_name='mail')),
                ('key', models.CharField(editable=False, max_length=80, unique=True)),
                ('status', models.CharField(choices=[('queued', 'to be sent'), ('sending', 'being sent'), ('sent', 'sent'), ('failed', 'not sent')], default='queued', max_length=8, verbose_name='status')),
                ('try_count', models.IntegerField(default=0, verbose_name='tries')),
                ('queued_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='queued at')),
                ('tried_at', models.DateTimeField(blank=True, null=True, verbose_name='tried at')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent at')),
            ],
            options={
                'verbose_name': 'mail',
                'verbose_name_plural': 'mails',
                'db_table': 'order_mails',
            },
        ),
        migrations.CreateModel(
            name='PaymentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('started', 'payment window opened'), ('returned', 'buyer came back from the window'), ('turned_back', 'buyer came back without paying'), ('confirm_sent', 'charge asked for'), ('confirm_answered', 'answer to the charge'), ('looked_up', 'payment looked up'), ('cancel_sent', 'money back asked for'), ('cancel_answered', 'answer to the money back'), ('webhook', 'hint from the provider'), ('moved', 'order moved'), ('staff', 'staff')], max_length=20, verbose_name='what')),
                ('outcome', models.CharField(blank=True, max_length=64, verbose_name='outcome')),
                ('detail', models.JSONField(blank=True, default=dict, verbose_name='detail')),
                ('dedup_key', models.CharField(blank=True, editable=False, max_length=64, null=True, unique=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='when')),
                ('handled_at', models.DateTimeField(blank=True, null=True, verbose_name='looked into at')),
            ],
            options={
                'verbose_name': 'payment event',
                'verbose_name_plural': 'payment events',
                'db_table': 'payment_events',
            },
        ),
        migrations.RemoveConstraint(
            model_name='payment',
            name='payments_status_is_known',
        ),
        migrations.RemoveConstraint(
            model_name='payment',
            name='payments_sent_ones_have_their_key',
        ),
        migrations.RemoveConstraint(
            model_name='refund',
            name='refunds_one_per_line_unless_it_failed',
        ),
        migrations.RemoveField(
            model_name='refund',
            name='order_line',
        ),
        migrations.RemoveField(
            model_name='sandboxpayment',
            name='confirm_key',
        ),
        migrations.AddField(
            model_name='orderline',
            name='fee_bp',
            field=models.IntegerField(default=0, help_text='Basis points of the price; 1000 is ten percent.', verbose_name='platform fee'),
        ),
        migrations.AddField(
            model_name='payment',
            name='deposit_account',
            field=models.CharField(blank=True, max_length=20, verbose_name='account to pay into'),
        ),
        migrations.AddField(
            model_name='payment',
            name='deposit_bank',
            field=models.CharField(blank=True, max_length=8, verbose_name='bank to pay into'),
        ),
        migrations.AddField(
            model_name='payment',
            name='deposit_due_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='to be paid until'),
        ),
        migrations.AddField(
            model_name='payment',
            name='receipt_url',
            field=models.URLField(blank=True, max_length=500, verbose_name='receipt of the provider'),
        ),
        migrations.AddField(
            model_name='refund',
            name='note',
            field=models.CharField(blank=True, max_length=200, verbose_name='note'),
        ),
        migrations.AddField(
            model_name='refund',
            name='requested_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='staff'),
        ),
        migrations.AddField(
            model_name='sandboxpayment',
            name='answers',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='sandboxpayment',
            name='deposit_account',
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name='sandboxpayment',
            name='deposit_due_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='sandboxpayment',
            name='method',
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name='sandboxpayment',
            name='transactions',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AlterField(
            model_name='payment',
            name='failure_message',
            field=models.TextField(blank=True, verbose_name='what the provider said'),
        ),
        migrations.AlterField(
            model_name='payment',
            name='provider_order_id',
            field=models.CharField(max_length=64, unique=True, verbose_name='order number at the provider'),
        ),
        migrations.AlterField(
            model_name='payment',
            name='status',
            field=models.CharField(choices=[('ready', 'window opened'), ('confirming', 'being checked'), ('waiting', 'waiting for deposit'), ('paid', 'paid'), ('failed', 'failed'), ('returning', 'being given back, because it could not be delivered'), ('cancelled', 'cancelled in full')], default='ready', max_length=16, verbose_name='status'),
        ),
        migrations.AlterField(
            model_name='refund',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='checkout.order', verbose_name='order'),
        ),
        migrations.AlterField(
            model_name='refund',
            name='reason',
            field=models.CharField(choices=[('buyer_cancelled', 'cancelled by the buyer before opening'), ('bought_twice', 'bought twice'), ('not_deliverable', 'charged, but not deliverable'), ('staff', 'refunded by staff'), ('provider', 'cancelled at the provider')], max_length=32, verbose_name='reason'),
        ),
        migrations.AlterField(
            model_name='sandboxpayment',
            name='fault',
            field=models.CharField(blank=True, choices=[('', 'none'), ('refused', 'the card is refused when it is charged'), ('lost_after', 'the answer is lost after the charge'), ('lost_before', 'the request is lost before the charge'), ('slow', 'the answer takes long'), ('deposit', 'paid into a virtual account')], default='', max_length=16),
        ),
        migrations.AlterField(
            model_name='sandboxpayment',
            name='status',
            field=models.CharField(choices=[('ready', 'window opened'), ('in_progress', 'authorised'), ('waiting', 'waiting for deposit'), ('done', 'charged'), ('partly_cancelled', 'partly cancelled'), ('cancelled', 'cancelled'), ('aborted', 'aborted')], default='ready', max_length=16),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(fields=['status', 'requested_at'], name='idx_refunds_status'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('fee_bp__gte', 0), ('fee_bp__lte', 10000)), name='order_lines_fee_is_a_part_of_the_price'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['ready', 'confirming', 'waiting', 'paid', 'failed', 'returning', 'cancelled'])), name='payments_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['confirming', 'waiting', 'paid', 'returning', 'cancelled']), _negated=True), ('payment_key__isnull', False), _connector='OR'), name='payments_sent_ones_have_their_key'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'waiting'), _negated=True), models.Q(('deposit_account', ''), _negated=True), _connector='OR'), name='payments_waiting_ones_have_their_account'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('reason', 'not_deliverable'), models.Q(('status', 'failed'), _negated=True)), fields=('payment',), name='refunds_one_per_undelivered_charge_unless_it_failed'),
        ),
        migrations.AddConstraint(
            model_name='refundline',
            constraint=models.CheckConstraint(condition=models.Q(('amount_krw__gt', 0)), name='refund_lines_amount_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='refundline',
            constraint=models.UniqueConstraint(condition=models.Q(('is_live', True)), fields=('order_line',), name='refund_lines_one_live_per_order_line'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='checkout.order', verbose_name='order'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='order_line',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='checkout.orderline', verbose_name='order line'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='checkout.payment', verbose_name='payment'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='refund',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='checkout.refund', verbose_name='refund'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='seller',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='sellers.seller', verbose_name='seller'),
        ),
        migrations.AddField(
            model_name='ordermail',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mails', to='checkout.order', verbose_name='order'),
        ),
        migrations.AddField(
            model_name='ordermail',
            name='payment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='mails', to='checkout.payment'),
        ),
        migrations.AddField(
            model_name='ordermail',
            name='refund',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='mails', to='checkout.refund'),
        ),
        migrations.AddField(
            model_name='ordermail',
            name='requested_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='staff'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='actor',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='staff'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='order',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='checkout.order', verbose_name='order'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='payment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='checkout.payment'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='refund',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='checkout.refund'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['order', 'booked_at'], name='idx_ledger_entries_order'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['seller', 'booked_at'], name='idx_ledger_entries_seller'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['booked_at'], name='idx_ledger_entries_booked_at'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('amount_krw', 0), _negated=True), name='ledger_entries_move_something'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['charge', 'refund'])), name='ledger_entries_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('account__in', ['provider', 'seller', 'fee', 'house', 'buyer'])), name='ledger_entries_account_is_known'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'charge'), ('refund__isnull', True)), models.Q(('kind', 'refund'), ('refund__isnull', False)), _connector='OR'), name='ledger_entries_refunds_name_theirs'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('account', 'seller'), _negated=True), models.Q(('order_line__isnull', False), ('seller__isnull', False)), _connector='OR'), name='ledger_entries_sellers_are_named'),
        ),
        migrations.AddIndex(
            model_name='ordermail',
            index=models.Index(fields=['status', 'queued_at'], name='idx_order_mails_status'),
        ),
        migrations.AddConstraint(
            model_name='ordermail',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['receipt', 'refund', 'payment_failed'])), name='order_mails_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='ordermail',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['queued', 'sending', 'sent', 'failed'])), name='order_mails_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='ordermail',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'sent'), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='order_mails_sent_ones_have_their_time'),
        ),
        migrations.AddIndex(
            model_name='paymentevent',
            index=models.Index(fields=['order', 'at'], name='idx_payment_events_order'),
        ),
        migrations.AddIndex(
            model_name='paymentevent',
            index=models.Index(condition=models.Q(('handled_at__isnull', True), ('kind', 'webhook')), fields=['at'], name='idx_payment_events_unhandled'),
        ),
        migrations.AddConstraint(
            model_name='paymentevent',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['started', 'returned', 'turned_back', 'confirm_sent', 'confirm_answered', 'looked_up', 'cancel_sent', 'cancel_answered', 'webhook', 'moved', 'staff'])), name='payment_events_kind_is_known'),
        ),
    ]
