"""When the seller of an accepted application is made: at once where an account has the address, else once one has.

An acceptance makes one seller, and it is not handed on: whoever comes to own the address later applies anew.
"""

import logging
import secrets
import unicodedata
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.text import slugify

from accounts.models import User
from sellers.addresses import find_verified_user, is_sent_by
from sellers.models import ApplicationCase, ApplicationEvent, Seller, SellerApplication

logger = logging.getLogger(__name__)

MAX_NAME_LENGTH = 80
MAX_SLUG_LENGTH = 50  # characters, leaving room for a number within the column's 60


def claim_acceptance(*, user: User, now: datetime) -> Seller | None:
    """Make the seller of whoever verified an address that was accepted before; None when there is nothing to claim.

    Called when an address is verified and at sign-in, so that no moment between two requests loses it. A second call
    changes nothing.
    """
    if not user.is_active or Seller.objects.filter(user=user).exists():
        return None
    status = ApplicationCase.Status.ACCEPTED
    accepted = SellerApplication.objects.filter(is_sent_by(user), processed=True, case__status=status)
    for application in accepted.order_by("case__decided_at", "pk"):
        with transaction.atomic():
            SellerApplication.objects.filter(pk=application.pk).update(processed=F("processed"))  # one claim at a time
            if not _is_used(application):
                return open_seller(user=user, application=application, now=now)
    return None


def claim_for_address(*, email: str, now: datetime) -> Seller | None:
    """The same for whoever has this address by now."""
    user = find_verified_user(email)
    return claim_acceptance(user=user, now=now) if user else None


def open_seller(*, user: User, application: SellerApplication, now: datetime) -> Seller:
    """The seller of this account, made unless there is one already. Belongs into the caller's transaction.

    From then on the acceptance is used up, also where the seller was there before.
    """
    seller = Seller.objects.filter(user=user).first() or _create_seller(user, application, now=now)
    if not _is_used(application):
        kind = ApplicationEvent.Kind.SELLER_MADE
        ApplicationEvent.objects.create(application=application, kind=kind, at=now)
    return seller


def _is_used(application: SellerApplication) -> bool:
    return application.events.filter(kind=ApplicationEvent.Kind.SELLER_MADE).exists()


def _create_seller(user: User, application: SellerApplication, *, now: datetime) -> Seller:
    case = ApplicationCase.objects.filter(application=application).first()
    name = " ".join(application.name.split())[:MAX_NAME_LENGTH] or user.display_name
    fields = {"user": user, "name": name, "language": case.language if case else "ko", "created_at": now}
    try:
        with transaction.atomic():
            seller = Seller.objects.create(slug=find_free_slug(name), **fields)
    except IntegrityError:  # another request made it, or took the slug, in the same moment
        seller = Seller.objects.filter(user=user).first()
        if seller is None:
            seller = Seller.objects.create(slug=f"seller-{secrets.token_hex(4)}", **fields)
    logger.info("seller made seller=%s application=%s", seller.pk, application.pk)
    return seller


def find_free_slug(name: str) -> str:
    """An address part made of a name, Hangul kept, that no seller has yet."""
    base = slugify(unicodedata.normalize("NFC", name), allow_unicode=True)[:MAX_SLUG_LENGTH].strip("-_") or "seller"
    candidates = [base, *(f"{base}-{number}" for number in range(2, 10))]
    taken = set(Seller.objects.filter(slug__in=candidates).values_list("slug", flat=True))
    return next((each for each in candidates if each not in taken), f"{base}-{secrets.token_hex(4)}")
