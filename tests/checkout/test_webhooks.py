"""Webhooks: hints that anybody can send, stored once and believed never."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from checkout import sandbox, webhooks
from checkout.models import Order, Payment, PaymentEvent, Purchase, Refund, SandboxPayment
from checkout.payments import confirm_payment
from checkout.provider import GatewayUnknown
from checkout.refunds import cancel_sealed_lines
from checkout.webhooks import HINTS_PER_PAYMENT, Malformed, handle_hint, look_soon, read_hint
from marketplace import background
from tests.checkout.gateways import ScriptedGateway, afterwards, authorise, make_gateway
from tests.factories import NOON, make_order, make_paid_order, make_payment, make_prompt, make_sandbox_payment
from tests.toss.fixtures import toss, toss_process  # noqa: F401

pytestmark = pytest.mark.django_db

URL = "/payments/webhook/"
LOST = GatewayUnknown("connection_lost")
HEADERS = {
    "tosspayments-webhook-transmission-id": "b2f4c1d0-0001",
    "tosspayments-webhook-transmission-time": "2026-11-22T21:00:00+09:00",
    "tosspayments-webhook-transmission-retried-count": "2",
}


@pytest.fixture(autouse=True)
def _no_look_up_is_expected():
    webhooks._expected.clear()
    webhooks._sleeping.clear()


@pytest.fixture
def at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def use(monkeypatch):
    """Let webhooks ask this gateway."""

    def use(gateway):
        monkeypatch.setattr(webhooks, "get_gateway", lambda provider: gateway)
        return gateway

    return use


def changed(payment, *, state="DONE", **data):
    data = {"orderId": payment.provider_order_id, "paymentKey": "tpay_1234567890abcdef", "status": state, **data}
    return {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-22T21:00:00.12345", "data": data}


def deposited(payment, *, state="DONE", **members):
    return {
        "createdAt": "2026-11-22T21:00:00.123456",
        "secret": "ps_0123456789",
        "status": state,
        "transactionKey": "T1",
        "orderId": payment.provider_order_id,
        **members,
    }


def post(body, *, client=None, headers=HEADERS):
    """body: JSON, or the bytes themselves. The status, for an answer that is a small text in every case."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = (client or Client()).post(URL, content, content_type="application/json", headers=headers)
    assert answer["Content-Type"].startswith("text/plain")
    assert len(answer.content) < 50
    assert not answer.cookies
    return answer.status_code


def hints():
    return PaymentEvent.objects.filter(kind="webhook")


def lost_confirm():
    """A payment that was charged while the answer got lost: in doubt."""
    payment, returned = authorise(make_order(expires_at=NOON + timedelta(hours=1)))
    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=[afterwards(LOST)]))
    payment.refresh_from_db()
    assert payment.status == "confirming"
    return payment


# --- What is stored


def test_a_hint_finishes_a_payment_whose_answer_got_lost(at_noon):
    payment = lost_confirm()

    assert post(changed(payment)) == 200

    assert Order.objects.get().status == "paid"
    hint = hints().get()
    assert (hint.order, hint.payment, hint.outcome, hint.handled_at) == (payment.order, payment, "DONE", NOON)
    assert hint.detail == {
        "event": "PAYMENT_STATUS_CHANGED",
        "received_count": 1,
        "payment_key": "…abcdef",
        "transmission_id": "b2f4c1d0-0001",
        "retried_count": 2,
    }


def test_neither_the_secret_nor_a_whole_key_is_stored(at_noon):
    payment = make_payment(order=make_order())
    secret = "ps_verysecret0987"

    post(deposited(payment, secret=secret))
    post(changed(payment, secret=secret, card={"number": "43301234****123*"}, paymentKey="tpay_whole_key_of_it"))

    stored = json.dumps(list(PaymentEvent.objects.values()), default=str)
    assert hints().count() == 2
    assert secret not in stored
    assert "whole_key" not in stored
    assert "4330" not in stored


