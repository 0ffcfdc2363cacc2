"""Sellers: looked at, suspended and reinstated, with who they are in law."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from catalog.listings import index_seller
from marketplace.admin import ReadOnly
from sellers.models import Seller, SellerBusiness


class SellerForm(forms.ModelForm):
    website_url = forms.URLField(label=_("website"), required=False, assume_scheme="https", widget=AdminURLFieldWidget)


class SellerBusinessInline(ReadOnly, admin.StackedInline):
    """Product pages show them to buyers. The seller alone writes them, in the studio, which checks them."""

    model = SellerBusiness
    fields = [
        *("trade_name", "representative", "registration_number", "report_number", "report_exemption"),
        *("address", "phone", "email", "updated_at"),
    ]


@admin.register(Seller)
class SellerAdmin(admin.ModelAdmin):
    """A suspended seller's prompts leave every list at once; buyers keep what they bought."""

    form = SellerForm
    list_display = ["name", "slug", "status", "user", "created_at"]
    list_select_related = ["user"]
    list_filter = ["status"]
    search_fields = ["name", "slug", "user__email"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "pk"]
    autocomplete_fields = ["user"]
    actions = ["suspend", "reinstate"]
    fields = ["user", "name", "slug", "bio", "website_url", "language", "status", "statements_page", "created_at", "id"]
    readonly_fields = ["language", "status", "statements_page", "created_at", "id"]

    def get_inlines(self, request, obj):
        return [SellerBusinessInline] if obj else []

    def get_fields(self, request, obj=None):
        """The way to the statements is there for those who may go it."""
        may_see = obj is not None and request.user.has_perm("checkout.view_statement")
        return self.fields if may_see else [name for name in self.fields if name != "statements_page"]

    def get_readonly_fields(self, request, obj=None):
        return [*self.readonly_fields, "user"] if obj else self.readonly_fields

    @admin.display(description=_("statements"))
    def statements_page(self, seller):
        address = reverse("admin:checkout_statement_changelist")
        return format_html('<a href="{}?seller__id__exact={}">{}</a>', address, seller.pk, gettext("Show statements"))

    def has_delete_permission(self, request, obj=None):
        return False

    @admin.action(description=_("Suspend: take everything off sale"), permissions=["change"])
    def suspend(self, request, queryset):
        self._set_status(request, queryset, Seller.Status.SUSPENDED)

    @admin.action(description=_("Reinstate"), permissions=["change"])
    def reinstate(self, request, queryset):
        self._set_status(request, queryset, Seller.Status.ACTIVE)

    def _set_status(self, request, queryset, status):
        changed = list(queryset.exclude(status=status))
        for seller in changed:
            seller.status = status
            seller.save(update_fields=["status"])
            index_seller(seller=seller)  # lists ask for the status too, so it holds from the line above on
            self.log_change(request, seller, [{"changed": {"fields": ["status"]}}])
        count = len(changed)
        text = ngettext("%(count)d seller was changed.", "%(count)d sellers were changed.", count) % {"count": count}
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)
