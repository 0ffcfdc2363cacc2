"""Money in: begin a payment, charge it when the buyer comes back, and find out how it ended when nobody said.

The attempt is stored before the provider is asked, so a crash at any point leaves something to look up. Whoever learns
how a payment stands (the return, a poll, a webhook, `reconcile_payments`) hands it to `settle_payment`.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from checkout import ledger, mails, sandbox
from checkout.events import Kind, describe_answer, describe_error, record_event
from checkout.failures import explain_failure
from checkout.gateway import Gateway, provider_in_use
from checkout.models import Order, OrderMail, Payment, Refund, make_reference
from checkout.orders import create_refund, find_unbuyable, fulfil_order, lock_buyer, lock_order, move_order
from checkout.provider import (
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnknown,
    ProviderPayment,
    ProviderState,
)
from checkout.refunds import adopt_outside_cancel, carry_out_refund

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER = timedelta(seconds=2)  # between two look-ups of one payment, however many pages poll
CONFIRM_AGAIN_AFTER = timedelta(seconds=5)  # before that the first request is most likely still running
GIVE_UP_AFTER = timedelta(minutes=15)  # the provider itself gives a payment up after 10
DEPOSIT_GRACE = timedelta(minutes=30)  # after the deadline of a deposit, before it is cancelled

Status = Payment.Status


class PaymentRefused(Exception):
    """The message is written for the buyer; nothing was charged, or it is given back in full."""

    is_expected = True


# --- Opening the window


def start_payment(*, order: Order, now: datetime, provider: str = "") -> Payment:
    """The attempt to pay an order with: the one whose window is still open, or a new one.

    Going back or clicking twice leads to the same attempt; after one that failed or was turned back there is a new one,
    with an order id of its own at the provider.
    provider: other than the one in use, for the orders of the demo shop.
    Raises PaymentRefused when the order can no longer be paid, GatewayMisconfigured when nothing can be paid here. An
    order with a prompt that cannot be bought any more is cancelled before anybody types a card number for it.
    """
    provider = provider or provider_in_use()
    if not provider:
        raise GatewayMisconfigured("no_gateway")
    refuse_unbuyable(order=order, payment=None, now=now)
    with transaction.atomic():
        lock_order(order)
        order.refresh_from_db()
        if not order.is_payable(now=now):
            raise PaymentRefused(_("This order can no longer be paid. Your cart still has everything."))
        attempts = list(order.payments.order_by("-requested_at", "-provider_order_id"))
        for payment in attempts:
            if payment.status == Status.READY and payment.provider == provider and not payment.failure_code:
                return payment
        payment = Payment.objects.create(
            order=order,
            provider=provider,
            provider_order_id=order.number if not attempts else f"{order.number}_{len(attempts) + 1}",
            amount_krw=order.total_krw,
            requested_at=now,
        )
        record_event(kind=Kind.STARTED, payment=payment, outcome=provider, now=now)
    return payment


def open_window(*, payment: Payment, base_url: str) -> str:
    """The address of ours to send the browser to. A second call gives the same.

    base_url: scheme and host of the site as the buyer sees it; the provider sends the browser back there.
    """
    if payment.provider == Payment.Provider.SANDBOX:
        return sandbox.open_window(
            reference=payment.reference,
            order_id=payment.provider_order_id,
            order_name=describe_order(payment.order),
            amount_krw=payment.amount_krw,
            **return_addresses(payment=payment, base_url=base_url),
        )
    return reverse("checkout:payment_window", args=[payment.reference])


def return_addresses(*, payment: Payment, base_url: str) -> dict[str, str]:
    """Absolute, with our own reference in the path: the provider does not always send the order id."""
    return {
        "success_url": base_url + reverse("checkout:payment_return", args=[payment.reference]),
        "fail_url": base_url + reverse("checkout:payment_fail", args=[payment.reference]),
    }


def describe_order(order: Order) -> str:
    """`Title and 2 more`, at most 100 characters: the provider's limit."""
    titles = list(order.lines.order_by("position").values_list("title", flat=True))
    more_count = len(titles) - 1
    if not more_count:
        return titles[0][:100]
    suffix = ngettext(" and %(n)d more", " and %(n)d more", more_count) % {"n": more_count}
    return titles[0][: 100 - len(suffix)] + suffix


# --- Charging


def confirm_payment(
    *, payment: Payment, payment_key: str, order_id: str, amount_krw: int, now: datetime, gateway: Gateway
) -> None:
    """Charge what the buyer authorised and deliver the order. Safe to repeat: reload, back, another tab or process.

    Returns in every case in which the order's page tells the rest: paid, being checked, or done by another call.
    Raises PaymentRefused when the answer is no.
    """
    if accept_return(payment=payment, payment_key=payment_key, order_id=order_id, amount_krw=amount_krw, now=now):
        ask_to_confirm(payment=payment, now=now, gateway=gateway, is_first=True)


