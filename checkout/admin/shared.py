"""What the admin pages of buying share."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from checkout.models import OrderLine
from checkout.provider_words import name_method
from marketplace.admin import ReadOnly
from marketplace.templatetags.marketplace_tags import won_amount


class MoneyLinks:
    """The payment and the refund that a row is about, with a link to their pages."""

    @admin.display(description=_("payment"))
    def payment_page(self, row):
        return link_to(row.payment)

    @admin.display(description=_("refund"))
    def refund_page(self, row):
        return link_to(row.refund)


def link_to(row, *, name: str = "") -> str:
    if row is None:
        return "–"
    address = reverse(f"admin:checkout_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, name or row)


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    template = "admin/checkout/inline.html"
    extra = 0
    show_change_link = False


def show_won(amount_krw: int | None) -> str:
    return "–" if amount_krw is None else won_amount(amount_krw)


def show_method(method: str) -> str:
    return name_method(method) or "–"


def describe_access(line: OrderLine) -> str:
    """Whether the buyer has opened it, or can. No query with `entitlement` loaded."""
    right = getattr(line, "entitlement", None)
    if right is None:
        return gettext("not delivered")
    if right.is_revoked:
        return gettext("ended")
    return pgettext("access", "sealed") if right.is_sealed else pgettext("access", "opened")
