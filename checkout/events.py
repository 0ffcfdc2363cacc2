"""What happened to an order, written down for its timeline. Rows are added where the thing happens, mostly in the same
transaction; only a webhook's is touched again, when it was looked into."""

from datetime import datetime

from checkout.models import Order, Payment, PaymentEvent, Refund
from checkout.provider import GatewayError, GatewayMisconfigured, GatewayRefused, ProviderPayment

Kind = PaymentEvent.Kind


def record_event(
    *,
    kind: str,
    now: datetime,
    order: Order | None = None,
    payment: Payment | None = None,
    refund: Refund | None = None,
    outcome: str = "",
    detail: dict | None = None,
    actor=None,
) -> PaymentEvent:
    """Add one row. detail: a few values that may be shown to staff; never a key, a card number or a whole body."""
    return PaymentEvent.objects.create(
        kind=kind,
        at=now,
        order_id=order.pk if order else (payment or refund).order_id,
        payment=payment,
        refund=refund,
        outcome=outcome[:64],
        detail=detail or {},
        actor=actor,
    )


def describe_answer(answer: ProviderPayment | None) -> tuple[str, dict]:
    """Outcome and detail of an answer."""
    if answer is None:
        return "not_found", {}
    detail = {"amount_krw": answer.amount_krw, "balance_krw": answer.balance_krw, "method": answer.method}
    if answer.failure_code:
        detail["failure_code"] = answer.failure_code
    return answer.state.value, detail


def describe_error(error: GatewayError) -> tuple[str, dict]:
    """Outcome and detail of a call that led to nothing certain, or to a no."""
    kinds = {GatewayRefused: "refused", GatewayMisconfigured: "misconfigured"}
    detail = {"error": kinds.get(type(error), "unknown")}
    if error.message:
        detail["message"] = error.message[:200]
    return error.code or detail["error"], detail