def accept_return(*, payment: Payment, payment_key: str, order_id: str, amount_krw: int, now: datetime) -> bool:
    """Check what the browser brought back and store that the payment is to be charged; the provider is not asked yet.

    payment_key, order_id, amount_krw: from the address; each is checked, none is believed. order_id may be empty: the
    attempt is known by the address.
    True exactly once: then `ask_to_confirm` is the caller's. False when there is nothing to do, because of another call
    or a bare address. Raises PaymentRefused when the order cannot be paid; then nothing was charged.
    """
    order = payment.order
    if not payment_key or order.is_delivered or payment.status in Payment.IN_DOUBT:
        return False
    if amount_krw != order.total_krw or order_id not in ("", payment.provider_order_id):
        note_failure(payment=payment, code="amount_differs", now=now)
        logger.warning("payment returned with another amount or order order=%s", order.number)
        raise PaymentRefused(explain_failure("amount_differs"))
    if payment.status in (Status.FAILED, Status.RETURNING, Status.CANCELLED):
        raise PaymentRefused(explain_failure(payment.failure_code))
    refuse_unbuyable(order=order, payment=payment, now=now)
    if begin_confirming(payment=payment, payment_key=payment_key, now=now):
        return True
    order.refresh_from_db()
    if order.status in Order.PAYABLE or order.status in (Order.Status.EXPIRED, Order.Status.CANCELLED):
        note_failure(payment=payment, code="not_payable", now=now)
        raise PaymentRefused(explain_failure("not_payable"))
    return False


def refuse_unbuyable(*, order: Order, payment: Payment | None, now: datetime) -> None:
    """Cancel a payable order that has a prompt which its buyer cannot buy any more; raises PaymentRefused then.

    Does nothing when another call was first: perhaps the prompts are owned because it delivered them.
    """
    if order.status not in Order.PAYABLE:
        return
    lines = order.lines.for_checks().order_by("position")
    if not find_unbuyable(user=order.buyer, prompts=[line.prompt for line in lines]):
        return
    payable = Order.objects.filter(status__in=Order.PAYABLE)
    if move_order(order=order, to=Order.Status.CANCELLED, now=now, orders=payable):
        payment = payment or order.payments.filter(status=Status.READY).order_by("-requested_at").first()
        if payment:
            note_failure(payment=payment, code="not_buyable", now=now)
        raise PaymentRefused(explain_failure("not_buyable"))


def begin_confirming(*, payment: Payment, payment_key: str, now: datetime) -> bool:
    """Store the attempt before the provider hears of it. False when the order is not payable or another call was first.

    The database allows one payment of an order to be under way, and one use of a payment key.
    """
    order = payment.order
    try:
        with transaction.atomic():
            lock_order(order)
            lock_buyer(order.buyer_id)  # an account that is being erased is erased first, or sees this payment
            ready = Payment.objects.filter(pk=payment.pk, status=Status.READY)
            payable = Order.objects.payable(now=now).filter(buyer__is_active=True)
            if not move_order(order=order, to=Order.Status.CONFIRMING, now=now, orders=payable) or not ready.update(
                status=Status.CONFIRMING, payment_key=payment_key, confirmed_at=now, failure_code="", failure_message=""
            ):
                transaction.set_rollback(True)
                return False
            record_event(kind=Kind.RETURNED, payment=payment, now=now)
            record_event(kind=Kind.CONFIRM_SENT, payment=payment, detail={"amount_krw": order.total_krw}, now=now)
    except IntegrityError:
        return False
    payment.refresh_from_db()
    return True


