"""Public pages of sellers."""

from dataclasses import replace

from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, F, Sum
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from catalog import discovery
from catalog.browse import BrowseQuery, find_prompts
from catalog.list_page import describe_list, list_orders, list_toggles
from catalog.models import Prompt
from checkout.library import owned_prompt_ids
from sellers.models import Seller

SALES_FLOOR = 10  # a smaller number says nothing and would embarrass a newcomer


@login_not_required
@require_safe
@vary_on_headers("HX-Request", "HX-Target")
def seller_detail(request, slug):
    """Who sells, and everything of theirs that is on sale. A request that targets `#more` gets the next cards."""
    seller = find_seller(slug)
    query, errors = BrowseQuery.from_params(request.GET)
    result = find_prompts(replace(query, seller_id=seller.pk))
    listing = describe_list(
        path=request.path,
        query=query,
        result=result,
        owned_ids=owned_prompt_ids(request.user, [prompt.pk for prompt in result.prompts]),
        errors=errors,
        params=request.GET,
    )
    if request.htmx.target == "more":
        return render(request, "catalog/_more_cards.html", {"listing": listing})
    context = {
        "seller": seller,
        "listing": listing,
        "page": discovery.describe_seller(seller, is_first=not query.is_filtered and not query.after),
        "figures": count_sales(seller),
        "orders": list_orders(request.path, query),
        "toggles": list_toggles(request.path, query, result),
        "is_own": seller.user_id == request.user.pk,
    }
    return render(request, "sellers/seller_detail.html", context)


def find_seller(slug: str) -> Seller:
    """A seller whom visitors may see; a suspended one is as if there were none."""
    return get_object_or_404(
        Seller.objects.active().select_related("user__profile", "business"), slug=discovery.read_slug(slug)
    )


def count_sales(seller: Seller) -> dict:
    """Figures over everything of the seller's that is on sale; `rating` is None without reviews. One query."""
    figures = (
        Prompt.objects.on_sale()
        .filter(listing__seller=seller)
        .aggregate(
            prompts=Count("pk"),
            reviews=Sum("review_count", default=0),
            stars=Sum(F("rating") * F("review_count"), default=0.0),
            sales=Sum("listing__sales_count", default=0),
        )
    )
    return {
        "prompt_count": figures["prompts"],
        "review_count": figures["reviews"],
        "rating": figures["stars"] / figures["reviews"] if figures["reviews"] else None,
        "sales_count": figures["sales"] if figures["sales"] >= SALES_FLOOR else None,
    }


@login_not_required
@require_safe
@cache_control(public=True, max_age=5 * 60)
@discovery.in_site_language
def seller_feed(request, slug):
    """The seller's newest prompts as Atom."""
    seller = find_seller(slug)
    newest = Prompt.objects.on_sale().for_cards().filter(listing__seller=seller).order_by("-listing__id")
    feed = discovery.build_feed(
        newest[: discovery.FEED_LENGTH],
        title=_("New prompts by %(seller)s") % {"seller": seller.name},
        page_path=seller.get_absolute_url(),
        feed_path=reverse("sellers:seller_feed", args=[seller.slug]),
    )
    return discovery.answer_feed(request, feed)
