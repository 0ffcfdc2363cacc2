"""When two ways to write an e-mail address are one address, and whose it is."""

import unicodedata

from allauth.account.models import EmailAddress
from django.db.models import Q

from accounts.models import User


def email_key(email: str) -> str:
    """One form for every way to write an address; dots and tags are left alone, because they tell people apart.

    Lower case and not case folding: that would make `straße.example` and `strasse.example` one, and they are two.
    """
    return unicodedata.normalize("NFKC", email).strip().lower()


def find_verified_user(email: str) -> User | None:
    """Whose address this is: confirmed, and of an account that is switched on. An unconfirmed one is nobody's."""
    verified = EmailAddress.objects.filter(email__iexact=email_key(email), verified=True)
    live = verified.filter(user__is_active=True, user__deleted_at__isnull=True)
    found = live.select_related("user").order_by("-primary", "pk").first()
    return found and found.user


def is_sent_by(user: User) -> Q:
    """Applications sent with an address that this person has confirmed, in whatever case."""
    same_address = Q(pk__in=[])
    for address in EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True):
        same_address |= Q(case__email_key=email_key(address)) | Q(email__iexact=email_key(address))
    return same_address
