"""Staff look at orders, payments and rights here; nobody edits or deletes them. Changes go through use cases."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from checkout.models import AccessEvent, Entitlement, Order, OrderConsent, OrderLine, Payment, Purchase, Refund
from marketplace.admin import SecretColumns
from marketplace.templatetags.marketplace_tags import won_amount


class ReadOnly:
    """No adding, changing or deleting; what is shown is shown as text."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    show_change_link = False


class OrderLineInline(ReadOnlyInline):
    model = OrderLine
    fields = ["position", "title", "seller", "amount", "version"]
    readonly_fields = ["amount"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "version").order_by("position")

    @admin.display(description=_("price"))
    def amount(self, line):
        return won_amount(line.price_krw)


class OrderConsentInline(ReadOnlyInline):
    model = OrderConsent
    fields = ["key", "version", "text", "accepted_at"]


class PaymentInline(ReadOnlyInline):
    model = Payment
    show_change_link = True
    fields = ["provider", "status", "amount_krw", "method", "requested_at", "approved_at", "failure_code"]


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["number", "buyer", "status", "total", "refunded", "created_at", "paid_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["buyer"]
    search_fields = ["number", "email", "buyer__email", "payments__payment_key"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]
    fields = [
        "number", "buyer", "email", "status", "total", "refunded", "language",
        "created_at", "expires_at", "paid_at", "updated_at",
    ]  # fmt: skip
    inlines = [OrderLineInline, PaymentInline, OrderConsentInline]

    @admin.display(description=_("total"), ordering="total_krw")
    def total(self, order):
        return won_amount(order.total_krw)

    @admin.display(description=_("refunded"), ordering="refunded_krw")
    def refunded(self, order):
        return won_amount(order.refunded_krw) if order.refunded_krw else "–"


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["order", "position", "title", "seller", "price_krw"]
    list_select_related = ["order", "seller"]
    search_fields = ["order__number", "title", "seller__name"]
    date_hierarchy = "order__created_at"
    ordering = ["-order__created_at", "order", "position"]


@admin.register(Payment)
class PaymentAdmin(SecretColumns, ReadOnly, admin.ModelAdmin):
    secret_columns = ("reference", "idempotency_key")
    list_display = ["order", "provider", "status", "amount", "method", "requested_at", "approved_at", "failure_code"]
    list_filter = ["status", "provider", "requested_at"]
    list_select_related = ["order"]
    search_fields = ["order__number", "payment_key", "order__email"]
    date_hierarchy = "requested_at"
    ordering = ["-requested_at", "-pk"]
    exclude = ["reference", "idempotency_key"]

    @admin.display(description=_("amount"), ordering="amount_krw")
    def amount(self, payment):
        return won_amount(payment.amount_krw)


@admin.register(Refund)
class RefundAdmin(SecretColumns, ReadOnly, admin.ModelAdmin):
    secret_columns = ("idempotency_key",)
    list_display = ["order", "status", "reason", "amount", "requested_at", "done_at", "failure_code"]
    list_filter = ["status", "reason", "requested_at"]
    list_select_related = ["order"]
    search_fields = ["order__number", "lines__order_line__title"]
    date_hierarchy = "requested_at"
    ordering = ["-requested_at", "-pk"]
    exclude = ["idempotency_key"]

    @admin.display(description=_("amount"), ordering="amount_krw")
    def amount(self, refund):
        return won_amount(refund.amount_krw)


class AccessEventInline(ReadOnlyInline):
    model = AccessEvent
    fields = ["kind", "version", "wording_version", "at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("version").order_by("at", "pk")


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["title", "user", "granted_at", "opened_at", "revoked_at", "revoked_reason"]
    list_filter = ["revoked_reason", "granted_at"]
    list_select_related = ["user", "prompt"]
    search_fields = ["user__email", "prompt__title", "purchase__payment_order_id"]
    date_hierarchy = "granted_at"
    ordering = ["-granted_at", "-pk"]
    inlines = [AccessEventInline]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("prompt__prompt_text", "prompt__file_url", "prompt__description")

    @admin.display(description=_("prompt"), ordering="prompt__title")
    def title(self, entitlement):
        return entitlement.prompt.title


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["payment_order_id", "buyer", "title", "created_at"]
    list_select_related = ["buyer", "prompt"]
    search_fields = ["payment_order_id", "buyer__email", "prompt__title"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("prompt__prompt_text", "prompt__file_url", "prompt__description")

    @admin.display(description=_("prompt"), ordering="prompt__title")
    def title(self, purchase):
        return purchase.prompt.title
