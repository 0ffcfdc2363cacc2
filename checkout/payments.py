"""Money in: begin a payment, charge it when the buyer comes back, and find out how it ended when nobody said.

The attempt is stored before the provider is asked, so a crash at any point leaves something to look up.
"""

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from checkout.gateway import (
    Gateway,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnknown,
    PaymentRequest,
    ProviderPayment,
    ProviderState,
)
from checkout.models import Order, Payment
from checkout.orders import find_unbuyable, fulfil_order, move_order
from checkout.refunds import carry_out_refund

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER = timedelta(seconds=2)  # between two look-ups of one payment, however many pages poll
GIVE_UP_AFTER = timedelta(minutes=15)  # the provider itself gives a payment up after 10

Status = Payment.Status


class PaymentRefused(Exception):
    """The message is written for the buyer; nothing was charged, or it was given back in full."""


def start_payment(*, order: Order, base_url: str, now: datetime, gateway: Gateway) -> str:
    """Open a payment window for an order; the address to send the browser to.

    base_url: scheme and host of the site as the buyer sees it; the provider sends the browser back there.
    A window that is still open is given again, so going back or clicking twice leads to the same one.
    Raises PaymentRefused when the order can no longer be paid, GatewayError when the provider has no window.
    """
    if not order.is_payable(now=now):
        raise PaymentRefused(_("This order can no longer be paid. Your cart still has everything."))
    open_payments = order.payments.filter(status=Status.READY, provider=gateway.provider, failure_code="")
    payment = open_payments.order_by("-requested_at").first()
    if payment is None:
        payment = Payment.objects.create(
            order=order, provider=gateway.provider, amount_krw=order.total_krw, requested_at=now
        )
    return gateway.open_window(
        PaymentRequest(
            reference=payment.reference,
            order_number=order.number,
            order_name=describe_order(order),
            amount_krw=order.total_krw,
            email=order.email,
            success_url=base_url + reverse("checkout:payment_return", args=[payment.reference]),
            fail_url=base_url + reverse("checkout:payment_fail", args=[payment.reference]),
        )
    )


def describe_order(order: Order) -> str:
    """`Title and 2 more`, at most 100 characters: the provider's limit."""
    titles = list(order.lines.order_by("position").values_list("title", flat=True))
    more_count = len(titles) - 1
    if not more_count:
        return titles[0][:100]
    suffix = ngettext(" and %(n)d more", " and %(n)d more", more_count) % {"n": more_count}
    return titles[0][: 100 - len(suffix)] + suffix


def confirm_payment(
    *, payment: Payment, payment_key: str, order_number: str, amount_krw: int, now: datetime, gateway: Gateway
) -> None:
    """Charge what the buyer authorised and deliver the order. Safe to repeat: reload, back, another tab or process.

    payment_key, order_number, amount_krw: as the browser brought them; each is checked, none is believed.
    Returns in every case in which the order's page tells the rest: paid, being checked, or done by another call.
    Raises PaymentRefused when the answer is no.
    """
    order = payment.order
    if order.is_delivered or payment.status in (Status.CONFIRMING, Status.WAITING):
        if payment.payment_key == payment_key:
            check_payment(payment=payment, now=now, gateway=gateway)
        return
    if amount_krw != order.total_krw or order_number != order.number:
        note_failure(payment=payment, code="amount_differs")
        logger.warning("payment returned with another amount or order order=%s", order.number)
        raise PaymentRefused(explain_failure("amount_differs"))

    if payment.status in (Status.FAILED, Status.CANCELLED):
        raise PaymentRefused(payment.failure_message or explain_failure(payment.failure_code))
    lines = order.lines.for_checks().order_by("position")
    if find_unbuyable(user=order.buyer, prompts=[line.prompt for line in lines]) and order.status in Order.PAYABLE:
        move_order(order=order, to=Order.Status.CANCELLED, now=now)
        note_failure(payment=payment, code="not_buyable")
        raise PaymentRefused(explain_failure("not_buyable"))
    if not begin_confirming(payment=payment, payment_key=payment_key, now=now):
        order.refresh_from_db()
        if order.status in Order.PAYABLE or order.status in (Order.Status.EXPIRED, Order.Status.CANCELLED):
            note_failure(payment=payment, code="not_payable")
            raise PaymentRefused(explain_failure("not_payable"))
        return  # another call is at it
    ask_to_confirm(payment=payment, now=now, gateway=gateway, is_first=True)


