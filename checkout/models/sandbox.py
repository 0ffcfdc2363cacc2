"""The sandbox: another system that happens to keep its books in our database."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout.models.orders import make_reference


class SandboxPayment(models.Model):
    """The provider's side of a test payment. Only `sandbox.py` reads and writes it; the shop asks the gateway."""

    class Status(models.TextChoices):
        READY = "ready", _("window opened")
        IN_PROGRESS = "in_progress", _("authorised")
        WAITING = "waiting", _("waiting for deposit")
        DONE = "done", _("charged")
        PARTLY_CANCELLED = "partly_cancelled", _("partly cancelled")
        CANCELLED = "cancelled", _("cancelled")
        ABORTED = "aborted", _("aborted")

    class Fault(models.TextChoices):
        NONE = "", _("none")
        REFUSED = "refused", _("the card is refused when it is charged")
        LOST_AFTER = "lost_after", _("the answer is lost after the charge")
        LOST_BEFORE = "lost_before", _("the request is lost before the charge")
        SLOW = "slow", _("the answer takes long")
        DEPOSIT = "deposit", _("paid into a virtual account")

    payment_key = models.CharField(max_length=64, primary_key=True, default=make_reference)
    reference = models.CharField(max_length=32, unique=True)
    order_id = models.CharField(max_length=64, db_index=True)
    order_name = models.CharField(max_length=100)
    amount_krw = models.IntegerField()
    balance_krw = models.IntegerField()
    status = models.CharField(max_length=16, choices=Status, default=Status.READY)
    fault = models.CharField(max_length=16, choices=Fault, default=Fault.NONE, blank=True)
    success_url = models.TextField()
    fail_url = models.TextField()
    method = models.CharField(max_length=20, blank=True)
    deposit_account = models.CharField(max_length=20, blank=True)
    deposit_due_at = models.DateTimeField(null=True, blank=True)
    answers = models.JSONField(default=dict, blank=True)  # idempotency key: [HTTP status, body], for replay
    transactions = models.JSONField(default=list, blank=True)  # as `GET /v1/transactions` lists them
    charge_count = models.IntegerField(default=0)  # must never pass one
    cancels = models.JSONField(default=list, blank=True)  # each with amounts, reason, key and time
    silent_until = models.DateTimeField(null=True, blank=True)  # look-ups find nobody before
    created_at = models.DateTimeField(default=timezone.now)
    authorised_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "sandbox_payments"
        verbose_name = _("sandbox payment")
        verbose_name_plural = _("sandbox payments")
        constraints = [
            models.CheckConstraint(name="sandbox_payments_amount_is_positive", condition=Q(amount_krw__gt=0)),
            models.CheckConstraint(
                name="sandbox_payments_balance_is_within_amount",
                condition=Q(balance_krw__gte=0, balance_krw__lte=F("amount_krw")),
            ),
            models.CheckConstraint(name="sandbox_payments_are_charged_once", condition=Q(charge_count__lte=1)),
        ]

    def __str__(self):
        return f"{self.order_id} {self.status}"
