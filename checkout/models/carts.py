"""What waits to be bought: `carts`, and what that fixed table has no column for."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Prompt
from marketplace.fields import DatabaseCascadeForeignKey, DatabaseCascadeOneToOneField


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
