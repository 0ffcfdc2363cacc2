"""Orders that were paid before there were attempts with names, refunds of several lines and a ledger."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum

from checkout.ledger import find_unbalanced_order_ids
from checkout.models import LedgerEntry, Order, Payment, Refund, RefundLine, SandboxPayment
from checkout.refunds import cancel_sealed_lines, carry_out_refund
from tests.checkout.gateways import make_gateway
from tests.factories import NOON, make_prompt, make_seller, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

BEFORE = ("checkout", "0002_orders_and_library")


def after(**distance):
    return NOON + timedelta(**distance)


@pytest.fixture(scope="module")
def past(django_db_setup, django_db_blocker):
    """Everything that `live` does, done by the program as it was, and then brought up to date."""
    with django_db_blocker.unblock():
        executor = MigrationExecutor(connection)
        newest = executor.loader.graph.leaf_nodes()
        executor.migrate([BEFORE])
        others = [node for node in newest if node[0] != "checkout"]
        apps = MigrationExecutor(connection).loader.project_state([*others, BEFORE]).apps
        try:
            past = Past(lambda name: apps.get_model("checkout", name))
            live(past)
        except BaseException:
            call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
            raise
        finally:
            MigrationExecutor(connection).migrate(newest)
    yield past
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)


class Past:
    """Writes rows as the program did then."""

    def __init__(self, old):
        self.old = old
        self.buyer = make_user()
        self.numbers = iter("ABCDEFGH")

    def order(self, *prompts, **fields):
        values = {
            "number": f"PJ261122-AAAAAAA{next(self.numbers)}",
            "buyer_id": self.buyer.pk,
            "email": "buyer@example.com",
            "total_krw": sum(prompt.price for prompt in prompts),
            "created_at": NOON,
            "expires_at": after(hours=1),
            **fields,
        }
        order = self.old("Order").objects.create(**values)
        lines = [
            self.old("OrderLine").objects.create(
                order=order,
                position=position,
                prompt_id=prompt.pk,
                seller_id=prompt.listing.seller_id,
                title=prompt.title,
                price_krw=prompt.price,
            )
            for position, prompt in enumerate(prompts, 1)
        ]
        return order, lines

    def payment(self, order, **fields):
        """With the sandbox's side of it, which knew every attempt by the order's number."""
        values = {"provider": "sandbox", "amount_krw": order.total_krw, "requested_at": NOON, **fields}
        payment = self.old("Payment").objects.create(order=order, **values)
        self.old("SandboxPayment").objects.create(
            payment_key=payment.payment_key or payment.reference,
            reference=payment.reference,
            order_number=order.number,
            order_name="x",
            amount_krw=payment.amount_krw,
            balance_krw=payment.amount_krw,
            status="done" if payment.status == "paid" else "ready",
            approved_at=payment.approved_at,
        )
        return payment

    def paid(self, *prompts, status="paid", refunded_krw=0):
        order, lines = self.order(*prompts, status=status, refunded_krw=refunded_krw, paid_at=NOON)
        fields = {"status": "paid", "payment_key": f"key-of-{order.number}", "approved_at": NOON}
        return order, lines, self.payment(order, **fields)

    def refund(self, line, payment, **fields):
        values = {"amount_krw": line.price_krw, "reason": "buyer_cancelled", "requested_at": NOON, **fields}
        return self.old("Refund").objects.create(order_line=line, payment=payment, **values)

    def deliver(self, line, name):
        purchase = self.old("Purchase").objects.create(
            buyer_id=self.buyer.pk, prompt_id=line.prompt_id, payment_order_id=name
        )
        self.old("Entitlement").objects.create(
            purchase=purchase, order_line=line, user_id=self.buyer.pk, prompt_id=line.prompt_id
        )


def live(past):
    """The story of each test, under the test's own name for it."""
    anna = make_seller(slug="anna")
    past.orders = {}

    order, _ = past.order(make_prompt(), status="paid", paid_at=NOON)
    past.orders["attempts"] = order
    past.references = [
        past.payment(order, **fields).reference
        for fields in (
            {"status": "failed", "payment_key": "a", "requested_at": NOON},
            {"status": "ready", "requested_at": after(minutes=1)},
            {"status": "paid", "payment_key": "b", "approved_at": NOON, "requested_at": after(minutes=2)},
            {"status": "ready", "requested_at": after(minutes=3)},
        )
    ]

    prompts = [make_prompt(price=1_000, seller=anna), make_prompt(price=2_000), make_prompt(price=0)]
    order, lines, payment = past.paid(*prompts, status="partly_refunded", refunded_krw=1_000)
    past.orders["refunds"] = order
    past.refunds = [
        past.refund(lines[0], payment, status="failed", failure_code="EXCEED_MAX_REFUND_DUE"),
        past.refund(lines[0], payment, status="done", done_at=after(days=1)),
        past.refund(lines[1], payment),
    ]

    order, lines, payment = past.paid(make_prompt(price=1_000, seller=anna))
    past.orders["twice"] = order
    past.refund(lines[0], payment, reason="bought_twice")

    past.orders["free"], _ = past.order(make_prompt(price=0), status="paid", paid_at=NOON)
    past.orders["unpaid"], _ = past.order(make_prompt())
    past.payment(past.orders["unpaid"], status="confirming", payment_key="k")

    order, lines, _ = past.paid(make_prompt(price=1_000, seller=anna), make_prompt(price=2_000))
    past.orders["sealed"] = order
    for line, name in zip(lines, [order.number, f"{order.number}-2"], strict=True):
        past.deliver(line, name)


