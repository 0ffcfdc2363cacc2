"""Staff have the provider asked again about an order, and finish with its answer what was left open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from checkout.events import Kind, record_event
from checkout.gateway import Gateway
from checkout.models import Order, Payment, PaymentEvent, Refund
from checkout.payments import ASK_AGAIN_AFTER, check_payment
from checkout.provider import GatewayError
from checkout.refunds import carry_out_refund


@dataclass(frozen=True)
class Asked:
    """What came out of asking about one order.

    answered_count, unanswered_count: attempts. is_idle: there was nothing to ask, or it was asked within two seconds.
    refunds: those that were open before or came up now, as they stand.
    """

    before: str
    after: str
    answered_count: int
    unanswered_count: int
    refunds: tuple[Refund, ...]

    @property
    def is_idle(self) -> bool:
        return not (self.answered_count or self.unanswered_count or self.refunds)

    @property
    def is_changed(self) -> bool:
        return self.before != self.after or any(refund.status != Refund.Status.REQUESTED for refund in self.refunds)


def ask_about_order(
    *, order: Order, staff, now: datetime, find_gateway: Callable[[str], Gateway], token: str = ""
) -> Asked | None:
    """Look up every attempt that may have moved money, then carry out the refunds that are still open.

    find_gateway: the gateway of a provider; may raise GatewayMisconfigured, which counts as no answer.
    token: of the form. None when it was sent before: then nobody is asked. Without one, an attempt or refund that was
    asked about within the last two seconds is left alone.
    """
    open_refunds = order.refunds.filter(status=Refund.Status.REQUESTED)
    refund_ids = set(open_refunds.values_list("pk", flat=True))
    attempts = list(order.payments.exclude(status=Payment.Status.CANCELLED).order_by("requested_at", "pk"))
    due = [payment for payment in attempts if not payment.looked_up_at or payment.looked_up_at <= now - ASK_AGAIN_AFTER]
    has_work = bool(token or due or refund_ids)
    if has_work and not record_staff_event(order=order, outcome="ask_again", staff=staff, now=now, token=token):
        return None
    before, answered_count, unanswered_count = order.status, 0, 0
    for payment in Payment.objects.filter(pk__in=[each.pk for each in due]).select_related("order__buyer"):
        try:
            is_answered = check_payment(payment=payment, now=now, gateway=find_gateway(payment.provider))
        except GatewayError:
            is_answered = False
        answered_count += is_answered
        unanswered_count += not is_answered
    for refund in list(open_refunds.select_related("order", "payment")):
        refund_ids.add(refund.pk)
        try:
            carry_out_refund(refund=refund, now=now, gateway=find_gateway(refund.payment.provider))
        except GatewayError:
            unanswered_count += 1
    order.refresh_from_db()
    refunds = order.refunds.filter(pk__in=refund_ids).order_by("requested_at", "pk")
    return Asked(before, order.status, answered_count, unanswered_count, tuple(refunds))


def record_staff_event(*, order: Order, outcome: str, staff, now: datetime, token: str = "") -> bool:
    """For the order's timeline. False when a form with this token was handled before: a second click does nothing."""
    if not token:
        record_event(kind=Kind.STAFF, order=order, outcome=outcome, actor=staff, now=now)
        return True
    _event, is_new = PaymentEvent.objects.get_or_create(
        dedup_key=f"staff-{token}",
        defaults={"kind": Kind.STAFF, "order": order, "outcome": outcome, "actor": staff, "at": now},
    )
    return is_new
