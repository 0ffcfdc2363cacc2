"""An order's life: how it is made, which moves it may make, and what happens in the one that pays it.

    pending ──> confirming ──> paid ──> partly_refunded ──> refunded
       │          ^ │ │  └───> waiting ──> paid, cancelled, expired
       │          │ │ └──────> cancelled
       │    failed <┘ (and back to confirming when it is tried again)
       └─┬────┘
         └──> cancelled, expired

Each move is one conditional `UPDATE`; its row count says who made it. `docs/payments.md` has the whole picture.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from catalog.listings import add_sales
from catalog.models import Prompt, PromptVersion
from checkout import ledger, mails, seller_mails
from checkout.carts import empty_cart_of, is_for_sale, is_own_item
from checkout.consents import Wording
from checkout.events import Kind, record_event
from checkout.library import grant_entitlement, owned_prompt_ids
from checkout.models import (
    Order,
    OrderConsent,
    OrderLine,
    OrderMail,
    Payment,
    Purchase,
    Refund,
    RefundLine,
    make_order_number,
)

logger = logging.getLogger(__name__)

PAYABLE_FOR = timedelta(hours=1)  # the provider's own window closes after 30 minutes

Status = Order.Status
MOVES = {
    Status.PENDING: {Status.CONFIRMING, Status.PAID, Status.CANCELLED, Status.EXPIRED},  # straight to paid: free
    Status.FAILED: {Status.CONFIRMING, Status.CANCELLED, Status.EXPIRED},
    Status.CONFIRMING: {Status.PAID, Status.WAITING, Status.FAILED, Status.CANCELLED},
    Status.WAITING: {Status.PAID, Status.CANCELLED, Status.EXPIRED},
    Status.PAID: {Status.PARTLY_REFUNDED, Status.REFUNDED},
    Status.PARTLY_REFUNDED: {Status.PARTLY_REFUNDED, Status.REFUNDED},
    Status.REFUNDED: set(),
    Status.EXPIRED: set(),
    Status.CANCELLED: set(),
}


class OrderRefused(Exception):
    """The message is written for the buyer; nothing was charged."""


def move_order(*, order: Order, to: str, now: datetime, orders=None, **columns) -> bool:
    """One conditional `UPDATE` from any state that may go to `to`. False when the order is elsewhere by now.

    orders: a narrower queryset to choose from, for instance those not yet expired. `order` is changed as the row is.
    """
    sources = [state for state, targets in MOVES.items() if to in targets]
    rows = (Order.objects if orders is None else orders).filter(pk=order.pk, status__in=sources)
    with transaction.atomic():
        if not rows.update(status=to, updated_at=now, **columns):
            return False
        record_event(kind=Kind.MOVED, order=order, outcome=to, now=now)
    order.refresh_from_db()
    return True


def lock_order(order: Order) -> None:
    """Inside a transaction: whoever changes an order and its payments takes the order first. No circles of waiting."""
    Order.objects.select_for_update(no_key=True).filter(pk=order.pk).values("pk").first()


def lock_buyer(buyer_id) -> None:
    """Inside a transaction: orders and deliveries of one buyer come one after the other."""
    get_user_model().objects.select_for_update(no_key=True).filter(pk=buyer_id).values("pk").first()


def digest_lines(prompts: Iterable[Prompt]) -> str:
    """A short name for these prompts at these prices. The page carries it: nobody pays another sum than seen."""
    text = ",".join(sorted(f"{prompt.pk}:{prompt.price}" for prompt in prompts))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_unbuyable(*, user, prompts: Iterable[Prompt]) -> list[Prompt]:
    """Those that this person cannot buy now: withdrawn, owned or their own. One query."""
    prompts = list(prompts)
    owned_ids = owned_prompt_ids(user, [prompt.pk for prompt in prompts])
    return [
        prompt for prompt in prompts if not is_for_sale(prompt) or is_own_item(prompt, user) or prompt.pk in owned_ids
    ]


def find_line_in_doubt(*, user, prompts: Iterable[Prompt]) -> OrderLine | None:
    """A line for one of these prompts whose payment nobody knows the outcome of yet. One query."""
    in_doubt = OrderLine.objects.filter(
        order__buyer=user, order__status__in=[Status.CONFIRMING, Status.WAITING], prompt__in=list(prompts)
    )
    return in_doubt.select_related("order").order_by("pk").first()


def place_order(
    *,
    buyer,
    prompts: list[Prompt],
    seen: str,
    email: str,
    wordings: list[Wording],
    request_token: str,
    language: str,
    now: datetime,
) -> Order:
    """Freeze titles and prices into an order. A free one is paid at once; any other waits for its payment.

    prompts: loaded `for_cards()`, in the order of the page. seen: `digest_lines` of what the page showed.
    A second call with the same token returns the first order: a double click buys once. An order for the same prompts
    at the same prices that still waits for its payment is returned too, payable for another hour: somebody who left
    the payment window and comes again has one order, not two.
    Raises OrderRefused when there is nothing to buy, a price moved, a prompt cannot be bought, or an earlier payment
    for it is still in doubt: nobody is asked to pay for something they may have paid.
    """
    placed = Order.objects.filter(buyer=buyer, request_token=request_token).first()
    if placed:
        return placed
    if not prompts:
        raise OrderRefused(_("There is nothing to order."))
    if digest_lines(prompts) != seen:
        raise OrderRefused(_("A price or your cart changed since you opened this page. Please look again."))
    unbuyable = find_unbuyable(user=buyer, prompts=prompts)
    if unbuyable:
        raise OrderRefused(_("“%(title)s” cannot be ordered. Please remove it.") % {"title": unbuyable[0].title})
    in_doubt = find_line_in_doubt(user=buyer, prompts=prompts)
    if in_doubt and in_doubt.order.status == Status.WAITING:
        raise OrderRefused(
            _(
                "“%(title)s” waits for your deposit in order %(number)s. Pay into its account, or give that order up "
                "on its page before you order again."
            )
            % {"title": in_doubt.title, "number": in_doubt.order.number}
        )
    if in_doubt:
        raise OrderRefused(
            _(
                "Your payment for “%(title)s” is still being checked. Please do not pay again: order %(number)s shows "
                "how it ended."
            )
            % {"title": in_doubt.title, "number": in_doubt.order.number}
        )

    newest = PromptVersion.objects.filter(prompt_id=OuterRef("pk")).order_by("-number")
    version_ids = dict(
        Prompt.objects.filter(pk__in=[prompt.pk for prompt in prompts])
        .annotate(version_id=Subquery(newest.values("pk")[:1]))
        .values_list("pk", "version_id")
    )
    try:
        with transaction.atomic():
            lock_buyer(buyer.pk)
            waiting = find_waiting_order(buyer=buyer, prompts=prompts, email=email, wordings=wordings, now=now)
            if waiting:
                return keep_payable(waiting, language=language, now=now)
            order = Order.objects.create(
                number=make_order_number(now),
                buyer=buyer,
                email=email,
                total_krw=sum(prompt.price for prompt in prompts),
                language=language,
                request_token=request_token,
                created_at=now,
                expires_at=now + PAYABLE_FOR,
                updated_at=now,
            )
            OrderLine.objects.bulk_create(
                OrderLine(
                    order=order,
                    position=position,
                    prompt=prompt,
                    version_id=version_ids.get(prompt.pk),
                    seller=prompt.listing.seller,
                    title=prompt.title,
                    price_krw=prompt.price,
                    fee_bp=settings.PLATFORM_FEE_BP if prompt.listing.seller_id else 0,
                )
                for position, prompt in enumerate(prompts, 1)
            )
            with translation.override(language):
                OrderConsent.objects.bulk_create(
                    OrderConsent(
                        order=order,
                        key=wording.key,
                        version=wording.version,
                        text=str(wording.text),
                        accepted_at=now,
                    )
                    for wording in wordings
                )
            if order.is_free:
                fulfil_order(order=order, payment=None, now=now)
    except IntegrityError:  # the second click came while the first was being written
        return Order.objects.get(buyer=buyer, request_token=request_token)
    return order


def find_waiting_order(
    *, buyer, prompts: list[Prompt], email: str, wordings: list[Wording], now: datetime
) -> Order | None:
    """A payable order of the buyer's for exactly these prompts at these prices, under the wordings of today."""
    wanted = sorted((str(prompt.pk), prompt.price) for prompt in prompts)
    agreed = {(wording.key, wording.version) for wording in wordings}
    candidates = Order.objects.payable(now=now).filter(
        buyer=buyer, email=email, total_krw=sum(prompt.price for prompt in prompts), total_krw__gt=0
    )
    for order in candidates.prefetch_related("lines", "consents").order_by("-created_at", "pk")[:10]:
        lines = sorted((str(line.prompt_id), line.price_krw) for line in order.lines.all())
        consents = {(consent.key, consent.version) for consent in order.consents.all()}
        if lines == wanted and consents == agreed:
            return order
    return None


