"""Who sells: applications (`seller_waitlist`) and the sellers that came of them."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SellerApplication(models.Model):
    """Somebody who asks to sell. Source: schema document, table `seller_waitlist`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("applied at"), default=timezone.now)
    name = models.TextField(_("name"))
    email = models.TextField(_("e-mail address"))
    portfolio_url = models.TextField(_("portfolio"), null=True, blank=True)
    categories = models.JSONField(_("categories"), default=list, db_default=[], blank=True)
    message = models.TextField(_("message"), null=True, blank=True)
    processed = models.BooleanField(_("processed"), default=False, db_default=False)

    class Meta:
        db_table = "seller_waitlist"
        verbose_name = _("seller application")
        verbose_name_plural = _("seller applications")
        indexes = [models.Index(fields=["processed"], name="idx_seller_waitlist_processed")]

    def __str__(self):
        return f"{self.name} <{self.email}>"


class SellerQuerySet(models.QuerySet):
    def active(self):
        return self.filter(status=Seller.Status.ACTIVE)


class Seller(models.Model):
    """An account that may sell, and how it appears on its listings."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="seller", verbose_name=_("account")
    )
    slug = models.SlugField(_("last part of the address"), max_length=60, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=80)
    bio = models.TextField(_("about"), blank=True)
    website_url = models.URLField(_("website"), blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(_("since"), default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        db_table = "sellers"
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        constraints = [
            models.CheckConstraint(
                name="sellers_status_is_known", condition=models.Q(status__in=["active", "suspended"])
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.slug})"

    def get_absolute_url(self):
        return reverse("sellers:seller_detail", args=[self.slug])
