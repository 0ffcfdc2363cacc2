"""Virtual accounts: an order waits for a deposit, which comes, never comes, or comes in the moment it is given up."""

from datetime import timedelta

import pytest
from django.core import mail

from checkout import sandbox
from checkout.models import LedgerEntry, Order, Payment, Purchase, Refund, SandboxPayment
from checkout.payments import cancel_waiting_order, check_payment, confirm_payment, start_payment
from checkout.provider import GatewayMisconfigured, GatewayRefused, GatewayUnknown
from checkout.refunds import RefundRefused, cancel_sealed_lines, carry_out_refund, give_back_undelivered
from tests.checkout.gateways import ACCOUNT, ScriptedGateway, afterwards, authorise, changed, make_gateway
from tests.factories import NOON, make_order, make_user

pytestmark = pytest.mark.django_db

LOST = GatewayUnknown("connection_lost")


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def waiting():
    """A payment whose buyer got an account to pay into until seven days from NOON."""
    payment, returned = authorise(make_order(), "deposit")
    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())
    return payment


def after(**distance):
    return NOON + timedelta(**distance)


def state():
    return Order.objects.get().status, Payment.objects.get().status, Purchase.objects.count()


def pay_in():
    sandbox.deposit(SandboxPayment.objects.get())


def give_up(payment, *, now=NOON, gateway=None, **arguments):
    return cancel_waiting_order(order=payment.order, now=now, gateway=gateway or make_gateway(), **arguments)


def test_an_order_waits_for_its_deposit_and_knows_the_account(waiting):
    assert state() == ("waiting", "waiting", 0)
    account = SandboxPayment.objects.get()
    assert (waiting.deposit_bank, waiting.deposit_account) == (sandbox.BANK_CODE, account.deposit_account)
    assert waiting.deposit_due_at == after(days=7)
    assert waiting.is_deposit
    assert waiting.approved_at is None
    assert not LedgerEntry.objects.exists()


def test_a_deposit_delivers_the_order_long_after_its_hour(waiting, time_machine):
    check_payment(payment=waiting, now=after(days=1), gateway=make_gateway())
    assert state() == ("waiting", "waiting", 0)

    time_machine.move_to(after(days=2), tick=False)
    pay_in()
    check_payment(payment=waiting, now=after(days=2), gateway=make_gateway())

    assert state() == ("paid", "paid", 1)
    assert Payment.objects.get().approved_at == after(days=2)


def test_the_account_to_pay_into_is_mailed_once(on_commit):
    payment, returned = authorise(make_order(language="en"), "deposit")
    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())
    check_payment(payment=payment, now=after(minutes=5), gateway=make_gateway())

    payment.refresh_from_db()
    assert [message.subject.split("] ")[1] for message in mail.outbox] == [
        f"Where to pay for your order {payment.order.number}"
    ]
    for text in (mail.outbox[0].body, mail.outbox[0].alternatives[0].content):
        assert payment.deposit_account in text
        assert "5,000" in text


def test_a_deadline_that_the_provider_moves_is_taken_over(waiting):
    sandbox.miss_deposit(SandboxPayment.objects.get())

    check_payment(payment=Payment.objects.get(), now=after(minutes=5), gateway=make_gateway())

    assert Payment.objects.get().deposit_due_at == NOON


def test_an_answer_that_names_no_account_leaves_the_order_being_checked():
    payment, returned = authorise(make_order(), "deposit")

    gateway = ScriptedGateway(confirm=[changed(deposit=None)])
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    assert state() == ("confirming", "confirming", 0)

    check_payment(payment=payment, now=after(seconds=5), gateway=gateway)
    assert state() == ("waiting", "waiting", 0)


def test_an_account_whose_answer_was_lost_is_found_by_a_look_up():
    payment, returned = authorise(make_order(), "deposit")
    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=[afterwards(LOST)]))

    check_payment(payment=payment, now=after(minutes=20), gateway=make_gateway())

    assert state() == ("waiting", "waiting", 0)


def test_a_buyer_gives_the_order_up_and_nobody_can_pay_into_the_account_any_more(waiting):
    assert give_up(waiting)
    assert state() == ("cancelled", "failed", 0)

    pay_in()  # as a bank does that refuses it
    check_payment(payment=waiting, now=after(hours=1), gateway=make_gateway())

    closed = SandboxPayment.objects.get()
    assert (closed.status, closed.charge_count) == ("cancelled", 0)
    assert state() == ("cancelled", "failed", 0)
    assert not LedgerEntry.objects.exists()
    assert not Refund.objects.exists()


def test_an_overdue_order_expires_and_is_cancelled_at_the_provider(waiting, time_machine):
    time_machine.move_to(after(days=8), tick=False)

    assert give_up(waiting, now=after(days=8), code="deposit_overdue")

    assert state() == ("expired", "failed", 0)
    assert SandboxPayment.objects.get().status == "cancelled"
    assert Payment.objects.get().failure_code == "deposit_overdue"


