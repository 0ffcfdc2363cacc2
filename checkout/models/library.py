"""What was bought (`purchases`), the right to open it, and who did."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Prompt, PromptVersion
from checkout.models.orders import OrderLine
from marketplace.fields import DatabaseCascadeForeignKey
from marketplace.querysets import DatedQuerySet


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

    objects = DatedQuerySet.as_manager()

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
        CLIENT_READ = "client_read", _("read in an AI client")
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
                condition=Q(kind__in=["opened", "read", "client_read", "copied", "text_downloaded", "file_downloaded"]),
            ),
            models.CheckConstraint(
                name="access_log_opening_names_its_wording", condition=~Q(kind="opened") | ~Q(wording_version="")
            ),
        ]

    def __str__(self):
        return f"{self.entitlement_id} {self.kind}"


class Preset(models.Model):
    """Values for a prompt's variables that somebody keeps under a name, for themselves alone.

    values: {key of the variable: value}. By key rather than by version, so that they fit later versions too.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="presets")
    prompt = DatabaseCascadeForeignKey(Prompt, models.CASCADE, related_name="presets")
    name = models.CharField(max_length=60)
    values = models.JSONField(default=dict)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "reader_presets"
        constraints = [
            models.UniqueConstraint(fields=["user", "prompt", "name"], name="reader_presets_name_is_unique"),
            models.CheckConstraint(name="reader_presets_have_a_name", condition=~Q(name="")),
        ]

    def __str__(self):
        return f"{self.user_id} {self.prompt_id} {self.pk}"
