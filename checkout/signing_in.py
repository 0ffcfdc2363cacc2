"""What happens to a visitor's cart when they sign in; Django's own signal calls it."""

from django.contrib import messages
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checkout.carts import merge_session_cart


def keep_cart(sender, request, user, **kwargs):
    """Move the session cart into the account, and say so."""
    session = getattr(request, "session", None)
    if session is None:
        return
    merged = merge_session_cart(session=session, user=user)
    if merged.added_count:
        text = ngettext(
            "We added the %(n)d prompt you had put in your cart before.",
            "We added the %(n)d prompts you had put in your cart before.",
            merged.added_count,
        ) % {"n": merged.added_count}
        link = format_html('<a href="{}">{}</a>', reverse("checkout:cart"), _("See the cart"))
        messages.info(request, format_html("{} {}", text, link), fail_silently=True)
    if merged.owned_count:
        text = ngettext(
            "We left out %(n)d prompt that you already have.",
            "We left out %(n)d prompts that you already have.",
            merged.owned_count,
        ) % {"n": merged.owned_count}
        messages.info(request, text, fail_silently=True)
