"""Orders, openings and carts of the demo shop, made by the same functions as real ones, at times in the past.

No mail goes out: the people of the demo have addresses at example.com.
"""

import logging
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import User
from catalog.demo_catalogue import DemoFiles, DemoReview, demo_id
from catalog.models import Prompt
from checkout import consents, sandbox
from checkout.carts import CartRefused, UserCart, add_to_cart
from checkout.gateway import make_sandbox_gateway
from checkout.library import open_entitlement
from checkout.models import Entitlement, Order, Payment, SandboxPayment
from checkout.orders import OrderRefused, digest_lines, place_order
from checkout.payments import confirm_payment, open_window, start_payment
from checkout.refunds import cancel_sealed_lines
from marketplace.mail_queue import muted

FIRST_SALE, LAST_SALE = timedelta(days=60), timedelta(days=4)
PROMPTS_IN_ORDER = 3


@dataclass(frozen=True)
class DemoOrder:
    """`opened` and `cancelled` are among `prompts`; what is in neither stays sealed."""

    token: uuid.UUID
    person: str
    placed_at: datetime
    prompts: list[str]
    opened: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    reviews: list[DemoReview] = field(default_factory=list)


def plan_orders(*, files: DemoFiles, now: datetime) -> list[DemoOrder]:
    """The orders that the files name, and those in which the reviewers bought what they review. Oldest first."""
    orders = [
        DemoOrder(
            token=demo_id("order", f"{fields['person']} {fields['prompts'][0]}"),
            person=fields["person"],
            placed_at=now - timedelta(days=fields["days"], hours=2),
            prompts=fields["prompts"],
            opened=fields.get("opened", []),
            cancelled=fields.get("cancelled", []),
        )
        for fields in files.orders
    ]
    by_person = {}
    for review in files.reviews:
        by_person.setdefault(review.person, []).append(review)
    for person, reviews in by_person.items():
        dice = random.Random(person)  # noqa: S311  # the same orders in every run, not a secret
        dice.shuffle(reviews)
        for start in range(0, len(reviews), PROMPTS_IN_ORDER):
            part = reviews[start : start + PROMPTS_IN_ORDER]
            names = [review.prompt for review in part]
            placed_at = now - FIRST_SALE + (FIRST_SALE - LAST_SALE) * dice.random()
            token = demo_id("order", f"{person} {names[0]}")
            orders.append(DemoOrder(token, person, placed_at, names, opened=names, reviews=part))
    return sorted(orders, key=lambda order: order.placed_at)


def add_orders(
    *, files: DemoFiles, users: dict[str, User], now: datetime, on_progress: Callable[[], None] = lambda: None
) -> tuple[int, list[tuple[DemoReview, User, datetime]]]:
    """How many orders were made, and the reviews whose authors bought just now, each with when it was written.

    An order that is there is left alone; one that can no longer be placed, because its prompt is off sale, is left out.
    """
    orders = plan_orders(files=files, now=now)
    there = set(
        Order.objects.filter(request_token__in=[str(o.token) for o in orders]).values_list("request_token", flat=True)
    )
    added, reviews = 0, []
    for order in orders:
        if str(order.token) not in there:
            try:
                _carry_out(order, buyer=users[order.person], now=now)
            except OrderRefused:
                continue
            added += 1
            for number, review in enumerate(order.reviews, 1):
                reviews.append((review, users[review.person], order.placed_at + timedelta(days=number, hours=5)))
        on_progress()
    return added, reviews


def _carry_out(demo: DemoOrder, *, buyer: User, now: datetime) -> None:
    ids = [demo_id("prompt", name) for name in demo.prompts]
    found = {prompt.pk: prompt for prompt in Prompt.objects.filter(pk__in=ids).for_cards()}
    prompts = [found[prompt_id] for prompt_id in ids if prompt_id in found]
    order = place_order(
        buyer=buyer,
        prompts=prompts,
        seen=digest_lines(prompts),
        email=buyer.email,
        wordings=consents.order_wordings(total_krw=sum(prompt.price for prompt in prompts)),
        request_token=str(demo.token),
        language="ko" if any(prompt.listing.language == "ko" for prompt in prompts) else "en",
        now=demo.placed_at,
    )
    if not order.is_free:
        _pay(order, now=demo.placed_at + timedelta(minutes=2))
    rights = Entitlement.objects.filter(order_line__order=order).select_related("order_line__order")
    for entitlement in rights:
        if entitlement.prompt_id in {demo_id("prompt", name) for name in demo.opened}:
            open_entitlement(
                entitlement=entitlement,
                wording_version=consents.OPENING.version,
                now=demo.placed_at + timedelta(minutes=20),
            )
        elif entitlement.prompt_id in {demo_id("prompt", name) for name in demo.cancelled}:
            cancel_sealed_lines(
                order=order,
                lines=[entitlement.order_line],
                now=min(demo.placed_at + timedelta(days=1), now),
                gateway=make_sandbox_gateway(timeout_s=60),
            )


def _pay(order: Order, *, now: datetime) -> None:
    """Through the sandbox window. Its clock is the real one, so its times are set back afterwards."""
    payment = start_payment(order=order, now=now, provider=Payment.Provider.SANDBOX)
    open_window(payment=payment, base_url=settings.SITE_URL)
    window = SandboxPayment.objects.get(reference=payment.reference)
    sandbox.choose(window, "approve")
    confirm_payment(
        payment=payment,
        payment_key=window.payment_key,
        order_id=payment.provider_order_id,
        amount_krw=order.total_krw,
        now=now,
        gateway=make_sandbox_gateway(timeout_s=60),
    )
    window.refresh_from_db()
    sandbox.backdate(window, to=now)
    Payment.objects.filter(pk=payment.pk).update(approved_at=now)


def add_carts(*, files: DemoFiles, users: dict[str, User], names: set[str], now: datetime) -> int:
    """Fill the carts of those of `names`, the accounts made just now: anybody else may have emptied theirs since."""
    added = 0
    for fields in files.carts:
        if fields["person"] not in names:
            continue
        user = users[fields["person"]]
        ids = [demo_id("prompt", name) for name in fields["prompts"]]
        for prompt in Prompt.objects.filter(pk__in=ids).for_cards().order_by("pk"):
            try:
                added += add_to_cart(cart=UserCart(user), user=user, prompt=prompt, now=now - timedelta(hours=3))
            except CartRefused:
                continue
    return added


@contextmanager
def quietly() -> Iterator[None]:
    """No mail, and no line in the log for each order."""
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with muted():
            yield
    finally:
        logging.disable(level)
