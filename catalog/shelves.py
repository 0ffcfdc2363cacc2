"""The shelves of the home page."""

from dataclasses import dataclass

from django.db.models import Q

from catalog.models import Prompt

SHELF_LENGTH = 8


@dataclass(frozen=True)
class Shelves:
    newest: list[Prompt]
    top_rated: list[Prompt]
    popular: list[Prompt]


def load_shelves(limit: int = SHELF_LENGTH, **annotations) -> Shelves:
    """Prompts on sale for the three shelves, loaded for cards, in one query.

    The first `limit` of each order are fetched together; each shelf then takes its own again.
    annotations: expressions that every prompt brings along.
    """
    on_sale = Prompt.objects.on_sale().order_by()
    firsts = [
        on_sale.order_by("-listing__id"),
        on_sale.filter(review_count__gt=0).order_by("-listing__rating_rank", "-listing__id"),
        on_sale.order_by("-listing__popularity", "-listing__id"),
    ]
    wanted = Q()
    for rows in firsts:
        wanted |= Q(pk__in=rows.values("pk")[:limit])
    found = list(Prompt.objects.for_cards().filter(wanted).annotate(**annotations))

    rated = [prompt for prompt in found if prompt.review_count]
    return Shelves(
        newest=sorted(found, key=lambda prompt: -prompt.listing.pk)[:limit],
        top_rated=sorted(rated, key=lambda prompt: (-prompt.listing.rating_rank, -prompt.listing.pk))[:limit],
        popular=sorted(found, key=lambda prompt: (-prompt.listing.popularity, -prompt.listing.pk))[:limit],
    )
