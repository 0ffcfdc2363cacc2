"""The ledger: every won that moved, twice."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout.models.orders import Order, OrderLine
from checkout.models.payments import Payment, Refund
from sellers.models import Seller


class LedgerEntry(models.Model):
    """One side of a booking. The entries of one `booking` add up to zero, and so do those of one order.

    amount_krw: whole won; what an account receives is positive, what it gives is negative. So `provider` holds what
    the provider owes the shop, and the negative sums of the others are what the shop owes them or earned.
    Rows are only ever added: triggers refuse to change or delete one. No `entry_key` is booked twice.
    """

    class Account(models.TextChoices):
        PROVIDER = "provider", _("payment provider")
        SELLER = "seller", _("seller")
        FEE = "fee", _("platform fee")
        HOUSE = "house", _("own sales")
        BUYER = "buyer", _("owed to the buyer")

    class Kind(models.TextChoices):
        CHARGE = "charge", _("charge")
        REFUND = "refund", _("refund")

    booking = models.UUIDField(_("booking"), default=uuid.uuid4, editable=False)
    entry_key = models.CharField(max_length=120, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    account = models.CharField(_("account"), max_length=8, choices=Account)
    amount_krw = models.IntegerField(_("amount"))
    order = models.ForeignKey(Order, models.PROTECT, related_name="ledger_entries", verbose_name=_("order"))
    order_line = models.ForeignKey(
        OrderLine, models.PROTECT, null=True, blank=True, related_name="ledger_entries", verbose_name=_("order line")
    )
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="ledger_entries", verbose_name=_("payment"))
    refund = models.ForeignKey(
        Refund, models.PROTECT, null=True, blank=True, related_name="ledger_entries", verbose_name=_("refund")
    )
    seller = models.ForeignKey(
        Seller, models.PROTECT, null=True, blank=True, related_name="ledger_entries", verbose_name=_("seller")
    )
    booked_at = models.DateTimeField(_("booked at"), default=timezone.now)

    class Meta:
        db_table = "ledger_entries"
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        indexes = [
            models.Index(fields=["order", "booked_at"], name="idx_ledger_entries_order"),
            models.Index(fields=["seller", "booked_at"], name="idx_ledger_entries_seller"),
            models.Index(fields=["booked_at"], name="idx_ledger_entries_booked_at"),
        ]
        constraints = [
            models.CheckConstraint(name="ledger_entries_move_something", condition=~Q(amount_krw=0)),
            models.CheckConstraint(name="ledger_entries_kind_is_known", condition=Q(kind__in=["charge", "refund"])),
            models.CheckConstraint(
                name="ledger_entries_account_is_known",
                condition=Q(account__in=["provider", "seller", "fee", "house", "buyer"]),
            ),
            models.CheckConstraint(
                name="ledger_entries_refunds_name_theirs",
                condition=Q(kind="charge", refund__isnull=True) | Q(kind="refund", refund__isnull=False),
            ),
            models.CheckConstraint(
                name="ledger_entries_sellers_are_named",
                condition=~Q(account="seller") | Q(seller__isnull=False, order_line__isnull=False),
            ),
        ]

    def __str__(self):
        return self.entry_key
