"""The books, to look at."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from checkout.admin.shared import show_won
from checkout.models import LedgerEntry
from marketplace.admin import ReadOnlyAdmin


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """What an account receives is positive; the entries of one order add up to zero."""

    list_display = ["order", "booked_at", "kind", "account", "amount", "line_title", "seller"]
    list_filter = ["kind", "account", "booked_at"]
    list_select_related = ["order", "order_line", "seller"]
    search_fields = ["^order__number", "^payment__provider_order_id", "seller__name"]
    search_help_text = _("Order number or seller")
    date_hierarchy = "booked_at"
    ordering = ["-booked_at", "-pk"]
    fields = ["order", "booked_at", "kind", "account", "amount", "order_line", "seller", "payment", "refund", "booking"]
    readonly_fields = ["amount", "booking"]

    def get_object_title(self, entry):
        return f"{entry.order} · {entry.get_kind_display()} · {entry.get_account_display()}"

    @admin.display(description=_("amount"), ordering="amount_krw")
    def amount(self, entry):
        return show_won(entry.amount_krw)

    @admin.display(description=_("prompt"), ordering="order_line__title")
    def line_title(self, entry):
        return Truncator(entry.order_line.title).chars(28) if entry.order_line else "–"
