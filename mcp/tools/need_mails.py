"""The mail to a seller whose prompts need a tool that vanished or takes other parameters now."""

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse

from catalog.models import Listing
from mcp.models import ToolNeed
from sellers.mails import queue_seller_mail
from sellers.models import Seller, SellerMail

MOST_PROMPTS = 20  # in one mail; the studio shows them all


def queue_need_mails(needs: Iterable[ToolNeed], *, now: datetime) -> None:
    """One mail to each seller, whatever the number of prompts. Drafts are no news: the studio shows them.

    Belongs into the transaction that writes what is told.
    """
    needs = list(needs)
    if not needs:
        return
    listings = Listing.objects.filter(
        prompt_id__in={need.prompt_id for need in needs}, seller__isnull=False, published_at__isnull=False
    )
    by_seller: dict[Seller, list[Listing]] = {}
    for listing in listings.select_related("seller__user", "prompt").defer("prompt__prompt_text").order_by("pk"):
        by_seller.setdefault(listing.seller, []).append(listing)
    for seller, own in by_seller.items():
        queue_seller_mail(
            kind=SellerMail.Kind.TOOLS_CHANGED,
            key=_make_key(seller, needs, now),
            seller=seller,
            context={
                "path": reverse("studio:home") if len(own) > 1 else _edit_path(own[0]),
                "prompts": [_describe(listing, needs) for listing in own[:MOST_PROMPTS]],
                "more_count": max(0, len(own) - MOST_PROMPTS),
            },
            now=now,
        )


def _make_key(seller: Seller, needs: list[ToolNeed], now: datetime) -> str:
    """The first need tells two mails of one moment apart: a run checks many servers at once."""
    first = min(need.pk for need in needs)
    return f"{SellerMail.Kind.TOOLS_CHANGED}:{seller.pk.hex}:{first:x}:{now:%Y%m%dT%H%M%S}"


def _edit_path(listing: Listing) -> str:
    return reverse("studio:listing_edit", args=[listing.prompt_id])


def _describe(listing: Listing, needs: list[ToolNeed]) -> dict:
    return {
        "title": listing.prompt.title,
        "path": _edit_path(listing),
        "tools": [
            {"name": str(need), "state": str(need.state), "breaks": need.breaks}
            for need in needs
            if need.prompt_id == listing.prompt_id
        ],
    }
