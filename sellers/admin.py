"""Sellers and those who want to be: the list of applications, and sellers to look at and suspend."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog.listings import index_seller
from sellers.models import Seller, SellerApplication


@admin.register(SellerApplication)
class SellerApplicationAdmin(admin.ModelAdmin):
    list_display = ["email", "name", "created_at", "category_names", "processed"]
    list_filter = ["processed"]
    search_fields = ["email", "name", "portfolio_url", "message"]
    date_hierarchy = "created_at"
    ordering = ["processed", "created_at", "pk"]
    list_per_page = 50
    actions = ["mark_processed", "mark_open"]
    fields = ["name", "email", "portfolio_url", "category_names", "message", "created_at", "processed", "id"]
    readonly_fields = ["name", "email", "portfolio_url", "category_names", "message", "created_at", "id"]

    @admin.display(description=_("categories"))
    def category_names(self, application):
        """Other programs write the column too, so it may hold anything."""
        categories = application.categories
        return ", ".join(map(str, categories)) if isinstance(categories, list) else str(categories or "")

    def has_add_permission(self, request):
        return False

    @admin.action(description=_("Mark as processed"), permissions=["change"])
    def mark_processed(self, request, queryset):
        self._mark(request, queryset.filter(processed=False), is_processed=True)

    @admin.action(description=_("Mark as open again"), permissions=["change"])
    def mark_open(self, request, queryset):
        self._mark(request, queryset.filter(processed=True), is_processed=False)

    def _mark(self, request, applications, *, is_processed):
        with transaction.atomic():
            marked = list(applications)
            for application in marked:
                application.processed = is_processed
                application.save(update_fields=["processed"])
                self.log_change(request, application, [{"changed": {"fields": ["processed"]}}])
        count = len(marked)
        text = ngettext("%(count)d application was changed.", "%(count)d applications were changed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS if count else messages.WARNING)


class SellerForm(forms.ModelForm):
    website_url = forms.URLField(label=_("website"), required=False, assume_scheme="https", widget=AdminURLFieldWidget)


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
    fields = ["user", "name", "slug", "bio", "website_url", "status", "created_at", "id"]
    readonly_fields = ["status", "created_at", "id"]

    def get_readonly_fields(self, request, obj=None):
        return [*self.readonly_fields, "user"] if obj else self.readonly_fields

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
