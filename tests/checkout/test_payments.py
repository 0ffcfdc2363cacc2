"""What happens to an order when the provider answers late, wrongly or not at all."""

from datetime import timedelta

import pytest
from django.utils import translation

from accounts.deletion import erase_account
from accounts.models import User
from checkout import orders, payments
from checkout.failures import explain_failure
from checkout.gateway import Gateway, get_gateway, provider_in_use
from checkout.models import Entitlement, LedgerEntry, Order, Payment, PaymentEvent, Purchase, Refund, SandboxPayment
from checkout.payments import (
    GIVE_UP_AFTER,
    PaymentRefused,
    check_payment,
    confirm_payment,
    describe_order,
    open_window,
    start_payment,
)
from checkout.provider import GatewayMisconfigured, GatewayRefused, GatewayUnknown, ProviderState
from tests.checkout.gateways import ScriptedGateway, afterwards, authorise, changed, make_gateway
from tests.factories import NOON, make_order, make_payment, make_prompt, make_purchase

pytestmark = pytest.mark.django_db

LOST = GatewayUnknown("connection_lost")


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def after(**distance):
    return NOON + timedelta(**distance)


def state():
    return Order.objects.get().status, Payment.objects.get().status, Purchase.objects.count()


# --- Beginning


def test_a_window_opened_again_is_the_same_attempt_at_the_same_address():
    order = make_order()

    first, again = (start_payment(order=order, now=after(minutes=n)) for n in (0, 5))

    assert first == again
    assert first.provider_order_id == order.number
    addresses = {open_window(payment=first, base_url="http://testserver") for _ in range(2)}
    assert addresses == {f"/sandbox/{first.reference}/"}
    assert SandboxPayment.objects.count() == 1


def test_each_attempt_after_one_that_led_nowhere_has_an_order_id_of_its_own():
    order = make_order()
    first, returned = authorise(order, "refuse")
    with pytest.raises(PaymentRefused):
        confirm_payment(payment=first, **returned, now=NOON, gateway=make_gateway())
    second = start_payment(order=order, now=NOON)
    payments.note_failure(payment=second, code="PAY_PROCESS_CANCELED", now=NOON)

    third, returned = authorise(order)
    confirm_payment(payment=third, **returned, now=NOON, gateway=make_gateway())

    names = Payment.objects.order_by("provider_order_id").values_list("provider_order_id", "status")
    number = order.number
    assert list(names) == [(number, "failed"), (f"{number}_2", "ready"), (f"{number}_3", "paid")]
    assert Purchase.objects.get().payment_order_id == f"{number}_3"


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "paid", "paid_at": NOON},
        {"status": "confirming"},
        {"status": "waiting"},
        {"status": "cancelled"},
        {"status": "expired"},
        {"expires_at": after(seconds=1)},
    ],
)
def test_no_window_opens_for_an_order_that_cannot_be_paid(fields):
    order = make_order(**fields)

    with pytest.raises(PaymentRefused):
        start_payment(order=order, now=after(seconds=1))
    assert not Payment.objects.exists()


def test_an_attempt_at_another_provider_is_not_opened_again(settings):
    order = make_order()
    first = start_payment(order=order, now=NOON)
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = "test_ck_x", "test_sk_x"

    second = start_payment(order=order, now=NOON)

    assert (first.provider, second.provider) == ("sandbox", "toss")


# --- Charging


def test_keys_that_the_provider_refuses_fail_the_order_and_name_no_code():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[GatewayMisconfigured("UNAUTHORIZED_KEY")])

    with pytest.raises(PaymentRefused) as refused:
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    assert "UNAUTHORIZED_KEY" not in str(refused.value)
    assert state() == ("failed", "failed", 0)


def test_a_refusal_after_an_unanswered_request_says_nothing_of_the_first():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[GatewayUnknown("timeout"), GatewayRefused("NOT_FOUND_PAYMENT_SESSION")])

    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    check_payment(payment=payment, now=after(seconds=5), gateway=gateway)
    assert state() == ("confirming", "confirming", 0)

    check_payment(payment=payment, now=after(seconds=10), gateway=gateway)
    assert state() == ("paid", "paid", 1)
    assert SandboxPayment.objects.get().charge_count == 1


