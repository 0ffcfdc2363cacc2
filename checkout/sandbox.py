"""A payment provider that moves no money, for a machine without keys.

It behaves as another system would: it keeps its own books (`sandbox_payments`), binds the amount that the window was
opened with, charges a payment once, replays an answer for the same idempotency key, and can lose its answer on the way.
`choose` is what the buyer does in the test window; the rest is the `Gateway`.
"""

from datetime import timedelta
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from checkout.gateway import (
    GatewayRefused,
    GatewayUnknown,
    PaymentRequest,
    ProviderCancel,
    ProviderPayment,
    ProviderState,
)
from checkout.models import SandboxPayment

CONFIRM_WITHIN = timedelta(minutes=10)  # after the buyer authorised; Toss Payments has the same clock
SILENCE = timedelta(seconds=6)  # how long a payment whose answer was lost cannot be looked up

Status, Fault = SandboxPayment.Status, SandboxPayment.Fault


class SandboxGateway:
    provider = "sandbox"

    def open_window(self, request: PaymentRequest) -> str:
        SandboxPayment.objects.get_or_create(
            reference=request.reference,
            defaults={
                "order_number": request.order_number,
                "order_name": request.order_name,
                "amount_krw": request.amount_krw,
                "balance_krw": request.amount_krw,
                "success_url": request.success_url,
                "fail_url": request.fail_url,
            },
        )
        return reverse("checkout:sandbox_window", args=[request.reference])

    def confirm(self, *, payment_key: str, order_number: str, amount_krw: int, idempotency_key: str) -> ProviderPayment:
        payment = SandboxPayment.objects.filter(pk=payment_key).first()
        if payment is None:
            raise GatewayRefused("NOT_FOUND_PAYMENT_SESSION")
        if payment.confirm_key and payment.confirm_key == idempotency_key:
            return self._replay(payment)
        if payment.status in (Status.DONE, Status.PARTLY_CANCELLED, Status.CANCELLED):
            raise GatewayUnknown("ALREADY_PROCESSED_PAYMENT")  # may well be our own success
        if payment.order_number != order_number:
            raise GatewayRefused("FORBIDDEN_REQUEST")
        if payment.amount_krw != amount_krw:
            raise GatewayRefused("INVALID_REQUEST")
        if payment.status != Status.IN_PROGRESS or payment.authorised_at < timezone.now() - CONFIRM_WITHIN:
            raise GatewayRefused("NOT_FOUND_PAYMENT_SESSION")
        return self._charge(payment, idempotency_key)

    def look_up(self, *, payment_key: str) -> ProviderPayment | None:
        return self._described(SandboxPayment.objects.filter(pk=payment_key).first())

    def look_up_order(self, *, order_number: str) -> ProviderPayment | None:
        return self._described(
            SandboxPayment.objects.filter(order_number=order_number).order_by("-created_at", "pk").first()
        )

    def cancel(self, *, payment_key: str, amount_krw: int | None, reason: str, idempotency_key: str) -> ProviderPayment:
        with transaction.atomic():
            payment = SandboxPayment.objects.select_for_update().filter(pk=payment_key).first()
            if payment is None:
                raise GatewayRefused("NOT_FOUND_PAYMENT")
            if any(cancel["idempotency_key"] == idempotency_key for cancel in payment.cancels):
                return describe(payment)
            amount_krw = payment.balance_krw if amount_krw is None else amount_krw
            if (
                payment.status not in (Status.DONE, Status.PARTLY_CANCELLED)
                or not 0 < amount_krw <= payment.balance_krw
            ):
                raise GatewayRefused("NOT_CANCELABLE_AMOUNT")
            is_whole = amount_krw == payment.amount_krw
            payment.balance_krw -= amount_krw
            payment.status = Status.CANCELLED if is_whole else Status.PARTLY_CANCELLED
            payment.cancels = [
                *payment.cancels,
                {"idempotency_key": idempotency_key, "amount_krw": amount_krw, "reason": reason},
            ]
            payment.save(update_fields=["balance_krw", "status", "cancels"])
        return describe(payment)

    def _charge(self, payment: SandboxPayment, idempotency_key: str) -> ProviderPayment:
        now = timezone.now()
        waiting = SandboxPayment.objects.filter(pk=payment.pk, status=Status.IN_PROGRESS, confirm_key="")
        if payment.fault == Fault.REFUSED:
            waiting.update(status=Status.ABORTED, confirm_key=idempotency_key)
            raise GatewayRefused("REJECT_CARD_PAYMENT", _("The card company refused the payment."))
        if payment.fault == Fault.LOST_BEFORE:  # only the first request is lost
            waiting.update(fault=Fault.NONE, silent_until=now + SILENCE)
            raise GatewayUnknown("connection_lost")
        silent_until = now + SILENCE if payment.fault == Fault.LOST_AFTER else None
        is_first = waiting.update(
            status=Status.DONE,
            confirm_key=idempotency_key,
            approved_at=now,
            charge_count=F("charge_count") + 1,
            silent_until=silent_until,
        )
        if not is_first:
            raise GatewayUnknown("IDEMPOTENT_REQUEST_PROCESSING")
        if silent_until:
            raise GatewayUnknown("connection_lost")
        payment.refresh_from_db()
        return describe(payment)

    def _replay(self, payment: SandboxPayment) -> ProviderPayment:
        if payment.status == Status.ABORTED:
            raise GatewayRefused("REJECT_CARD_PAYMENT", _("The card company refused the payment."))
        return self._described(payment)

    def _described(self, payment: SandboxPayment | None) -> ProviderPayment | None:
        if payment is None:
            return None
        if payment.silent_until and payment.silent_until > timezone.now():
            raise GatewayUnknown("no_answer")
        return describe(payment)


