"""Orders: found, and looked at with everything that happened to them. `acts.py` has what staff may do."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from checkout.admin.acts import OrderActs
from checkout.admin.doubts import DoubtFilter
from checkout.admin.shared import ReadOnlyInline, describe_access, show_method, show_won
from checkout.models import LedgerEntry, Order, OrderConsent, OrderLine, Payment, Refund
from marketplace.admin import ReadOnlyAdmin


class OrderLineInline(ReadOnlyInline):
    model = OrderLine
    fields = ["position", "title", "seller", "amount", "access"]
    readonly_fields = ["amount", "access"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "entitlement").order_by("position")

    @admin.display(description=_("price"))
    def amount(self, line):
        return show_won(line.price_krw)

    @admin.display(description=_("access"))
    def access(self, line):
        return describe_access(line)


class PaymentInline(ReadOnlyInline):
    model = Payment
    show_change_link = True
    fields = ["provider_order_id", "provider", "status", "amount", "paid_with", "approved_at", "failure_code"]
    readonly_fields = ["amount", "paid_with"]
    ordering = ["requested_at", "pk"]

    @admin.display(description=_("amount"))
    def amount(self, payment):
        return show_won(payment.amount_krw)

    @admin.display(description=_("method"))
    def paid_with(self, payment):
        return show_method(payment.method)


class RefundInline(ReadOnlyInline):
    model = Refund
    show_change_link = True
    fields = ["status", "reason", "note", "amount", "requested_by", "done_at", "failure_code"]
    readonly_fields = ["amount"]
    ordering = ["requested_at", "pk"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("requested_by")

    @admin.display(description=_("amount"))
    def amount(self, refund):
        return show_won(refund.amount_krw)


class LedgerInline(ReadOnlyInline):
    model = LedgerEntry
    fields = ["booked_at", "kind", "account", "amount", "order_line", "seller"]
    readonly_fields = ["amount"]
    ordering = ["booked_at", "pk"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("order_line", "seller")

    @admin.display(description=_("amount"))
    def amount(self, entry):
        return show_won(entry.amount_krw)


class OrderConsentInline(ReadOnlyInline):
    model = OrderConsent
    fields = ["text", "version", "accepted_at"]
    ordering = ["pk"]


@admin.register(Order)
class OrderAdmin(OrderActs, ReadOnlyAdmin):
    secret_columns = ("request_token",)
    view_on_site = False  # the page there is the buyer's own
    list_display = ["number", "status", "total", "titles", "buyer", "refunded", "created_at", "paid_at"]
    list_filter = [DoubtFilter, "status", "created_at"]
    list_select_related = ["buyer"]
    search_fields = [
        *("^number", "email", "buyer__email", "lines__title"),
        *("^payments__payment_key", "^payments__provider_order_id"),
    ]
    search_help_text = _("Order number, e-mail address, prompt or the beginning of the payment key")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]
    actions = ["ask_about_chosen"]
    fields = [
        *("number", "buyer", "email", "status", "total", "refunded", "language"),
        *("created_at", "expires_at", "paid_at", "updated_at"),
    ]
    readonly_fields = ["total", "refunded"]
    inlines = [OrderLineInline, PaymentInline, RefundInline, LedgerInline, OrderConsentInline]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("buyer").prefetch_related("lines")

    @admin.display(description=_("prompts"))
    def titles(self, order):
        lines = sorted(order.lines.all(), key=lambda line: line.position)
        if not lines:
            return "–"
        more_count = len(lines) - 1
        more = ngettext(" and %(n)d more", " and %(n)d more", more_count) % {"n": more_count} if more_count else ""
        return Truncator(lines[0].title).chars(28) + more

    @admin.display(description=_("total"), ordering="total_krw")
    def total(self, order):
        return show_won(order.total_krw)

    @admin.display(description=_("refunded"), ordering="refunded_krw")
    def refunded(self, order):
        return show_won(order.refunded_krw or None)


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnlyAdmin):
    list_display = ["title", "order", "position", "seller", "amount", "ordered_at"]
    list_select_related = ["order", "seller"]
    search_fields = ["^order__number", "title", "seller__name"]
    search_help_text = _("Order number, prompt or seller")
    date_hierarchy = "order__created_at"
    ordering = ["-order__created_at", "order", "position"]
    fields = ["order", "position", "title", "seller", "amount", "fee_bp"]
    readonly_fields = ["amount"]

    def get_object_title(self, line):
        return f"{line.title} · {line.order}"

    @admin.display(description=_("price"), ordering="price_krw")
    def amount(self, line):
        return show_won(line.price_krw)

    @admin.display(description=_("ordered at"), ordering="order__created_at")
    def ordered_at(self, line):
        return line.order.created_at
