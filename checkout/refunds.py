"""Money back. A refund is recorded before the provider is asked, and given once however often it is asked for."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _

from checkout import ledger, mails
from checkout.events import Kind, describe_answer, describe_error, record_event
from checkout.gateway import Gateway
from checkout.library import revoke_entitlements
from checkout.models import Entitlement, Order, OrderLine, OrderMail, Payment, Refund, RefundLine, make_reference
from checkout.orders import count_sales, create_refund, lock_buyer, lock_order, move_order
from checkout.provider import GatewayError, GatewayRefused, ProviderPayment, RefundAccount
from checkout.reviewing import settle_reviews

logger = logging.getLogger(__name__)

CANCEL_WITHIN = timedelta(days=7)  # after paying; article 17(1) of the act on consumer protection in e-commerce
ASK_AGAIN_AFTER = timedelta(seconds=2)
ACCOUNT_CODES = {"INVALID_REFUND_ACCOUNT_INFO", "INVALID_REFUND_ACCOUNT_NUMBER", "INVALID_BANK"}

Status, Reason = Refund.Status, Refund.Reason


CHANGED_MEANWHILE = _("One of these is cancelled already. Please look again which ones are left.")
REFUNDED_ALREADY = _("A refund of this is under way or done already.")
ACCOUNT_MISSING = _("This was paid into a virtual account, so the refund needs the buyer's account.")


class RefundRefused(Exception):
    """The message is written for whoever asked, buyer or staff."""

    is_expected = True


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


def cancel_sealed_lines(
    *,
    order: Order,
    lines: Iterable[OrderLine],
    now: datetime,
    gateway: Gateway,
    refund_account: RefundAccount | None = None,
) -> Refund:
    """The buyer cancels sealed purchases of one order, one or all: the rights end, the money goes back in one cancel.

    Either all of the lines are cancelled or none. A second call returns the refund that is under way. When somebody
    opens and cancels at once, one of them wins. The purchase rows stay.
    refund_account: needed for money that was paid into a virtual account, and only then.
    Raises RefundRefused when one was opened, the time is over or the account is missing.
    """
    lines = list(lines)
    order.refresh_from_db()
    payment = find_paid_payment(order)
    under_way = find_refund_under_way(lines)
    if under_way and not covers(under_way, lines):
        raise RefundRefused(CHANGED_MEANWHILE)
    if under_way is None:
        rights = {right.order_line_id: right for right in Entitlement.objects.filter(order_line__in=lines)}
        for line in lines:
            line.order = order
            if line.pk in rights:
                rights[line.pk].order_line = line
        if (
            not lines
            or not payment
            or not all(line.pk in rights and is_cancellable(rights[line.pk], now=now) for line in lines)
        ):
            raise RefundRefused(
                _("This purchase was opened or is older than seven days, so it can no longer be cancelled.")
            )
        if payment.is_deposit and refund_account is None:
            raise RefundRefused(_("Tell us the account that your money should go back to."))
        under_way = begin_refund(
            order=order, payment=payment, lines=lines, reason=Reason.BUYER_CANCELLED, now=now, sealed_only=True
        )
    carry_out_refund(refund=under_way, now=now, gateway=gateway, refund_account=refund_account)
    return under_way


def refund_by_staff(
    *,
    order: Order,
    lines: Iterable[OrderLine],
    note: str,
    staff,
    now: datetime,
    gateway: Gateway,
    refund_account: RefundAccount | None = None,
) -> Refund:
    """Staff give money back, opened or not, at any time. The rights end. Raises RefundRefused.

    note: the reason in staff's words, which the buyer reads; required.
    """
    lines = [line for line in lines if line.price_krw]
    payment = find_paid_payment(order)
    if not note.strip():
        raise RefundRefused(_("Give a reason: the buyer reads it."))
    if not payment or not lines:
        raise RefundRefused(_("Nothing was paid for this."))
    if find_refund_under_way(lines):
        raise RefundRefused(REFUNDED_ALREADY)
    if payment.is_deposit and refund_account is None:
        raise RefundRefused(ACCOUNT_MISSING)
    refund = begin_refund(
        order=order,
        payment=payment,
        lines=lines,
        reason=Reason.STAFF,
        now=now,
        note=note.strip()[:200],
        requested_by=staff,
        joins=False,
    )
    record_event(
        kind=Kind.STAFF,
        order=order,
        refund=refund,
        outcome="refund",
        detail={"note": refund.note},
        actor=staff,
        now=now,
    )
    carry_out_refund(refund=refund, now=now, gateway=gateway, refund_account=refund_account)
    return refund


def give_back_undelivered(
    *, payment: Payment, staff, note: str, now: datetime, gateway: Gateway, refund_account: RefundAccount | None = None
) -> Refund:
    """Staff give back a charge that could not be delivered and that did not go back by itself. Raises RefundRefused.

    A refund that is under way goes on; after one that the provider refused there is a new one. note: the reason in
    staff's words, which the buyer reads; required.
    """
    order = payment.order
    if not note.strip():
        raise RefundRefused(_("Give a reason: the buyer reads it."))
    if payment.is_deposit and refund_account is None:
        raise RefundRefused(ACCOUNT_MISSING)
    with transaction.atomic():
        lock_order(order)
        payment.refresh_from_db()
        if payment.status != Payment.Status.RETURNING:
            raise RefundRefused(REFUNDED_ALREADY)
        refund = payment.refunds.filter(reason=Reason.NOT_DELIVERABLE, status=Status.REQUESTED).first()
        if refund is None:
            refund = create_refund(order=order, payment=payment, lines=[], reason=Reason.NOT_DELIVERABLE, now=now)
        Refund.objects.filter(pk=refund.pk).update(note=note.strip()[:200], requested_by=staff)
        record_event(
            kind=Kind.STAFF, refund=refund, outcome="refund", detail={"note": note.strip()[:200]}, actor=staff, now=now
        )
    carry_out_refund(refund=refund, now=now, gateway=gateway, refund_account=refund_account)
    return refund


def find_paid_payment(order: Order) -> Payment | None:
    return order.payments.filter(status=Payment.Status.PAID).first()


def find_refund_under_way(lines: Iterable[OrderLine]) -> Refund | None:
    """A refund of one of these lines that was not refused, requested or done."""
    live = RefundLine.objects.filter(order_line__in=list(lines), is_live=True).select_related("refund__payment")
    line = live.order_by("pk").first()
    return line and line.refund


def covers(refund: Refund, lines: Iterable[OrderLine]) -> bool:
    return {line.pk for line in lines} <= set(refund.lines.values_list("order_line_id", flat=True))


def begin_refund(
    *,
    order: Order,
    payment: Payment,
    lines: list[OrderLine],
    reason: str,
    now: datetime,
    sealed_only: bool = False,
    joins: bool = True,
    **fields,
) -> Refund:
    """End the rights and record the refund, in one transaction.

    When another call began one for all of these lines in the same moment, that one is the answer, unless not `joins`.
    Raises RefundRefused when one was opened meanwhile, or another call took only some of the lines.
    """
    try:
        with transaction.atomic():
            lock_order(order)
            rights = list(Entitlement.objects.live().filter(order_line__in=lines).values_list("pk", flat=True))
            revoked = revoke_entitlements(
                entitlement_ids=rights,
                reason=Entitlement.RevokedReason.REFUNDED,
                now=now,
                sealed_only=sealed_only,
            )
            if len(revoked) < len(rights) and sealed_only:
                raise RefundRefused(_("This purchase was opened just now, so it can no longer be cancelled."))
            return create_refund(order=order, payment=payment, lines=lines, reason=reason, now=now, **fields)
    except IntegrityError:  # the other click was first
        under_way = find_refund_under_way(lines)
        if under_way is None:
            raise
        if not joins or not covers(under_way, lines):
            raise RefundRefused(CHANGED_MEANWHILE if joins else REFUNDED_ALREADY) from None
        return under_way


def carry_out_refund(
    *, refund: Refund, now: datetime, gateway: Gateway, refund_account: RefundAccount | None = None
) -> None:
    """Ask the provider to give the money back, outside any transaction, and record the answer. Safe to repeat.

    Without a clear answer the refund stays requested, and the next call first looks whether it was given: every cancel
    carries the refund's mark. When the provider refuses, the buyer keeps the purchase: the rights are given back.
    Of a deposit without `refund_account` only the look-up is made, because the provider would have to refuse.
    """
    waiting = Refund.objects.filter(pk=refund.pk, status=Status.REQUESTED)
    is_first = waiting.filter(asked_at__isnull=True).update(asked_at=now)
    if not is_first and not waiting.filter(asked_at__lte=now - ASK_AGAIN_AFTER).update(asked_at=now):
        refund.refresh_from_db()
        return
    refund.refresh_from_db()
    may_ask = refund_account is not None or not refund.payment.is_deposit
    try:
        answer = None if is_first and may_ask else look_for_refund(refund=refund, now=now, gateway=gateway)
        if may_ask and not is_given(refund, answer):
            answer = ask_to_cancel(
                refund=refund, answer=answer, now=now, gateway=gateway, refund_account=refund_account
            )
        if is_given(refund, answer):
            finish_refund(refund=refund, now=now)
    except GatewayRefused as error:
        logger.error("refund refused refund=%s code=%s", refund.pk, error.code)
        fail_refund(refund=refund, error=error, now=now)
    except GatewayError as error:
        logger.error("refund without answer refund=%s code=%s", refund.pk, error.code)
        outcome, detail = describe_error(error)
        record_event(
            kind=Kind.CANCEL_ANSWERED, refund=refund, payment=refund.payment, outcome=outcome, detail=detail, now=now
        )
    refund.refresh_from_db()


def look_for_refund(*, refund: Refund, now: datetime, gateway: Gateway) -> ProviderPayment | None:
    """How the payment of a refund stands at the provider."""
    answer = gateway.look_up(payment_key=refund.payment.payment_key)
    outcome, detail = describe_answer(answer)
    record_event(kind=Kind.LOOKED_UP, refund=refund, payment=refund.payment, outcome=outcome, detail=detail, now=now)
    return answer


def ask_to_cancel(
    *,
    refund: Refund,
    answer: ProviderPayment | None,
    now: datetime,
    gateway: Gateway,
    refund_account: RefundAccount | None,
) -> ProviderPayment:
    """One cancel call under the stored key, which is changed when an answer came that is stored with it.

    answer: the last look-up, if there was one. The provider gives back only if as much is left as that says, or as our
    books say: so an earlier request that still runs there, under whatever key, cannot give the same money twice.
    """
    payment = refund.payment
    if (
        answer
        and answer.is_charged
        and answer.balance_krw < refund.amount_krw
        and refund.reason != Reason.NOT_DELIVERABLE
    ):
        raise GatewayRefused("balance_too_small", "somebody gave this money back at the provider already")
    expected_krw = answer.balance_krw if answer else payment.amount_krw - sum_given_back(payment)
    if refund.reason == Reason.NOT_DELIVERABLE:
        expected_krw = None  # all that is left goes back, however much that is
    is_rest = expected_krw in (None, refund.amount_krw)
    record_event(
        kind=Kind.CANCEL_SENT, refund=refund, payment=payment, detail={"amount_krw": refund.amount_krw}, now=now
    )
    try:
        cancelled = gateway.cancel(
            payment_key=payment.payment_key,
            amount_krw=None if is_rest else refund.amount_krw,
            reason=f"{refund.reason} {refund.mark}",
            idempotency_key=refund.idempotency_key,
            balance_krw=expected_krw,
            refund_account=refund_account,
        )
    except GatewayError as error:
        if not getattr(error, "keeps_key", False):
            sent = Refund.objects.filter(pk=refund.pk, idempotency_key=refund.idempotency_key)
            sent.update(idempotency_key=make_reference())
        raise
    outcome, detail = describe_answer(cancelled)
    record_event(kind=Kind.CANCEL_ANSWERED, refund=refund, payment=payment, outcome=outcome, detail=detail, now=now)
    return cancelled


def is_given(refund: Refund, answer: ProviderPayment | None) -> bool:
    """Whether the provider has given it back: our mark stands in a cancel, or nothing is left of the charge at all."""
    if answer is None or not answer.is_charged:
        return False
    return answer.balance_krw == 0 or any(refund.mark in cancel.reason for cancel in answer.cancels)


def sum_given_back(payment: Payment) -> int:
    """Whole won given back of this payment, by our books."""
    return payment.refunds.filter(status=Status.DONE).aggregate(sum_krw=Sum("amount_krw"))["sum_krw"] or 0


def finish_refund(*, refund: Refund, now: datetime) -> None:
    """Book a refund that the provider has made. A second call changes nothing."""
    with transaction.atomic():
        # The row lock makes two refunds of one order add up one after the other.
        order = Order.objects.select_for_update(no_key=True).get(pk=refund.order_id)
        waiting = Refund.objects.filter(pk=refund.pk, status=Status.REQUESTED)
        if not waiting.update(status=Status.DONE, done_at=now, failure_code=""):
            return
        ledger.book_refund(refund=refund, now=now)
        if refund.reason == Reason.NOT_DELIVERABLE:
            Payment.objects.filter(pk=refund.payment_id, status=Payment.Status.RETURNING).update(
                status=Payment.Status.CANCELLED
            )
        else:
            is_whole = order.refunded_krw + refund.amount_krw == order.total_krw
            moved = move_order(
                order=order,
                to=Order.Status.REFUNDED if is_whole else Order.Status.PARTLY_REFUNDED,
                now=now,
                refunded_krw=F("refunded_krw") + refund.amount_krw,
            )
            if not moved:
                raise RuntimeError(f"refund {refund.pk} of an order that was never paid")
            delivered = refund.lines.filter(order_line__entitlement__isnull=False)
            count_sales(prompt_ids=list(delivered.values_list("order_line__prompt_id", flat=True)), n=-1, now=now)
        mails.queue_mail(kind=OrderMail.Kind.REFUND, order=order, refund=refund, now=now)
    logger.info("refund done order=%s refund=%s", order.number, refund.pk)


def fail_refund(*, refund: Refund, error: GatewayRefused, now: datetime) -> None:
    """The provider will not give it back: the buyer gets the prompts again as they were; staff see the reason."""
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=refund.order_id)
        waiting = Refund.objects.filter(pk=refund.pk, status=Status.REQUESTED)
        if not waiting.update(status=Status.FAILED, failure_code=error.code[:64], failure_message=error.message):
            return
        outcome, detail = describe_error(error)
        record_event(
            kind=Kind.CANCEL_ANSWERED, refund=refund, payment=refund.payment, outcome=outcome, detail=detail, now=now
        )
        refund.lines.update(is_live=False)
        lock_buyer(order.buyer_id)  # a delivery to them in this moment may bring the same prompt
        lines = list(OrderLine.objects.filter(refund_lines__refund=refund))
        for line in lines:
            others = Entitlement.objects.live().filter(user_id=order.buyer_id, prompt_id=line.prompt_id)
            if not others.exists():
                taken = Entitlement.objects.filter(order_line=line, revoked_reason=Entitlement.RevokedReason.REFUNDED)
                taken.update(revoked_at=None, revoked_reason="")
        settle_reviews(user_id=order.buyer_id, prompt_ids=[line.prompt_id for line in lines], now=now)
        is_asked_again = (
            refund.reason == Reason.BUYER_CANCELLED and error.code in ACCOUNT_CODES
        )  # by the form they sent
        if refund.reason not in (Reason.STAFF, Reason.PROVIDER) and not is_asked_again:
            mails.queue_mail(kind=OrderMail.Kind.REFUND, order=order, refund=refund, topic="refused", now=now)


def adopt_outside_cancel(*, payment: Payment, answer: ProviderPayment, now: datetime) -> Refund | None:
    """A charge that was cancelled in full at the provider, in its own dashboard: end the rights and book it here too.

    A second call finds nothing left. A part that was given back there belongs to no line, so it is left to staff:
    `reconcile_payments` lists it. Refunds that we asked for ourselves are finished on the way.
    """
    if not answer.is_charged:
        return None
    order = payment.order
    for refund in payment.refunds.filter(status=Status.REQUESTED):
        if is_given(refund, answer):
            finish_refund(refund=refund, now=now)
    if answer.balance_krw:
        return None
    if payment.status == Payment.Status.RETURNING:  # the provider had refused, and somebody did it by hand
        with transaction.atomic():
            lock_order(order)
            if not payment.refunds.filter(reason=Reason.NOT_DELIVERABLE, status=Status.DONE).exists():
                refund = create_refund(order=order, payment=payment, lines=[], reason=Reason.NOT_DELIVERABLE, now=now)
                finish_refund(refund=refund, now=now)
        return None
    lines = list(order.lines.filter(price_krw__gt=0).exclude(refund_lines__is_live=True).order_by("position"))
    if not lines or payment.status != Payment.Status.PAID:
        return None
    refund = begin_refund(order=order, payment=payment, lines=lines, reason=Reason.PROVIDER, now=now)
    finish_refund(refund=refund, now=now)
    refund.refresh_from_db()
    return refund
