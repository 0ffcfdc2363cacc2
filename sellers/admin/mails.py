"""Mails to people who sell or want to: whether they went out. What they said is not shown: it holds personal links."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from marketplace.admin import ReadOnlyAdmin
from sellers.models import SellerMail


@admin.register(SellerMail)
class SellerMailAdmin(ReadOnlyAdmin):
    secret_columns = ("context", "key")
    list_display = ["to", "kind", "status", "queued_at", "sent_at", "try_count"]
    list_filter = ["status", "kind", "queued_at"]
    search_fields = ["to", "seller__name", "application__name"]
    search_help_text = _("E-mail address or name")
    date_hierarchy = "queued_at"
    ordering = ["-queued_at", "-pk"]
    fields = [
        "to",
        "kind",
        "language",
        "status",
        "try_count",
        "queued_at",
        "tried_at",
        "sent_at",
        "seller",
        "application",
    ]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "application").defer("context")

    def get_object_title(self, mail):
        return f"{mail.get_kind_display()} · {mail.to}"