@pytest.mark.parametrize("keeps_key", [True, False])
def test_the_idempotency_key_is_used_again_only_when_no_answer_was_stored_with_it(keeps_key):
    payment, returned = authorise(make_order())
    first_key = payment.idempotency_key
    gateway = ScriptedGateway(confirm=[GatewayUnknown("PROVIDER_ERROR", keeps_key=keeps_key)])

    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    check_payment(payment=payment, now=after(seconds=5), gateway=gateway)

    assert gateway.calls == ["confirm", "look_up", "confirm"]
    used = [request["idempotency_key"] for request in gateway.asked if "idempotency_key" in request]
    assert used[0] == first_key
    assert (used[1] == first_key) == keeps_key
    assert state() == ("paid", "paid", 1)
    assert SandboxPayment.objects.get().charge_count == 1


def test_a_lost_answer_is_looked_up_before_anybody_asks_again():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[afterwards(LOST)])

    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    assert state() == ("confirming", "confirming", 0)
    check_payment(payment=payment, now=after(seconds=2), gateway=gateway)

    assert gateway.calls == ["confirm", "look_up"]
    assert state() == ("paid", "paid", 1)


def test_a_payment_the_provider_never_heard_of_fails_after_a_quarter_of_an_hour_only():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[LOST], look_up=[lambda answer: None] * 3)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    check_payment(payment=payment, now=NOON + GIVE_UP_AFTER, gateway=gateway)
    assert state() == ("confirming", "confirming", 0)
    check_payment(payment=payment, now=after(minutes=16), gateway=gateway)
    assert state() == ("failed", "failed", 0)


def test_an_authorised_payment_that_lapsed_at_the_provider_fails(time_machine):
    payment, returned = authorise(make_order())
    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=[LOST]))

    time_machine.move_to(after(minutes=11), tick=False)
    check_payment(payment=payment, now=after(minutes=11), gateway=make_gateway())

    assert state() == ("failed", "failed", 0)
    assert SandboxPayment.objects.get().charge_count == 0


def test_the_answer_for_another_payment_delivers_nothing():
    payment, returned = authorise(make_order())
    other = ScriptedGateway(confirm=[changed(order_id="PJ261122-AAAAAAAA")], look_up=[changed(payment_key="other")])

    confirm_payment(payment=payment, **returned, now=NOON, gateway=other)
    check_payment(payment=payment, now=after(seconds=5), gateway=other)

    assert state() == ("confirming", "confirming", 0)


def test_many_pages_that_poll_ask_the_provider_once_in_two_seconds():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[GatewayUnknown("timeout")], look_up=[GatewayUnknown("timeout")] * 9)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    for milliseconds in range(3_000, 8_000, 250):
        check_payment(payment=payment, now=after(milliseconds=milliseconds), gateway=gateway)

    assert gateway.calls.count("look_up") == 3


def test_pages_that_poll_write_one_event_for_one_answer():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[LOST] * 4)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    for seconds in (5, 10, 15):
        check_payment(payment=payment, now=after(seconds=seconds), gateway=gateway)

    assert list(payment.events.filter(kind="looked_up").values_list("outcome", flat=True)) == ["IN_PROGRESS"]


def test_a_second_payment_of_an_order_being_checked_is_not_charged():
    order = make_order()
    first, returned = authorise(order)
    second = make_payment(order=order)
    confirm_payment(payment=first, **returned, now=NOON, gateway=ScriptedGateway(confirm=[GatewayUnknown("timeout")]))
    gateway = ScriptedGateway()

    confirm_payment(
        payment=Payment.objects.get(pk=second.pk),
        payment_key="k2",
        order_id=second.provider_order_id,
        amount_krw=5_000,
        now=NOON,
        gateway=gateway,
    )

    assert gateway.calls == []
    second.refresh_from_db()
    assert second.status == "ready"


