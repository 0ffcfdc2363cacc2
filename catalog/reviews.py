"""What buyers said of a prompt: read in pages; written, changed and deleted by its author; answered by the seller.

Whoever bought what is known in `checkout/reviewing.py`, which stands before the writing here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.models import FacetTotal, Prompt, Review
from catalog.ratings import lock_prompts, refresh_ratings
from sellers.mails import queue_seller_mail
from sellers.models import Seller, SellerMail

REVIEW_ORDERS = ("newest", "highest", "lowest")
REVIEWS_ON_PAGE = 10
STARS = (5, 4, 3, 2, 1)
MODELS_SUGGESTED = 20
_CURSOR = re.compile(r"([1-5])-(\d{1,17})-([0-9a-f]{32})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReviewRefused(Exception):
    """The message is written for whoever wrote."""


# --- Reading


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


def suggest_models() -> list[str]:
    """What prompts on sale are made for, most first: what "model used" offers. One query."""
    totals = FacetTotal.objects.filter(kind="m", prompt_count__gt=0).order_by("-prompt_count", "value")
    return list(totals.values_list("value", flat=True)[:MODELS_SUGGESTED])


# --- Writing


def save_review(
    *, prompt: Prompt, author: User, rating: int, body: str, model_used: str, now: datetime
) -> tuple[Review, bool]:
    """Write a review, or change the one that is there; the rating follows in the same transaction.

    Returns the review and whether it is new. The same words again change nothing, not even the time. One that is hidden
    stays hidden. The seller gets a mail of a person's first review, and none of later ones.
    Raises ReviewRefused for the seller's own prompt. Whether the author bought it, the caller asks.
    """
    words = {"rating": rating, "body": body, "model_used": model_used}
    with transaction.atomic():
        lock_prompts([prompt.pk])
        seller = Seller.objects.filter(listings__prompt=prompt.pk).select_related("user").first()
        if seller and seller.user_id == author.pk:
            raise ReviewRefused(_("You sell this prompt yourself, so you cannot review it."))
        review = Review.objects.filter(prompt=prompt.pk, author=author).first()
        if review is None:
            review = Review.objects.create(prompt=prompt, author=author, created_at=now, updated_at=now, **words)
            refresh_ratings([prompt.pk])
            if seller:
                _tell_seller(review, prompt=prompt, seller=seller, now=now)
            return review, True
        changed = [name for name, value in words.items() if getattr(review, name) != value]
        for name in changed:
            setattr(review, name, words[name])
        if changed:
            review.updated_at = now
            review.save(update_fields=[*changed, "updated_at"])
        if "rating" in changed:
            refresh_ratings([prompt.pk])
    return review, False


def delete_review(*, review: Review) -> bool:
    """By its author. False when it was gone already.

    Raises ReviewRefused for one that staff hid: whoever could delete it could write it again, and be seen.
    """
    with transaction.atomic():
        lock_prompts([review.prompt_id])
        there = Review.objects.filter(pk=review.pk)
        if there.filter(hidden_reason=Review.HiddenReason.STAFF).exists():
            raise ReviewRefused(
                _("Our staff hid this review, so it stays on record. You can still take the words out of it.")
            )
        if not there.delete()[0]:
            return False
        refresh_ratings([review.prompt_id])
    return True


def reply_to_review(*, review: Review, reply: str, now: datetime) -> bool:
    """What the seller answers, in place of what stood there; an empty text takes the answer away.

    False, and nothing written, when it says the same or the review is gone or hidden by now. Whose review it is, the
    caller asks.
    """
    replied_at = now if reply else None
    there = Review.objects.visible().filter(pk=review.pk).exclude(reply=reply)
    return bool(there.update(reply=reply, replied_at=replied_at))


def _tell_seller(review: Review, *, prompt: Prompt, seller: Seller, now: datetime) -> None:
    with translation.override(seller.language):
        author_name = str(review.author.display_name)  # for somebody without a nickname a word of that language
    queue_seller_mail(
        kind=SellerMail.Kind.NEW_REVIEW,
        key=f"new_review:{prompt.pk.hex}:{review.author_id.hex}",  # once, however often somebody begins anew
        seller=seller,
        context={
            "title": prompt.title,
            "stars": review.rating,
            "author": author_name,
            "text": review.body,
            "path": reverse("studio:review_list"),
        },
        now=now,
    )