def test_headers_that_are_none_are_left_out(at_noon):
    payment = make_payment(order=make_order())

    headers = dict.fromkeys(HEADERS, "<script>😀" + "9" * 100)
    assert post(changed(payment), headers={name: value.encode().decode("latin-1") for name, value in headers.items()})

    assert set(hints().get().detail) == {"event", "received_count", "payment_key"}


def test_a_hint_finds_its_payment_by_the_key_when_it_has_no_order_id(at_noon):
    order = make_paid_order()
    payment = order.payments.get()

    assert post(changed(payment, orderId=None, paymentKey=payment.payment_key)) == 200

    assert hints().get().payment == payment


def test_the_cancel_of_an_overseas_payment_is_found_by_the_mark_of_its_refund(at_noon):
    order = make_paid_order(prompts=[make_prompt(), make_prompt()])
    line = order.lines.first()
    gateway = ScriptedGateway(cancel=[afterwards(LOST)])
    refund = cancel_sealed_lines(order=order, lines=[line], now=NOON, gateway=gateway)
    assert refund.status == "requested"

    body = {"eventType": "CANCEL_STATUS_CHANGED", "createdAt": "2026-11-22T21:00:00"}
    data = {"transactionKey": "T9", "cancelReason": f"buyer_cancelled {refund.mark}", "cancelStatus": "DONE"}
    assert post(body | {"data": data}) == 200

    assert hints().get().payment == order.payments.get()
    assert Refund.objects.get().status == "done"
    assert SandboxPayment.objects.get().balance_krw == 5_000
    assert post(body | {"data": data | {"cancelReason": "0" * 32}}) == 200
    assert hints().count() == 1


def test_hints_about_nothing_of_ours_and_other_events_leave_nothing(at_noon, django_assert_max_num_queries):
    make_payment(order=make_order())
    stranger = {"orderId": "PJ000000-AAAAAAAA", "paymentKey": "tpay_of_somebody", "status": "DONE"}

    with django_assert_max_num_queries(4):
        assert post({"eventType": "PAYMENT_STATUS_CHANGED", "data": stranger}) == 200
        assert post({"status": "DONE", "orderId": "PJ000000-AAAAAAAA", "transactionKey": None}) == 200
        for event_type in ("BILLING_DELETED", "METHOD_UPDATED", "payout.changed", "TOMORROW"):
            assert post({"eventType": event_type, "data": None}) == 200

    assert not PaymentEvent.objects.exists()


def test_what_is_said_again_is_stored_once_and_looked_into_again(at_noon, use):
    payment = lost_confirm()
    gateway = use(ScriptedGateway())

    for seconds in (0, 5, 10):
        at_noon.move_to(NOON + timedelta(seconds=seconds), tick=False)
        post(changed(payment) | {"createdAt": f"2026-11-22T21:00:{seconds:02}"}, headers={})

    hint = hints().get()
    assert gateway.calls == ["look_up"] * 3
    assert hint.detail["received_count"] == 3
    assert hint.handled_at == NOON + timedelta(seconds=10)
    assert Purchase.objects.count() == 1


def test_a_deposit_that_comes_and_goes_is_looked_up_each_time(at_noon, use):
    payment, returned = authorise(make_order(), "deposit")
    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())
    gateway = use(ScriptedGateway())

    for seconds, state in ((5, "DONE"), (10, "WAITING_FOR_DEPOSIT"), (15, "DONE")):
        at_noon.move_to(NOON + timedelta(seconds=seconds), tick=False)
        if seconds == 15:
            sandbox.deposit(SandboxPayment.objects.get())
        post(deposited(payment, state=state))

    assert gateway.calls == ["look_up"] * 3
    assert hints().count() == 2
    assert Order.objects.get().status == "paid"