def begin_confirming(*, payment: Payment, payment_key: str, now: datetime) -> bool:
    """Store the attempt before the provider hears of it. False when the order is not payable or another call was first.

    The database allows one payment of an order to be under way, and one use of a payment key.
    """
    order = payment.order
    try:
        with transaction.atomic():
            lock_order(order)
            ready = Payment.objects.filter(pk=payment.pk, status=Status.READY)
            if not move_order(
                order=order, to=Order.Status.CONFIRMING, now=now, orders=Order.objects.payable(now=now)
            ) or not ready.update(
                status=Status.CONFIRMING, payment_key=payment_key, confirmed_at=now, failure_code="", failure_message=""
            ):
                transaction.set_rollback(True)
                return False
    except IntegrityError:
        return False
    payment.refresh_from_db()
    return True


def lock_order(order: Order) -> None:
    """Inside a transaction: whoever changes an order and its payments takes the order first. No circles of waiting."""
    Order.objects.select_for_update(no_key=True).filter(pk=order.pk).values("pk").first()


def ask_to_confirm(*, payment: Payment, now: datetime, gateway: Gateway, is_first: bool) -> None:
    """One confirm call under the stored idempotency key, outside any transaction, and what follows from its answer."""
    order = payment.order
    try:
        answer = gateway.confirm(
            payment_key=payment.payment_key,
            order_number=order.number,
            amount_krw=order.total_krw,
            idempotency_key=payment.idempotency_key,
        )
    except GatewayUnknown as error:
        logger.warning("payment outcome unknown order=%s code=%s", order.number, error.code)
    except (GatewayRefused, GatewayMisconfigured) as error:
        if isinstance(error, GatewayMisconfigured):
            logger.error("payment provider refuses our keys order=%s code=%s", order.number, error.code)
        if not is_first:  # it says nothing of the earlier request: only a look-up ends this payment
            return
        fail_payment(payment=payment, code=error.code, message=error.message, now=now)
        raise PaymentRefused(error.message or explain_failure(error.code)) from error
    else:
        settle_payment(payment=payment, answer=answer, now=now, gateway=gateway)


def settle_payment(*, payment: Payment, answer: ProviderPayment, now: datetime, gateway: Gateway) -> None:
    """Bring payment and order to where the provider says they are. A second call changes nothing.

    Raises PaymentRefused when the money was given back because nothing can be delivered for it.
    """
    order = payment.order
    belongs = answer.order_number == order.number and answer.payment_key == payment.payment_key
    if not belongs:
        logger.error("provider answered with another payment order=%s", order.number)
        return
    if answer.state == ProviderState.WAITING_FOR_DEPOSIT:
        if move_order(order=order, to=Order.Status.WAITING, now=now):
            Payment.objects.filter(pk=payment.pk).update(status=Status.WAITING, method=answer.method)
    elif answer.state == ProviderState.CANCELLED and not order.is_delivered:
        fail_payment(payment=payment, code="cancelled", now=now)
    elif answer.is_charged:
        deliver_payment(payment=payment, answer=answer, now=now, gateway=gateway)
    elif answer.state in (ProviderState.ABORTED, ProviderState.EXPIRED):
        fail_payment(payment=payment, code=answer.failure_code or answer.state.value, now=now)


def deliver_payment(*, payment: Payment, answer: ProviderPayment, now: datetime, gateway: Gateway) -> None:
    order = payment.order
    if answer.amount_krw != order.total_krw:
        logger.error("provider charged another amount order=%s", order.number)
        give_back(payment=payment, code="amount_differs", now=now, gateway=gateway)
    with transaction.atomic():
        lock_order(order)
        fulfilled = fulfil_order(order=order, payment=payment, now=now)
        if fulfilled.became_paid:
            Payment.objects.filter(pk=payment.pk).update(
                status=Status.PAID, method=answer.method, approved_at=answer.approved_at or now, failure_code=""
            )
    if fulfilled.became_paid:
        payment.refresh_from_db()
        for refund in fulfilled.refunds:
            carry_out_refund(refund=refund, now=now, gateway=gateway)
        return
    order.refresh_from_db()
    payment.refresh_from_db()
    if not (order.is_delivered and payment.status in (Status.PAID, Status.CANCELLED)):
        give_back(payment=payment, code="not_payable", now=now, gateway=gateway)


