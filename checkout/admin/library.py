"""What was bought and who may open it, to look at."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from checkout.admin.shared import ReadOnlyInline
from checkout.models import AccessEvent, Entitlement, Purchase
from marketplace.admin import ReadOnlyAdmin

HIDDEN = ("prompt__prompt_text", "prompt__file_url", "prompt__description")
HIDDEN_IN_VERSION = ("version__prompt_text", "version__file_url")


class AccessEventInline(ReadOnlyInline):
    model = AccessEvent
    fields = ["kind", "version", "wording_version", "at"]

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("version").defer(*HIDDEN_IN_VERSION)
        return rows.order_by("at", "pk")


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("sealed", _("sealed")), ("opened", _("opened")), ("revoked", _("taken back"))]

    def queryset(self, request, queryset):
        match self.value():
            case "sealed":
                return queryset.live().filter(opened_at__isnull=True)
            case "opened":
                return queryset.live().filter(opened_at__isnull=False)
            case "revoked":
                return queryset.filter(revoked_at__isnull=False)
        return queryset


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnlyAdmin):
    list_display = ["title", "user", "order_number", "granted_at", "opened_at", "revoked_at", "revoked_reason"]
    list_filter = [StateFilter, "revoked_reason", "granted_at"]
    list_select_related = ["user", "prompt", "order_line__order"]
    search_fields = ["user__email", "prompt__title", "^purchase__payment_order_id", "^order_line__order__number"]
    search_help_text = _("Prompt, buyer's address or order number")
    date_hierarchy = "granted_at"
    ordering = ["-granted_at", "-pk"]
    fields = [
        *("title", "user", "order_number", "purchase", "version"),
        *("granted_at", "opened_at", "revoked_at", "revoked_reason"),
    ]
    readonly_fields = ["title", "order_number"]
    inlines = [AccessEventInline]

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("user", "prompt", "order_line__order", "version")
        return rows.defer(*HIDDEN, *HIDDEN_IN_VERSION)

    def get_object_title(self, entitlement):
        return f"{entitlement.prompt.title} · {entitlement.user.email}"

    @admin.display(description=_("prompt"), ordering="prompt__title")
    def title(self, entitlement):
        return entitlement.prompt.title

    @admin.display(description=_("order"), ordering="order_line__order__number")
    def order_number(self, entitlement):
        return entitlement.order_line.order.number if entitlement.order_line else "–"


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    list_display = ["title", "payment_order_id", "buyer", "created_at"]
    list_select_related = ["buyer", "prompt"]
    search_fields = ["^payment_order_id", "buyer__email", "prompt__title"]
    search_help_text = _("Prompt, buyer's address or order number")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]
    fields = ["title", "payment_order_id", "buyer", "created_at"]
    readonly_fields = ["title"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("buyer", "prompt").defer(*HIDDEN)

    def get_object_title(self, purchase):
        return f"{purchase.prompt.title} · {purchase.payment_order_id}"

    @admin.display(description=_("prompt"), ordering="prompt__title")
    def title(self, purchase):
        return purchase.prompt.title
