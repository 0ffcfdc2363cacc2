"""Who may review: whoever bought a prompt, opened it and did not get their money back.

A right that staff took back is no refund: the review stays as it was written, and cannot be changed any more. What the
review itself may say, and who answers it, is in `catalog/reviews.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Prompt, Review
from catalog.moderation import follow_refunds, show_reviews
from catalog.reviews import ReviewRefused, save_review
from checkout.models import Entitlement

Reason = Entitlement.RevokedReason
KEPT = Q(opened_at__isnull=False) & (Q(revoked_at__isnull=True) | Q(revoked_reason=Reason.STAFF))


@dataclass(frozen=True)
class Standing:
    """What a person has to do with reviews of one prompt. `review` is their own, hidden or not."""

    review: Review | None = None
    can_write: bool = False


def find_review_standing(*, user, prompt: Prompt) -> Standing:
    """At most two queries; none for a visitor. `prompt` comes with its listing's seller."""
    if not user.is_authenticated:
        return Standing()
    review = Review.objects.filter(prompt=prompt.pk, author=user).first()
    seller = prompt.listing.seller
    if seller and seller.user_id == user.pk:
        return Standing(review=review)
    opened = Entitlement.objects.live().filter(user=user, prompt=prompt.pk, opened_at__isnull=False)
    return Standing(review=review, can_write=opened.exists())


def write_review(
    *, entitlement: Entitlement, rating: int, body: str, model_used: str, now: datetime
) -> tuple[Review, bool]:
    """Write or change the buyer's review of what they opened. Returns the review and whether it is new.

    The right is locked until the review stands, so a refund in the same moment comes before it, and refuses it, or
    after it, and hides it. Somebody who bought again after a refund changes the review of then.
    Raises ReviewRefused: sealed, refunded, taken back, or their own prompt.
    """
    with transaction.atomic():
        rights = Entitlement.objects.live().filter(user=entitlement.user_id, prompt=entitlement.prompt_id)
        right = rights.select_for_update(no_key=True).first()
        if right is None:
            raise ReviewRefused(_("This purchase was refunded or taken back, so it can no longer be reviewed."))
        if right.is_sealed:
            raise ReviewRefused(_("Open the prompt first. A review tells what it was like to use it."))
        return save_review(
            prompt=entitlement.prompt,
            author=entitlement.user,
            rating=rating,
            body=body,
            model_used=model_used,
            now=now,
        )


def settle_reviews(*, user_id: UUID, prompt_ids: Iterable[UUID], now: datetime) -> None:
    """After rights of a person moved, in the same transaction: hide the reviews of what was refunded, show those of
    what they have opened again. One query for somebody who reviewed none of it."""
    prompt_ids = set(prompt_ids)
    reviewed = Review.objects.filter(author=user_id, prompt__in=prompt_ids)
    reviewed_ids = set(reviewed.values_list("prompt", flat=True))
    if reviewed_ids:
        refunded_ids = find_refunded_prompt_ids(user_id=user_id, prompt_ids=reviewed_ids)
        follow_refunds(author_id=user_id, refunded_ids=refunded_ids, kept_ids=reviewed_ids - refunded_ids, now=now)


def find_refunded_prompt_ids(*, user_id: UUID, prompt_ids: Iterable[UUID]) -> set[UUID]:
    """Prompts of these whose money the person got back, and which they have not bought and opened again since."""
    rights = Entitlement.objects.filter(user=user_id, prompt__in=list(prompt_ids))
    refunded = set(rights.filter(revoked_reason=Reason.REFUNDED).values_list("prompt", flat=True))
    return refunded - set(rights.filter(KEPT).values_list("prompt", flat=True)) if refunded else refunded


def show_reviews_again(*, reviews: Iterable[Review], now: datetime) -> list[Review]:
    """By staff: what they hid is seen again, unless its author got the money back. Returns what they had hidden."""
    reviews = list(reviews)
    with transaction.atomic():
        authors = {review.author_id for review in reviews}
        prompts = {review.prompt_id for review in reviews}
        rights = Entitlement.objects.filter(user__in=authors, prompt__in=prompts)
        list(rights.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        refunded_ids = {
            review.pk
            for review in reviews
            if find_refunded_prompt_ids(user_id=review.author_id, prompt_ids=[review.prompt_id])
        }
        return show_reviews(reviews=reviews, refunded_ids=refunded_ids, now=now)
