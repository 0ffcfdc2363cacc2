"""Proving what is counted and derived against the rows it comes from, and repairing it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Avg, Count, Q

from catalog.listings import BATCH_SIZE, adopt_prompts
from catalog.models import Listing, Prompt
from catalog.search import index_prompts, recount_facets, remove_orphans
from catalog.view_counts import prune_views

RATING_TOLERANCE = 0.005  # of a star: averages are stored as floats, by more than one program


@dataclass
class Recount:
    """How many rows were wrong, by what was wrong; `pruned` rows were merely old."""

    adopted: int = 0
    ratings: int = 0
    sales: int = 0
    orphans: int = 0
    facets: int = 0
    pruned: int = 0

    @property
    def wrong(self) -> int:
        return self.adopted + self.ratings + self.sales + self.orphans + self.facets


def recount_prompts(
    *, count_sales: Callable[[list[UUID]], dict[UUID, int]], now: datetime, is_dry_run: bool = False
) -> Recount:
    """Take in what other programs wrote, then prove ratings, sales, places and facet totals, in short transactions.

    Ratings are proved where reviews are: a rating that another program brought along without its reviews stays.
    count_sales: the true numbers by prompt, from whoever sells; a prompt that is missing there was sold 0 times.
    """
    found = Recount(adopted=adopt_prompts(now=now, is_dry_run=is_dry_run))
    last = None
    while True:
        rows = Prompt.objects.filter(pk__gt=last) if last else Prompt.objects.all()
        keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE])
        if not keys:
            break
        last = keys[-1]
        with transaction.atomic():
            rated = repair_ratings(keys, is_dry_run=is_dry_run)
            sold = _repair_sales(keys, count_sales(keys), is_dry_run=is_dry_run)
            if (rated or sold) and not is_dry_run:
                index_prompts(rated | sold)
        found.ratings += len(rated)
        found.sales += len(sold)
    found.orphans = remove_orphans(is_dry_run=is_dry_run)
    found.facets = recount_facets(is_dry_run=is_dry_run)
    found.pruned = prune_views(now=now, is_dry_run=is_dry_run)
    return found


def repair_ratings(keys: Iterable[UUID], *, is_dry_run: bool = False) -> set[UUID]:
    """Ratings and counts of prompts that have reviews, from those that are visible. Returns which were wrong."""
    visible = Q(reviews__hidden_at__isnull=True)
    reviewed = Prompt.objects.filter(pk__in=list(keys), reviews__isnull=False).annotate(
        true_rating=Avg("reviews__rating", filter=visible), true_count=Count("reviews", filter=visible)
    )
    wrong = set()
    for prompt in reviewed.only("rating", "review_count"):
        rating = round(prompt.true_rating or 0, 2)
        if abs(rating - (prompt.rating or 0)) > RATING_TOLERANCE or prompt.true_count != prompt.review_count:
            wrong.add(prompt.pk)
            if not is_dry_run:
                Prompt.objects.filter(pk=prompt.pk).update(rating=rating, review_count=prompt.true_count)
    return wrong


def _repair_sales(keys: list[UUID], true_sales: dict[UUID, int], *, is_dry_run: bool) -> set[UUID]:
    wrong = set()
    for key, sales_count in Listing.objects.filter(prompt__in=keys).values_list("prompt_id", "sales_count"):
        if sales_count != true_sales.get(key, 0):
            wrong.add(key)
            if not is_dry_run:
                Listing.objects.filter(prompt_id=key).update(sales_count=true_sales.get(key, 0))
    return wrong
