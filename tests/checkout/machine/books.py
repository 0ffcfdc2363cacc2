"""What must be true of the shop's rows and of the provider's books, at every moment and in the end."""

import re
from collections import Counter, defaultdict

from django.db import connection
from django.db.models import Sum

from catalog.models import Listing
from checkout.models import Entitlement, LedgerEntry, Order, OrderMail, Payment, PaymentEvent, Refund
from checkout.orders import MOVES
from checkout.reconcile import Report

LAST_STATES = {"paid", "partly_refunded", "refunded", "expired", "cancelled"}
PAYMENT_ORDER_ID = re.compile(r"(PJ\d{6}-[0-9A-Z]{8}(?:_\d+)?)(?:-(\d+))?")


def check_always(*, payments: dict[str, dict]) -> Counter:
    """True between any two actions, whatever crashed. Gives how many orders are in which state.

    payments: of the provider's books, by payment key.

    Plain SQL, because this runs after every step and writing a query takes the ORM longer than the database.
    """
    orders = {pk: (status, total_krw) for pk, status, total_krw in _read("SELECT id, status, total_krw FROM orders")}
    _check_moves({pk: status for pk, (status, _) in orders.items()})
    charged_krw, paid_ids = Counter(), {}
    for order_pk, key, order_id, status in _read(
        "SELECT order_id, payment_key, provider_order_id, status FROM payments WHERE payment_key IS NOT NULL"
    ):
        charged_krw[order_pk] += payments[key]["charged_krw"] if key in payments else 0
        if status == "paid":
            paid_ids[order_pk] = order_id
    live = Counter()
    for order_pk, number, position, purchase_id, user_pk, prompt_pk, is_live in _read(
        """SELECT l.order_id, o.number, l.position, p.payment_order_id, e.user_id, e.prompt_id, e.revoked_at IS NULL
        FROM entitlements e JOIN order_lines l ON l.id = e.order_line_id JOIN purchases p ON p.id = e.purchase_id
        JOIN orders o ON o.id = l.order_id"""
    ):
        status, total_krw = orders[order_pk]
        assert status in Order.DELIVERED, "a right came from an order that is not paid"
        assert charged_krw[order_pk] >= total_krw, "delivered without a charge"
        order_id, nth = PAYMENT_ORDER_ID.fullmatch(purchase_id).groups()
        assert (order_id, int(nth or 1)) == (paid_ids[order_pk] if total_krw else number, position)
        live[user_pk, prompt_pk] += bool(is_live)
    assert all(count <= 1 for count in live.values()), "two live rights to one prompt"
    assert not _read(
        """SELECT e.id FROM refunds r JOIN refund_lines l ON l.refund_id = r.id
        JOIN entitlements e ON e.order_line_id = l.order_line_id
        WHERE r.reason = 'buyer_cancelled' AND r.status <> 'failed' AND e.opened_at IS NOT NULL"""
    ), "an opened purchase was cancelled by its buyer"
    sums_krw = Counter()
    for order_pk, booking, amount_krw in _read("SELECT order_id, booking, amount_krw FROM ledger_entries"):
        sums_krw[order_pk] += amount_krw
        sums_krw[booking] += amount_krw
    assert not any(sums_krw.values()), "a booking does not add up to zero"
    for books in payments.values():
        assert books["charges"] <= 1 or books["reverted_krw"], "one payment was charged twice"
        assert books["given_back_krw"] <= books["charged_krw"]
    return Counter(status for status, _ in orders.values())


