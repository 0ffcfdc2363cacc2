"""What does not agree: our books with themselves, our payments with the provider's list. Nothing is changed here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from checkout.events import Kind
from checkout.gateway import Gateway
from checkout.ledger import find_unbalanced_order_ids
from checkout.models import LedgerEntry, Order, OrderLine, Payment, PaymentEvent, Purchase, Refund, RefundLine
from checkout.provider import GatewayError, ProviderPayment, ProviderState

CHARGED = [Payment.Status.PAID, Payment.Status.RETURNING, Payment.Status.CANCELLED]  # whatever was given back later


@dataclass(frozen=True)
class Finding:
    """Something that somebody must look at. `what` is one word for programs, `text` the same for people.

    order: its number, or what the provider calls an order that is not ours. Amounts in whole won; None: no such side.
    """

    what: str
    order: str
    text: str
    ours_krw: int | None = None
    theirs_krw: int | None = None

    def __str__(self):
        amounts = [
            f"{side} {krw:,} won"
            for side, krw in (("here", self.ours_krw), ("provider", self.theirs_krw))
            if krw is not None
        ]
        return f"{self.order}: {self.text}" + (f" ({', '.join(amounts)})" if amounts else "")


# --- Our own books


def check_books() -> Iterator[Finding]:
    """Ledger, orders, purchases and rights against each other, in six queries however many orders there are."""
    unbalanced = Order.objects.filter(pk__in=find_unbalanced_order_ids()).annotate(
        sum_krw=Sum("ledger_entries__amount_krw")
    )
    for number, sum_krw in unbalanced.order_by("number").values_list("number", "sum_krw"):
        yield Finding("ledger_unbalanced", number, "its ledger entries do not add up to zero", sum_krw)
    yield from _find_wrong_bookings()
    for number, price_krw in _find_undelivered_lines().values_list("order__number", "price_krw"):
        yield Finding("line_undelivered", number, "a paid line is neither delivered nor refunded", price_krw)
    for number, amount_krw in _find_kept_charges().values_list("order__number", "amount_krw"):
        text = "a charge that could not be delivered was not given back: refund it by hand"
        yield Finding("charge_kept", number, text, amount_krw)
    orphans = Purchase.objects.filter(entitlement__isnull=True).order_by("payment_order_id")
    for name in orphans.values_list("payment_order_id", flat=True):
        yield Finding("purchase_without_right", name, "a purchase has no entitlement, so its buyer cannot open it")


def _find_wrong_bookings() -> Iterator[Finding]:
    """Orders whose charge is not booked with their total, or whose refunds are not with what was refunded."""
    provider = Q(ledger_entries__account=LedgerEntry.Account.PROVIDER)
    charge = provider & Q(ledger_entries__kind="charge", ledger_entries__payment__status=Payment.Status.PAID)
    refund = provider & Q(ledger_entries__kind="refund", ledger_entries__payment__status=Payment.Status.PAID)
    paid = Order.objects.filter(status__in=Order.DELIVERED, total_krw__gt=0)
    booked = paid.values("number", "total_krw", "refunded_krw").annotate(
        charged_krw=Coalesce(Sum("ledger_entries__amount_krw", filter=charge), 0),
        given_back_krw=0 - Coalesce(Sum("ledger_entries__amount_krw", filter=refund), 0),
    )
    wrong = booked.filter(~Q(charged_krw=F("total_krw")) | ~Q(given_back_krw=F("refunded_krw")))
    for row in wrong.order_by("number"):
        if row["charged_krw"] != row["total_krw"]:
            text = f"its booked charge is {row['charged_krw']:,} won and not its total"
            yield Finding("charge_booked_wrong", row["number"], text, row["total_krw"])
        if row["given_back_krw"] != row["refunded_krw"]:
            text = f"its booked refunds are {row['given_back_krw']:,} won and not what was refunded"
            yield Finding("refund_booked_wrong", row["number"], text, row["refunded_krw"])


def _find_undelivered_lines():
    refunded = RefundLine.objects.filter(order_line=OuterRef("pk"), is_live=True)
    lines = OrderLine.objects.filter(order__status__in=Order.DELIVERED, price_krw__gt=0, entitlement__isnull=True)
    return lines.exclude(Exists(refunded)).order_by("order__number", "position")


def _find_kept_charges():
    waiting = Refund.objects.filter(payment=OuterRef("pk"), status=Refund.Status.REQUESTED)
    returning = Payment.objects.filter(status=Payment.Status.RETURNING)
    return returning.exclude(Exists(waiting)).order_by("order__number", "pk")


def find_deposits_in_question():
    """Paid deposits of which the provider said, after they were paid, that it waits for one. To be looked up again."""
    doubts = PaymentEvent.objects.filter(
        payment=OuterRef("pk"),
        kind=Kind.LOOKED_UP,
        outcome=ProviderState.WAITING_FOR_DEPOSIT,
        at__gt=OuterRef("approved_at"),
    )
    paid = Payment.objects.filter(status=Payment.Status.PAID).exclude(deposit_account="")
    return paid.filter(Exists(doubts)).select_related("order").order_by("requested_at", "pk")


# --- The provider's list


@dataclass
class Moved:
    """What moved for one payment in a period, in whole won."""

    order: str
    charged_krw: int = 0
    given_back_krw: int = 0

    @property
    def amounts(self) -> tuple[int, int]:
        return self.charged_krw, self.given_back_krw


def compare_transactions(
    *, gateway: Gateway, since: datetime, until: datetime, adopt: Callable[[Payment, ProviderPayment], bool]
) -> Iterator[Finding]:
    """The provider's transactions from `since` to `until` (aware) against our payments and refunds.

    A payment whose rows agree costs nothing. Any other is looked up and judged as a whole, because a period cuts
    payments in two and clocks differ.
    adopt: is handed what differs, and brings our side to where the provider's is if it can; true when it did (or, in a
    dry run, would).
    Raises GatewayError when the list cannot be read.
    """
    theirs = _sum_theirs(gateway, since, until)
    ours = _sum_ours(gateway.provider, since, until)
    for payment_key in [*theirs, *(key for key in ours if key not in theirs)]:
        there, here = theirs.get(payment_key), ours.get(payment_key)
        if there is None or here is None or there.amounts != here.amounts:
            yield from _judge_by_look_up(gateway, payment_key, there, here, adopt)


def _sum_theirs(gateway: Gateway, since: datetime, until: datetime) -> dict[str, Moved]:
    moved, seen = {}, set()
    for row in gateway.list_transactions(since=since, until=until):
        if row.transaction_key in seen:
            continue
        seen.add(row.transaction_key)
        payment = moved.setdefault(row.payment_key, Moved(row.order_id))
        if row.state == ProviderState.DONE:
            payment.charged_krw += row.amount_krw
        elif row.state in (ProviderState.CANCELLED, ProviderState.PARTLY_CANCELLED):
            payment.given_back_krw += row.amount_krw
    return moved


def _sum_ours(provider: str, since: datetime, until: datetime) -> dict[str, Moved]:
    moved = {}
    payments = Payment.objects.filter(provider=provider, status__in=CHARGED, approved_at__range=(since, until))
    for key, number, amount_krw in payments.values_list("payment_key", "order__number", "amount_krw"):
        moved[key] = Moved(number, charged_krw=amount_krw)
    refunds = Refund.objects.filter(
        payment__provider=provider, status=Refund.Status.DONE, done_at__range=(since, until)
    )
    for key, number, amount_krw in refunds.values_list("payment__payment_key", "order__number", "amount_krw"):
        moved.setdefault(key, Moved(number)).given_back_krw += amount_krw
    return moved


def _judge_by_look_up(
    gateway: Gateway, payment_key: str, there: Moved | None, here: Moved | None, adopt: Callable
) -> Iterator[Finding]:
    order = (here or there).order
    payment = find_payment(gateway.provider, payment_key, order)
    if payment is None or payment.payment_key not in (None, payment_key):
        order = payment.order.number if payment else _printable(order)
        text = f"the provider has a payment (…{_printable(payment_key[-6:])}) that is unknown here"
        theirs_krw = there.charged_krw - there.given_back_krw
        yield Finding("unknown_payment", order, text, theirs_krw=theirs_krw)
        return
    try:
        answer = gateway.look_up(payment_key=payment_key)
        finding = judge_payment(payment=payment, answer=answer)
        if finding and answer:
            if adopt(payment, answer):
                return
            finding = judge_payment(payment=payment, answer=gateway.look_up(payment_key=payment_key))
    except GatewayError as error:
        if payment.status in Payment.IN_DOUBT:
            return  # whoever looks after the orders in doubt lists it when that lasts
        finding = Finding(
            "not_looked_up",
            payment.order.number,
            f"it differs in the period, and the provider does not say how it stands: {error.code}",
            here.charged_krw - here.given_back_krw if here else 0,
            there.charged_krw - there.given_back_krw if there else 0,
        )
    if finding:
        yield finding


def find_payment(provider: str, payment_key: str, order_id: str) -> Payment | None:
    payments = Payment.objects.filter(provider=provider).select_related("order")
    return (
        payments.filter(payment_key=payment_key).first() or payments.filter(provider_order_id=order_id).first()
    )  # the second: an attempt that nobody came back from has no key yet


def judge_payment(*, payment: Payment, answer: ProviderPayment | None) -> Finding | None:
    """Our payment and refunds against all that the provider says of it. One or two queries."""
    payment = Payment.objects.select_related("order").get(pk=payment.pk)
    number = payment.order.number
    ours_krw = payment.amount_krw if payment.status in CHARGED else 0
    theirs_krw = answer.amount_krw if answer and answer.is_charged else 0
    if ours_krw != theirs_krw:
        if not ours_krw:
            what, text = "charge_unknown", "the provider has charged it, and here it is not paid"
        elif theirs_krw:
            what, text = "amount_differs", "the charged amounts differ"
        elif answer and answer.state == ProviderState.WAITING_FOR_DEPOSIT:
            what, text = "deposit_taken_back", "it was delivered, and the provider waits for the deposit again"
        else:
            what, text = "charge_missing", "here it is charged, and at the provider it is not"
        return Finding(what, number, text, ours_krw, theirs_krw)
    done = payment.refunds.filter(status=Refund.Status.DONE).aggregate(sum_krw=Sum("amount_krw"))
    returned_krw, given_back_krw = done["sum_krw"] or 0, answer.given_back_krw if answer else 0
    if returned_krw < given_back_krw:
        text = "the provider has given back more than was refunded here"
        return Finding("refund_unknown", number, text, returned_krw, given_back_krw)
    if returned_krw > given_back_krw:
        text = "more was refunded here than the provider has given back"
        return Finding("refund_missing", number, text, returned_krw, given_back_krw)
    return None


def _printable(text: str) -> str:
    return text[:64] if text.isprintable() else "-"
