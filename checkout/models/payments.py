"""Money in, money back, and what was said about it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout.models.orders import Order, OrderLine, make_reference
from marketplace.mail_queue import QueuedMail


class Payment(models.Model):
    """One attempt to pay an order.

    `reference` stands in addresses. The provider knows the attempt by `provider_order_id`: the order's number for the
    first one, `<number>_<n>` for the nth, because which of several payments under one id a look-up finds is not
    documented. `payment_key` is the provider's own name for it, known once the buyer authorised.
    """

    class Provider(models.TextChoices):
        SANDBOX = "sandbox", _("sandbox")
        TOSS = "toss", "Toss Payments"

    class Status(models.TextChoices):
        READY = "ready", _("window opened")
        CONFIRMING = "confirming", _("being checked")
        WAITING = "waiting", _("waiting for deposit")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")
        RETURNING = "returning", _("being given back, because it could not be delivered")
        CANCELLED = "cancelled", _("cancelled in full")

    IN_DOUBT = [Status.CONFIRMING, Status.WAITING]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=32, unique=True, default=make_reference, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="payments", verbose_name=_("order"))
    provider = models.CharField(_("provider"), max_length=16, choices=Provider)
    provider_order_id = models.CharField(_("order number at the provider"), max_length=64, unique=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.READY)
    payment_key = models.CharField(_("payment key"), max_length=200, unique=True, null=True, blank=True)
    idempotency_key = models.CharField(max_length=64, unique=True, default=make_reference, editable=False)
    amount_krw = models.IntegerField(_("amount"))
    method = models.CharField(_("method"), max_length=40, blank=True)
    deposit_bank = models.CharField(_("bank to pay into"), max_length=8, blank=True)
    deposit_account = models.CharField(_("account to pay into"), max_length=20, blank=True)
    deposit_due_at = models.DateTimeField(_("to be paid until"), null=True, blank=True)
    receipt_url = models.URLField(_("receipt of the provider"), max_length=500, blank=True)
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    confirmed_at = models.DateTimeField(_("confirmation sent at"), null=True, blank=True)
    looked_up_at = models.DateTimeField(_("looked up at"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    failure_code = models.CharField(_("failure"), max_length=64, blank=True)
    failure_message = models.TextField(_("what the provider said"), blank=True)

    class Meta:
        db_table = "payments"
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        indexes = [models.Index(fields=["status", "requested_at"], name="idx_payments_status")]
        constraints = [
            models.CheckConstraint(
                name="payments_status_is_known",
                condition=Q(status__in=["ready", "confirming", "waiting", "paid", "failed", "returning", "cancelled"]),
            ),
            models.CheckConstraint(name="payments_provider_is_known", condition=Q(provider__in=["sandbox", "toss"])),
            models.CheckConstraint(name="payments_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.CheckConstraint(
                name="payments_sent_ones_have_their_key",
                condition=~Q(status__in=["confirming", "waiting", "paid", "returning", "cancelled"])
                | Q(payment_key__isnull=False),
            ),
            models.CheckConstraint(
                name="payments_paid_ones_have_their_time", condition=~Q(status="paid") | Q(approved_at__isnull=False)
            ),
            models.CheckConstraint(
                name="payments_waiting_ones_have_their_account",
                condition=~Q(status="waiting") | ~Q(deposit_account=""),
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(status__in=["confirming", "waiting", "paid"]),
                name="payments_one_charge_per_order",
            ),
        ]

    def __str__(self):
        return f"{self.get_provider_display()}, {self.get_status_display()}"

    @property
    def is_deposit(self) -> bool:
        """Paid, or to be paid, into a virtual account: giving it back needs an account of the buyer's."""
        return bool(self.deposit_account)