def keep_payable(order: Order, *, language: str, now: datetime) -> Order:
    """The order, payable for another hour once the caller's transaction is over.

    Not inside it: that one holds the buyer, and a delivery takes the order first and the buyer after it.
    """
    payable = Order.objects.filter(pk=order.pk, status__in=Order.PAYABLE)
    transaction.on_commit(lambda: payable.update(expires_at=now + PAYABLE_FOR, language=language))
    return order


@dataclass(frozen=True)
class Fulfilled:
    """became_paid: False when somebody else had done it. refund: for lines the buyer had already, to be carried out."""

    became_paid: bool
    refund: Refund | None = None


def fulfil_order(*, order: Order, payment: Payment | None, now: datetime) -> Fulfilled:
    """Move the order to paid and deliver it, all in one transaction. Whoever comes second finds it done.

    payment: the charged one; None for a free order. Purchases, sealed rights, ledger entries and sales counts are
    written, the bought prompts leave the cart, the receipt and the mail about a first sale go out on commit. A line
    whose prompt the buyer got from another order meanwhile is not delivered again; its refund is recorded for the
    caller to carry out.
    """
    if payment is None and order.total_krw:
        raise ValueError(f"order {order.number} costs something and has no payment")
    with transaction.atomic():
        if not move_order(order=order, to=Status.PAID, now=now, paid_at=now):
            return Fulfilled(became_paid=False)
        lock_buyer(order.buyer_id)  # so that no two deliveries give the same prompt
        lines = list(order.lines.order_by("position"))
        owned_ids = owned_prompt_ids(order.buyer, [line.prompt_id for line in lines])
        delivered = [line for line in lines if line.prompt_id not in owned_ids]
        undelivered = [line for line in lines if line.prompt_id in owned_ids and line.price_krw]
        for line in delivered:
            deliver_line(order=order, payment=payment, line=line, now=now)
        count_sales(prompt_ids=[line.prompt_id for line in delivered], n=1, now=now)
        empty_cart_of(user_id=order.buyer_id, prompt_ids=[line.prompt_id for line in lines])
        refund = None
        if payment:
            ledger.book_charge(payment=payment, lines=delivered, undelivered=undelivered, now=now)
            if undelivered:
                refund = create_refund(
                    order=order, payment=payment, lines=undelivered, reason=Refund.Reason.BOUGHT_TWICE, now=now
                )
        mails.queue_mail(kind=OrderMail.Kind.RECEIPT, order=order, now=now)
        seller_mails.queue_first_sales(order=order, lines=delivered, now=now)
    logger.info("order paid order=%s", order.number)
    return Fulfilled(became_paid=True, refund=refund)


