"""The shop's pages for people: home, list, product. What machines read is in `discovery_views.py`."""

from django.contrib.auth.decorators import login_not_required
from django.db.models import OuterRef, Subquery
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from catalog.browse import BrowseQuery, TagCount, find_prompts, popular_tags, related_prompts
from catalog.cards import make_cards, render_cards
from catalog.discovery import describe_home, describe_prompt, describe_prompt_list, read_slug
from catalog.facts import list_all_facts
from catalog.images import choose_cover, list_pictures
from catalog.list_page import EAGER_CARDS, describe_list, list_address, tag_chip
from catalog.masking import public_preview
from catalog.models import Listing, Prompt, PromptVersion
from catalog.review_page import describe_reviews
from catalog.reviews import with_star_counts
from catalog.shelves import Shelves, load_shelves
from catalog.tags import normalize_tags
from catalog.view_counts import record_view
from checkout.carts import is_for_sale, is_own_item
from checkout.library import owned_prompt_ids
from checkout.models import Entitlement
from checkout.reviewing import find_review_standing
from mcp.registry.server_counts import make_server_counts

RECENT_COUNT = 4
RELATED_COUNT = 4
SHORTCUT_COUNT = 8


@login_not_required
@require_safe
def home(request):
    """Shelves of what is on sale; a person who bought something finds it first."""
    path = reverse("catalog:prompt_list")
    shelves = load_shelves(**make_server_counts(now=timezone.now()))  # they ride along: the page has few queries
    context = {
        "page": describe_home(),
        "tags": [tag_chip(path, row) for row in popular_tags(SHORTCUT_COUNT)],
        "recent": list_recent_purchases(request.user),
        "shelves": describe_shelves(shelves, path=path),
        "registry": describe_servers(shelves),
    }
    return render(request, "catalog/home.html", context)


def describe_shelves(shelves: Shelves, *, path: str) -> list[dict]:
    """Shelves with something on them, in order, their cards as HTML."""
    named = [
        ("newest", _("New"), shelves.newest),
        ("rating", _("Best rated"), shelves.top_rated),
        ("popular", _("Popular"), shelves.popular),
    ]
    return [
        {
            "name": name,
            "title": title,
            "address": list_address(path, BrowseQuery(sort=name)),
            "cards": render_cards(make_cards(prompts, eager_count=EAGER_CARDS if name == "newest" else 0)),
        }
        for name, title, prompts in named
        if prompts
    ]


def list_recent_purchases(user) -> list[dict]:
    """What the person bought last and may open, newest first. One query; none for a visitor."""
    if not user.is_authenticated:
        return []
    owned = Entitlement.objects.live().filter(user=user).select_related("prompt__listing")
    owned = owned.defer("prompt__prompt_text", "prompt__file_url", "prompt__description").order_by("-granted_at", "pk")
    return [
        {
            "title": entitlement.prompt.title,
            "address": reverse("checkout:library_prompt", args=[entitlement.prompt.listing.slug]),
            "picture": choose_cover(entitlement.prompt),
            "bought_at": entitlement.granted_at,
            "is_sealed": entitlement.is_sealed,
        }
        for entitlement in owned[:RECENT_COUNT]
    ]


def describe_servers(shelves: Shelves) -> dict | None:
    """How many MCP servers are listed and work, and when that was last looked at; None before any check."""
    names = ("total_count", "working_count", "checked_at")
    counts = next(({name: getattr(prompt, name) for name in names} for prompt in shelves.newest), None)
    return counts if counts and counts["total_count"] and counts["checked_at"] else None


@login_not_required
@require_safe
@vary_on_headers("HX-Request", "HX-Target")
def prompt_list(request):
    """Prompts on sale. A request that targets `#results` gets that part and the counts; `#more`, the next cards."""
    query, errors = BrowseQuery.from_params(request.GET)
    result = find_prompts(query)
    listing = describe_list(
        path=request.path,
        query=query,
        result=result,
        owned_ids=owned_prompt_ids(request.user, [prompt.pk for prompt in result.prompts]),
        errors=errors,
        params=request.GET,
    )
    context = {"listing": listing, "page": describe_prompt_list(query, heading=listing.heading)}
    template = {
        "results": "catalog/prompt_list.html#answer",
        "more": "catalog/_more_cards.html",
    }.get(request.htmx.target, "catalog/prompt_list.html")
    response = render(request, template, context)
    if request.htmx.target == "results":
        # The address without the form's empty fields; the one that is shown already makes no step in the history.
        is_new = listing.first_address != request.htmx.current_url_abs_path
        response["HX-Push-Url"] = listing.first_address if is_new else "false"
    return response


@login_not_required
@require_safe
@vary_on_headers("HX-Request", "HX-Target")
def prompt_detail(request, slug):
    """Everything about one prompt but its hidden text. A request that targets `#reviews` gets that part.

    `?preview` shows its seller what buyers see, or will see once it is on sale.
    """
    prompt = find_prompt(slug)
    is_on_sale = is_for_sale(prompt)
    if not may_see(prompt, request.user):
        if prompt.listing.state == Listing.State.REMOVED:
            return render(request, "410.html", status=410)
        raise Http404
    context = describe_reviews(prompt, path=request.path, params=request.GET, user=request.user)
    context["is_own"] = is_own_item(prompt, request.user)
    context["is_preview"] = context["is_own"] and "preview" in request.GET  # for others the page is what it is
    if request.htmx.target == "reviews":
        context["standing"] = find_review_standing(user=request.user, prompt=prompt)
        return render(request, "catalog/prompt_detail.html#reviews", context)
    record_view(request, prompt)
    context |= describe_product(request, prompt, is_on_sale)
    if context["is_owned"]:
        context["standing"] = find_review_standing(user=request.user, prompt=prompt)
    return render(request, "catalog/prompt_detail.html", context)


def may_see(prompt: Prompt, user) -> bool:
    """What is on sale, anybody; else its seller and its buyers. At most one query."""
    return is_for_sale(prompt) or is_own_item(prompt, user) or bool(owned_prompt_ids(user, [prompt.pk]))


def find_prompt(slug: str) -> Prompt:
    """The prompt with all that its page shows; one query."""
    last = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number").values("number")[:1]
    prompts = with_star_counts(Prompt.objects.for_page().annotate(version_number=Subquery(last)))
    return get_object_or_404(prompts, listing__slug=read_slug(slug))


def describe_product(request, prompt: Prompt, is_on_sale: bool) -> dict:
    """What the product page shows besides reviews. Two queries: related prompts, and what the person owns."""
    related = related_prompts(prompt, RELATED_COUNT)
    owned_ids = owned_prompt_ids(request.user, [prompt.pk, *(other.pk for other in related)])
    pictures = list_pictures(prompt)
    list_path = reverse("catalog:prompt_list")
    return {
        "page": describe_prompt(prompt, pictures=[picture.url for picture in pictures], is_on_sale=is_on_sale),
        "seller": prompt.listing.seller,
        "is_on_sale": is_on_sale,
        "is_owned": prompt.pk in owned_ids,
        "pictures": pictures,
        "facts": list_all_facts(prompt),
        "preview": public_preview(prompt.prompt_text),
        "tags": [tag_chip(list_path, TagCount(tag, 0)) for tag in normalize_tags(prompt.tags)],
        "related": render_cards(make_cards(related, owned_ids=owned_ids)),
    }
