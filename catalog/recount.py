"""Proving what is counted and derived against the rows it comes from, and repairing it.

`prompts` is shared with other programs, so its four counters have two kinds of proof. `rating` and `review_count` come
from visible reviews, wherever there are reviews. `view_count` and `download_count` must be what came from elsewhere
(`listings.outside_…`) and our own rows together (`prompt_days`, the access log). One that is lower has lost something,
in another program's read and write for instance, and is raised. One that is higher was written by another program, for
we count and prove in the same transaction: it is taken over into `outside_…`, so that nothing anybody counted is lost.
The first run on a database from before these proofs takes everything over that way.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from catalog.listings import BATCH_SIZE, adopt_prompts
from catalog.models import Listing, Prompt, PromptDay, Review
from catalog.ratings import find_mean, lock_prompts, sum_stars
from catalog.search import index_prompts, recount_facets, remove_orphans
from catalog.view_counts import prune_views

# Of a star. Other programs store averages unrounded, and as floats.
RATING_TOLERANCE = 0.005 + 1e-9

CountByPrompt = Callable[[list[UUID]], dict[UUID, int]]


@dataclass
class Recount:
    """How many rows were wrong, by what was wrong; `taken_over` counters were higher than their proof, `views` and
    `downloads` lower; `pruned` rows were merely old."""

    adopted: int = 0
    ratings: int = 0
    sales: int = 0
    views: int = 0
    downloads: int = 0
    taken_over: int = 0
    orphans: int = 0
    facets: int = 0
    pruned: int = 0

    @property
    def wrong(self) -> int:
        counters = self.ratings + self.sales + self.views + self.downloads + self.taken_over
        return self.adopted + counters + self.orphans + self.facets


def recount_prompts(
    *, count_sales: CountByPrompt, count_downloads: CountByPrompt, now: datetime, is_dry_run: bool = False
) -> Recount:
    """Take in what other programs wrote, then prove counters, places and facet totals, in short transactions.

    The site may go on meanwhile: the rows of a batch are locked before they are counted, so nothing counted since is
    lost. A rating that another program brought along without its reviews stays.
    count_sales, count_downloads: the true numbers by prompt, from whoever sells and hands out; a prompt that is missing
    there has 0.
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
            lock_prompts(keys)
            listings = Listing.objects.filter(prompt__in=keys).order_by("prompt_id")
            listings = list(listings.select_for_update(no_key=True).defer("description_html"))
            rated = repair_ratings(keys, is_dry_run=is_dry_run)
            sold = _repair_sales(listings, count_sales(keys), is_dry_run=is_dry_run)
            _repair_counters(listings, found, true_downloads=count_downloads(keys), is_dry_run=is_dry_run)
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
    keys = list(keys)
    reviewed = Review.objects.filter(prompt__in=keys).order_by().values("prompt")
    sums = sum_stars(keys)
    wrong = set()
    for prompt in Prompt.objects.filter(pk__in=reviewed).only("rating", "review_count"):
        stars, count = sums.get(prompt.pk, (0, 0))
        mean = stars / count if count else 0
        if abs(mean - (prompt.rating or 0)) > RATING_TOLERANCE or count != prompt.review_count:
            wrong.add(prompt.pk)
            if not is_dry_run:
                Prompt.objects.filter(pk=prompt.pk).update(rating=find_mean(stars, count), review_count=count)
    return wrong


def _repair_sales(listings: list[Listing], true_sales: dict[UUID, int], *, is_dry_run: bool) -> set[UUID]:
    wrong = {row.prompt_id for row in listings if row.sales_count != true_sales.get(row.prompt_id, 0)}
    if not is_dry_run:
        for key in sorted(wrong):
            Listing.objects.filter(prompt_id=key).update(sales_count=true_sales.get(key, 0))
    return wrong


def _repair_counters(
    listings: list[Listing], found: Recount, *, true_downloads: dict[UUID, int], is_dry_run: bool
) -> None:
    keys = [row.prompt_id for row in listings]
    days = PromptDay.objects.filter(prompt__in=keys).order_by()
    true_views = dict(days.values_list("prompt").annotate(Sum("view_count")))
    stored = Prompt.objects.filter(pk__in=keys).values("pk", "view_count", "download_count")
    by_key = {row["pk"]: row for row in stored}
    for listing in listings:
        for what, column, own in (("views", "view_count", true_views), ("downloads", "download_count", true_downloads)):
            own_count = own.get(listing.prompt_id, 0)
            outside_count = getattr(listing, f"outside_{column}")
            has = by_key[listing.prompt_id][column] or 0
            if has < outside_count + own_count:
                setattr(found, what, getattr(found, what) + 1)
                changed, columns = Prompt.objects.filter(pk=listing.prompt_id), {column: outside_count + own_count}
            elif has > outside_count + own_count:
                found.taken_over += 1
                changed, columns = Listing.objects.filter(pk=listing.pk), {f"outside_{column}": has - own_count}
            else:
                continue
            if not is_dry_run:
                changed.update(**columns)