def _read(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _check_moves(orders: dict) -> None:
    """Every order came to where it stands along `MOVES`. orders: the status by primary key."""
    states = dict.fromkeys(orders, "pending")
    for order_pk, to in _read("SELECT order_id, outcome FROM payment_events WHERE kind = 'moved' ORDER BY id"):
        assert to in MOVES[states[order_pk]], f"an order moved from {states[order_pk]} to {to}"
        states[order_pk] = to
    assert states == orders, "an order moved without an event"


def check_in_the_end(*, payments: dict[str, dict], cancels: dict[str, list[dict]], report: Report) -> None:
    """After faults have ended and time has passed: each won charged is delivered or given back, and nothing waits.

    cancels: of each payment at the provider. report: of the last reconciling. What only people can end must be in it:
    a deposit that the bank took back after it was delivered, and a mail that may or may not have gone out when the
    process died.
    """
    check_always(payments=payments)
    found = {(finding.what, finding.order) for finding in [*report.problems, *report.differences]}
    reverted = {
        payment.order.number
        for payment in Payment.objects.select_related("order")
        if payments.get(payment.payment_key, {}).get("reverted_krw")
    }
    for what, number in found:
        assert what == "mail" or number in reverted, (what, number)
    listed = {number for what, number in found if what != "mail"}
    assert set(Order.objects.values_list("status", flat=True)) <= LAST_STATES, "an order was left behind"
    unlisted = Order.objects.exclude(number__in=listed)
    assert not Payment.objects.filter(
        order__in=unlisted, status__in=[*Payment.IN_DOUBT, Payment.Status.RETURNING]
    ).exists()
    assert not Refund.objects.filter(order__in=unlisted, status=Refund.Status.REQUESTED).exists()
    assert not OrderMail.objects.filter(status=OrderMail.Status.QUEUED).exists()
    assert not PaymentEvent.objects.filter(kind="webhook", handled_at=None).exists()
    _check_money(payments, unlisted)
    _check_refunds(payments, cancels, unlisted)
    for order in unlisted.prefetch_related("lines__entitlement", "lines__refund_lines__refund"):
        _check_lines(order)
    for listing in Listing.objects.filter(prompt__order_lines__isnull=False).distinct():
        sold = Entitlement.objects.filter(prompt=listing.prompt_id)
        sold = sold.exclude(order_line__refund_lines__refund__status=Refund.Status.DONE)
        assert listing.sales_count == sold.count()


def _check_money(payments: dict[str, dict], orders) -> None:
    """By the provider's books: what is held of an order is the price of what was delivered and not refunded."""
    rows = LedgerEntry.objects.filter(account="provider").values("payment__payment_key")
    booked_krw = {row["payment__payment_key"]: row["sum_krw"] for row in rows.annotate(sum_krw=Sum("amount_krw"))}
    keys = defaultdict(list)
    for payment in Payment.objects.exclude(payment_key=None):
        keys[payment.order_id].append(payment.payment_key)
    for order in orders:
        held_krw = {key: payments[key]["held_krw"] for key in keys[order.pk] if key in payments}
        for key, krw in held_krw.items():
            assert krw == booked_krw.get(key, 0), f"the ledger has {booked_krw.get(key, 0)} and the provider {krw}"
        assert sum(held_krw.values()) == order.balance_krw
        assert sum(map(bool, held_krw.values())) <= 1, "charged twice for one order"
    known = {key for some in keys.values() for key in some}
    strays = {key: books for key, books in payments.items() if key not in known and books["held_krw"]}
    assert not strays, "charged, and nobody here knows"


def _check_refunds(payments: dict[str, dict], cancels: dict[str, list[dict]], orders) -> None:
    for payment in Payment.objects.filter(order__in=orders, payment_key__in=payments):
        done = list(payment.refunds.filter(status=Refund.Status.DONE))
        assert sum(refund.amount_krw for refund in done) == payments[payment.payment_key]["given_back_krw"]
        reasons = [entry["cancelReason"] for entry in cancels[payment.payment_key]]
        for refund in done:
            assert sum(refund.mark in reason for reason in reasons) <= 1, "one refund was given twice"


def _check_lines(order: Order) -> None:
    """What was paid for is there, what was given back is not."""
    for line in order.lines.all():
        done = [row for row in line.refund_lines.all() if row.refund.status == Refund.Status.DONE]
        assert len(done) <= 1, "a line was refunded twice"
        right = getattr(line, "entitlement", None)
        if not order.is_delivered:
            assert right is None
            assert not done
        elif done:
            assert right is None or right.is_revoked, "refunded and still there"
        elif line.price_krw:
            assert right is not None, "paid and not delivered"
            assert not right.is_revoked, "paid and taken away"