def test_a_payment_has_so_many_hints_and_no_more_however_many_are_made_up(at_noon, use):
    payment = make_payment(order=make_order())
    make_sandbox_payment(payment=payment, status="ready")
    gateway = use(ScriptedGateway())

    for number in range(HINTS_PER_PAYMENT + 30):
        assert post(changed(payment, lastTransactionKey="x", transactionKey=f"T{number}")) == 200

    assert hints().count() == HINTS_PER_PAYMENT
    assert gateway.calls == ["look_up_order"]
    at_noon.shift(timedelta(seconds=2))
    post(changed(payment, transactionKey="one more"))
    assert gateway.calls == ["look_up_order"] * 2
    assert not hints().filter(handled_at=None).exists()


# --- What it changes


@pytest.mark.parametrize("state", ["DONE", "CANCELED", "PARTIAL_CANCELED", "ABORTED", "EXPIRED", "WAITING_FOR_DEPOSIT"])
def test_nothing_that_a_forged_hint_says_changes_anything(at_noon, state):
    paid = make_paid_order()
    unpaid = make_order()
    make_sandbox_payment(payment=make_payment(order=unpaid), status="ready")

    for order in (paid, unpaid):
        payment = order.payments.get()
        for body in (changed(payment, state=state, totalAmount=1, balanceAmount=0), deposited(payment, state=state)):
            assert post(body) == 200
            at_noon.shift(timedelta(seconds=2))

    assert {order.status for order in Order.objects.all()} == {"paid", "pending"}
    assert {payment.status for payment in Payment.objects.all()} == {"paid", "ready"}
    assert Purchase.objects.count() == 1
    assert not hints().filter(handled_at=None).exists()


def test_a_hint_that_comes_before_the_answer_to_the_charge_delivers_once(at_noon):
    payment, returned = authorise(make_order())

    def tell(answer):
        assert post(changed(payment, paymentKey=answer.payment_key)) == 200
        assert Order.objects.get().status == "paid"
        return answer

    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=[tell]))

    assert (Order.objects.get().status, Purchase.objects.count()) == ("paid", 1)


def test_a_hint_without_an_answer_to_its_look_up_waits(at_noon, use):
    payment = lost_confirm()
    use(ScriptedGateway(look_up=[LOST]))

    assert post(changed(payment)) == 200
    assert hints().get().handled_at is None
    assert Order.objects.get().status == "confirming"

    at_noon.shift(timedelta(seconds=2))
    assert handle_hint(event_id=hints().get().pk)
    assert hints().get().handled_at == NOON + timedelta(seconds=2)
    assert Order.objects.get().status == "paid"


def test_a_flood_of_hints_asks_once_in_two_seconds_and_nobody_sleeps(at_noon, use, monkeypatch):
    payment = lost_confirm()
    gateway = use(ScriptedGateway(look_up=[LOST] * 9))
    monkeypatch.setattr(webhooks.time, "sleep", lambda seconds: pytest.fail("it sleeps in the request"))

    for number in range(20):
        assert post(changed(payment, transactionKey=f"T{number}")) == 200

    assert gateway.calls == ["look_up"]
    assert hints().filter(handled_at=None).count() == 20
    at_noon.shift(timedelta(seconds=2))
    gateway.scripts = {}
    post(changed(payment, transactionKey="T0"))
    assert gateway.calls == ["look_up"] * 2
    assert not hints().filter(handled_at=None).exists()


def test_a_hint_for_a_provider_that_is_switched_off_waits(at_noon, settings):
    payment = make_payment(order=make_order())
    settings.TOSS_SANDBOX = False

    assert post(changed(payment)) == 200

    assert hints().get().handled_at is None


def test_a_hint_told_again_while_its_payment_is_looked_up_is_not_done_with(at_noon, use):
    payment = lost_confirm()
    told_again = []

    def tell_again(answer):
        if not told_again:
            told_again.append(True)
            assert post(changed(payment)) == 200  # its own look-up comes too early
        return answer

    use(ScriptedGateway(look_up=[tell_again]))
    post(changed(payment))

    hint = hints().get()
    assert hint.detail["received_count"] == 2
    assert hint.handled_at is None


