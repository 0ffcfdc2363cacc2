"""The cart: rows of `carts` for somebody signed in, the session before that, one interface over both."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.days import count_put_into_cart
from catalog.models import Prompt
from checkout.library import owned_prompt_ids
from checkout.models import CartItem, CartPrice
from sellers.models import Seller

MAX_ITEMS = 50
SESSION_KEY = "cart"  # {prompt id: {"price": whole won when added, "at": ISO time}}, in order of adding
REMOVED_KEY = "cart_removed"  # the same for what was taken out last, so that undo puts it back where it stood


class CartRefused(Exception):
    """The message is written for the shopper."""


@dataclass(frozen=True)
class CartLine:
    prompt: Prompt
    seen_price_krw: int | None  # None: unknown, nothing to announce
    is_for_sale: bool

    @property
    def is_price_changed(self) -> bool:
        return self.is_for_sale and self.seen_price_krw is not None and self.seen_price_krw != self.prompt.price


@dataclass(frozen=True)
class CartContents:
    """What the cart page shows: `lines` are billed or no longer sold, `owned` was taken out just now."""

    lines: list[CartLine] = field(default_factory=list)
    owned: list[Prompt] = field(default_factory=list)

    @property
    def billed(self) -> list[Prompt]:
        return [line.prompt for line in self.lines if line.is_for_sale]

    @property
    def total_krw(self) -> int:
        return sum(prompt.price for prompt in self.billed)


def is_for_sale(prompt: Prompt) -> bool:
    """Whether anybody may buy it now. Reads `listing.seller` of rows that `for_cards()` or `for_page()` loaded."""
    listing = getattr(prompt, "listing", None)
    seller = listing and listing.seller
    return bool(listing and prompt.is_published and not (seller and seller.status == Seller.Status.SUSPENDED))


def is_own_item(prompt: Prompt, user) -> bool:
    seller = prompt.listing.seller
    return bool(seller and user.is_authenticated and seller.user_id == user.pk)


class SessionCart:
    """The cart of a visitor, for as long as the session lives. Adding or removing twice changes nothing."""

    def __init__(self, session):
        self.session = session

    def entries(self) -> dict[str, dict]:
        return self.session.get(SESSION_KEY, {})

    def count(self) -> int:
        return len(self.entries())

    def has(self, prompt: Prompt) -> bool:
        return str(prompt.pk) in self.entries()

    def add(self, prompt: Prompt, *, now: datetime, seen_price_krw: int | None = None) -> bool:
        entries = self.entries()
        if str(prompt.pk) in entries:
            return False
        price_krw = prompt.price if seen_price_krw is None else seen_price_krw
        entries[str(prompt.pk)] = {"price": price_krw, "at": now.isoformat()}
        self.session[SESSION_KEY] = dict(sorted(entries.items(), key=lambda entry: entry[1]["at"]))
        return True

    def remove(self, prompt: Prompt) -> dict | None:
        """What stood there, for undo; None if nothing did."""
        entries = self.entries()
        removed = entries.pop(str(prompt.pk), None)
        if removed:
            self.session[SESSION_KEY] = entries
        return removed

    def prices(self) -> dict[str, int | None]:
        return {prompt_id: entry["price"] for prompt_id, entry in self.entries().items()}


class UserCart:
    """The cart of somebody signed in: rows of `carts`. Adding or removing twice changes nothing, also from two tabs."""

    def __init__(self, user):
        self.user = user

    def count(self) -> int:
        return self.user.cart_items.count()

    def has(self, prompt: Prompt) -> bool:
        return self.user.cart_items.filter(prompt=prompt).exists()

    def add(self, prompt: Prompt, *, now: datetime, seen_price_krw: int | None = None) -> bool:
        price_krw = prompt.price if seen_price_krw is None else seen_price_krw
        try:
            with transaction.atomic():
                item = CartItem.objects.create(user=self.user, prompt=prompt, created_at=now)
                CartPrice.objects.create(cart_item=item, price_krw=price_krw)
        except IntegrityError:
            return False
        return True

    def remove(self, prompt: Prompt) -> dict | None:
        with transaction.atomic():
            item = self.user.cart_items.select_related("seen").filter(prompt=prompt).first()
            if item is None:
                return None
            item.delete()
        seen = getattr(item, "seen", None)
        return {"price": seen.price_krw if seen else prompt.price, "at": item.created_at.isoformat()}

    def prices(self) -> dict[str, int | None]:
        rows = self.user.cart_items.order_by("created_at", "pk").values_list("prompt_id", "seen__price_krw")
        return {str(prompt_id): price_krw for prompt_id, price_krw in rows}


def open_cart(user, session) -> SessionCart | UserCart:
    return UserCart(user) if user.is_authenticated else SessionCart(session)


def add_to_cart(*, cart: SessionCart | UserCart, user, prompt: Prompt, now: datetime) -> bool:
    """Put one prompt in, and count it for its seller. False when it was there already.

    Raises CartRefused when it is not for sale, owned already, the shopper's own, or the cart is full.
    """
    if not is_for_sale(prompt):
        raise CartRefused(_("This prompt is not for sale at the moment."))
    if is_own_item(prompt, user):
        raise CartRefused(_("This is a prompt of your own."))
    if owned_prompt_ids(user, [prompt.pk]):
        raise CartRefused(_("You already have this prompt. It is in your library."))
    if cart.count() >= MAX_ITEMS and not cart.has(prompt):
        raise CartRefused(_("A cart holds 50 prompts. Please check out or remove something first."))
    is_new = cart.add(prompt, now=now)
    if is_new:
        count_put_into_cart(prompt_id=prompt.pk, now=now)
    return is_new


def remove_from_cart(*, cart: SessionCart | UserCart, session, prompt: Prompt) -> bool:
    """Take one prompt out, remembering where it stood. False when it was not there."""
    removed = cart.remove(prompt)
    if removed is None:
        return False
    session[REMOVED_KEY] = {"prompt": str(prompt.pk), **removed}
    return True


def restore_to_cart(*, cart: SessionCart | UserCart, session, user, prompt: Prompt, now: datetime) -> bool:
    """Undo the last removal: the prompt comes back to its place with the price it was put in at."""
    removed = session.get(REMOVED_KEY)
    if not removed or removed["prompt"] != str(prompt.pk):
        return add_to_cart(cart=cart, user=user, prompt=prompt, now=now)
    del session[REMOVED_KEY]
    return cart.add(prompt, now=datetime.fromisoformat(removed["at"]), seen_price_krw=removed["price"])


def read_cart(*, cart: SessionCart | UserCart, user) -> CartContents:
    """The cart as it stands now, in order of adding. Three queries however many lines.

    What the shopper owns by now leaves the cart here and is named in `owned`, once; that is the only write.
    """
    prices = cart.prices()
    prompts = {str(prompt.pk): prompt for prompt in Prompt.objects.filter(pk__in=list(prices)).for_cards()}
    owned_ids = owned_prompt_ids(user, [prompt.pk for prompt in prompts.values()])
    contents = CartContents()
    for prompt_id, seen_price_krw in prices.items():
        prompt = prompts.get(prompt_id)
        if prompt is None or not hasattr(prompt, "listing"):
            continue
        if prompt.pk in owned_ids:
            contents.owned.append(prompt)
            cart.remove(prompt)
            continue
        for_sale = is_for_sale(prompt) and not is_own_item(prompt, user)
        contents.lines.append(CartLine(prompt, seen_price_krw, for_sale))
    return contents


def count_cart(cart: SessionCart | UserCart) -> tuple[int, int]:
    """(number of prompts, their total in whole won), of those that are for sale: what the badge says aloud."""
    prices = cart.prices()
    amounts = list(Prompt.objects.on_sale().filter(pk__in=list(prices)).values_list("price", flat=True))
    return len(amounts), sum(amounts)


@dataclass(frozen=True)
class Merged:
    added_count: int
    owned_count: int


def merge_session_cart(*, session, user) -> Merged:
    """Move the visitor's cart into the account that signed in. A second call finds nothing left to move.

    Owned prompts and own items are dropped, prompts that are there already stay as they are.
    """
    entries = SessionCart(session).entries()
    if not entries:
        return Merged(0, 0)
    del session[SESSION_KEY]
    cart = UserCart(user)
    prompts = {
        str(prompt.pk): prompt
        for prompt in Prompt.objects.filter(pk__in=list(entries), listing__isnull=False).for_cards()
    }
    owned_ids = owned_prompt_ids(user, [prompt.pk for prompt in prompts.values()])
    room = MAX_ITEMS - cart.count()
    added_count = 0
    for prompt_id, entry in entries.items():
        prompt = prompts.get(prompt_id)
        if prompt is None or prompt.pk in owned_ids or is_own_item(prompt, user) or added_count >= room:
            continue
        added_at = min(datetime.fromisoformat(entry["at"]), timezone.now())
        added_count += cart.add(prompt, now=added_at, seen_price_krw=entry["price"])
    return Merged(added_count, len(owned_ids))


def empty_cart_of(*, user_id, prompt_ids) -> None:
    """What was bought leaves the cart. A second call changes nothing."""
    CartItem.objects.filter(user_id=user_id, prompt_id__in=list(prompt_ids)).delete()


class Offer(StrEnum):
    """What the product page offers this person for this prompt."""

    OWNED = "owned"
    OWN_ITEM = "own_item"
    NOT_FOR_SALE = "not_for_sale"
    IN_CART = "in_cart"
    FOR_SALE = "for_sale"


def decide_offer(*, user, session, prompt: Prompt) -> Offer:
    """At most two queries, for somebody signed in; none for a visitor. `prompt` comes loaded as its page needs it."""
    if owned_prompt_ids(user, [prompt.pk]):
        return Offer.OWNED
    if is_own_item(prompt, user):
        return Offer.OWN_ITEM
    if not is_for_sale(prompt):
        return Offer.NOT_FOR_SALE
    return Offer.IN_CART if open_cart(user, session).has(prompt) else Offer.FOR_SALE