def describe(payment: SandboxPayment) -> ProviderPayment:
    states = {
        Status.READY: ProviderState.READY,
        Status.IN_PROGRESS: ProviderState.IN_PROGRESS,
        Status.DONE: ProviderState.DONE,
        Status.PARTLY_CANCELLED: ProviderState.PARTLY_CANCELLED,
        Status.CANCELLED: ProviderState.CANCELLED,
        Status.ABORTED: ProviderState.ABORTED,
    }
    state = states[Status(payment.status)]
    if state == ProviderState.IN_PROGRESS and payment.authorised_at < timezone.now() - CONFIRM_WITHIN:
        state = ProviderState.EXPIRED
    return ProviderPayment(
        payment_key=payment.pk,
        order_number=payment.order_number,
        state=state,
        amount_krw=payment.amount_krw,
        balance_krw=payment.balance_krw,
        method="sandbox",
        approved_at=payment.approved_at,
        cancels=tuple(ProviderCancel(cancel["amount_krw"], cancel["reason"]) for cancel in payment.cancels),
        failure_code="REJECT_CARD_PAYMENT" if state == ProviderState.ABORTED else "",
    )


CHOICES = ["approve", "decline", "refuse", "close", "lost_after", "lost_before", "edited"]


def choose(payment: SandboxPayment, choice: str) -> str:
    """What the buyer does in the window; the address the browser goes to next.

    `edited` authorises 100 won in place of the amount asked for, as somebody does who edits the page. A window that was
    used before sends the browser on to the same place and authorises nothing again.
    """
    if choice == "close":
        return f"{payment.fail_url}?{urlencode({'code': 'PAY_PROCESS_CANCELED'})}"  # without an order number
    if choice == "decline":
        query = {"code": "REJECT_CARD_COMPANY", "orderId": payment.order_number}
        return f"{payment.fail_url}?{urlencode(query)}"
    faults = {"refuse": Fault.REFUSED, "lost_after": Fault.LOST_AFTER, "lost_before": Fault.LOST_BEFORE}
    amount_krw = 100 if choice == "edited" else payment.amount_krw
    SandboxPayment.objects.filter(pk=payment.pk, status=Status.READY).update(
        status=Status.IN_PROGRESS,
        amount_krw=amount_krw,
        balance_krw=amount_krw,
        fault=faults.get(choice, Fault.NONE),
        authorised_at=timezone.now(),
    )
    payment.refresh_from_db()
    query = {
        "paymentType": "NORMAL",
        "orderId": payment.order_number,
        "paymentKey": payment.pk,
        "amount": payment.amount_krw,
    }
    return f"{payment.success_url}?{urlencode(query)}"