def ask_to_confirm(
    *, payment: Payment, now: datetime, gateway: Gateway, is_first: bool, is_seen: Callable[[], bool] = lambda: False
) -> None:
    """One confirm call under the stored idempotency key, outside any transaction, and what follows from its answer.

    is_first: nobody asked before, so that a refusal means that nothing was charged.
    is_seen: whether the buyer is there to read a refusal; otherwise it is mailed.
    """
    order = payment.order
    try:
        answer = gateway.confirm(
            payment_key=payment.payment_key,
            order_id=payment.provider_order_id,
            amount_krw=order.total_krw,
            idempotency_key=payment.idempotency_key,
        )
    except GatewayUnknown as error:
        logger.warning("payment outcome unknown order=%s code=%s", order.number, error.code)
        note_answer(payment=payment, error=error, now=now)
        if not error.keeps_key:
            in_doubt = Payment.objects.filter(pk=payment.pk, idempotency_key=payment.idempotency_key)
            in_doubt.update(idempotency_key=make_reference())
    except (GatewayRefused, GatewayMisconfigured) as error:
        if isinstance(error, GatewayMisconfigured):
            logger.error("payment provider refuses our keys order=%s code=%s", order.number, error.code)
        note_answer(payment=payment, error=error, now=now)
        if not is_first:  # it says nothing of the earlier request: only a look-up ends this payment
            return
        code = "no_gateway" if isinstance(error, GatewayMisconfigured) else error.code
        fail_payment(payment=payment, code=code, message=error.message, now=now, tells_buyer=not is_seen())
        raise PaymentRefused(explain_failure(code)) from error
    else:
        settle_payment(payment=payment, answer=answer, now=now, gateway=gateway, kind=Kind.CONFIRM_ANSWERED)


def note_answer(*, payment: Payment, error: GatewayError, now: datetime) -> None:
    outcome, detail = describe_error(error)
    record_event(kind=Kind.CONFIRM_ANSWERED, payment=payment, outcome=outcome, detail=detail, now=now)


# --- Learning how it ended


def settle_payment(
    *, payment: Payment, answer: ProviderPayment, now: datetime, gateway: Gateway, kind: str = Kind.LOOKED_UP
) -> None:
    """Bring payment and order to where the provider says they are. A second call changes nothing.

    kind: of the event to record, once for each new thing that the provider says.
    Raises PaymentRefused when the money is given back because nothing can be delivered for it.
    """
    order = payment.order
    if answer.order_id != payment.provider_order_id or payment.payment_key not in (None, answer.payment_key):
        logger.error("provider answered with another payment order=%s", order.number)
        return
    note_state(payment=payment, answer=answer, kind=kind, now=now)
    if answer.is_charged:
        deliver_payment(payment=payment, answer=answer, now=now, gateway=gateway)
    elif answer.state == ProviderState.WAITING_FOR_DEPOSIT:
        await_deposit(payment=payment, answer=answer, now=now)
    elif answer.state in (ProviderState.ABORTED, ProviderState.EXPIRED, ProviderState.CANCELLED):
        codes = {ProviderState.CANCELLED: "cancelled", ProviderState.EXPIRED: "EXPIRED"}
        code = codes.get(answer.state) or answer.failure_code or answer.state.value
        fail_payment(payment=payment, code=code, now=now, tells_buyer=kind == Kind.LOOKED_UP)


def note_state(*, payment: Payment, answer: ProviderPayment | None, kind: str, now: datetime) -> None:
    """An event for what the provider said, unless the last one said the same: pages poll."""
    outcome, detail = describe_answer(answer)
    last = payment.events.filter(kind=kind).order_by("-pk").first()
    if last is None or (last.outcome, last.detail) != (outcome, detail):
        record_event(kind=kind, payment=payment, outcome=outcome, detail=detail, now=now)


def await_deposit(*, payment: Payment, answer: ProviderPayment, now: datetime) -> None:
    """A virtual account was given out: the order waits until somebody pays into it."""
    order, deposit = payment.order, answer.deposit
    if deposit is None:
        logger.error("provider waits for a deposit and names no account order=%s", order.number)
        return
    with transaction.atomic():
        lock_order(order)
        waiting = Payment.objects.filter(pk=payment.pk, status=Status.CONFIRMING)
        if waiting.update(
            status=Status.WAITING,
            method=answer.method,
            deposit_bank=deposit.bank_code,
            deposit_account=deposit.account_number,
            deposit_due_at=deposit.due_at,
        ):
            move_order(order=order, to=Order.Status.WAITING, now=now)
            mails.queue_mail(kind=OrderMail.Kind.DEPOSIT, order=order, payment=payment, now=now)
        else:
            Payment.objects.filter(pk=payment.pk, status=Status.WAITING).update(deposit_due_at=deposit.due_at)
    payment.refresh_from_db()


