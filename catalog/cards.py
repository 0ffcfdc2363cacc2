"""Cards of the shop's grids and shelves as plain values, each rendered once per content and language.

A grid of 24 cards is most of a page's time when templates call model methods; here a card is a tuple of texts, and its
HTML is fetched from the cache with all others in one call.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import quote

from django.core.cache import caches
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from catalog.facts import list_card_facts
from catalog.images import Picture, choose_cover
from catalog.models import Prompt

CARD_SECONDS = 60 * 60 * 24


@dataclass(frozen=True, slots=True)
class Card:
    """Everything `_prompt_card.html` shows. `is_first_row`: on the first screen, so its picture is not lazy."""

    address: str
    title: str
    seller_name: str
    picture: Picture
    price_krw: int
    rating: float
    review_count: int
    facts: tuple[str, ...]
    is_owned: bool
    needs_tools: bool
    is_first_row: bool


def make_cards(prompts: Iterable[Prompt], *, owned_ids: Collection = (), eager_count: int = 0) -> list[Card]:
    """Cards for prompts loaded by `for_cards()`; queries nothing.

    owned_ids: keys of the prompts that the person who looks has bought.
    eager_count: how many cards from the start are on the first screen.
    """
    before, _, after = reverse("catalog:prompt_detail", args=["SLUG"]).partition("SLUG")
    return [
        Card(
            address=f"{before}{quote(prompt.listing.slug)}{after}",
            title=prompt.title,
            seller_name=prompt.listing.seller.name if prompt.listing.seller else "",
            picture=choose_cover(prompt),
            price_krw=prompt.price,
            rating=round(prompt.rating or 0, 1),
            review_count=prompt.review_count or 0,
            facts=list_card_facts(prompt),
            is_owned=prompt.pk in owned_ids,
            needs_tools=prompt.listing.needs_tools,
            is_first_row=position < eager_count,
        )
        for position, prompt in enumerate(prompts)
    ]


def render_cards(cards: list[Card]) -> list[SafeString]:
    """The cards' HTML, in order. The key is the content itself, so nothing is ever stale."""
    cache = caches["pages"]
    edition = f"{get_language()}{static('vendor/lucide/icons.svg')}"  # addresses of files change with a release
    keys = [f"card:{blake2b(f'{edition}{card}'.encode(), digest_size=16).hexdigest()}" for card in cards]
    found = cache.get_many(keys)
    missing = {key: card for key, card in zip(keys, cards, strict=True) if key not in found}
    if missing:
        template = get_template("catalog/_prompt_card.html")
        rendered = {key: template.render({"card": card}) for key, card in missing.items()}
        cache.set_many(rendered, CARD_SECONDS)
        found |= rendered
    return [mark_safe(found[key]) for key in keys]  # our own template's output