class Refund(models.Model):
    """Money back: one cancel at the provider, for the order lines in `lines`, or for none when a charge could not be
    delivered at all. It is given once however often it is asked for.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested", _("being refunded")
        DONE = "done", _("refunded")
        FAILED = "failed", _("refund refused")

    class Reason(models.TextChoices):
        BUYER_CANCELLED = "buyer_cancelled", _("cancelled by the buyer before opening")
        BOUGHT_TWICE = "bought_twice", _("bought twice")
        NOT_DELIVERABLE = "not_deliverable", _("charged, but not deliverable")
        STAFF = "staff", _("refunded by staff")
        PROVIDER = "provider", _("cancelled at the provider")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="refunds", verbose_name=_("order"))
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.REQUESTED)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason)
    note = models.CharField(_("note"), max_length=200, blank=True)  # staff's own words; the buyer reads them
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
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
        indexes = [models.Index(fields=["status", "requested_at"], name="idx_refunds_status")]
        constraints = [
            models.CheckConstraint(
                name="refunds_status_is_known", condition=Q(status__in=["requested", "done", "failed"])
            ),
            models.CheckConstraint(name="refunds_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.CheckConstraint(
                name="refunds_done_ones_have_their_time", condition=~Q(status="done") | Q(done_at__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(reason="not_deliverable") & ~Q(status="failed"),
                name="refunds_one_per_undelivered_charge_unless_it_failed",
            ),
        ]

    def __str__(self):
        return f"{self.get_reason_display()}, {self.get_status_display()}"

    @property
    def mark(self) -> str:
        """Stands in the reason that the provider keeps with a cancel, so that this refund is found among others."""
        return self.pk.hex


class RefundLine(models.Model):
    """One order line that a refund covers. `is_live` falls with a refund that failed: the line may be tried again."""

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="lines", verbose_name=_("refund"))
    order_line = models.ForeignKey(OrderLine, models.PROTECT, related_name="refund_lines", verbose_name=_("order line"))
    amount_krw = models.IntegerField(_("amount"))
    is_live = models.BooleanField(_("counts"), default=True)

    class Meta:
        db_table = "refund_lines"
        verbose_name = _("refunded line")
        verbose_name_plural = _("refunded lines")
        constraints = [
            models.CheckConstraint(name="refund_lines_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.UniqueConstraint(
                fields=["order_line"], condition=Q(is_live=True), name="refund_lines_one_live_per_order_line"
            ),
        ]

    def __str__(self):
        return f"{self.refund_id} {self.order_line_id}"


class PaymentEvent(models.Model):
    """What happened to an order, in the order in which we learned it: requests, answers, webhooks, moves, staff.

    `outcome` is one word: the provider's state or error code, or the new status. `detail` holds a few chosen values,
    never keys, card data or bodies. A webhook is a hint that `handled_at` says was looked into; `dedup_key` keeps one
    that is sent again from being stored again.
    """

    class Kind(models.TextChoices):
        STARTED = "started", _("payment window opened")
        RETURNED = "returned", _("buyer came back from the window")
        TURNED_BACK = "turned_back", _("buyer came back without paying")
        CONFIRM_SENT = "confirm_sent", _("charge asked for")
        CONFIRM_ANSWERED = "confirm_answered", _("answer to the charge")
        LOOKED_UP = "looked_up", _("payment looked up")
        CANCEL_SENT = "cancel_sent", _("money back asked for")
        CANCEL_ANSWERED = "cancel_answered", _("answer to the money back")
        WEBHOOK = "webhook", _("hint from the provider")
        MOVED = "moved", _("order moved")
        STAFF = "staff", _("staff")

    order = models.ForeignKey(
        Order, models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("order")
    )
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, blank=True, related_name="events")
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, blank=True, related_name="events")
    kind = models.CharField(_("what"), max_length=20, choices=Kind)
    outcome = models.CharField(_("outcome"), max_length=64, blank=True)
    detail = models.JSONField(_("detail"), default=dict, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    dedup_key = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    at = models.DateTimeField(_("when"), default=timezone.now)
    handled_at = models.DateTimeField(_("looked into at"), null=True, blank=True)

    class Meta:
        db_table = "payment_events"
        verbose_name = _("payment event")
        verbose_name_plural = _("payment events")
        indexes = [
            models.Index(fields=["order", "at"], name="idx_payment_events_order"),
            models.Index(
                fields=["at"], condition=Q(kind="webhook", handled_at__isnull=True), name="idx_payment_events_unhandled"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="payment_events_kind_is_known",
                condition=Q(
                    kind__in=[
                        "started",
                        "returned",
                        "turned_back",
                        "confirm_sent",
                        "confirm_answered",
                        "looked_up",
                        "cancel_sent",
                        "cancel_answered",
                        "webhook",
                        "moved",
                        "staff",
                    ]
                ),
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.outcome}".strip()


class OrderMail(QueuedMail):
    """One mail about an order. Its `key` is `receipt:<order>`; a receipt sent again by staff has a key of its own."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt", _("receipt")
        REFUND = "refund", _("refund")
        PAYMENT_FAILED = "payment_failed", _("failed payment")
        DEPOSIT = "deposit", _("account to pay into")

    order = models.ForeignKey(Order, models.PROTECT, related_name="mails", verbose_name=_("order"))
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, blank=True, related_name="mails")
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, blank=True, related_name="mails")
    kind = models.CharField(_("mail"), max_length=16, choices=Kind)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )

    class Meta:
        db_table = "order_mails"
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        indexes = [models.Index(fields=["status", "queued_at"], name="idx_order_mails_status")]
        constraints = [
            models.CheckConstraint(
                name="order_mails_kind_is_known",
                condition=Q(kind__in=["receipt", "refund", "payment_failed", "deposit"]),
            ),
            models.CheckConstraint(
                name="order_mails_status_is_known", condition=Q(status__in=["queued", "sending", "sent", "failed"])
            ),
            models.CheckConstraint(
                name="order_mails_sent_ones_have_their_time", condition=~Q(status="sent") | Q(sent_at__isnull=False)
            ),
        ]