# --- In the background


def test_a_background_thread_waits_for_what_is_left_of_two_seconds(at_noon, use, settings, monkeypatch):
    settings.BACKGROUND_THREADS = 4
    payment = lost_confirm()
    event = PaymentEvent.objects.create(kind="webhook", order=payment.order, payment=payment, detail={})
    Payment.objects.update(looked_up_at=NOON - timedelta(seconds=0.5))
    slept = []
    monkeypatch.setattr(
        webhooks.time, "sleep", lambda seconds: (slept.append(seconds), at_noon.shift(timedelta(seconds=seconds)))
    )
    gateway = use(ScriptedGateway(look_up=[LOST]))

    assert handle_hint(event_id=event.pk)

    assert slept == [1.5, 2.0]
    assert gateway.calls == ["look_up"] * 2
    assert hints().get().handled_at == NOON + timedelta(seconds=3.5)


def test_waiting_ends_after_a_few_times(at_noon, use, settings, monkeypatch):
    settings.BACKGROUND_THREADS = 4
    payment = lost_confirm()
    event = PaymentEvent.objects.create(kind="webhook", order=payment.order, payment=payment, detail={})
    monkeypatch.setattr(webhooks.time, "sleep", lambda seconds: at_noon.shift(timedelta(seconds=seconds)))
    gateway = use(ScriptedGateway(look_up=[LOST] * 9))

    assert not handle_hint(event_id=event.pk)

    assert gateway.calls == ["look_up"] * webhooks.TRIES
    assert hints().get().handled_at is None


def test_at_most_half_of_the_threads_sleep_and_one_for_each_payment(at_noon, use, settings, monkeypatch):
    settings.BACKGROUND_THREADS = 4
    payments = [make_payment(order=make_order(), looked_up_at=NOON) for _ in range(3)]
    events = [PaymentEvent.objects.create(kind="webhook", order=p.order, payment=p, detail={}) for p in payments]
    use(ScriptedGateway())
    sleeping = []

    def sleep(seconds):
        sleeping.append(len(webhooks._sleeping))
        assert not handle_hint(event_id=events[0].pk)  # somebody waits for it already
        if len(sleeping) < 3:
            handle_hint(event_id=events[len(sleeping)].pk)

    monkeypatch.setattr(webhooks.time, "sleep", sleep)
    handle_hint(event_id=events[0].pk)

    assert max(sleeping) == 2
    assert not webhooks._sleeping


def test_many_hints_of_one_payment_are_one_task_until_it_is_looked_up(at_noon, monkeypatch):
    payment = lost_confirm()
    tasks = []

    class Future:
        def add_done_callback(self, call):
            tasks[-1]["done"] = call

    monkeypatch.setattr(webhooks, "run_soon", lambda call, **given: (tasks.append({"call": call} | given), Future())[1])
    for number in range(5):
        assert post(changed(payment, transactionKey=f"T{number}")) == 200
    assert len(tasks) == 1

    assert handle_hint(event_id=tasks[0]["event_id"])
    assert not hints().filter(handled_at=None).exists()
    tasks[0]["done"](None)
    post(changed(payment, transactionKey="T0"))
    assert len(tasks) == 2


def test_a_task_that_failed_does_not_keep_later_hints_from_being_looked_into(at_noon, monkeypatch):
    payment = lost_confirm()
    event = PaymentEvent.objects.create(kind="webhook", order=payment.order, payment=payment, detail={})
    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "check_payment", lambda **given: 1 / 0)
        look_soon(event=event)
    with monkeypatch.context() as patch:
        patch.setattr(webhooks.PaymentEvent.objects, "select_related", lambda *names: 1 / 0)
        look_soon(event=hints().get())

    look_soon(event=hints().get())

    assert hints().get().handled_at == NOON


# --- What is no hint