def test_giving_up_twice_asks_once(waiting):
    gateway = ScriptedGateway()

    assert give_up(waiting, gateway=gateway)
    assert not give_up(waiting, gateway=gateway)

    assert gateway.calls == ["cancel"]


def test_only_an_order_that_waits_is_given_up():
    order = make_order()
    start_payment(order=order, now=NOON)
    gateway = ScriptedGateway()

    assert not cancel_waiting_order(order=order, now=NOON, gateway=gateway)
    assert gateway.calls == []


def test_a_deposit_that_comes_in_the_moment_the_order_is_given_up_wins(waiting):
    pay_in()

    assert not give_up(waiting, now=after(seconds=5))

    assert state() == ("paid", "paid", 1)
    assert not SandboxPayment.objects.get().cancels


def test_a_deposit_found_just_before_the_order_is_given_up_stays_delivered(waiting):
    pay_in()
    check_payment(payment=Payment.objects.get(), now=after(seconds=5), gateway=make_gateway())

    assert not give_up(waiting, now=after(seconds=5))

    assert state() == ("paid", "paid", 1)


@pytest.mark.parametrize(
    ("trouble", "given_up"), [(LOST, (False, "waiting", "waiting")), (afterwards(LOST), (True, "cancelled", "failed"))]
)
def test_giving_up_without_an_answer_is_followed_by_a_look_and_never_guessed(waiting, trouble, given_up):
    is_given_up = give_up(waiting, now=after(seconds=5), gateway=ScriptedGateway(cancel=[trouble]))

    assert (is_given_up, *state()[:2]) == given_up
    assert state()[2] == 0


@pytest.mark.parametrize(
    ("error", "is_same"),
    [
        (GatewayUnknown("timeout"), True),
        (GatewayUnknown("FAILED_REFUND_PROCESS", keeps_key=False), False),
        (GatewayRefused("NOT_AVAILABLE_BANK"), False),
        (GatewayMisconfigured("FORBIDDEN_REQUEST"), False),
    ],
)
def test_giving_up_is_tried_again_under_another_key_when_an_answer_was_stored_with_it(waiting, error, is_same):
    gateway = ScriptedGateway(cancel=[error])

    assert not give_up(waiting, now=after(seconds=5), gateway=gateway)
    assert give_up(Payment.objects.get(), now=after(hours=1), gateway=gateway)

    first, second = (request["idempotency_key"] for request in gateway.asked if "idempotency_key" in request)
    assert (first == second) == is_same
    assert state() == ("cancelled", "failed", 0)


def test_a_deposit_is_not_given_up_under_the_key_of_its_charge(waiting):
    gateway = ScriptedGateway()
    key = waiting.idempotency_key

    give_up(waiting, gateway=gateway)

    assert gateway.asked[0]["idempotency_key"] != key


def test_a_late_deposit_of_an_order_that_is_over_goes_back_through_staff_who_know_the_account(waiting):
    pay_in()
    Order.objects.update(status="expired")
    Payment.objects.update(status="failed")

    check_payment(payment=Payment.objects.get(), now=after(days=1), gateway=make_gateway())

    refund = Refund.objects.get()
    assert (refund.reason, refund.status) == ("not_deliverable", "requested")
    assert state() == ("expired", "returning", 0)
    with pytest.raises(RefundRefused):
        give_back(after(days=1, seconds=5), account=None)

    give_back(after(days=1, seconds=5))

    refund.refresh_from_db()
    assert (refund.status, SandboxPayment.objects.get().balance_krw) == ("done", 0)
    assert state() == ("expired", "cancelled", 0)
    with pytest.raises(RefundRefused):
        give_back(after(days=2))


def give_back(now, account=ACCOUNT):
    return give_back_undelivered(
        payment=Payment.objects.get(),
        staff=make_user(),
        note="Paid too late.",
        now=now,
        gateway=make_gateway(),
        refund_account=account,
    )


def test_the_refund_of_a_deposit_is_only_looked_for_without_the_account_it_goes_to(waiting):
    pay_in()
    check_payment(payment=Payment.objects.get(), now=after(minutes=5), gateway=make_gateway())
    order = Order.objects.get()
    gateway = ScriptedGateway(cancel=[GatewayUnknown("FAILED_REFUND_PROCESS", keeps_key=False)])
    request = {"order": order, "lines": list(order.lines.all()), "gateway": gateway, "refund_account": ACCOUNT}
    refund = cancel_sealed_lines(now=after(minutes=6), **request)

    carry_out_refund(refund=refund, now=after(minutes=7), gateway=gateway)

    assert (refund.status, gateway.calls) == ("requested", ["cancel", "look_up"])
    assert cancel_sealed_lines(now=after(minutes=8), **request).status == "done"