def test_a_failed_attempt_opened_again_is_told_the_same_and_asks_nobody():
    payment, returned = authorise(make_order(), "refuse")
    for gateway, calls in [(ScriptedGateway(), ["confirm"]), (ScriptedGateway(), [])]:
        with pytest.raises(PaymentRefused):
            confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
        assert gateway.calls == calls
    assert state() == ("failed", "failed", 0)


def test_a_payment_key_of_another_order_stays_free_for_that_order():
    one, others = make_order(), make_order()
    payment, _ = authorise(one)
    other_payment, other_returned = authorise(others)
    stolen = other_returned | {"order_id": payment.provider_order_id}

    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **stolen, now=NOON, gateway=make_gateway())
    confirm_payment(payment=other_payment, **other_returned, now=NOON, gateway=make_gateway())

    assert sorted(Order.objects.values_list("status", flat=True)) == ["failed", "paid"]
    assert Purchase.objects.get().buyer == others.buyer


def test_a_payment_key_of_another_order_is_freed_even_when_its_refusal_got_lost():
    one, others = make_order(), make_order()
    payment, _ = authorise(one)
    other_payment, other_returned = authorise(others)
    stolen = other_returned | {"order_id": payment.provider_order_id}
    lost = ScriptedGateway(confirm=[GatewayUnknown("timeout")])

    confirm_payment(payment=payment, **stolen, now=NOON, gateway=lost)
    check_payment(payment=payment, now=after(minutes=1), gateway=make_gateway())
    confirm_payment(payment=other_payment, **other_returned, now=after(minutes=2), gateway=make_gateway())

    assert sorted(Order.objects.values_list("status", flat=True)) == ["failed", "paid"]
    assert Purchase.objects.get().buyer == others.buyer


# --- A process that stops in the middle


def test_a_crash_between_the_charge_and_the_delivery_is_finished_by_a_look_up(monkeypatch):
    payment, returned = authorise(make_order())

    def crash(**arguments):
        raise RuntimeError("power cut")

    monkeypatch.setattr(payments, "fulfil_order", crash)
    with pytest.raises(RuntimeError):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())
    assert state() == ("confirming", "confirming", 0)

    monkeypatch.undo()
    check_payment(payment=payment, now=after(seconds=5), gateway=make_gateway())
    assert state() == ("paid", "paid", 1)
    assert SandboxPayment.objects.get().charge_count == 1


def test_a_crash_inside_the_delivery_leaves_nothing_half_done(monkeypatch):
    payment, returned = authorise(make_order())

    def crash(**arguments):
        raise RuntimeError("power cut")

    monkeypatch.setattr(orders, "empty_cart_of", crash)
    with pytest.raises(RuntimeError):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())

    assert state() == ("confirming", "confirming", 0)
    assert not LedgerEntry.objects.exists()


def test_a_search_index_that_fails_does_not_cost_the_purchase(monkeypatch):
    from django.db import DatabaseError

    from catalog import listings

    payment, returned = authorise(make_order())

    def fail(*arguments, **options):
        raise DatabaseError("index is broken")

    monkeypatch.setattr(listings, "index_prompts", fail)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())

    assert state() == ("paid", "paid", 1)


# --- Charges that nobody expected: delivered while they can be, else given back


def charge_at_provider(order, **fields):
    """An attempt of the order that we gave up, or never heard of again, and that the provider has charged."""
    payment, returned = authorise(order)
    make_gateway().confirm(**returned, idempotency_key="by somebody else")
    if fields:
        Payment.objects.filter(pk=payment.pk).update(**fields)
    return Payment.objects.select_related("order__buyer").get(pk=payment.pk)