def create_refund(
    *, order: Order, payment: Payment, lines: Iterable[OrderLine], reason: str, now: datetime, **fields
) -> Refund:
    """Record money to be given back, before anybody asks for it. IntegrityError for a line that has a refund already.

    lines: none for a charge that could not be delivered at all; then all of it goes back.
    """
    lines = list(lines)
    refund = Refund.objects.create(
        order=order,
        payment=payment,
        reason=reason,
        amount_krw=sum(line.price_krw for line in lines) if lines else payment.amount_krw,
        requested_at=now,
        **fields,
    )
    RefundLine.objects.bulk_create(
        RefundLine(refund=refund, order_line=line, amount_krw=line.price_krw) for line in lines
    )
    return refund


def deliver_line(*, order: Order, payment: Payment | None, line: OrderLine, now: datetime) -> None:
    """The purchase row and the right to open it. Belongs into the transaction that pays the order."""
    name = payment.provider_order_id if payment else order.number
    purchase = Purchase.objects.create(
        buyer_id=order.buyer_id,
        prompt_id=line.prompt_id,
        payment_order_id=name if line.position == 1 else f"{name}-{line.position}",
        created_at=now,
    )
    grant_entitlement(line=line, purchase=purchase, now=now)


def count_sales(*, prompt_ids: Iterable, n: int, now: datetime) -> None:
    """Add `n` to what was sold of each, with the place in the lists that follows from it.

    A count that fails is only logged, because it must not cost anybody their purchase; `recount_prompts` mends it.
    """
    try:
        with transaction.atomic():
            add_sales(prompt_ids=prompt_ids, n=n, now=now)
    except DatabaseError:
        logger.exception("sales were not counted")


def count_live_sales(prompt_ids: list) -> dict:
    """{prompt: purchases}, without those that were given back or taken back. One query.

    One whose refund the provider has not made yet counts still, as it does on the site until `finish_refund`.
    """
    under_way = RefundLine.objects.filter(
        order_line__entitlement__purchase=OuterRef("pk"), is_live=True, refund__status=Refund.Status.REQUESTED
    )
    gone = Q(entitlement__revoked_at__isnull=False) & ~Exists(under_way)
    kept = Purchase.objects.filter(prompt__in=prompt_ids).exclude(gone)
    return dict(kept.order_by().values_list("prompt").annotate(Count("pk")))