DEEP = b'{"data":' * 400 + b"1" + b"}" * 400
MALFORMED = {
    "empty": b"",
    "text": b"hello",
    "broken": b'{"eventType":',
    "more after it": b'{"status":"DONE","orderId":"PJ-123456"} {}',
    "list": b"[]",
    "null": b"null",
    "number": b"1",
    "no event and no order": b"{}",
    "event of a wrong type": b'{"eventType":1,"data":{}}',
    "data missing": b'{"eventType":"PAYMENT_STATUS_CHANGED"}',
    "data a list": b'{"eventType":"PAYMENT_STATUS_CHANGED","data":[]}',
    "data a text": b'{"eventType":"CANCEL_STATUS_CHANGED","data":"x"}',
    "no status": b'{"eventType":"PAYMENT_STATUS_CHANGED","data":{"orderId":"ORDER"}}',
    "status a number": b'{"status":1,"orderId":"ORDER"}',
    "status in words": b'{"status":"it is done","orderId":"ORDER"}',
    "order an object": b'{"status":"DONE","orderId":{"a":1}}',
    "order a truth": b'{"status":"DONE","orderId":true}',
    "order too long": b'{"status":"DONE","orderId":"' + b"A" * 65 + b'"}',
    "key too long": b'{"status":"DONE","orderId":"ORDER","paymentKey":"' + b"A" * 201 + b'"}',
    "member twice": b'{"status":"DONE","status":"DONE","orderId":"ORDER"}',
    "inner member twice": b'{"status":"DONE","orderId":"ORDER","x":{"a":1,"a":1}}',
    "NUL": b'{"status":"DONE","orderId":"ORDER\\u0000"}',
    "NUL elsewhere": b'{"status":"DONE","orderId":"ORDER","orderName":"\\u0000"}',
    "NUL in a name": b'{"status":"DONE","orderId":"ORDER","\\u0000":1}',
    "raw NUL": b'{"status":"DONE","orderId":"OR\x00DER"}',
    "half a surrogate pair": b'{"status":"DONE","orderId":"ORDER","x":"\\ud800"}',
    "halves the wrong way": b'{"status":"DONE","orderId":"ORDER","x":"\\udc00\\ud800"}',
    "not UTF-8": b'{"status":"DONE","orderId":"ORDER","x":"\xff"}',
    "UTF-8 surrogate": b'{"status":"DONE","orderId":"ORDER","x":"\xed\xa0\x80"}',
    "UTF-16": '{"status":"DONE","orderId":"ORDER"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"status":"DONE","orderId":"ORDER"}',
    "long number": b'{"status":"DONE","orderId":"ORDER","x":' + b"9" * 30 + b"}",
    "endless number": b'{"status":"DONE","orderId":"ORDER","x":' + b"9" * 6000 + b"}",
    "infinite number": b'{"status":"DONE","orderId":"ORDER","x":1e999}',
    "NaN": b'{"status":"DONE","orderId":"ORDER","x":NaN}',
    "deep": b'{"status":"DONE","orderId":"ORDER","x":' + DEEP + b"}",
    "very deep": b"[" * 60_000,
    "deep lists": b'{"status":"DONE","orderId":"ORDER","x":' + b"[" * 25 + b"]" * 25 + b"}",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused_and_leaves_nothing(body):
    payment = make_payment(order=make_order())
    body = body.replace(b'"ORDER', b'"' + payment.provider_order_id.encode())

    assert post(body) == 400

    assert not PaymentEvent.objects.exists()
    with pytest.raises(Malformed):
        read_hint(body)


def test_a_body_may_be_64_kilobytes_and_no_byte_more(at_noon):
    payment = make_payment(order=make_order())
    start = json.dumps(deposited(payment))[:-1].encode() + b', "x": "'

    assert post(start + b"x" * (64 * 1024 + 1 - len(start) - 2) + b'"}') == 413
    assert not PaymentEvent.objects.exists()
    assert post(b"x" * 5_000_000) == 413
    assert post(start + b"x" * (64 * 1024 - len(start) - 2) + b'"}') == 200
    assert hints().count() == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_posts_are_taken(method):
    answer = Client().generic(method, URL)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert answer["Content-Type"].startswith("text/plain")
    assert len(answer.content) < 50


def test_it_asks_for_neither_a_token_nor_a_session(at_noon, buyer_client):
    payment = make_payment(order=make_order())
    strict = Client(enforce_csrf_checks=True)

    assert post(changed(payment), client=strict) == 200
    assert not strict.session.keys()
    assert post(changed(payment), client=buyer_client) == 200


def test_a_hint_that_cannot_be_stored_is_answered_so_that_it_comes_again(monkeypatch):
    payment = make_payment(order=make_order())

    def fail(**given):
        raise DatabaseError("gone")

    monkeypatch.setattr("checkout.views.webhooks.store_hint", fail)

    answer = Client(raise_request_exception=False).post(URL, json.dumps(changed(payment)), "application/json")

    assert answer.status_code == 500


def test_a_look_up_that_fails_is_none_of_the_senders_business(at_noon, monkeypatch):
    payment = lost_confirm()
    monkeypatch.setattr(webhooks, "check_payment", lambda **given: 1 / 0)

    assert post(changed(payment)) == 200
    assert hints().get().handled_at is None


# Anything in the shape of JSON, and then anything in the shape of a webhook about a payment that is there.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
STATES = st.sampled_from(["DONE", "CANCELED", "PARTIAL_CANCELED", "EXPIRED", "ABORTED", "WAITING_FOR_DEPOSIT"])
ABOUT = st.fixed_dictionaries(
    {"orderId": st.just("ORDER") | VALUES, "paymentKey": st.just("KEY") | VALUES, "status": STATES | VALUES},
    optional={"transactionKey": VALUES, "cancelReason": VALUES, "totalAmount": VALUES, "secret": VALUES},
)
SHAPED = ABOUT | st.fixed_dictionaries(
    {"eventType": st.sampled_from(["PAYMENT_STATUS_CHANGED", "CANCEL_STATUS_CHANGED"]) | VALUES, "data": ABOUT | VALUES}
)


def as_bytes(value) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def books(at_noon):
    """An order that is paid and one that was only begun; what must stay as it is."""
    paid = make_paid_order()
    begun = make_order()
    make_sandbox_payment(payment=make_payment(order=begun), status="ready")
    return paid, begun


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=st.binary(max_size=300) | VALUES.map(as_bytes) | SHAPED.map(as_bytes), is_of_paid=st.booleans())
@example(body=b'{"status":"DONE","orderId":"ORDER"}', is_of_paid=True)
def test_no_bytes_are_an_error_and_none_change_an_order(books, body, is_of_paid):
    payment = (books[0] if is_of_paid else books[1]).payments.get()
    body = body.replace(b'"ORDER"', f'"{payment.provider_order_id}"'.encode())
    body = body.replace(b'"KEY"', f'"{payment.payment_key}"'.encode())
    before = [list(model.objects.order_by("pk").values()) for model in (Order, Purchase, Refund, SandboxPayment)]

    assert post(body) in (200, 400)

    after = [list(model.objects.order_by("pk").values()) for model in (Order, Purchase, Refund, SandboxPayment)]
    assert after == before
    assert list(Payment.objects.order_by("requested_at", "status").values_list("status", flat=True)) == [
        "paid",
        "ready",
    ]
    assert hints().count() <= 2 * HINTS_PER_PAYMENT