@pytest.mark.parametrize(
    ("order_status", "fields"),
    [
        ("pending", {}),  # a restored backup: we know of nothing but the window
        ("failed", {"status": "failed", "failure_code": "not_found"}),
        ("pending", {"failure_code": "PAY_PROCESS_CANCELED"}),
    ],
)
def test_a_charge_that_we_had_given_up_is_delivered_while_the_order_can_be(order_status, fields):
    order = make_order()
    payment = charge_at_provider(order, **fields)
    Order.objects.update(status=order_status)

    assert check_payment(payment=payment, now=after(minutes=30), gateway=make_gateway())

    assert state() == ("paid", "paid", 1)
    payment.refresh_from_db()
    assert (payment.payment_key, payment.failure_code) == (SandboxPayment.objects.get().pk, "")
    assert not SandboxPayment.objects.get().cancels


@pytest.mark.parametrize(("order_status", "shown"), [("expired", "expired"), ("cancelled", "cancelled")])
def test_a_late_charge_of_an_order_that_is_over_is_given_back(order_status, shown):
    payment = charge_at_provider(make_order(), status="failed")
    Order.objects.update(status=order_status)

    for minutes in (30, 31):
        check_payment(payment=payment, now=after(minutes=minutes), gateway=make_gateway())

    assert state() == (order_status, "cancelled", 0)
    given_back = SandboxPayment.objects.get()
    assert (given_back.balance_krw, len(given_back.cancels)) == (0, 1)
    refund = Refund.objects.get()
    assert (refund.reason, refund.status, refund.amount_krw) == ("not_deliverable", "done", 5_000)
    assert not refund.lines.exists()


def test_a_late_charge_is_given_back_when_another_attempt_has_paid():
    order = make_order()
    late = charge_at_provider(order, status="failed", failure_code="not_found")
    Order.objects.update(status="failed")
    order.refresh_from_db()
    second, returned = authorise(order)
    confirm_payment(payment=second, **returned, now=NOON, gateway=make_gateway())

    check_payment(payment=late, now=after(minutes=30), gateway=make_gateway())

    order.refresh_from_db()
    assert order.status == "paid"
    assert Purchase.objects.count() == 1
    books = SandboxPayment.objects.order_by("order_id").values_list("order_id", "balance_krw", "charge_count")
    assert list(books) == [(order.number, 0, 1), (f"{order.number}_2", 5_000, 1)]
    assert dict(Payment.objects.values_list("provider_order_id", "status")) == {
        order.number: "cancelled",
        f"{order.number}_2": "paid",
    }


def test_a_late_charge_is_given_back_while_another_attempt_is_being_checked():
    order = make_order()
    late = charge_at_provider(order, status="failed", failure_code="not_found")
    Order.objects.update(status="failed")
    order.refresh_from_db()
    second, returned = authorise(order)
    gateway = ScriptedGateway(confirm=[afterwards(LOST)])
    confirm_payment(payment=second, **returned, now=NOON, gateway=gateway)

    check_payment(payment=late, now=after(minutes=5), gateway=gateway)
    order.refresh_from_db()
    assert order.status == "confirming"
    check_payment(payment=second, now=after(minutes=5), gateway=gateway)

    order.refresh_from_db()
    assert order.status == "paid"
    assert list(SandboxPayment.objects.order_by("order_id").values_list("balance_krw", flat=True)) == [0, 5_000]


def test_a_charge_of_another_amount_is_given_back_in_full():
    payment, returned = authorise(make_order())
    SandboxPayment.objects.update(amount_krw=5_100, balance_krw=5_100, status="done", charge_count=1, approved_at=NOON)

    confirm = [GatewayUnknown("ALREADY_PROCESSED_PAYMENT", keeps_key=False)]
    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=confirm))
    check_payment(payment=payment, now=after(seconds=5), gateway=make_gateway())

    assert SandboxPayment.objects.get().balance_krw == 0
    assert state() == ("cancelled", "cancelled", 0)
    payment.refresh_from_db()
    assert (payment.amount_krw, payment.failure_code) == (5_100, "given_back_amount")
    assert Refund.objects.get().amount_krw == 5_100


