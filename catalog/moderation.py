"""What staff takes out of sight: reviews that break the rules."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from catalog.models import Review
from catalog.recount import repair_ratings
from catalog.search import index_prompts


def set_reviews_hidden(*, reviews: Iterable[Review], hidden_at: datetime | None) -> None:
    """Hide reviews, or show them again with None. Ratings and lists of their prompts follow in the same transaction."""
    reviews = list(reviews)
    prompt_ids = {review.prompt_id for review in reviews}
    with transaction.atomic():
        reason = Review.HiddenReason.STAFF if hidden_at else ""
        Review.objects.filter(pk__in=[review.pk for review in reviews]).update(
            hidden_at=hidden_at, hidden_reason=reason
        )
        repair_ratings(prompt_ids)
        index_prompts(prompt_ids)
