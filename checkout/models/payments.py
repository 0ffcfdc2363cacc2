"""Money in, money back."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout.models.orders import Order, OrderLine, make_reference


class Payment(models.Model):
    """One attempt to pay an order. `reference` stands in addresses; `payment_key` is the provider's name for it."""

    class Provider(models.TextChoices):
        SANDBOX = "sandbox", _("sandbox")
        TOSS = "toss", "Toss Payments"

    class Status(models.TextChoices):
        READY = "ready", _("window opened")
        CONFIRMING = "confirming", _("being checked")
        WAITING = "waiting", _("waiting for deposit")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled in full")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=32, unique=True, default=make_reference, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="payments", verbose_name=_("order"))
    provider = models.CharField(_("provider"), max_length=16, choices=Provider)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.READY)
    payment_key = models.CharField(_("payment key"), max_length=200, unique=True, null=True, blank=True)
    idempotency_key = models.CharField(max_length=64, unique=True, default=make_reference, editable=False)
    amount_krw = models.IntegerField(_("amount"))
    method = models.CharField(_("method"), max_length=40, blank=True)
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    confirmed_at = models.DateTimeField(_("confirmation sent at"), null=True, blank=True)
    looked_up_at = models.DateTimeField(_("looked up at"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    failure_code = models.CharField(_("failure"), max_length=64, blank=True)
    failure_message = models.TextField(_("what the buyer was told"), blank=True)

    class Meta:
        db_table = "payments"
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        indexes = [models.Index(fields=["status", "requested_at"], name="idx_payments_status")]
        constraints = [
            models.CheckConstraint(
                name="payments_status_is_known",
                condition=Q(status__in=["ready", "confirming", "waiting", "paid", "failed", "cancelled"]),
            ),
            models.CheckConstraint(name="payments_provider_is_known", condition=Q(provider__in=["sandbox", "toss"])),
            models.CheckConstraint(name="payments_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.CheckConstraint(
                name="payments_sent_ones_have_their_key",
                condition=~Q(status__in=["confirming", "waiting", "paid", "cancelled"]) | Q(payment_key__isnull=False),
            ),
            models.CheckConstraint(
                name="payments_paid_ones_have_their_time", condition=~Q(status="paid") | Q(approved_at__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(status__in=["confirming", "waiting", "paid"]),
                name="payments_one_charge_per_order",
            ),
        ]

    def __str__(self):
        return f"{self.get_provider_display()}, {self.get_status_display()}"


class Refund(models.Model):
    """Money back for one line of an order; at most one per line. It is given once however often it is asked for."""

    class Status(models.TextChoices):
        REQUESTED = "requested", _("being refunded")
        DONE = "done", _("refunded")
        FAILED = "failed", _("refund refused")

    class Reason(models.TextChoices):
        BUYER_CANCELLED = "buyer_cancelled", _("cancelled by the buyer before opening")
        BOUGHT_TWICE = "bought_twice", _("bought twice")
        STAFF = "staff", _("refunded by staff")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order_line = models.ForeignKey(OrderLine, models.PROTECT, related_name="refunds", verbose_name=_("order line"))
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.REQUESTED)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason)
    amount_krw = models.IntegerField(_("amount"))
    idempotency_key = models.CharField(max_length=64, unique=True, default=make_reference, editable=False)
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    asked_at = models.DateTimeField(_("provider asked at"), null=True, blank=True)
    done_at = models.DateTimeField(_("refunded at"), null=True, blank=True)
    failure_code = models.CharField(_("failure"), max_length=64, blank=True)
    failure_message = models.TextField(_("failure message"), blank=True)

    class Meta:
        db_table = "refunds"
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(
                name="refunds_status_is_known", condition=Q(status__in=["requested", "done", "failed"])
            ),
            models.CheckConstraint(name="refunds_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.CheckConstraint(
                name="refunds_done_ones_have_their_time", condition=~Q(status="done") | Q(done_at__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["order_line"], condition=~Q(status="failed"), name="refunds_one_per_line_unless_it_failed"
            ),
        ]

    def __str__(self):
        return f"{self.get_reason_display()}, {self.get_status_display()}"
