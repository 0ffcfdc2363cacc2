"""The end of an account: what is erased, and what the law keeps."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import make_password
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User

logger = logging.getLogger(__name__)


class DeletionRefused(Exception):
    """The message says what must happen first."""


def erase_account(*, user: User, now: datetime, forget: Iterable[Callable[..., object]] = ()) -> bool:
    """Erase the person and keep what the law keeps. False when it was erased before.

    Gone: address, password, profile, avatar, passkeys, codes and tokens, sessions, cart, staff rights; a seller page
    is closed.
    Kept: orders, payments and purchases (five years: Act on Consumer Protection in Electronic Commerce, article 6) and
    reviews, whose author is shown as a former member. The address is free for a new account at once.

    now: aware, stored as deleted_at.
    forget: what other apps erase with the account, each called with `user` while it still has its addresses.
    Raises DeletionRefused while the person has listings on sale (buyers and the seller's money depend on them) or an
    order whose payment is under way: what is charged must still reach somebody.
    """
    refuse_while_unfinished(user)
    with transaction.atomic():
        present = User.objects.select_for_update(no_key=True).filter(pk=user.pk, deleted_at__isnull=True)
        if not present.values("pk").first():
            return False
        refuse_while_unfinished(user)  # again: a payment may have begun before the row was ours
        for call in forget:  # before the address changes: whoever holds what is forgotten may need the account's row
            call(user=user)
        User.objects.filter(pk=user.pk).update(
            deleted_at=now,
            is_active=False,
            is_staff=False,
            is_superuser=False,
            email=f"deleted-{user.handle}@deleted.invalid",
            password=make_password(None),  # no password fits
            last_login=None,
        )
        user.refresh_from_db()
        user.groups.clear()
        user.user_permissions.clear()
        user.emailaddress_set.all().delete()
        user.authenticator_set.all().delete()
        user.api_tokens.all().delete()
        user.cart_items.all().delete()
        _erase_profile(user)
        _close_seller_page(user)
        for session in UserSession.objects.filter(user=user):
            session.end()
    logger.info("account erased user=%s", user.pk)
    return True


def refuse_while_unfinished(user: User) -> None:
    """Raises DeletionRefused when the person has listings on sale or an order whose payment is under way."""
    status = user.orders.model.Status
    if user.orders.filter(status__in=[status.CONFIRMING, status.WAITING]).exists():
        raise DeletionRefused(_("The payment of an order is still under way. Come back when it is finished."))
    count = user.seller.listings.filter(prompt__is_published=True).count() if hasattr(user, "seller") else 0
    if count:
        text = ngettext(
            "%(count)d of your prompts is on sale. Withdraw it first; whoever bought it keeps it.",
            "%(count)d of your prompts are on sale. Withdraw them first; whoever bought them keeps them.",
            count,
        )
        raise DeletionRefused(text % {"count": count})


def _erase_profile(user: User) -> None:
    if hasattr(user, "profile"):
        avatar_name = user.profile.avatar_name
        user.profile.delete()
        if avatar_name:
            transaction.on_commit(lambda: default_storage.delete(avatar_name))


def _close_seller_page(user: User) -> None:
    """Name and sales stay for the buyers' records; the page with biography and links is no longer shown."""
    if hasattr(user, "seller"):
        seller = user.seller
        seller.bio, seller.website_url, seller.status = "", "", type(seller).Status.SUSPENDED
        seller.save(update_fields=["bio", "website_url", "status"])