def test_who_comes_back_with_a_charge_of_another_amount_is_told_that_it_goes_back():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[changed(amount_krw=1, balance_krw=1)])

    with pytest.raises(PaymentRefused, match=r"back to you in full|전액"):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    assert SandboxPayment.objects.get().balance_krw == 0
    assert state() == ("cancelled", "cancelled", 0)


def test_a_charge_for_an_order_that_was_cancelled_meanwhile_is_given_back():
    order = make_order()
    payment, returned = authorise(order)

    def cancel_order(answer):
        Order.objects.filter(pk=order.pk).update(status="cancelled")
        return answer

    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=[cancel_order]))

    assert SandboxPayment.objects.get().balance_krw == 0
    assert state() == ("cancelled", "cancelled", 0)


def test_a_charge_that_was_cancelled_at_the_provider_before_we_heard_of_it_delivers_nothing():
    payment = charge_at_provider(make_order())
    charged = SandboxPayment.objects.get()
    make_gateway().cancel(payment_key=charged.pk, amount_krw=None, reason="in the dashboard", idempotency_key="x")

    for seconds in (0, 10, 20):
        check_payment(payment=payment, now=after(seconds=seconds), gateway=make_gateway())

    assert state() == ("cancelled", "cancelled", 0)
    assert Refund.objects.get().status == "done"
    charged.refresh_from_db()
    assert len(charged.cancels) == 1


@pytest.mark.parametrize("trouble", [LOST, afterwards(LOST)])
def test_giving_back_that_gets_no_answer_is_tried_again_and_done_once(trouble):
    payment, returned = authorise(make_order())

    def cancel_order(answer):
        Order.objects.update(status="cancelled")
        return answer

    gateway = ScriptedGateway(confirm=[cancel_order], cancel=[trouble])
    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    assert state() == ("cancelled", "returning", 0)
    assert Refund.objects.get().status == "requested"

    check_payment(payment=payment, now=after(seconds=5), gateway=gateway)
    assert state() == ("cancelled", "cancelled", 0)
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_a_charge_that_is_being_given_back_is_never_delivered():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[changed(amount_krw=1, balance_krw=1)], cancel=[LOST] * 3)

    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    check_payment(payment=payment, now=after(seconds=5), gateway=gateway)  # which says the right amount again

    assert state() == ("cancelled", "returning", 0)


# --- A prompt that cannot be bought any more


def test_a_prompt_bought_elsewhere_meanwhile_is_not_charged(buyer):
    prompt = make_prompt()
    payment, returned = authorise(make_order(buyer=buyer, prompts=[prompt]))
    make_purchase(buyer=buyer, prompt=prompt)
    gateway = ScriptedGateway()

    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    assert gateway.calls == []
    payment.refresh_from_db()
    assert (payment.order.status, payment.failure_code) == ("cancelled", "not_buyable")


# --- Names and providers


def test_the_sandbox_serves_debug_or_whoever_asks_for_it_by_name(settings):
    settings.DEBUG, settings.TOSS_SANDBOX, settings.TOSS_SECRET_KEY = False, False, ""
    assert provider_in_use() == ""
    with pytest.raises(GatewayMisconfigured):
        get_gateway()
    with pytest.raises(GatewayMisconfigured):
        start_payment(order=make_order(), now=NOON)
    settings.TOSS_SANDBOX = True
    assert get_gateway().provider == "sandbox"
    assert isinstance(get_gateway(), Gateway)
    settings.TOSS_SECRET_KEY = "test_sk_x"
    assert provider_in_use() == "toss"
    settings.TOSS_SANDBOX = False
    with pytest.raises(GatewayMisconfigured):  # it would deliver for nothing
        get_gateway("sandbox")


def test_without_a_provider_the_order_waits_and_the_buyer_is_told(buyer, buyer_client, settings):
    settings.TOSS_SANDBOX = False
    order = make_order(buyer=buyer)

    answer = buyer_client.post(f"/orders/{order.number}/payment/", follow=True, headers={"Accept-Language": "en"})

    assert "Payments are not available at the moment" in answer.content.decode()
    assert Order.objects.get().status == "pending"


