"""What pages and mails show of the shop: the cart's badge, the buttons of a product page, prompt text, payments."""

from django import template
from django.contrib.auth.models import AnonymousUser
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from catalog.images import choose_cover
from catalog.variables import Slot, make_key, split_filled
from checkout.carts import decide_offer, open_cart
from checkout.models import Payment
from checkout.provider_words import name_bank, name_method
from checkout.tax import split_vat

register = template.Library()


def count_badge(request) -> int:
    """How many prompts lie in the cart. One query when signed in; none for a visitor without a session."""
    if request is None or not hasattr(request, "session"):
        return 0
    return open_cart(getattr(request, "user", AnonymousUser()), request.session).count()


@register.simple_tag(takes_context=True)
def cart_badge(context, out_of_band: bool = False) -> str:
    """The number on the cart in the header; empty for an empty cart. With `out_of_band` htmx replaces the one there."""
    count = count_badge(context.get("request"))
    swap = mark_safe(' hx-swap-oob="true"') if out_of_band else ""
    return format_html('<span class="cart-badge" id="cart-badge"{}>{}</span>', swap, count or "")


@register.inclusion_tag("checkout/_buy_button.html", takes_context=True)
def buy_button(context, prompt, is_preview: bool = False):
    """Every state of the buttons of a product page. Expects `prompt` with its listing and seller loaded.

    is_preview: the buttons that buyers see, without effect.
    """
    request = context["request"]
    offer = "preview" if is_preview else decide_offer(user=request.user, session=request.session, prompt=prompt).value
    return {"request": request, "prompt": prompt, "offer": offer, "csrf_token": context.get("csrf_token")}


@register.simple_tag
def cover_of(prompt):
    """The picture of a prompt in a list: an address and, where there is one, a srcset."""
    return choose_cover(prompt)


@register.simple_tag
def filled_text(text: str, fill_form) -> str:
    """The text with its placeholders marked and filled as the form says; `fill.js` fills in further by these marks."""
    numbers = {make_key(variable.name): number for number, variable in enumerate(fill_form.variables)}
    defaults = [variable.default for variable in fill_form.variables]
    pieces = split_filled(text, fill_form.values)
    return format_html_join("", "{}", ((_mark(piece, numbers, defaults),) for piece in pieces))


def _mark(piece: str | Slot, numbers: dict[str, int], defaults: list[str | None]) -> str:
    if isinstance(piece, str):
        return piece
    number = numbers[make_key(piece.place.name)]
    return format_html(
        '<mark class="slot{}" data-slot="{}" data-written="{}"{}>{}</mark>',
        "" if piece.value is None else " slot--filled",
        number,
        piece.written,
        "" if defaults[number] is None else format_html(' data-default="{}"', defaults[number]),
        piece.shown,
    )


@register.filter
def bank(code: str) -> str:
    """The name of a Korean bank."""
    return name_bank(code)


@register.filter
def paid_with(payment: Payment) -> str:
    """The means of payment."""
    return _("Test payment") if payment.provider == Payment.Provider.SANDBOX else name_method(payment.method)


@register.filter
def vat(amount_krw: int) -> int:
    """The tax in a price with VAT, whole won."""
    return split_vat(amount_krw)
