"""What is bought: carts (`carts`), purchases (`purchases`), and the orders, payments and rights behind them."""

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
from marketplace.fields import DatabaseCascadeForeignKey, DatabaseCascadeOneToOneField
from sellers.models import Seller


class CartItem(models.Model):
    """One prompt waiting to be bought by a signed-in person. Source: schema document, table `carts`."""

    id = models.AutoField(primary_key=True)
    created_at = models.DateTimeField(_("added at"), default=timezone.now)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_constraint=False, db_index=False, related_name="cart_items"
    )
    prompt = DatabaseCascadeForeignKey(Prompt, models.CASCADE, db_index=False, related_name="cart_items")

    class Meta:
        db_table = "carts"
        verbose_name = _("cart item")
        verbose_name_plural = _("cart items")
        indexes = [
            models.Index(fields=["user"], name="idx_carts_user_id"),
            models.Index(fields=["prompt"], name="idx_carts_prompt_id"),
        ]
        constraints = [models.UniqueConstraint(fields=["user", "prompt"], name="carts_prompt_is_unique_per_user")]

    def __str__(self):
        return f"{self.user_id} {self.prompt_id}"


class Purchase(models.Model):
    """One prompt bought. Source: schema document, table `purchases`.

    `payment_order_id` is unique although one order can hold several prompts: the first line of an order carries the
    order's number, line n carries `<number>-<n>`; an order number never ends in that form.

    SQL deletes it with its prompt, as the document says; the ORM refuses to delete a prompt that somebody bought.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("bought at"), default=timezone.now)
    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="purchases",
        verbose_name=_("buyer"),
    )
    prompt = DatabaseCascadeForeignKey(
        Prompt, models.PROTECT, db_index=False, related_name="purchases", verbose_name=_("prompt")
    )
    payment_order_id = models.TextField(_("payment order"), unique=True)

    class Meta:
        db_table = "purchases"
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        indexes = [
            models.Index(fields=["buyer"], name="idx_purchases_buyer_id"),
            models.Index(fields=["prompt"], name="idx_purchases_prompt_id"),
            models.Index(fields=["payment_order_id"], name="idx_purchases_payment_order_id"),
        ]

    def __str__(self):
        return self.payment_order_id


# --- Carts: what the fixed table has no column for


class CartPrice(models.Model):
    """The price a cart item had when it was put in, so that a later change can be announced.

    `carts` has no column for it, and a session would forget it on the next device. A row that another program put into
    `carts` has none: then nothing is announced.
    """

    cart_item = DatabaseCascadeOneToOneField(CartItem, models.CASCADE, primary_key=True, related_name="seen")
    price_krw = models.IntegerField()

    class Meta:
        db_table = "cart_prices"
        constraints = [models.CheckConstraint(name="cart_prices_price_is_not_negative", condition=Q(price_krw__gte=0))]

    def __str__(self):
        return f"{self.cart_item_id} {self.price_krw}"


# --- Orders

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

    The provider knows it by `number`. An order is never deleted.
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


# --- Money in, money back


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


# --- The right to open what was bought


class EntitlementQuerySet(models.QuerySet):
    def live(self):
        return self.filter(revoked_at__isnull=True)


class Entitlement(models.Model):
    """The right to open one purchase. Sealed until `opened_at`; taken away at `revoked_at`, the row stays."""

    class RevokedReason(models.TextChoices):
        REFUNDED = "refunded", _("refunded")
        STAFF = "staff", _("taken back by staff")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purchase = models.OneToOneField(Purchase, models.PROTECT, related_name="entitlement", verbose_name=_("purchase"))
    order_line = models.OneToOneField(
        OrderLine, models.PROTECT, null=True, blank=True, related_name="entitlement", verbose_name=_("order line")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="entitlements", verbose_name=_("buyer")
    )
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="entitlements", verbose_name=_("prompt"))
    version = models.ForeignKey(
        PromptVersion, models.PROTECT, null=True, blank=True, related_name="entitlements", verbose_name=_("version")
    )
    granted_at = models.DateTimeField(_("granted at"), default=timezone.now)
    opened_at = models.DateTimeField(_("opened at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    revoked_reason = models.CharField(_("reason"), max_length=16, choices=RevokedReason, blank=True)

    objects = EntitlementQuerySet.as_manager()

    class Meta:
        db_table = "entitlements"
        verbose_name = _("entitlement")
        verbose_name_plural = _("entitlements")
        indexes = [models.Index(fields=["user", "granted_at"], name="idx_entitlements_user")]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "prompt"],
                condition=Q(revoked_at__isnull=True),
                name="entitlements_one_live_per_user_and_prompt",
            ),
            models.CheckConstraint(
                name="entitlements_revoked_ones_say_why",
                condition=Q(revoked_at__isnull=True, revoked_reason="")
                | Q(revoked_at__isnull=False, revoked_reason__in=["refunded", "staff"]),
            ),
        ]

    def __str__(self):
        return f"{self.user_id} {self.prompt_id}"

    @property
    def is_sealed(self) -> bool:
        return self.opened_at is None

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None


class AccessEvent(models.Model):
    """Who opened, read, copied or took away what, and when. Rows are only ever added."""

    class Kind(models.TextChoices):
        OPENED = "opened", _("opened")
        READ = "read", _("read")
        COPIED = "copied", _("copied")
        TEXT_DOWNLOADED = "text_downloaded", _("text downloaded")
        FILE_DOWNLOADED = "file_downloaded", _("file downloaded")

    entitlement = models.ForeignKey(Entitlement, models.PROTECT, related_name="access_events")
    kind = models.CharField(_("what"), max_length=16, choices=Kind)
    version = models.ForeignKey(
        PromptVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("version")
    )
    wording_version = models.CharField(_("version of the wording"), max_length=16, blank=True)
    at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        db_table = "access_log"
        verbose_name = _("access")
        verbose_name_plural = _("access log")
        indexes = [models.Index(fields=["entitlement", "kind", "at"], name="idx_access_log_entitlement")]
        constraints = [
            models.CheckConstraint(
                name="access_log_kind_is_known",
                condition=Q(kind__in=["opened", "read", "copied", "text_downloaded", "file_downloaded"]),
            ),
            models.CheckConstraint(
                name="access_log_opening_names_its_wording", condition=~Q(kind="opened") | ~Q(wording_version="")
            ),
        ]

    def __str__(self):
        return f"{self.entitlement_id} {self.kind}"


# --- The sandbox: another system that happens to keep its books in our database


class SandboxPayment(models.Model):
    """The provider's side of a test payment. Only `sandbox.py` reads and writes it; the shop asks the gateway."""

    class Status(models.TextChoices):
        READY = "ready", _("window opened")
        IN_PROGRESS = "in_progress", _("authorised")
        DONE = "done", _("charged")
        PARTLY_CANCELLED = "partly_cancelled", _("partly cancelled")
        CANCELLED = "cancelled", _("cancelled")
        ABORTED = "aborted", _("aborted")

    class Fault(models.TextChoices):
        NONE = "", _("none")
        REFUSED = "refused", _("the card is refused when it is charged")
        LOST_AFTER = "lost_after", _("the answer is lost after the charge")
        LOST_BEFORE = "lost_before", _("the request is lost before the charge")

    payment_key = models.CharField(max_length=64, primary_key=True, default=make_reference)
    reference = models.CharField(max_length=32, unique=True)
    order_number = models.CharField(max_length=64, db_index=True)
    order_name = models.CharField(max_length=100)
    amount_krw = models.IntegerField()
    balance_krw = models.IntegerField()
    status = models.CharField(max_length=16, choices=Status, default=Status.READY)
    fault = models.CharField(max_length=16, choices=Fault, default=Fault.NONE, blank=True)
    success_url = models.TextField()
    fail_url = models.TextField()
    confirm_key = models.CharField(max_length=64, blank=True)
    charge_count = models.IntegerField(default=0)  # must never pass one
    cancels = models.JSONField(default=list, blank=True)  # {"idempotency_key", "amount_krw", "reason"} each
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
        return f"{self.order_number} {self.status}"
