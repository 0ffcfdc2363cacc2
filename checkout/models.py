"""What is bought: carts (`carts`), purchases (`purchases`), and the orders, payments and rights behind them."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Prompt
from marketplace.fields import DatabaseCascadeForeignKey


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
        settings.AUTH_USER_MODEL, models.PROTECT, db_constraint=False, db_index=False, related_name="purchases"
    )
    prompt = DatabaseCascadeForeignKey(Prompt, models.PROTECT, db_index=False, related_name="purchases")
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
