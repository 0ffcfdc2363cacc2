"""What happens to an order when the provider answers late, wrongly or not at all."""

import re
from dataclasses import replace
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.utils.html import strip_tags

from checkout import orders, payments
from checkout.gateway import (
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnknown,
    ProviderState,
    get_gateway,
    provider_in_use,
)
from checkout.models import Order, Payment, Purchase, SandboxPayment
from checkout.payments import PaymentRefused, check_payment, confirm_payment, describe_order, start_payment
from checkout.sandbox import SandboxGateway, choose
from tests.factories import NOON, make_order, make_prompt

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


class ScriptedGateway(SandboxGateway):
    """The sandbox, but each call may be answered by a script: an error to raise, or a change of the answer."""

    def __init__(self, **scripts):
        self.scripts = {call: list(steps) for call, steps in scripts.items()}
        self.calls = []

    def _follow(self, call, **request):
        self.calls.append(call)
        step = self.scripts[call].pop(0) if self.scripts.get(call) else None
        if isinstance(step, Exception):
            raise step
        answer = getattr(super(), call)(**request)
        return step(answer) if step else answer

    def confirm(self, **request):
        return self._follow("confirm", **request)

    def look_up(self, **request):
        return self._follow("look_up", **request)

    def cancel(self, **request):
        return self._follow("cancel", **request)


def authorise(order, choice="approve"):
    """The payment of an order whose buyer said yes in the window, and the arguments it returns with."""
    start_payment(order=order, base_url="http://testserver", now=NOON, gateway=SandboxGateway())
    payment = order.payments.select_related("order").get()
    choose(SandboxPayment.objects.get(reference=payment.reference), choice)
    sandbox = SandboxPayment.objects.get()
    return payment, {"payment_key": sandbox.pk, "order_number": order.number, "amount_krw": order.total_krw}


def after(**distance):
    return NOON + timedelta(**distance)


def state():
    return Order.objects.get().status, Payment.objects.get().status, Purchase.objects.count()


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


def test_a_payment_the_provider_never_heard_of_fails_after_a_quarter_of_an_hour_only():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[GatewayUnknown("reset")], look_up=[lambda answer: None] * 3)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    check_payment(payment=payment, now=after(minutes=14), gateway=gateway)
    assert state() == ("confirming", "confirming", 0)
    check_payment(payment=payment, now=after(minutes=16), gateway=gateway)
    assert state() == ("failed", "failed", 0)


def test_an_authorised_payment_that_lapsed_at_the_provider_fails(time_machine):
    payment, returned = authorise(make_order())
    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=[GatewayUnknown("reset")]))

    time_machine.move_to(after(minutes=11), tick=False)
    check_payment(payment=payment, now=after(minutes=11), gateway=SandboxGateway())

    assert state() == ("failed", "failed", 0)
    assert SandboxPayment.objects.get().charge_count == 0


def test_a_charge_of_another_amount_is_given_back_in_full():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[lambda answer: replace(answer, amount_krw=1)])

    with pytest.raises(PaymentRefused):
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


def test_giving_back_that_gets_no_answer_is_tried_again_and_done_once():
    payment, returned = authorise(make_order())
    wrong = [lambda answer: replace(answer, amount_krw=1)]
    gateway = ScriptedGateway(confirm=list(wrong), look_up=list(wrong), cancel=[GatewayUnknown("timeout")])

    with pytest.raises(PaymentRefused):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)
    assert state() == ("confirming", "confirming", 0)

    check_payment(payment=payment, now=after(seconds=5), gateway=gateway)
    assert state() == ("cancelled", "cancelled", 0)
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_a_crash_between_the_charge_and_the_delivery_is_finished_by_a_look_up(monkeypatch):
    payment, returned = authorise(make_order())

    def crash(**arguments):
        raise RuntimeError("power cut")

    monkeypatch.setattr(payments, "fulfil_order", crash)
    with pytest.raises(RuntimeError):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=SandboxGateway())
    assert state() == ("confirming", "confirming", 0)

    monkeypatch.undo()
    check_payment(payment=payment, now=after(seconds=5), gateway=SandboxGateway())
    assert state() == ("paid", "paid", 1)
    assert SandboxPayment.objects.get().charge_count == 1


def test_a_crash_inside_the_delivery_leaves_nothing_half_done(monkeypatch):
    payment, returned = authorise(make_order())

    def crash(**arguments):
        raise RuntimeError("power cut")

    monkeypatch.setattr(orders, "empty_cart_of", crash)
    with pytest.raises(RuntimeError):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=SandboxGateway())

    assert state() == ("confirming", "confirming", 0)


def test_a_deposit_is_waited_for_and_then_delivered():
    payment, returned = authorise(make_order())
    waiting = [lambda answer: replace(answer, state=ProviderState.WAITING_FOR_DEPOSIT)]

    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=waiting))
    assert state() == ("waiting", "waiting", 0)

    check_payment(payment=payment, now=after(days=1), gateway=SandboxGateway())
    assert state() == ("paid", "paid", 1)


def test_the_answer_for_another_payment_delivers_nothing():
    payment, returned = authorise(make_order())
    other = [lambda answer: replace(answer, order_number="PJ261122-AAAAAAAA")]

    confirm_payment(payment=payment, **returned, now=NOON, gateway=ScriptedGateway(confirm=other))

    assert state() == ("confirming", "confirming", 0)


