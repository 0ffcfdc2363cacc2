"""Payments, refunds, what was said about them, and mails, to look at."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from checkout.admin.shared import MoneyLinks, ReadOnlyInline, show_method, show_won
from checkout.models import OrderMail, Payment, PaymentEvent, Refund, RefundLine
from marketplace.admin import ReadOnlyAdmin


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """The page of a payment, and no other, shows the provider's key for it, with which it is found over there."""

    secret_columns = ("reference", "idempotency_key")
    list_display = [
        *("order", "provider", "status", "amount", "paid_with", "requested_at", "approved_at", "failure_code"),
    ]
    list_filter = ["status", "provider", "requested_at"]
    list_select_related = ["order"]
    search_fields = ["^order__number", "^provider_order_id", "order__email", "^payment_key"]
    search_help_text = _("Order number, e-mail address or the beginning of the payment key")
    date_hierarchy = "requested_at"
    ordering = ["-requested_at", "-pk"]
    fields = [
        *("order", "provider", "provider_order_id", "payment_key", "status", "amount", "paid_with"),
        *("requested_at", "confirmed_at", "looked_up_at", "approved_at"),
        *("deposit_bank", "deposit_account", "deposit_due_at", "receipt_url", "failure_code", "failure_message"),
    ]
    readonly_fields = ["amount", "paid_with"]

    def get_object_title(self, payment):
        return f"{payment.provider_order_id} · {payment.get_status_display()}"

    @admin.display(description=_("amount"), ordering="amount_krw")
    def amount(self, payment):
        return show_won(payment.amount_krw)

    @admin.display(description=_("method"), ordering="method")
    def paid_with(self, payment):
        return show_method(payment.method)


class RefundLineInline(ReadOnlyInline):
    model = RefundLine
    fields = ["order_line", "amount", "is_live"]
    readonly_fields = ["amount"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("order_line").order_by("order_line__position")

    @admin.display(description=_("amount"))
    def amount(self, line):
        return show_won(line.amount_krw)


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    secret_columns = ("idempotency_key",)
    list_display = ["order", "status", "reason", "amount", "requested_at", "done_at", "requested_by", "failure_code"]
    list_filter = ["status", "reason", "requested_at"]
    list_select_related = ["order", "requested_by"]
    search_fields = ["^order__number", "order__email", "^payment__provider_order_id", "lines__order_line__title"]
    search_help_text = _("Order number, e-mail address or prompt")
    date_hierarchy = "requested_at"
    ordering = ["-requested_at", "-pk"]
    fields = [
        *("order", "payment", "status", "reason", "note", "amount", "requested_by"),
        *("requested_at", "asked_at", "done_at", "failure_code", "failure_message"),
    ]
    readonly_fields = ["amount"]
    inlines = [RefundLineInline]

    def get_object_title(self, refund):
        return f"{refund.order} · {show_won(refund.amount_krw)}"

    @admin.display(description=_("amount"), ordering="amount_krw")
    def amount(self, refund):
        return show_won(refund.amount_krw)


class HandledFilter(admin.SimpleListFilter):
    title = _("hints")
    parameter_name = "hints"

    def lookups(self, request, model_admin):
        return [("open", _("not looked into yet")), ("handled", _("looked into"))]

    def queryset(self, request, queryset):
        if self.value() in ("open", "handled"):
            return queryset.filter(kind=PaymentEvent.Kind.WEBHOOK, handled_at__isnull=self.value() == "open")
        return queryset


@admin.register(PaymentEvent)
class PaymentEventAdmin(MoneyLinks, ReadOnlyAdmin):
    """Each of them stands in the timeline of its order too; here they are found by kind, and hints not looked into."""

    secret_columns = ("dedup_key",)
    list_display = ["at", "order", "kind", "outcome", "facts", "actor", "handled_at"]
    list_filter = ["kind", HandledFilter, "at"]
    list_select_related = ["order", "actor"]
    search_fields = ["^order__number", "^payment__provider_order_id", "^payment__payment_key", "=outcome"]
    search_help_text = _("Order number, outcome or the beginning of the payment key")
    date_hierarchy = "at"
    ordering = ["-at", "-pk"]
    fields = ["at", "order", "kind", "outcome", "facts", "payment_page", "refund_page", "actor", "handled_at"]
    readonly_fields = ["facts", "payment_page", "refund_page"]

    def get_object_title(self, event):
        return f"{event.order or '–'} · {event.get_kind_display()}"

    @admin.display(description=_("detail"))
    def facts(self, event):
        pairs = event.detail.items() if isinstance(event.detail, dict) else []
        return ", ".join(f"{name}: {value}" for name, value in pairs) or "–"


@admin.register(OrderMail)
class OrderMailAdmin(MoneyLinks, ReadOnlyAdmin):
    list_display = ["order", "kind", "status", "queued_at", "sent_at", "try_count", "requested_by"]
    list_filter = ["status", "kind", "queued_at"]
    list_select_related = ["order", "requested_by"]
    search_fields = ["^order__number", "order__email"]
    search_help_text = _("Order number or e-mail address")
    date_hierarchy = "queued_at"
    ordering = ["-queued_at", "-pk"]
    fields = [
        *("order", "address", "kind", "status", "try_count"),
        *("queued_at", "tried_at", "sent_at", "payment_page", "refund_page", "requested_by"),
    ]
    readonly_fields = ["address", "payment_page", "refund_page"]

    def get_object_title(self, mail):
        return f"{mail.order} · {mail.get_kind_display()}"

    @admin.display(description=_("e-mail address"))
    def address(self, mail):
        return mail.order.email
