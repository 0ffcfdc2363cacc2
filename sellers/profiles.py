"""How a seller appears: name, address, what they say of themselves, and the language of their mails."""

import unicodedata

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.profiles import has_invisible, has_piled_marks
from sellers.models import Seller

NAME_MIN_LENGTH, NAME_MAX_LENGTH = 2, 80  # characters, after normalising
SLUG_MAX_LENGTH = 60


class ProfileRefused(Exception):
    """`field` names what it is about; the message is written for the seller."""

    def __init__(self, field: str, message: str):
        self.field = field
        super().__init__(message)


def clean_seller_name(text: str) -> str:
    """A name as it is stored: NFC, single spaces, 2 to 80 characters, and none that cannot be seen.

    Raises ProfileRefused.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if has_invisible(name):
        raise ProfileRefused("name", _("The name holds a character that cannot be seen. Type it again by hand."))
    if has_piled_marks(name):
        raise ProfileRefused("name", _("The name has too many marks on one letter. Leave some out."))
    if not NAME_MIN_LENGTH <= len(name) <= NAME_MAX_LENGTH:
        text = _("A name has 2 to 80 characters; this one has %(count)d.")
        raise ProfileRefused("name", text % {"count": len(name)})
    return name


def clean_seller_slug(text: str) -> str:
    """The last part of the page's address: letters, digits and hyphens, Hangul kept. Raises ProfileRefused."""
    slug = slugify(unicodedata.normalize("NFC", text), allow_unicode=True)[:SLUG_MAX_LENGTH].strip("-_")
    if not slug:
        raise ProfileRefused("slug", _("An address needs letters or digits."))
    return slug


def is_address_fixed(seller: Seller) -> bool:
    """Whether something of theirs was ever on sale: links to the page are out in the world since then. One query."""
    return seller.listings.filter(published_at__isnull=False).exists()


def change_seller_profile(
    *, seller: Seller, name: str, slug: str, bio: str, website_url: str, language: str
) -> set[str]:
    """Store what differs; returns the names of those columns. name, slug: as the functions above return them.

    Raises ProfileRefused for an address that somebody has or that may no longer change.
    """
    wanted = {"name": name, "slug": slug, "bio": bio, "website_url": website_url, "language": language}
    changed = {column for column, value in wanted.items() if getattr(seller, column) != value}
    if not changed:
        return changed
    if "slug" in changed and is_address_fixed(seller):
        raise ProfileRefused("slug", _("Your address stays as it is, because prompts of yours have been on sale."))
    try:
        with transaction.atomic():
            Seller.objects.filter(pk=seller.pk).update(**{column: wanted[column] for column in changed})
    except IntegrityError:
        if not Seller.objects.filter(slug=slug).exclude(pk=seller.pk).exists():
            raise
        raise ProfileRefused("slug", _("Another seller has this address. Choose another one.")) from None
    for column in changed:
        setattr(seller, column, wanted[column])
    return changed