def test_many_pages_that_poll_ask_the_provider_once_in_two_seconds():
    payment, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[GatewayUnknown("timeout")], look_up=[GatewayUnknown("timeout")] * 9)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    for milliseconds in range(3_000, 8_000, 250):
        check_payment(payment=payment, now=after(milliseconds=milliseconds), gateway=gateway)

    assert gateway.calls.count("look_up") == 3


def test_a_second_payment_of_an_order_being_checked_is_not_charged():
    order = make_order()
    first, returned = authorise(order)
    second = Payment.objects.create(order=order, provider="sandbox", amount_krw=order.total_krw)
    confirm_payment(payment=first, **returned, now=NOON, gateway=ScriptedGateway(confirm=[GatewayUnknown("timeout")]))
    gateway = ScriptedGateway()

    confirm_payment(
        payment=second, payment_key="k2", order_number=order.number, amount_krw=5_000, now=NOON, gateway=gateway
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


def test_the_sandbox_charges_once_and_replays_its_answers():
    order = make_order()
    _payment, returned = authorise(order)
    gateway = SandboxGateway()
    request = returned | {"idempotency_key": "a"}

    first = gateway.confirm(**request)
    assert first.state == ProviderState.DONE
    assert gateway.confirm(**request) == first
    with pytest.raises(GatewayUnknown):
        gateway.confirm(**request | {"idempotency_key": "b"})
    assert gateway.look_up(payment_key=returned["payment_key"]) == first
    assert gateway.look_up_order(order_number=order.number) == first
    assert gateway.look_up(payment_key="nobody") is None
    assert SandboxPayment.objects.get().charge_count == 1


def test_the_sandbox_gives_back_parts_until_nothing_is_left():
    _payment, returned = authorise(make_order())
    gateway = SandboxGateway()
    gateway.confirm(**returned, idempotency_key="a")
    key = returned["payment_key"]

    part = gateway.cancel(payment_key=key, amount_krw=2_000, reason="x", idempotency_key="r1")
    again = gateway.cancel(payment_key=key, amount_krw=2_000, reason="x", idempotency_key="r1")
    assert (part.balance_krw, again.balance_krw) == (3_000, 3_000)
    with pytest.raises(GatewayRefused):
        gateway.cancel(payment_key=key, amount_krw=3_001, reason="x", idempotency_key="r2")
    rest = gateway.cancel(payment_key=key, amount_krw=None, reason="x", idempotency_key="r3")
    assert (rest.balance_krw, rest.state) == (0, ProviderState.PARTLY_CANCELLED)  # as the real provider says it


def test_the_sandbox_serves_debug_or_whoever_asks_for_it_by_name(settings):
    settings.DEBUG, settings.TOSS_SANDBOX, settings.TOSS_SECRET_KEY = False, False, ""
    assert provider_in_use() == ""
    with pytest.raises(GatewayMisconfigured):
        get_gateway()
    settings.TOSS_SANDBOX = True
    assert isinstance(get_gateway(), SandboxGateway)
    settings.TOSS_SECRET_KEY = "test_sk_x"
    assert provider_in_use() == "toss"


def test_without_a_provider_the_order_waits_and_the_buyer_is_told(buyer, buyer_client, settings):
    settings.TOSS_SANDBOX = False
    order = make_order(buyer=buyer)

    answer = buyer_client.post(f"/orders/{order.number}/payment/", follow=True, headers={"Accept-Language": "en"})

    assert "Payments are not available at the moment" in answer.content.decode()
    assert Order.objects.get().status == "pending"


@pytest.mark.parametrize(("titles", "name"), [(["One"], "One"), (["One", "Two", "Three"], "One and 2 more")])
def test_an_order_is_named_for_the_provider_within_its_limit(titles, name):
    from django.utils import translation

    with translation.override("en"):
        assert describe_order(make_order(prompts=[make_prompt(title=title) for title in titles])) == name
        long = describe_order(make_order(prompts=[make_prompt(title="가" * 300), make_prompt()]))
    assert len(long) == 100
    assert long.endswith(" and 1 more")


@pytest.mark.parametrize(("language", "subject"), [("ko", "주문"), ("en", "Your order")])
def test_the_receipt_is_in_the_language_of_the_order_and_says_the_same_twice(on_commit, language, subject):
    order = make_order(prompts=[make_prompt(title="Fish & “chips”", price=9_900)], language=language)
    payment, returned = authorise(order)

    confirm_payment(payment=payment, **returned, now=NOON, gateway=SandboxGateway())

    message = mail.outbox[0]
    assert subject in message.subject
    assert order.number in message.subject
    html = message.alternatives[0].content
    for content in (message.body, strip_tags(html).replace("&amp;", "&")):
        assert "Fish & “chips”" in content
        assert "9,900" in content
        assert order.number in content
    links = re.findall(r'href="([^"]+)"', html)
    assert links == [f"http://localhost:8000/orders/{order.number}/"]
    assert links[0] in message.body


def test_a_mail_server_that_is_away_does_not_undo_the_purchase(on_commit, monkeypatch):
    payment, returned = authorise(make_order())

    def fail(self, fail_silently=False):
        raise SMTPServerDisconnected

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=SandboxGateway())

    assert state() == ("paid", "paid", 1)


def test_a_search_index_that_fails_does_not_cost_the_purchase(monkeypatch):
    from django.db import DatabaseError

    from catalog import listings

    payment, returned = authorise(make_order())

    def fail(*arguments, **options):
        raise DatabaseError("index is broken")

    monkeypatch.setattr(listings, "index_prompts", fail)
    confirm_payment(payment=payment, **returned, now=NOON, gateway=SandboxGateway())

    assert state() == ("paid", "paid", 1)