def deliver_payment(*, payment: Payment, answer: ProviderPayment, now: datetime, gateway: Gateway) -> None:
    """The money has moved: deliver the order for it, or give it back. One of the two, once, whoever comes first.

    A charge that we had given up, or never heard of (a restored backup), is delivered as well while its order can be.
    """
    order = payment.order
    refund = None
    with transaction.atomic():
        lock_order(order)
        payment.refresh_from_db()
        order.refresh_from_db()
        if payment.status not in (Status.PAID, Status.RETURNING, Status.CANCELLED):
            if is_deliverable(payment=payment, answer=answer):
                adopt_charge(payment=payment, answer=answer, now=now)
                refund = fulfil_order(order=order, payment=payment, now=now).refund
            else:
                refund = return_charge(payment=payment, answer=answer, now=now)
    if refund is None:
        if payment.status in (Status.PAID, Status.RETURNING):
            adopt_outside_cancel(payment=payment, answer=answer, now=now)
        refund = payment.refunds.filter(reason=Refund.Reason.NOT_DELIVERABLE, status=Refund.Status.REQUESTED).first()
    if refund:
        carry_out_refund(refund=refund, now=now, gateway=gateway)
    if payment.status in (Status.RETURNING, Status.CANCELLED):
        raise PaymentRefused(explain_failure(payment.failure_code))


def is_deliverable(*, payment: Payment, answer: ProviderPayment) -> bool:
    """Whether this charge, and no other, pays the order in full. The caller holds the order's lock."""
    order = payment.order
    open_states = [*Order.PAYABLE, Order.Status.CONFIRMING, Order.Status.WAITING]
    return (
        answer.amount_krw == order.total_krw
        and answer.balance_krw == answer.amount_krw
        and order.status in open_states
        and order.buyer.is_active  # nobody else could ever open what was bought
        and not find_other_charges(payment).exists()
    )


def find_other_charges(payment: Payment) -> QuerySet[Payment]:
    """Other attempts to pay the same order that are charged or may be."""
    others = Payment.objects.filter(order=payment.order_id).exclude(pk=payment.pk)
    return others.filter(status__in=[*Payment.IN_DOUBT, Status.PAID])


def adopt_charge(*, payment: Payment, answer: ProviderPayment, now: datetime) -> None:
    """Inside the transaction that delivers it: the attempt is paid, from whatever state it was in."""
    if payment.order.status in Order.PAYABLE:
        move_order(order=payment.order, to=Order.Status.CONFIRMING, now=now)
    set_charged(payment=payment, answer=answer, status=Status.PAID, now=now)


def return_charge(*, payment: Payment, answer: ProviderPayment, now: datetime) -> Refund:
    """Inside a transaction: nothing can be delivered for this charge, so all of it is to go back. Staff hear of it."""
    order = payment.order
    code = "given_back" if answer.amount_krw == order.total_krw else "given_back_amount"
    logger.error("charge cannot be delivered and is given back order=%s reason=%s", order.number, code)
    amount_krw = payment.amount_krw
    if answer.amount_krw != amount_krw:
        Payment.objects.filter(pk=payment.pk).update(amount_krw=answer.amount_krw)
    set_charged(payment=payment, answer=answer, status=Status.RETURNING, failure_code=code, now=now)
    if not find_other_charges(payment).exists():
        move_order(order=order, to=Order.Status.CANCELLED, now=now)
    ledger.book_undelivered_charge(payment=payment, amount_krw=payment.amount_krw, now=now)
    return create_refund(order=order, payment=payment, lines=[], reason=Refund.Reason.NOT_DELIVERABLE, now=now)


def set_charged(
    *, payment: Payment, answer: ProviderPayment, status: str, now: datetime, failure_code: str = ""
) -> None:
    Payment.objects.filter(pk=payment.pk).update(
        status=status,
        payment_key=answer.payment_key,
        method=answer.method,
        receipt_url=answer.receipt_url,
        approved_at=answer.approved_at or now,
        failure_code=failure_code,
        failure_message="",
    )
    payment.refresh_from_db()


def fail_payment(*, payment: Payment, code: str, now: datetime, message: str = "", tells_buyer: bool = False) -> None:
    """A definite no: the attempt has failed, and the order may be tried again.

    tells_buyer: by mail, because the no came later, when the buyer may have left the page.
    """
    order = payment.order
    with transaction.atomic():
        lock_order(order)
        payment.refresh_from_db()
        was_waiting = payment.status == Status.WAITING
        failing = Payment.objects.filter(pk=payment.pk, status__in=Payment.IN_DOUBT)
        changes = {"status": Status.FAILED, "failure_code": code[:64], "failure_message": message}
        if code == "FORBIDDEN_REQUEST":  # the key belongs to another order, which must still be able to use it
            changes["payment_key"] = None
        if failing.update(**changes):
            if was_waiting:
                target = Order.Status.EXPIRED if code == "deposit_overdue" else Order.Status.CANCELLED
            else:
                target = Order.Status.FAILED
            move_order(order=order, to=target, now=now)
            if tells_buyer:
                mails.queue_mail(kind=OrderMail.Kind.PAYMENT_FAILED, order=order, payment=payment, now=now)
    payment.refresh_from_db()


