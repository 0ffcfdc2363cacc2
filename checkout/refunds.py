"""Money back. A refund is recorded before the provider is asked, and given once however often it is asked for."""

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from checkout import mails
from checkout.gateway import Gateway, GatewayError, GatewayRefused
from checkout.library import revoke_entitlement
from checkout.models import Entitlement, Order, Payment, Refund
from checkout.orders import count_sales, move_order

logger = logging.getLogger(__name__)

CANCEL_WITHIN = timedelta(days=7)  # after paying; article 17(1) of the act on consumer protection in e-commerce
ASK_AGAIN_AFTER = timedelta(seconds=2)


class RefundRefused(Exception):
    """The message is written for the buyer."""


def is_cancellable(entitlement: Entitlement, *, now: datetime) -> bool:
    """Whether its buyer may cancel alone: paid, sealed, within seven days. No query with `order_line__order` loaded."""
    line = entitlement.order_line
    return bool(
        line
        and line.price_krw
        and line.order.paid_at
        and entitlement.is_sealed
        and not entitlement.is_revoked
        and now <= line.order.paid_at + CANCEL_WITHIN
    )


def cancel_sealed_purchase(*, entitlement: Entitlement, now: datetime, gateway: Gateway | None) -> Refund:
    """The buyer cancels one sealed purchase: the right ends, the money goes back, the purchase row stays.

    gateway: of the order's payment; None for a purchase that has none, which is refused.
    A second call returns the refund that is under way. When somebody opens and cancels at once, one of them wins.
    Raises RefundRefused when it was opened or the time is over.
    """
    line = entitlement.order_line
    under_way = line and line.refunds.exclude(status=Refund.Status.FAILED).select_related("order_line__order").first()
    if under_way:
        carry_out_refund(refund=under_way, now=now, gateway=gateway)
        return under_way
    if not is_cancellable(entitlement, now=now):
        raise RefundRefused(
            _("This purchase was opened or is older than seven days, so it can no longer be cancelled.")
        )
    try:
        with transaction.atomic():
            reason = Entitlement.RevokedReason.REFUNDED
            if not revoke_entitlement(entitlement_id=entitlement.pk, reason=reason, now=now, sealed_only=True):
                raise RefundRefused(_("This purchase was opened just now, so it can no longer be cancelled."))
            refund = Refund.objects.create(
                order_line=line,
                payment=line.order.payments.get(status=Payment.Status.PAID),
                reason=Refund.Reason.BUYER_CANCELLED,
                amount_krw=line.price_krw,
                requested_at=now,
            )
    except IntegrityError:  # the other click was first
        refund = line.refunds.exclude(status=Refund.Status.FAILED).get()
    carry_out_refund(refund=refund, now=now, gateway=gateway)
    return refund


def carry_out_refund(*, refund: Refund, now: datetime, gateway: Gateway) -> None:
    """Ask the provider to give the money back, outside any transaction, and record the answer. Safe to repeat.

    Without a clear answer the refund stays requested and the next call asks again under the same idempotency key. When
    the provider refuses, the buyer keeps the purchase: the right is given back.
    """
    due = Refund.objects.filter(pk=refund.pk, status=Refund.Status.REQUESTED).filter(
        Q(asked_at__isnull=True) | Q(asked_at__lte=now - ASK_AGAIN_AFTER)
    )
    if not due.update(asked_at=now):
        refund.refresh_from_db()
        return
    try:
        gateway.cancel(
            payment_key=refund.payment.payment_key,
            amount_krw=refund.amount_krw,
            reason=refund.reason,
            idempotency_key=refund.idempotency_key,
        )
    except GatewayRefused as error:
        logger.error("refund refused refund=%s code=%s", refund.pk, error.code)
        fail_refund(refund=refund, error=error)
    except GatewayError as error:
        logger.error("refund without answer refund=%s code=%s", refund.pk, error.code)
    else:
        finish_refund(refund=refund, now=now)
    refund.refresh_from_db()


def finish_refund(*, refund: Refund, now: datetime) -> None:
    """Book a refund that the provider has made. A second call changes nothing."""
    line = refund.order_line
    with transaction.atomic():
        waiting = Refund.objects.filter(pk=refund.pk, status=Refund.Status.REQUESTED)
        if not waiting.update(status=Refund.Status.DONE, done_at=now, failure_code=""):
            return
        # The row lock makes two refunds of one order add up one after the other.
        order = Order.objects.select_for_update(no_key=True).get(pk=line.order_id)
        is_whole = order.refunded_krw + refund.amount_krw == order.total_krw
        moved = move_order(
            order=order,
            to=Order.Status.REFUNDED if is_whole else Order.Status.PARTLY_REFUNDED,
            now=now,
            refunded_krw=F("refunded_krw") + refund.amount_krw,
        )
        if not moved:
            raise RuntimeError(f"refund {refund.pk} of an order that was never paid")
        if refund.reason != Refund.Reason.BOUGHT_TWICE:
            count_sales(prompt_ids=[line.prompt_id], n=-1, now=now)
        transaction.on_commit(lambda: mails.send_refund_notice(refund_id=refund.pk), robust=True)
    logger.info("refund done order=%s line=%s", order.number, line.position)


def fail_refund(*, refund: Refund, error: GatewayRefused) -> None:
    """The provider will not give it back: the buyer gets the prompt again, sealed as it was; staff see the reason."""
    with transaction.atomic():
        waiting = Refund.objects.filter(pk=refund.pk, status=Refund.Status.REQUESTED)
        if not waiting.update(status=Refund.Status.FAILED, failure_code=error.code[:64], failure_message=error.message):
            return
        line = refund.order_line
        lost = Entitlement.objects.filter(order_line=line, revoked_at__isnull=False)
        others = Entitlement.objects.live().filter(user_id=line.order.buyer_id, prompt_id=line.prompt_id)
        if not others.exists():
            lost.update(revoked_at=None, revoked_reason="")
