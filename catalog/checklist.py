"""What a listing needs before a seller may put it on sale, and which prices there are."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import MAX_PRICE_KRW, MIN_PRICE_KRW, Listing, Prompt
from sellers.business import find_business

PRICE_RULE = gettext_lazy("A price is 0, which is free, or 100 to 10,000,000 won.")


@dataclass(frozen=True, slots=True)
class Need:
    """`field` names the field of the editor that fills it, `business` the page with the business facts."""

    field: str
    name: str
    is_met: bool


def is_allowed_price(price_krw: int) -> bool:
    """Free, or a sum that a card can be charged: whole won."""
    return price_krw == 0 or MIN_PRICE_KRW <= price_krw <= MAX_PRICE_KRW


def list_needs(prompt: Prompt) -> list[Need]:
    """Everything that is asked, met or not, in the order of the editor.

    Needs `listing.seller.business` loaded. The facts are asked of whoever sells for money: giving away is no trade.
    """
    listing = prompt.listing
    needs = [
        Need("title", _("a title"), bool(prompt.title.strip())),
        Need("price", _("a price of 0 or of 100 to 10,000,000 won"), is_allowed_price(prompt.price)),
        Need("description", _("a description"), bool((prompt.description or "").strip())),
        Need("prompt_text", _("the prompt itself"), bool(prompt.prompt_text.strip())),
        Need("output_kind", _("what comes out of it"), listing.output_kind in Listing.OutputKind.values),
    ]
    if prompt.price and listing.seller:
        needs.append(Need("business", _("your business facts"), find_business(listing.seller) is not None))
    return needs


def list_missing(prompt: Prompt) -> list[Need]:
    return [need for need in list_needs(prompt) if not need.is_met]
