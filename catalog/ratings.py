"""`prompts.rating` and `review_count`: what visible reviews add up to, right whoever writes beside whom.

Locks are taken in one order everywhere, so that nobody waits in a circle: order, right to open (`entitlements`),
prompts by key, reviews, listings by prompt. `docs/decisions/0022-reviews-and-ratings.md` tells why.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum

from catalog.models import Prompt, Review
from catalog.search import index_prompts


def lock_prompts(prompt_ids: Iterable[UUID]) -> None:
    """Inside a transaction: whoever changes reviews or counters of these prompts comes one after the other."""
    rows = Prompt.objects.select_for_update(no_key=True).filter(pk__in=list(prompt_ids)).order_by("pk")
    list(rows.values_list("pk"))


def find_mean(star_sum: int, review_count: int) -> float:
    """Stars on average, to hundredths, halves up: 4.125 is 4.13. 0 without reviews. Exact, because it counts whole."""
    if not review_count:
        return 0.0
    return (200 * star_sum + review_count) // (2 * review_count) / 100


def sum_stars(prompt_ids: Iterable[UUID]) -> dict[UUID, tuple[int, int]]:
    """{prompt: (stars, reviews)} of those with visible reviews. One query."""
    visible = Review.objects.visible().filter(prompt__in=list(prompt_ids)).order_by()
    rows = visible.values("prompt").annotate(stars=Sum("rating"), n=Count("pk"))
    return {row["prompt"]: (row["stars"], row["n"]) for row in rows}


def refresh_ratings(prompt_ids: Iterable[UUID]) -> None:
    """Work rating and count of these prompts out again, with their places in the lists, in the caller's transaction.

    Whoever calls it took `lock_prompts` before reading or writing a review: the sum is right only then.
    """
    ids = sorted(set(prompt_ids))
    with transaction.atomic():
        sums = sum_stars(ids)
        for prompt_id in ids:
            stars, count = sums.get(prompt_id, (0, 0))
            Prompt.objects.filter(pk=prompt_id).update(rating=find_mean(stars, count), review_count=count)
        index_prompts(ids, only_moved=True)