def give_back(*, payment: Payment, code: str, now: datetime, gateway: Gateway) -> None:
    """Cancel a charge in full because nothing can be delivered for it. Always raises PaymentRefused.

    When the provider does not answer, payment and order stay as they are and the next look-up comes here again.
    """
    try:
        gateway.cancel(
            payment_key=payment.payment_key,
            amount_krw=None,
            reason="order could not be delivered",
            idempotency_key=f"{payment.idempotency_key}-back",
        )
    except GatewayError as error:
        logger.exception("charge could not be given back order=%s", payment.order.number)
        raise PaymentRefused(
            _("Your payment could not be matched to the order. We are giving it back; please do not pay again.")
        ) from error
    Payment.objects.filter(pk=payment.pk).update(status=Status.CANCELLED, failure_code=code)
    move_order(order=payment.order, to=Order.Status.CANCELLED, now=now)
    raise PaymentRefused(_("This order can no longer be paid, so the payment was cancelled in full."))


def fail_payment(*, payment: Payment, code: str, now: datetime, message: str = "") -> None:
    """A definite no: the attempt has failed, and the order may be tried again."""
    with transaction.atomic():
        lock_order(payment.order)
        failing = Payment.objects.filter(pk=payment.pk, status__in=[Status.CONFIRMING, Status.WAITING])
        changes = {"status": Status.FAILED, "failure_code": code[:64], "failure_message": message}
        if code == "FORBIDDEN_REQUEST":  # the key belongs to another order, which must still be able to use it
            changes["payment_key"] = None
        if failing.update(**changes):
            target = Order.Status.FAILED if payment.status == Status.CONFIRMING else Order.Status.CANCELLED
            move_order(order=payment.order, to=target, now=now)
    payment.refresh_from_db()


def note_failure(*, payment: Payment, code: str) -> None:
    """Remember why a window led nowhere. It moves neither payment nor order: anybody can open the fail address."""
    Payment.objects.filter(pk=payment.pk, status=Status.READY).update(failure_code=code[:64])


def check_payment(*, payment: Payment, now: datetime, gateway: Gateway) -> None:
    """Ask the provider how a payment ended and finish it; never guesses. At most one question every two seconds.

    Does nothing for a payment that is settled. While the answer is unknown, everything stays as it is.
    """
    due = Payment.objects.filter(pk=payment.pk, status__in=[Status.CONFIRMING, Status.WAITING]).filter(
        Q(looked_up_at__isnull=True) | Q(looked_up_at__lte=now - ASK_AGAIN_AFTER)
    )
    if not due.update(looked_up_at=now):
        return
    payment.refresh_from_db()
    try:
        answer = gateway.look_up(payment_key=payment.payment_key)
    except GatewayError as error:
        logger.warning("payment look-up without answer order=%s code=%s", payment.order.number, error.code)
        return
    try:
        if answer is None:
            if payment.confirmed_at < now - GIVE_UP_AFTER:
                fail_payment(payment=payment, code="not_found", now=now)
        elif answer.state == ProviderState.IN_PROGRESS:
            ask_to_confirm(payment=payment, now=now, gateway=gateway, is_first=False)
        else:
            settle_payment(payment=payment, answer=answer, now=now, gateway=gateway)
    except PaymentRefused:
        logger.info("payment ended without delivery order=%s", payment.order.number)


def explain_failure(code: str):
    """What to tell the buyer for a code of the provider or of ours. Never the provider's code itself."""
    return FAILURES.get(code, FAILURES["declined"])


FAILURES = {
    "declined": _("The payment was not approved. No money moved. You can try again or use another card."),
    "PAY_PROCESS_CANCELED": _("You closed the payment window. No money moved, and your order is still here."),
    "PAY_PROCESS_ABORTED": _("The payment could not be completed. No money moved. You can try again."),
    "REJECT_CARD_COMPANY": _("The card company refused the payment. No money moved. Another card may work."),
    "REJECT_CARD_PAYMENT": _("The card's limit or balance is not enough. No money moved. Another card may work."),
    "NOT_FOUND_PAYMENT_SESSION": _("The payment took too long and lapsed. No money moved. You can try again."),
    "EXPIRED": _("The payment took too long and lapsed. No money moved. You can try again."),
    "not_found": _("The payment never arrived. No money moved. You can try again."),
    "cancelled": _("The payment was cancelled in full. You can try again."),
    "amount_differs": _("The amount differed from your order, so nothing was charged. You can try again."),
    "not_buyable": _(
        "A prompt of this order is already yours or no longer sold, so nothing was charged. "
        "Order the others from your cart."
    ),
    "not_payable": _("This order could no longer be paid, so nothing was charged. Your cart still has everything."),
    "no_gateway": _("Payments are not available at the moment. Nothing was charged."),
}
