"""The cart page and the three things one does to it."""

import unicodedata

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from catalog.models import Listing, Prompt
from checkout.carts import (
    CartRefused,
    add_to_cart,
    count_cart,
    decide_offer,
    open_cart,
    read_cart,
    remove_from_cart,
    restore_to_cart,
)
from marketplace.ways_back import find_way_back


def find_prompt(slug: str) -> Prompt:
    """The prompt of an address, on sale or not, without its text; 404 otherwise. Which drafts there are is no news."""
    shown = Prompt.objects.for_cards().exclude(listing__state=Listing.State.DRAFT, is_published=False)
    return get_object_or_404(shown, listing__slug=unicodedata.normalize("NFC", slug))


def describe_cart(request) -> dict:
    """The cart as the page shows it. `removed` is what somebody without scripts took out just now, to undo it."""
    contents = read_cart(cart=open_cart(request.user, request.session), user=request.user)
    return {"contents": contents, "request": request}


@login_not_required
@require_safe
@never_cache
def cart(request):
    context = describe_cart(request)
    removed_slug = request.GET.get("removed", "")
    if removed_slug and request.session.get("cart_removed"):
        context["removed"] = (
            Prompt.objects.for_cards()
            .filter(pk=request.session["cart_removed"]["prompt"], listing__slug=removed_slug)
            .first()
        )
    return render(request, "checkout/cart.html", context)


@login_not_required
@require_POST
def cart_add(request, slug):
    """Adds once, however often it is asked. Answers with the buttons of the product page, or goes back there."""
    prompt = find_prompt(slug)
    cart = open_cart(request.user, request.session)
    refused = ""
    try:
        is_new = add_to_cart(cart=cart, user=request.user, prompt=prompt, now=timezone.now())
    except CartRefused as error:
        is_new, refused = False, str(error)
    if request.htmx:
        count, total_krw = count_cart(cart)
        context = {
            "prompt": prompt,
            "offer": decide_offer(user=request.user, session=request.session, prompt=prompt).value,
            "refused": refused,
            "count": count,
            "total_krw": total_krw,
        }
        return render(request, "checkout/_cart_added.html", context)
    if refused:
        messages.warning(request, refused)
    else:
        text = _("Put in your cart.") if is_new else _("This is in your cart already.")
        messages.success(
            request, format_html('{} <a href="{}">{}</a>', text, reverse("checkout:cart"), _("See the cart"))
        )
    return redirect(find_way_back(request, fallback=prompt.get_absolute_url()))


@login_not_required
@require_POST
def cart_remove(request, slug):
    prompt = find_prompt(slug)
    cart = open_cart(request.user, request.session)
    is_removed = remove_from_cart(cart=cart, session=request.session, prompt=prompt)
    if request.htmx:
        count, total_krw = count_cart(cart)
        context = describe_cart(request) | {"undo": prompt if is_removed else None, "count": count}
        return render(request, "checkout/_cart_changed.html", context | {"total_krw": total_krw, "is_removal": True})
    target = find_way_back(request, fallback="")
    if target:
        messages.info(request, _("Taken out of your cart."))
        return redirect(target)
    address = reverse("checkout:cart")
    return redirect(f"{address}?removed={prompt.listing.slug}" if is_removed else address)


@login_not_required
@require_POST
def cart_restore(request, slug):
    prompt = find_prompt(slug)
    cart = open_cart(request.user, request.session)
    try:
        restore_to_cart(cart=cart, session=request.session, user=request.user, prompt=prompt, now=timezone.now())
    except CartRefused as error:
        messages.warning(request, str(error))
    if request.htmx:
        count, total_krw = count_cart(cart)
        context = describe_cart(request) | {"count": count, "total_krw": total_krw}
        return render(request, "checkout/_cart_changed.html", context)
    return redirect("checkout:cart")