def entries(order_id):
    rows = LedgerEntry.objects.filter(order=order_id).order_by("pk")
    return [(row.kind, row.account, row.amount_krw, row.seller and row.seller.slug) for row in rows]


def test_the_attempt_that_was_charged_keeps_the_number_and_the_others_get_names_of_their_own(past):
    number = past.orders["attempts"].number

    for table, column in ((Payment, "provider_order_id"), (SandboxPayment, "order_id")):
        names = dict(table.objects.values_list("reference", column))
        attempts = [names[reference] for reference in past.references]
        assert attempts == [f"{number}_2", f"{number}_3", number, f"{number}_4"]


def test_the_only_attempt_of_an_order_is_named_as_the_order(past):
    order = Order.objects.get(pk=past.orders["unpaid"].pk)

    assert order.payments.get().provider_order_id == order.number


def test_each_refund_moves_to_its_line_and_a_failed_one_leaves_the_line_free(past):
    failed, done, requested = past.refunds

    rows = RefundLine.objects.filter(refund__order=past.orders["refunds"].pk)
    assert set(rows.values_list("refund", "order_line", "amount_krw", "is_live")) == {
        (failed.pk, failed.order_line_id, 1_000, False),
        (done.pk, done.order_line_id, 1_000, True),
        (requested.pk, requested.order_line_id, 2_000, True),
    }
    assert not Refund.objects.filter(lines=None).exists()


def test_what_was_paid_and_given_back_is_booked_without_a_fee(past):
    order = Order.objects.get(pk=past.orders["refunds"].pk)

    assert entries(order) == [
        ("charge", "provider", 3_000, None),
        ("charge", "seller", -1_000, "anna"),
        ("refund", "provider", -1_000, None),
        ("refund", "seller", 1_000, "anna"),
        ("charge", "house", -2_000, None),
    ]
    assert set(order.ledger_entries.values_list("kind", "booked_at")) == {
        ("charge", NOON),
        ("refund", after(days=1)),
    }
    assert set(order.lines.values_list("fee_bp", flat=True)) == {0}
    bookings = LedgerEntry.objects.values("booking").annotate(sum_krw=Sum("amount_krw"))
    assert {row["sum_krw"] for row in bookings} == {0}
    assert find_unbalanced_order_ids() == []


def test_a_refund_that_was_under_way_is_finished_and_booked_now(past):
    order = Order.objects.get(pk=past.orders["refunds"].pk)
    make_gateway().cancel(
        payment_key=order.payments.get().payment_key, amount_krw=1_000, reason="then", idempotency_key="then"
    )

    carry_out_refund(refund=Refund.objects.get(pk=past.refunds[2].pk), now=after(days=2), gateway=make_gateway())

    order.refresh_from_db()
    assert (order.status, order.balance_krw) == ("refunded", 0)
    assert entries(order)[5:] == [("refund", "provider", -2_000, None), ("refund", "house", 2_000, None)]


def test_a_line_bought_twice_was_owed_to_the_buyer(past):
    assert entries(past.orders["twice"].pk) == [
        ("charge", "provider", 1_000, None),
        ("charge", "buyer", -1_000, None),
    ]


@pytest.mark.parametrize("name", ["free", "unpaid"])
def test_what_was_never_charged_is_not_booked(past, name):
    assert entries(past.orders[name].pk) == []


def test_an_order_of_the_past_can_still_be_cancelled(past):
    order = Order.objects.get(pk=past.orders["sealed"].pk)

    cancel_sealed_lines(order=order, lines=order.lines.all(), now=after(days=1), gateway=make_gateway())

    order.refresh_from_db()
    assert (order.status, order.balance_krw) == ("refunded", 0)
    assert SandboxPayment.objects.get(order_id=order.number).status == "cancelled"
    assert find_unbalanced_order_ids() == []


def test_what_was_booked_for_the_past_is_not_changed_either(past):
    for change in (lambda: LedgerEntry.objects.update(amount_krw=2), LedgerEntry.objects.all().delete):
        with pytest.raises(DatabaseError, match="a ledger entry is never"), transaction.atomic():
            change()