def note_failure(*, payment: Payment, code: str, now: datetime) -> None:
    """Remember why a window led nowhere. It moves neither payment nor order: anybody can open the fail address."""
    code = code[:64]
    ready = Payment.objects.filter(pk=payment.pk, status=Status.READY).exclude(failure_code=code)
    if ready.update(failure_code=code):
        record_event(kind=Kind.TURNED_BACK, payment=payment, outcome=code, now=now)


def check_payment(*, payment: Payment, now: datetime, gateway: Gateway) -> bool:
    """Ask the provider how a payment stands and follow it; never guesses. At most one question every two seconds.

    False when nobody was asked or there was no answer; then everything stays as it is. An attempt that nobody came
    back from is looked up by its order id.
    """
    due = Payment.objects.filter(pk=payment.pk).filter(
        Q(looked_up_at__isnull=True) | Q(looked_up_at__lte=now - ASK_AGAIN_AFTER)
    )
    if not due.update(looked_up_at=now):
        return False
    payment.refresh_from_db()
    order = payment.order
    try:
        if payment.payment_key:
            answer = gateway.look_up(payment_key=payment.payment_key)
        else:
            answer = gateway.look_up_order(order_id=payment.provider_order_id)
    except GatewayError as error:
        logger.warning("payment look-up without answer order=%s code=%s", order.number, error.code)
        return False
    if payment.status in Payment.IN_DOUBT:
        note_state(payment=payment, answer=answer, kind=Kind.LOOKED_UP, now=now)
    is_late = payment.confirmed_at is not None and payment.confirmed_at < now - GIVE_UP_AFTER
    try:
        if answer and answer.payment_key == payment.payment_key and answer.order_id != payment.provider_order_id:
            # The key in the address was of another order, so under this one it was never charged.
            fail_payment(payment=payment, code="FORBIDDEN_REQUEST", now=now, tells_buyer=True)
        elif answer is None or answer.state == ProviderState.READY:
            if payment.status == Status.CONFIRMING and is_late:
                fail_payment(payment=payment, code="not_found", now=now, tells_buyer=True)
        elif answer.state == ProviderState.IN_PROGRESS:
            if payment.status == Status.CONFIRMING and payment.confirmed_at <= now - CONFIRM_AGAIN_AFTER:
                ask_to_confirm(payment=payment, now=now, gateway=gateway, is_first=False)
        else:
            settle_payment(payment=payment, answer=answer, now=now, gateway=gateway)
    except PaymentRefused:
        logger.info("payment ended without delivery order=%s", order.number)
    return True


def cancel_waiting_order(*, order: Order, now: datetime, gateway: Gateway, code: str = "cancelled") -> bool:
    """Give up an order that waits for a deposit, so that nobody pays into it any more. True when it is given up.

    The provider is asked first: a deposit that came in the same moment wins, and the order is delivered. A second call
    changes nothing.
    """
    payment = order.payments.select_related("order").filter(status=Status.WAITING).first()
    if payment is None:
        return False
    payment.order = order
    record_event(kind=Kind.CANCEL_SENT, payment=payment, outcome=code, now=now)
    try:
        answer = gateway.cancel(
            payment_key=payment.payment_key,
            amount_krw=None,
            reason=code,
            idempotency_key=f"{payment.idempotency_key}-cancel",
        )
    except GatewayError as error:
        logger.info("waiting order not cancelled order=%s code=%s", order.number, error.code)
        if not getattr(error, "keeps_key", False):  # that answer is stored with the key and would come back
            Payment.objects.filter(pk=payment.pk).update(idempotency_key=make_reference())
        check_payment(payment=payment, now=now, gateway=gateway)
        order.refresh_from_db()
        return order.status in (Order.Status.CANCELLED, Order.Status.EXPIRED)
    if answer.state == ProviderState.CANCELLED and not answer.is_charged:
        note_state(payment=payment, answer=answer, kind=Kind.CANCEL_ANSWERED, now=now)
        fail_payment(payment=payment, code=code, now=now, tells_buyer=code == "deposit_overdue")
    else:
        settle_payment(payment=payment, answer=answer, now=now, gateway=gateway)
    order.refresh_from_db()
    return order.status in (Order.Status.CANCELLED, Order.Status.EXPIRED)


def expire_order(*, order: Order, now: datetime) -> bool:
    """An order that nobody paid in time. The caller has looked its attempts up. False when it is elsewhere by now."""
    lapsed = Order.objects.filter(expires_at__lte=now)
    return move_order(order=order, to=Order.Status.EXPIRED, now=now, orders=lapsed.filter(status__in=Order.PAYABLE))
