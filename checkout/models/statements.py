"""What the shop owes each seller for a month, and that it was paid out."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout.models.ledger import LedgerEntry
from sellers.models import Seller


class Statement(models.Model):
    """A seller's account of one month in Seoul. Built once from the ledger, never changed afterwards: triggers refuse
    to change or delete one, its entries or its payout.

    Whole won. sales_krw: prices of what was sold. refunds_krw: prices of what was given back, whenever it was sold.
    fee_krw: the platform's fee on the first less that on the second; each fee is rounded down to the won by itself.
    payable_krw = sales_krw - refunds_krw - fee_krw, and may be negative. carried_krw: a debt of the statement before,
    so zero or negative. due_krw = payable_krw + carried_krw: paid out when positive, carried on when not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    seller = models.ForeignKey(Seller, models.PROTECT, related_name="statements", verbose_name=_("seller"))
    month = models.DateField(_("month"), help_text=_("Its first day."))
    sales_krw = models.BigIntegerField(_("sales"))
    refunds_krw = models.BigIntegerField(_("refunds"))
    fee_krw = models.BigIntegerField(_("fee"))
    payable_krw = models.BigIntegerField(_("payable"))
    carried_krw = models.BigIntegerField(_("carried over"), default=0)
    due_krw = models.BigIntegerField(_("due"))
    built_at = models.DateTimeField(_("built at"), default=timezone.now)

    class Meta:
        db_table = "statements"
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        constraints = [
            models.UniqueConstraint(fields=["seller", "month"], name="statements_one_per_seller_and_month"),
            models.CheckConstraint(
                name="statements_sales_and_refunds_are_not_negative", condition=Q(sales_krw__gte=0, refunds_krw__gte=0)
            ),
            models.CheckConstraint(
                name="statements_payable_is_sales_less_refunds_and_fee",
                condition=Q(payable_krw=F("sales_krw") - F("refunds_krw") - F("fee_krw")),
            ),
            models.CheckConstraint(
                name="statements_due_is_payable_and_carried", condition=Q(due_krw=F("payable_krw") + F("carried_krw"))
            ),
            models.CheckConstraint(name="statements_only_debts_are_carried", condition=Q(carried_krw__lte=0)),
        ]

    def __str__(self):
        return f"{self.seller_id} {self.month:%Y-%m}"


class StatementEntry(models.Model):
    """A ledger entry on the one statement that it is part of: what a seller got or gave back, and the fee of it.

    A late entry, booked into a month whose statement is built, stands on the next one.
    """

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="entries")
    entry = models.OneToOneField(LedgerEntry, models.PROTECT, related_name="statement_entry")

    class Meta:
        db_table = "statement_entries"

    def __str__(self):
        return f"{self.statement_id} {self.entry_id}"


class Payout(models.Model):
    """That the due of one statement was paid, by whom and under which bank reference. Rows are only ever added."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    statement = models.OneToOneField(Statement, models.PROTECT, related_name="payout", verbose_name=_("statement"))
    amount_krw = models.BigIntegerField(_("amount"))
    bank_reference = models.CharField(_("bank reference"), max_length=80)
    paid_on = models.DateField(_("paid on"))
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("recorded by")
    )
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now)

    class Meta:
        db_table = "payouts"
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        constraints = [
            models.CheckConstraint(name="payouts_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.CheckConstraint(name="payouts_name_their_bank_reference", condition=~Q(bank_reference="")),
            models.UniqueConstraint(fields=["bank_reference"], name="payouts_bank_reference_is_unique"),
        ]

    def __str__(self):
        return self.bank_reference
