"""What is taken out of sight: reviews that break the rules, and those of people who got their money back.

Each change carries the ratings of its prompts along, in one transaction. A review that staff hid stays so whatever
becomes of the purchase; only staff show it again.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from catalog.models import Review
from catalog.ratings import lock_prompts, refresh_ratings

STAFF, REFUNDED = Review.HiddenReason.STAFF, Review.HiddenReason.REFUNDED
SHOWN = {"hidden_at": None, "hidden_reason": "", "hidden_note": ""}


def hide_reviews(*, reviews: Iterable[Review], note: str, now: datetime) -> list[Review]:
    """By staff, with the reason that the author reads. Returns those that were not hidden by staff already.

    Raises ValueError without a reason.
    """
    note = note.strip()
    if not note:
        raise ValueError("hiding a review needs a reason for its author")
    reviews = list(reviews)
    with transaction.atomic():
        lock_prompts({review.prompt_id for review in reviews})
        seen = Review.objects.filter(pk__in=[review.pk for review in reviews]).exclude(hidden_reason=STAFF)
        changed = list(seen.order_by("pk"))
        _set(changed, hidden_at=now, hidden_reason=STAFF, hidden_note=note)
        _refresh(changed)
    return changed


def show_reviews(*, reviews: Iterable[Review], refunded_ids: Collection[UUID], now: datetime) -> list[Review]:
    """What staff hid is seen again, but for those whose authors got their money back meanwhile: these stay hidden for
    that reason. Returns what staff had hidden until now.

    refunded_ids: keys of such reviews, from whoever sells.
    """
    reviews = list(reviews)
    with transaction.atomic():
        lock_prompts({review.prompt_id for review in reviews})
        hidden = Review.objects.filter(pk__in=[review.pk for review in reviews], hidden_reason=STAFF)
        changed = list(hidden.order_by("pk"))
        _set(
            [each for each in changed if each.pk in refunded_ids], hidden_at=now, hidden_reason=REFUNDED, hidden_note=""
        )
        _set([each for each in changed if each.pk not in refunded_ids], **SHOWN)
        _refresh(changed)
    return changed


def follow_refunds(
    *, author_id: UUID, refunded_ids: Collection[UUID], kept_ids: Collection[UUID], now: datetime
) -> int:
    """Hide what somebody said of prompts that were refunded, and show what they said of those they have again.

    refunded_ids, kept_ids: keys of prompts. Returns how many reviews moved; mostly none, and then nothing is locked.
    """
    seen = Q(prompt__in=refunded_ids, hidden_at__isnull=True)
    hidden = Q(prompt__in=kept_ids, hidden_reason=REFUNDED)
    moving = Review.objects.filter(seen | hidden, author=author_id).order_by("pk")
    prompt_ids = set(moving.values_list("prompt", flat=True))
    if not prompt_ids:
        return 0
    with transaction.atomic():
        lock_prompts(prompt_ids)
        changed = list(moving)  # again: somebody may have been faster
        _set([each for each in changed if not each.is_hidden], hidden_at=now, hidden_reason=REFUNDED)
        _set([each for each in changed if each.is_hidden], **SHOWN)
        _refresh(changed)
    return len(changed)


def _set(reviews: list[Review], **columns) -> None:
    Review.objects.filter(pk__in=[review.pk for review in reviews]).update(**columns)


def _refresh(reviews: list[Review]) -> None:
    """All at once, because the index too is locked in one order."""
    refresh_ratings({review.prompt_id for review in reviews})
