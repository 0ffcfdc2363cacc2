"""What buyers said of a prompt, in pages."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from catalog.models import Prompt, Review

REVIEW_ORDERS = ("newest", "highest", "lowest")
REVIEWS_ON_PAGE = 10
STARS = (5, 4, 3, 2, 1)
_CURSOR = re.compile(r"([1-5])-(\d{1,17})-([0-9a-f]{32})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ReviewPage:
    """`next_after` is what the next page is asked with; empty on the last one."""

    reviews: list[Review]
    order: str
    stars: int | None
    next_after: str


@dataclass(frozen=True)
class StarCount:
    stars: int
    count: int


def list_reviews(prompt: Prompt, *, order: str, stars: int | None = None, after: str = "") -> ReviewPage:
    """Visible reviews with their authors' names: one query.

    order: one of REVIEW_ORDERS; anything else means newest first.
    stars: only reviews with so many.
    after: `next_after` of the page before; what cannot be read means the first page.
    """
    order = order if order in REVIEW_ORDERS else "newest"
    reviews = prompt.reviews.visible().select_related("author__profile")
    if stars:
        reviews = reviews.filter(rating=stars)
    if place := _CURSOR.fullmatch(after):
        reviews = reviews.filter(_is_behind(order, *place.groups()))
    by_rating = {"newest": (), "highest": ("-rating",), "lowest": ("rating",)}[order]
    found = list(reviews.order_by(*by_rating, "-created_at", "-pk")[: REVIEWS_ON_PAGE + 1])
    shown = found[:REVIEWS_ON_PAGE]
    return ReviewPage(shown, order, stars, _describe_place(shown[-1]) if len(found) > len(shown) else "")


def _is_behind(order: str, rating: str, microseconds: str, pk: str) -> Q:
    """What comes after this place in the order. Ties of the second are broken by the key."""
    moment = _EPOCH + timedelta(microseconds=int(microseconds))
    older = Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=pk)
    if order == "newest":
        return older
    further = Q(rating__lt=int(rating)) if order == "highest" else Q(rating__gt=int(rating))
    return further | Q(older, rating=int(rating))


def _describe_place(review: Review) -> str:
    return f"{review.rating}-{(review.created_at - _EPOCH) // timedelta(microseconds=1)}-{review.pk.hex}"


def with_star_counts(prompts: QuerySet) -> QuerySet:
    """Prompts that bring along what `count_stars` reads."""
    reviews = Review.objects.visible().filter(prompt=OuterRef("pk")).order_by().values("prompt")
    counts = {f"stars_{stars}": reviews.filter(rating=stars).annotate(n=Count("pk")).values("n") for stars in STARS}
    return prompts.annotate(**{name: Coalesce(Subquery(count), 0) for name, count in counts.items()})


def count_stars(prompt: Prompt) -> list[StarCount]:
    """How many visible reviews gave 5, 4, 3, 2 and 1 stars, in this order; empty when there is none.

    prompt: loaded by `with_star_counts`.
    """
    counts = [StarCount(stars, getattr(prompt, f"stars_{stars}")) for stars in STARS]
    return counts if any(row.count for row in counts) else []
