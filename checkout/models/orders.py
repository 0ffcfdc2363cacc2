"""Acts of buying, with what stood on the page when somebody ordered."""

import secrets
import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Right
from django.db.models.lookups import In
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Prompt, PromptVersion
from sellers.models import Seller

ORDER_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that is read for something else
ORDER_LETTERS = ORDER_ALPHABET[8:]


def make_order_number(now: datetime | None = None) -> str:
    """`PJ261122-K7Q2MX9D`: the day in Seoul and eight random characters.

    The last one is a letter, so no number ends in `-<digits>`, the form of the later lines' `payment_order_id`.
    """
    code = "".join(secrets.choice(ORDER_ALPHABET) for _ in range(7)) + secrets.choice(ORDER_LETTERS)
    return f"PJ{timezone.localdate(now):%y%m%d}-{code}"


def make_reference() -> str:
    """An address nobody can guess: 32 hexadecimal characters."""
    return secrets.token_hex(16)


class OrderQuerySet(models.QuerySet):
    def payable(self, *, now):
        """Orders whose payment may begin or be tried again."""
        return self.filter(status__in=Order.PAYABLE, expires_at__gt=now)


class Order(models.Model):
    """One act of buying, with titles and prices frozen in its lines. `orders.py` lists the moves between states.

    An order is never deleted, and no payment or ledger entry of it either.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("waiting for payment")
        CONFIRMING = "confirming", _("payment being checked")
        WAITING = "waiting", _("waiting for deposit")
        PAID = "paid", _("paid")
        FAILED = "failed", _("payment failed")
        EXPIRED = "expired", _("expired")
        CANCELLED = "cancelled", _("cancelled")
        PARTLY_REFUNDED = "partly_refunded", _("partly refunded")
        REFUNDED = "refunded", _("refunded")

    PAYABLE = [Status.PENDING, Status.FAILED]
    DELIVERED = [Status.PAID, Status.PARTLY_REFUNDED, Status.REFUNDED]  # was paid once, whatever came after

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(_("order number"), max_length=64, unique=True, default=make_order_number, editable=False)
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", verbose_name=_("buyer"))
    email = models.EmailField(_("e-mail address"), help_text=_("Where receipts go."))
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.PENDING)
    total_krw = models.IntegerField(_("total"), help_text=_("Whole won, VAT included."))
    refunded_krw = models.IntegerField(_("refunded"), default=0)
    language = models.CharField(_("language"), max_length=8, default="ko")
    request_token = models.CharField(  # of the page that sent it: a second click finds the same order
        max_length=36, default=make_reference, editable=False
    )
    created_at = models.DateTimeField(_("ordered at"), default=timezone.now)
    expires_at = models.DateTimeField(_("payable until"))
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = OrderQuerySet.as_manager()

    class Meta:
        db_table = "orders"
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        indexes = [
            models.Index(fields=["buyer", "created_at"], name="idx_orders_buyer_created_at"),
            models.Index(fields=["status", "created_at"], name="idx_orders_status_created_at"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["buyer", "request_token"], name="orders_one_per_request"),
            models.CheckConstraint(
                name="orders_status_is_known",
                condition=Q(
                    status__in=[
                        "pending",
                        "confirming",
                        "waiting",
                        "paid",
                        "failed",
                        "expired",
                        "cancelled",
                        "partly_refunded",
                        "refunded",
                    ]
                ),
            ),
            models.CheckConstraint(name="orders_total_is_not_negative", condition=Q(total_krw__gte=0)),
            models.CheckConstraint(
                name="orders_refund_is_within_total", condition=Q(refunded_krw__gte=0, refunded_krw__lte=F("total_krw"))
            ),
            models.CheckConstraint(
                name="orders_paid_at_is_set_exactly_when_paid",
                condition=Q(status__in=["paid", "partly_refunded", "refunded"], paid_at__isnull=False)
                | (~Q(status__in=["paid", "partly_refunded", "refunded"]) & Q(paid_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="orders_refund_matches_status",
                condition=Q(status="refunded", refunded_krw=F("total_krw"))
                | Q(status="partly_refunded", refunded_krw__gt=0, refunded_krw__lt=F("total_krw"))
                | (~Q(status__in=["refunded", "partly_refunded"]) & Q(refunded_krw=0)),
            ),
            models.CheckConstraint(name="orders_expire_after_creation", condition=Q(expires_at__gt=F("created_at"))),
            models.CheckConstraint(
                name="orders_number_ends_in_a_letter", condition=In(Right("number", 1), list(ORDER_LETTERS))
            ),
        ]

    def __str__(self):
        return self.number

    def get_absolute_url(self):
        return reverse("checkout:order_detail", args=[self.number])

    @property
    def is_free(self) -> bool:
        return self.total_krw == 0

    @property
    def is_delivered(self) -> bool:
        return self.status in self.DELIVERED

    @property
    def balance_krw(self) -> int:
        """What the buyer has paid and not been given back."""
        return self.total_krw - self.refunded_krw if self.is_delivered else 0

    def is_payable(self, *, now) -> bool:
        return self.status in self.PAYABLE and self.expires_at > now


class OrderLineQuerySet(models.QuerySet):
    def for_checks(self):
        """With what decides whether a prompt may be bought, and no text: one query."""
        return self.select_related("prompt__listing__seller").defer(
            "prompt__prompt_text", "prompt__file_url", "prompt__description"
        )


class OrderLine(models.Model):
    """One prompt of an order, as it was when ordered. Later titles and prices of the prompt change nothing here."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="lines", verbose_name=_("order"))
    position = models.IntegerField(_("position"))
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="order_lines", verbose_name=_("prompt"))
    version = models.ForeignKey(
        PromptVersion, models.PROTECT, null=True, blank=True, related_name="order_lines", verbose_name=_("version")
    )
    seller = models.ForeignKey(
        Seller, models.PROTECT, null=True, blank=True, related_name="order_lines", verbose_name=_("seller")
    )
    title = models.TextField(_("title"))
    price_krw = models.IntegerField(_("price"))
    fee_bp = models.IntegerField(  # frozen like the price: a later fee changes nothing here
        _("platform fee"), default=0, help_text=_("Basis points of the price; 1000 is ten percent.")
    )

    objects = OrderLineQuerySet.as_manager()

    class Meta:
        db_table = "order_lines"
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(fields=["order", "prompt"], name="order_lines_prompt_is_unique_per_order"),
            models.UniqueConstraint(fields=["order", "position"], name="order_lines_position_is_unique_per_order"),
            models.CheckConstraint(name="order_lines_price_is_not_negative", condition=Q(price_krw__gte=0)),
            models.CheckConstraint(name="order_lines_position_counts_from_one", condition=Q(position__gte=1)),
            models.CheckConstraint(
                name="order_lines_fee_is_a_part_of_the_price", condition=Q(fee_bp__gte=0, fee_bp__lte=10_000)
            ),
        ]

    def __str__(self):
        return self.title


class OrderConsent(models.Model):
    """What the buyer agreed to when ordering, in the words that stood on the page."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="consents")
    key = models.CharField(_("about"), max_length=32)
    version = models.CharField(_("version of the wording"), max_length=16)
    text = models.TextField(_("wording"))
    accepted_at = models.DateTimeField(_("accepted at"))

    class Meta:
        db_table = "order_consents"
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [models.UniqueConstraint(fields=["order", "key"], name="order_consents_key_is_unique_per_order")]

    def __str__(self):
        return f"{self.key} {self.version}"
