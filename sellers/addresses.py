"""When two ways to write an e-mail address are one address, and whose it is."""

import unicodedata
from collections.abc import Iterable
from functools import reduce
from operator import or_

from allauth.account.models import EmailAddress
from django.db.models import Q

from accounts.models import User
from sellers.models import SellerApplication


def email_key(email: str) -> str:
    """One form for every way to write an address; dots and tags are left alone, because they tell people apart.

    Lower case and not case folding: that would make `straße.example` and `strasse.example` one, and they are two.
    """
    return unicodedata.normalize("NFKC", email).strip().lower()


def find_verified_user(email: str) -> User | None:
    """Whose address this is: confirmed, and of an account that is switched on. An unconfirmed one is nobody's."""
    key = email_key(email)
    verified = EmailAddress.objects.filter(email__iexact=key, verified=True)
    live = verified.filter(user__is_active=True, user__deleted_at__isnull=True)
    found = live.select_related("user").order_by("-primary", "pk")
    return next((row.user for row in found if email_key(row.email) == key), None)


def is_sent_by(user: User) -> Q:
    """Applications sent with an address that this person has confirmed, in whatever case. Two queries to make."""
    addresses = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    keys = {email_key(address) for address in addresses}
    return Q(case__email_key__in=keys) | Q(pk__in=[row.pk for row in list_sent_with(keys)])


def list_sent_with(keys: Iterable[str]) -> list[SellerApplication]:
    """Applications whose own column holds one of these addresses, those that wait first and then the newest. One query.

    keys: as `email_key` makes them. What the database takes for equal is compared once more: without regard to case,
    PostgreSQL takes `gmaıl.com` for `gmail.com`, and anybody may own the first.
    """
    keys = set(keys)
    alike = reduce(or_, (Q(email__iexact=key) for key in keys), Q(pk__in=[]))
    rows = SellerApplication.objects.filter(alike).order_by("processed", "-created_at", "pk")
    return [row for row in rows if email_key(row.email) in keys]