# --- Over TCP


@pytest.fixture
def shop(toss, settings, live_server):  # noqa: F811
    """The site at an address of its own, with the stand-in as its provider, which tells it everything."""
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = toss.client_key, toss.secret_key
    settings.TOSS_API_URL, settings.TOSS_TIMEOUT_S = toss.url, 5
    settings.ALLOWED_HOSTS = ["*"]
    toss.set_webhooks(url=live_server.url + URL, timing="held")
    toss.settings(guards_consecutive_cancels=False)
    return toss


def return_with(payment, payment_key):
    return Client().get(
        f"/payments/{payment.reference}/return/",
        {"paymentKey": payment_key, "orderId": payment.provider_order_id, "amount": payment.amount_krw},
    )


def begin():
    now = timezone.now()
    order = make_order(created_at=now, expires_at=now + timedelta(hours=1))
    return make_payment(order=order, provider="toss", requested_at=now)


def statuses(attempts):
    return [attempt["status"] for attempt in attempts]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_tcp_the_hint_finishes_what_the_lost_answer_left(shop):
    payment = begin()
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw)
    shop.fault(kind="drop", on="confirm", executed=True)
    return_with(payment, key)
    assert Order.objects.get().status == "confirming"

    assert statuses(shop.deliver_webhooks(copies=3)) == [200, 200, 200]

    assert Order.objects.get().status == "paid"
    assert (hints().count(), Purchase.objects.count()) == (1, 1)
    assert shop.books()["totals"]["charges"] == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_tcp_a_hint_before_the_answer_delivers_once(shop, live_server):
    payment = begin()
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw)
    shop.set_webhooks(url=live_server.url + URL, timing="before", copies=2)

    return_with(payment, key)

    assert statuses(shop.webhooks_sent()) == [200, 200]
    assert (Order.objects.get().status, Purchase.objects.count()) == ("paid", 1)
    assert hints().get().detail["received_count"] == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_tcp_hints_in_the_wrong_order_lead_to_where_the_payment_is(shop):
    payment = begin()
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw, method="가상계좌")
    return_with(payment, key)
    assert Order.objects.get().status == "waiting"
    shop.deposit(payment_key=key)

    sent = shop.deliver_webhooks(order="reversed")

    assert set(statuses(sent)) == {200}
    assert len(sent) == 4  # both kinds, of the account and of the deposit
    assert (Order.objects.get().status, Purchase.objects.count()) == ("paid", 1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_tcp_a_cancel_in_the_dashboard_ends_the_order(shop):
    payment = begin()
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw)
    return_with(payment, key)
    shop.cancel_in_dashboard(payment_key=key)

    shop.deliver_webhooks()

    assert Order.objects.get().status == "refunded"
    assert Refund.objects.get().reason == "provider"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_tcp_forged_huge_and_malformed_ones_change_nothing(shop):
    payment = begin()
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw)
    forged = changed(payment, paymentKey=key)

    assert shop.send_webhook(body=forged)["status"] == 200
    assert shop.send_webhook(body="{")["status"] == 400
    assert shop.send_webhook(huge_bytes=200_000)["status"] == 413
    assert shop.send_webhook(body=[], headers={})["status"] == 400

    assert (Order.objects.get().status, hints().count()) == ("pending", 1)
    assert shop.books()["totals"]["charges"] == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_tcp_background_threads_answer_first_and_look_up_afterwards(shop, settings, monkeypatch):
    payment = begin()
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw)
    shop.fault(kind="drop", on="confirm", executed=True)
    return_with(payment, key)
    settings.BACKGROUND_THREADS = 1
    monkeypatch.setattr("marketplace.background._pool", None)
    shop.fault(kind="hold", on="lookup", executed=False)
    looked = threading.Event()
    look_into = webhooks.look_into_hints
    monkeypatch.setattr(
        webhooks, "look_into_hints", lambda **given: (looked.clear(), look_into(**given), looked.set())[1]
    )

    assert statuses(shop.deliver_webhooks()) == [200]  # while the look-up is held
    assert shop.await_held()
    assert hints().get().handled_at is None
    shop.release()

    assert looked.wait(10)
    assert Order.objects.get().status == "paid"
    background.run_soon(lambda: connection.close()).result()  # of that thread
    background._pool[1].shutdown(wait=True)


def test_the_address_without_its_slash_takes_hints_too():
    answer = Client().post("/payments/webhook", b"{}", content_type="application/json")

    assert answer.status_code == 400