@pytest.mark.parametrize(("titles", "name"), [(["One"], "One"), (["One", "Two", "Three"], "One and 2 more")])
def test_an_order_is_named_for_the_provider_within_its_limit(titles, name):
    with translation.override("en"):
        assert describe_order(make_order(prompts=[make_prompt(title=title) for title in titles])) == name
        long = describe_order(make_order(prompts=[make_prompt(title="가" * 300), make_prompt()]))
    assert len(long) == 100
    assert long.endswith(" and 1 more")


def test_the_sandbox_charges_once_and_replays_its_answers():
    order = make_order()
    _payment, returned = authorise(order)
    gateway = make_gateway()
    request = returned | {"idempotency_key": "a"}

    first = gateway.confirm(**request)
    assert first.state == ProviderState.DONE
    assert gateway.confirm(**request) == first
    with pytest.raises(GatewayUnknown):
        gateway.confirm(**request | {"idempotency_key": "b"})
    assert gateway.look_up(payment_key=returned["payment_key"]) == first
    assert gateway.look_up_order(order_id=order.number) == first
    assert gateway.look_up(payment_key="nobody") is None
    assert SandboxPayment.objects.get().charge_count == 1


def test_the_sandbox_gives_back_parts_until_nothing_is_left():
    _payment, returned = authorise(make_order())
    gateway = make_gateway()
    gateway.confirm(**returned, idempotency_key="a")
    key = returned["payment_key"]

    part = gateway.cancel(payment_key=key, amount_krw=2_000, reason="x", idempotency_key="r1")
    again = gateway.cancel(payment_key=key, amount_krw=2_000, reason="x", idempotency_key="r1")
    assert (part.balance_krw, again.balance_krw) == (3_000, 3_000)
    # Not a definite no: an earlier request may have given back what this one asks for.
    with pytest.raises(GatewayUnknown, match="NOT_CANCELABLE_AMOUNT"):
        gateway.cancel(payment_key=key, amount_krw=3_001, reason="x", idempotency_key="r2")
    rest = gateway.cancel(payment_key=key, amount_krw=None, reason="x", idempotency_key="r3")
    assert (rest.balance_krw, rest.state) == (0, ProviderState.PARTLY_CANCELLED)  # as the real provider says it


@pytest.mark.parametrize("end", ["erased", "suspended"])
def test_somebody_who_can_no_longer_sign_in_is_not_charged(end, buyer):
    payment, returned = authorise(make_order(buyer=buyer))
    if end == "erased":
        erase_account(user=buyer, now=NOON)
    else:
        User.objects.filter(pk=buyer.pk).update(is_active=False)
    payment = Payment.objects.select_related("order__buyer").get()

    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())

    assert SandboxPayment.objects.get().status == "in_progress"


def test_a_charge_of_somebody_suspended_meanwhile_goes_back(buyer):
    payment, returned = authorise(make_order(buyer=buyer))
    gateway = ScriptedGateway(confirm=[GatewayUnknown("timeout")])
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    User.objects.filter(pk=buyer.pk).update(is_active=False)

    check_payment(payment=Payment.objects.get(), now=after(seconds=6), gateway=make_gateway())

    assert (Order.objects.get().status, Entitlement.objects.count()) == ("cancelled", 0)
    assert SandboxPayment.objects.get().balance_krw == 0


def test_keys_that_the_provider_refuses_are_not_blamed_on_the_card(buyer):
    payment, returned = authorise(make_order(buyer=buyer))
    gateway = ScriptedGateway(confirm=[GatewayMisconfigured("UNAUTHORIZED_KEY")])

    with pytest.raises(PaymentRefused, match=str(explain_failure("no_gateway"))):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    assert Payment.objects.get().failure_code == "no_gateway"
    assert PaymentEvent.objects.get(kind="confirm_answered").outcome == "UNAUTHORIZED_KEY"
