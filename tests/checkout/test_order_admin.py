"""What staff do with an order: ask the provider again, give money back, send the receipt again. Each once."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client

from checkout import sandbox
from checkout.admin import acts
from checkout.gateway import make_sandbox_gateway
from checkout.models import Entitlement, Order, OrderMail, Payment, PaymentEvent, Refund, SandboxPayment
from checkout.payments import check_payment, confirm_payment, open_window, start_payment
from checkout.provider import GatewayRefused, GatewayUnknown
from tests.checkout.gateways import ScriptedGateway
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_refund,
    make_sandbox_payment,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def make_staff(*permissions, **fields):
    staff = make_user(is_staff=True, **fields)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return staff


@pytest.fixture
def staff():
    return make_staff(email="staff@example.com", is_superuser=True)


@pytest.fixture
def staff_client(client, staff):
    client.force_login(staff)
    client.cookies["django_language"] = "en"
    return client


def page_of(order, name="change"):
    return f"/admin/checkout/order/{order.pk}/{name}/"


def token_on(client, address) -> str:
    return re.search(r'name="token" value="(\w{32})"', client.get(address).content.decode())[1]


def post(client, order, name, **data):
    """The texts that the page says afterwards."""
    answer = client.post(page_of(order, name), data, follow=True)
    assert answer.redirect_chain == [(page_of(order), 302)]
    return [str(message) for message in answer.context["messages"]]


def make_lost_charge(**fields) -> Order:
    """Charged at the provider, who cannot be reached about it: the order is being checked."""
    order = make_order(**fields)
    payment = start_payment(order=order, now=NOON)
    open_window(payment=payment, base_url="http://testserver")
    window = SandboxPayment.objects.get(reference=payment.reference)
    sandbox.choose(window, "lost_after")
    window.refresh_from_db()
    confirm_payment(
        payment=payment,
        payment_key=window.pk,
        order_id=payment.provider_order_id,
        amount_krw=order.total_krw,
        now=NOON,
        gateway=make_sandbox_gateway(timeout_s=5),
    )
    order.refresh_from_db()
    assert order.status == "confirming"
    return order


def make_reachable():
    SandboxPayment.objects.update(silent_until=None)


# --- Asking again


def test_asking_again_finishes_an_order_in_doubt(staff_client, staff):
    order = make_lost_charge()
    make_reachable()

    told = post(staff_client, order, "ask", token=token_on(staff_client, page_of(order)))

    order.refresh_from_db()
    assert order.status == "paid"
    assert told == ["The provider answered. The order was “payment being checked” and is “paid” now."]
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Had the provider asked again."]
    event = PaymentEvent.objects.get(kind="staff")
    assert (event.order, event.outcome, event.actor) == (order, "ask_again", staff)


def test_asking_again_without_an_answer_changes_nothing_and_says_so(staff_client, monkeypatch):
    order = make_lost_charge()
    make_reachable()
    monkeypatch.setattr(acts, "find_gateway", lambda provider: make_silent_gateway())

    told = post(staff_client, order, "ask", token="a" * 32)

    order.refresh_from_db()
    assert order.status == "confirming"
    assert told == ["For 1 payment no answer came; it stays as it is. Please try again in a few minutes."]


def make_silent_gateway(*, calls=("look_up", "look_up_order", "cancel", "confirm")):
    gateway = make_sandbox_gateway(timeout_s=5)
    for name in calls:

        def fail(**request):
            raise GatewayUnknown("timeout")

        setattr(gateway, name, fail)
    return gateway


def test_a_second_click_asks_nobody(staff_client, monkeypatch, time_machine):
    order = make_lost_charge()
    token = token_on(staff_client, page_of(order))
    post(staff_client, order, "ask", token=token)
    time_machine.move_to(NOON + timedelta(minutes=1), tick=False)
    monkeypatch.setattr(acts, "find_gateway", lambda provider: pytest.fail("asked again"))

    assert post(staff_client, order, "ask", token=token) == ["This was asked already; nothing was done again."]
    assert PaymentEvent.objects.filter(kind="staff").count() == LogEntry.objects.count() == 1


def test_asking_again_finishes_a_refund_that_was_open(staff_client):
    order = make_paid_order()
    make_refund(order=order)

    told = post(staff_client, order, "ask", token="a" * 32)

    order.refresh_from_db()
    assert (order.status, Refund.objects.get().status) == ("refunded", "done")
    assert "The provider answered. The order was “paid” and is “refunded” now." in told
    assert "₩5,000 went back to the buyer, who gets a mail about it." in told
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_asking_again_finds_a_cancel_made_at_the_provider(staff_client):
    order = make_paid_order()
    window = SandboxPayment.objects.get()
    make_sandbox_gateway(timeout_s=5).cancel(
        payment_key=window.pk, amount_krw=None, reason="in the dashboard", idempotency_key="b" * 32
    )

    post(staff_client, order, "ask", token="a" * 32)

    order.refresh_from_db()
    assert (order.status, Entitlement.objects.get().is_revoked) == ("refunded", True)


def test_a_payment_of_a_provider_that_is_not_there_stays_as_it_is(staff_client, settings):
    order = make_paid_order()
    settings.TOSS_SANDBOX = False

    told = post(staff_client, order, "ask", token="a" * 32)

    assert told == ["For 1 payment no answer came; it stays as it is. Please try again in a few minutes."]
    assert Order.objects.get().status == "paid"


def test_the_address_of_the_button_shows_a_page_and_does_nothing(staff_client):
    order = make_lost_charge()
    make_reachable()

    for answer in (staff_client.get(page_of(order, "ask")), staff_client.post(page_of(order, "ask"), {"token": "x"})):
        assert answer.status_code == 200
        assert "Every payment of this order is looked up" in answer.content.decode()
    assert not PaymentEvent.objects.filter(kind="staff").exists()


def ask_about(client, orders):
    data = {"action": "ask_about_chosen", "index": "0", "_selected_action": [str(order.pk) for order in orders]}
    answer = client.post("/admin/checkout/order/", data, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_many_orders_are_asked_about_and_counted(staff_client):
    lost = [make_lost_charge(), make_lost_charge()]
    make_reachable()
    silent = make_lost_charge()
    paid = make_paid_order()
    free = make_paid_order(prompts=[make_prompt(price=0)])
    chosen = [*lost, silent, paid, free]

    assert ask_about(staff_client, chosen) == [
        "2 orders moved on.",
        "1 order is as before.",
        "For 1 order no answer came; it stays as it is.",
        "For 1 order there was nothing to ask, or it was asked a moment ago.",
    ]
    assert LogEntry.objects.count() == PaymentEvent.objects.filter(kind="staff").count() == 4
    assert ask_about(staff_client, chosen) == [
        "For 5 orders there was nothing to ask, or they were asked a moment ago."
    ]
    assert LogEntry.objects.count() == PaymentEvent.objects.filter(kind="staff").count() == 4


def test_orders_that_got_no_answer_are_counted_apart(staff_client, monkeypatch):
    monkeypatch.setattr(acts, "find_gateway", lambda provider: make_silent_gateway())

    assert ask_about(staff_client, [make_paid_order(), make_lost_charge()]) == [
        "For 2 orders no answer came; they stay as they are."
    ]


def test_orders_that_were_not_reached_in_time_are_named_as_left(staff_client, monkeypatch):
    monkeypatch.setattr(acts, "ASK_MANY_FOR_S", -1)

    assert ask_about(staff_client, [make_paid_order(), make_paid_order()]) == [
        "2 orders were not reached in time. Please choose them again."
    ]
    assert not PaymentEvent.objects.filter(kind="staff").exists()


# --- Money back


WHOLE = {"scope": "all", "note": "It did not work."}


def test_the_form_then_the_check_then_the_refund(staff_client, staff, on_commit):
    order = make_paid_order(prompts=[make_prompt(title="A", price=3_000), make_prompt(title="B", price=4_000)])
    mail.outbox.clear()

    form = staff_client.get(page_of(order, "refund")).content.decode()
    check = staff_client.post(page_of(order, "refund"), WHOLE)

    assert "A · ₩3,000 · sealed" in form
    assert "The buyer gets ₩7,000 back." in check.content.decode()
    assert not Refund.objects.exists()
    assert check.status_code == 200
    told = post(staff_client, order, "refund", **WHOLE, confirm="1")
    order.refresh_from_db()
    refund = Refund.objects.get()
    assert told == ["₩7,000 went back to the buyer, who gets a mail about it."]
    assert (refund.status, refund.reason, refund.note, refund.requested_by) == ("done", "staff", WHOLE["note"], staff)
    assert (order.status, order.refunded_krw) == ("refunded", 7_000)
    assert not Entitlement.objects.live().exists()
    assert [message.to for message in mail.outbox] == [[order.email]]
    assert "It did not work." in mail.outbox[0].body
    assert LogEntry.objects.get().get_change_message() == "Gave money back: It did not work."
    assert PaymentEvent.objects.get(kind="staff").actor == staff


@pytest.mark.parametrize("count", [2, 3])
def test_a_prompt_that_another_tab_gave_back_is_said_to_be_refunded(staff_client, count):
    order = make_paid_order(prompts=[make_prompt(price=3_000) for _ in range(count)])
    line = order.lines.get(position=1)
    some = {"scope": "some", "lines": [line.pk], "note": "Bought by mistake."}
    post(staff_client, order, "refund", **some, confirm="1")

    answer = staff_client.post(page_of(order, "refund"), some)

    assert answer.status_code == 422
    assert "This was refunded or is being refunded meanwhile." in answer.content.decode()
    assert "Select a valid choice" not in answer.content.decode()


def test_one_prompt_of_two_is_given_back(staff_client):
    order = make_paid_order(prompts=[make_prompt(price=3_000), make_prompt(price=4_000)])
    line = order.lines.get(position=2)
    some = {"scope": "some", "lines": [line.pk], "note": "Bought by mistake."}

    assert "The buyer gets ₩4,000 back." in staff_client.post(page_of(order, "refund"), some).content.decode()
    post(staff_client, order, "refund", **some, confirm="1")

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("partly_refunded", 4_000)
    assert [right.order_line.position for right in Entitlement.objects.live()] == [1]
    left = staff_client.get(page_of(order, "refund")).content.decode()
    assert "Everything: ₩3,000" in left
    assert "Given back already" in left


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"scope": "all", "note": "  "}, "This field is required."),
        ({"note": "x"}, "Please choose what to give back."),
        ({"scope": "some", "note": "x"}, "Please tick what to give back."),
        ({"scope": "all", "lines": ["LINE"], "note": "x"}, "Single prompts are ticked below."),
        ({"scope": "some", "lines": ["0"], "note": "x"}, "This was refunded or is being refunded meanwhile."),
        ({"scope": "all", "note": "x" * 201}, "at most 200 characters"),
    ],
)
def test_a_wrong_form_is_shown_again_and_nothing_happens(staff_client, data, error):
    order = make_paid_order(prompts=[make_prompt(), make_prompt()])
    if data.get("lines") == ["LINE"]:
        data = data | {"lines": [order.lines.first().pk]}

    answer = staff_client.post(page_of(order, "refund"), data | {"confirm": "1"})

    assert answer.status_code == 422
    assert error in answer.content.decode()
    assert not Refund.objects.exists()


def test_going_back_to_change_keeps_what_was_typed(staff_client):
    order = make_paid_order(prompts=[make_prompt(), make_prompt()])

    answer = staff_client.post(page_of(order, "refund"), WHOLE | {"change": "1"})

    assert answer.status_code == 200
    assert "It did not work." in answer.content.decode()
    assert not Refund.objects.exists()


def test_a_second_click_gives_back_once(staff_client):
    order = make_paid_order()

    post(staff_client, order, "refund", **WHOLE, confirm="1")
    told = post(staff_client, order, "refund", **WHOLE, confirm="1")

    assert told == ["A refund of all of it is under way or done already."]
    assert len(SandboxPayment.objects.get().cancels) == Refund.objects.count() == 1
    assert LogEntry.objects.count() == PaymentEvent.objects.filter(kind="staff").count() == 1


def test_a_line_that_was_given_back_meanwhile_is_refused_in_words(staff_client):
    order = make_paid_order(prompts=[make_prompt(price=3_000), make_prompt(price=4_000)])
    first = order.lines.get(position=1)
    make_refund(order=order, lines=[first], status="done")

    answer = staff_client.post(
        page_of(order, "refund"), {"scope": "some", "lines": [first.pk], "note": "x", "confirm": "1"}
    )

    assert answer.status_code == 422
    assert Refund.objects.count() == 1


def test_two_of_staff_at_once_are_told_that_one_was_first(staff_client, monkeypatch):
    """Between the form's check and the refund, somebody else gave the money back."""
    order = make_paid_order()
    lines = list(order.lines.select_related("entitlement"))
    make_refund(order=order, status="done")
    monkeypatch.setattr(acts, "find_refundable_lines", lambda order: lines)

    answer = staff_client.post(page_of(order, "refund"), WHOLE | {"confirm": "1"}, follow=True)

    assert [str(message) for message in answer.context["messages"]] == [
        "A refund of this is under way or done already."
    ]
    assert Refund.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_a_refund_without_an_answer_is_said_to_be_checked(staff_client, monkeypatch):
    order = make_paid_order()
    monkeypatch.setattr(acts, "get_gateway", lambda provider: make_silent_gateway(calls=["cancel"]))

    told = post(staff_client, order, "refund", **WHOLE, confirm="1")

    assert told[0].startswith("No clear answer came, so the refund of ₩5,000 is being checked.")
    assert Refund.objects.get().status == "requested"


def test_a_refused_refund_says_the_code_of_the_provider(staff_client, monkeypatch):
    order = make_paid_order()
    gateway = make_sandbox_gateway(timeout_s=5)

    def refuse(**request):
        raise GatewayRefused("EXCEED_MAX_REFUND_DUE", "환불 기한이 지났습니다.")

    gateway.cancel = refuse
    monkeypatch.setattr(acts, "get_gateway", lambda provider: gateway)

    told = post(staff_client, order, "refund", **WHOLE, confirm="1")

    assert told == [
        "The provider refused to give ₩5,000 back (EXCEED_MAX_REFUND_DUE 환불 기한이 지났습니다.). "
        "The buyer keeps the prompts."
    ]
    assert Entitlement.objects.live().count() == 1
    assert "EXCEED_MAX_REFUND_DUE" in staff_client.get(page_of(order)).content.decode()


def test_without_a_gateway_nothing_is_begun(staff_client, settings):
    order = make_paid_order()
    settings.TOSS_SANDBOX = False

    told = post(staff_client, order, "refund", **WHOLE, confirm="1")

    assert told == ["There is no connection to the provider of this payment, so nothing was done. Check the keys."]
    assert not Refund.objects.exists()


def test_an_order_that_nobody_paid_has_nothing_to_give_back(staff_client):
    for order in (make_order(), make_paid_order(prompts=[make_prompt(price=0)])):
        answer = staff_client.get(page_of(order, "refund"), follow=True)

        assert [str(message) for message in answer.context["messages"]] == [
            "Nothing was paid for this, so there is nothing to give back."
        ]
        assert page_of(order, "refund") not in answer.content.decode()


ACCOUNT = {"bank_code": "88", "account_number": "110-123-456789", "holder_name": "김민아"}


def make_deposit() -> Order:
    order = make_paid_order()
    Payment.objects.update(deposit_bank="88", deposit_account="56211103", method="가상계좌")
    SandboxPayment.objects.update(method="가상계좌", deposit_account="56211103", deposit_due_at=NOON)
    return order


def test_a_deposit_goes_back_to_the_account_of_the_buyer(staff_client):
    order = make_deposit()

    without = staff_client.post(page_of(order, "refund"), WHOLE | {"confirm": "1"})
    check = staff_client.post(page_of(order, "refund"), WHOLE | ACCOUNT)
    told = post(staff_client, order, "refund", **WHOLE, **ACCOUNT, confirm="1")

    assert without.status_code == 422
    assert "Shinhan Bank 110123456789, 김민아" in check.content.decode()
    assert told == ["₩5,000 went back to the buyer, who gets a mail about it."]
    stored = [str(row) for model in (Refund, PaymentEvent, LogEntry) for row in model.objects.values()]
    assert not any("110123456789" in row or "김민아" in row for row in stored)


# --- Giving back a charge that could not be delivered


def make_undelivered_charge(*, error: Exception | None = None, is_deposit: bool = False) -> Payment:
    """Charged with another amount than the order's; giving it back ended with `error`, a refusal by default.

    A deposit is not asked to be given back at all, because nobody knows the account.
    """
    order = make_order(status="confirming", language="en")
    payment = make_payment(order=order, status="confirming", payment_key="late", confirmed_at=NOON)
    fields = {"deposit_account": "56211103", "deposit_bank": "88"} if is_deposit else {}
    Payment.objects.filter(pk=payment.pk).update(**fields, method="가상계좌" if is_deposit else "카드")
    payment.refresh_from_db()
    if is_deposit:
        fields = {"deposit_account": "56211103", "deposit_due_at": NOON, "method": "가상계좌"}
    make_sandbox_payment(payment=payment, amount_krw=3_000, **fields)
    gateway = ScriptedGateway(cancel=[error or GatewayRefused("EXCEED_MAX_REFUND_DUE", "환불 기한이 지났습니다.")])
    check_payment(payment=payment, now=NOON - timedelta(minutes=1), gateway=gateway)
    payment.refresh_from_db()
    assert (payment.status, Order.objects.get(pk=order.pk).status) == ("returning", "cancelled")
    return payment


def address_of(payment) -> str:
    return f"/admin/checkout/order/{payment.order_id}/give-back/{payment.pk}/"


def give_back(client, payment, **data):
    """The texts that the order's page says afterwards."""
    answer = client.post(address_of(payment), data, follow=True)
    assert answer.redirect_chain == [(page_of(payment.order), 302)]
    return [str(message) for message in answer.context["messages"]]


def test_a_charge_that_the_provider_refused_to_give_back_is_given_back_by_staff(staff_client, staff, on_commit):
    payment = make_undelivered_charge()
    mail.outbox.clear()
    page = staff_client.get(page_of(payment.order)).content.decode()
    assert f'href="{address_of(payment)}">Give the charge of ₩3,000 back</a>' in page
    form = staff_client.get(address_of(payment)).content.decode()
    assert "The buyer gets ₩3,000 back." in form
    assert "refund refused · EXCEED_MAX_REFUND_DUE 환불 기한이 지났습니다." in form

    told = give_back(staff_client, payment, token="a" * 32, note="The bank asked again.")

    payment.refresh_from_db()
    assert told == ["₩3,000 went back to the buyer, who gets a mail about it."]
    assert payment.status == "cancelled"
    assert SandboxPayment.objects.get().balance_krw == 0
    assert [refund.status for refund in Refund.objects.order_by("requested_at")] == ["failed", "done"]
    assert [message.to for message in mail.outbox] == [["buyer@example.com"]]
    assert "The bank asked again." in mail.outbox[0].body
    assert LogEntry.objects.get().get_change_message() == "Had the charge given back: The bank asked again."
    events = PaymentEvent.objects.filter(kind="staff")
    assert {(event.outcome, event.actor, event.order) for event in events} == {
        ("give_back", staff, payment.order),
        ("refund", staff, payment.order),
    }
    page = staff_client.get(page_of(payment.order)).content.decode()
    assert address_of(payment) not in page
    assert "Wanted the charge given back." in page


def test_a_form_that_is_sent_twice_asks_the_provider_once(staff_client, monkeypatch):
    """The second click comes after the provider refused the first: no third refund, no other mail."""
    payment = make_undelivered_charge()
    gateway = ScriptedGateway(cancel=[GatewayRefused("FORBIDDEN_REQUEST")] * 2)
    monkeypatch.setattr(acts, "get_gateway", lambda provider: gateway)

    first = give_back(staff_client, payment, token="a" * 32, note="x")
    second = give_back(staff_client, payment, token="a" * 32, note="x")

    assert first == ["The provider refused to give ₩3,000 back (FORBIDDEN_REQUEST). The charge is still there."]
    assert second == ["This was sent already; nothing was done again."]
    assert (gateway.calls, Refund.objects.count(), LogEntry.objects.count()) == (["cancel"], 2, 1)


def test_a_charge_that_went_back_already_does_not_go_back_again(staff_client):
    payment = make_undelivered_charge()
    give_back(staff_client, payment, token="a" * 32, note="x")

    assert give_back(staff_client, payment, token="b" * 32, note="x") == ["This charge went back already."]
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_a_refund_that_is_under_way_goes_on(staff_client):
    payment = make_undelivered_charge(error=GatewayUnknown("timeout"))
    assert Refund.objects.get().status == "requested"

    give_back(staff_client, payment, token="a" * 32, note="x")

    assert Refund.objects.get().status == "done"
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_an_undelivered_deposit_goes_back_to_the_account_of_the_buyer(staff_client):
    payment = make_undelivered_charge(is_deposit=True)
    assert Refund.objects.get().status == "requested"
    sent = {"token": "a" * 32, "note": "x"}

    without = staff_client.post(address_of(payment), sent)
    told = give_back(staff_client, payment, **sent, **ACCOUNT)

    assert without.status_code == 422
    assert 'name="account_number"' in without.content.decode()
    assert told == ["₩3,000 went back to the buyer, who gets a mail about it."]
    assert (Refund.objects.get().status, SandboxPayment.objects.get().balance_krw) == ("done", 0)
    stored = [str(row) for model in (Refund, PaymentEvent, LogEntry) for row in model.objects.values()]
    assert not any("110123456789" in row or "김민아" in row for row in stored)


@pytest.mark.parametrize(
    "data", [{}, {"token": "a" * 32, "note": " "}, {"token": "x", "note": "x"}, {"token": "a" * 32, "note": "x" * 201}]
)
def test_a_form_without_reason_or_token_gives_nothing_back(staff_client, data):
    payment = make_undelivered_charge()

    assert staff_client.post(address_of(payment), data).status_code == 422
    assert Refund.objects.count() == 1


def test_a_charge_is_not_given_back_without_a_gateway(staff_client, settings):
    payment = make_undelivered_charge()
    settings.TOSS_SANDBOX = False

    told = give_back(staff_client, payment, token="a" * 32, note="x")

    assert told == ["There is no connection to the provider of this payment, so nothing was done. Check the keys."]
    assert Refund.objects.count() == 1
    assert not PaymentEvent.objects.filter(kind="staff").exists()


def test_a_payment_that_was_delivered_does_not_go_back_as_a_whole(staff_client):
    payment = make_paid_order().payments.get()

    told = give_back(staff_client, payment, token="a" * 32, note="x")

    assert told == ["This payment is no charge that could not be delivered, so it does not go back this way."]
    assert not Refund.objects.exists()


def test_the_refund_page_of_an_undelivered_charge_names_the_right_button(staff_client):
    payment = make_undelivered_charge()

    def told():
        answer = staff_client.get(page_of(payment.order, "refund"), follow=True)
        return [str(message) for message in answer.context["messages"]]

    assert told() == ["Nothing was delivered for this charge, so it goes back as a whole: “Give the charge back”."]
    give_back(staff_client, payment, token="a" * 32, note="x")
    assert told() == ["Nothing was delivered for this charge, and it went back as a whole."]


def test_only_who_may_refund_gives_a_charge_back(client, staff):
    payment = make_undelivered_charge()
    sent = {"token": "a" * 32, "note": "x"}
    for user in (make_staff(), make_staff("change_order"), make_staff("view_order", "change_payment")):
        client.force_login(user)
        assert client.get(address_of(payment)).status_code == 403
        assert client.post(address_of(payment), sent).status_code == 403
        assert address_of(payment) not in client.get(page_of(payment.order)).content.decode()
    client.force_login(payment.order.buyer)
    assert client.post(address_of(payment), sent).status_code == 302  # to the sign-in of the admin
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(staff)
    assert forged.post(address_of(payment), sent).status_code == 403
    assert Refund.objects.count() == 1

    client.force_login(make_staff("view_order", "change_refund"))
    give_back(client, payment, **sent)
    assert Refund.objects.count() == 2


def test_the_payment_of_another_order_is_404(staff_client):
    payment, other = make_undelivered_charge(), make_order()

    assert staff_client.get(f"/admin/checkout/order/{other.pk}/give-back/{payment.pk}/").status_code == 404


# --- The receipt again


def test_the_receipt_goes_out_once_more(staff_client, staff, on_commit):
    order = make_paid_order()
    mail.outbox.clear()
    token = token_on(staff_client, page_of(order, "receipt"))

    told = post(staff_client, order, "receipt", token=token)
    again = post(staff_client, order, "receipt", token=token)

    assert told == ["The receipt goes to buyer@example.com."]
    assert again == ["This receipt was sent already; no second one goes out."]
    assert [message.to for message in mail.outbox] == [["buyer@example.com"]]
    sent = OrderMail.objects.get(requested_by=staff)
    assert (sent.kind, sent.status) == ("receipt", "sent")
    event = PaymentEvent.objects.get(kind="staff")
    assert (event.outcome, event.actor) == ("send_receipt", staff)
    assert LogEntry.objects.get().get_change_message() == "Had the receipt sent again."


def test_the_receipt_can_be_sent_again_and_again_from_new_pages(staff_client, on_commit):
    order = make_paid_order()
    mail.outbox.clear()

    for _ in range(3):
        post(staff_client, order, "receipt", token=token_on(staff_client, page_of(order, "receipt")))

    assert len(mail.outbox) == 3


def test_an_unpaid_order_has_no_receipt(staff_client):
    order = make_order()

    assert post(staff_client, order, "receipt", token="a" * 32) == ["Nothing was paid, so there is no receipt."]
    assert not OrderMail.objects.exists()


# --- Who may


@pytest.mark.parametrize("name", ["ask", "refund", "receipt"])
@pytest.mark.parametrize("permissions", [[], ["view_order"], ["view_order", "view_refund", "change_payment"]])
def test_who_may_only_look_does_nothing(client, name, permissions):
    order = make_paid_order()
    client.force_login(make_staff(*permissions))

    for answer in (
        client.get(page_of(order, name)),
        client.post(page_of(order, name), WHOLE | {"confirm": "1", "token": "a" * 32}),
    ):
        assert answer.status_code == 403
    assert not Refund.objects.exists()
    assert not PaymentEvent.objects.filter(kind="staff").exists()
    if permissions:
        page = client.get(page_of(order)).content.decode()
        assert 'class="row-acts"' not in page
        assert "ask_about_chosen" not in client.get("/admin/checkout/order/").content.decode()


def test_each_permission_allows_its_own(client):
    order = make_paid_order()

    client.force_login(make_staff("change_order"))
    page = client.get(page_of(order)).content.decode()
    assert [name in page for name in (page_of(order, "ask"), page_of(order, "refund"), page_of(order, "receipt"))] == [
        True, False, True,
    ]  # fmt: skip
    assert client.get(page_of(order, "refund")).status_code == 403

    client.force_login(make_staff("view_order", "change_refund"))
    page = client.get(page_of(order)).content.decode()
    assert [name in page for name in (page_of(order, "ask"), page_of(order, "refund"), page_of(order, "receipt"))] == [
        False, True, False,
    ]  # fmt: skip
    post(client, order, "refund", **WHOLE, confirm="1")
    assert Refund.objects.get().status == "done"


@pytest.mark.parametrize("name", ["ask", "refund", "receipt"])
def test_shoppers_and_forged_forms_reach_nothing(client, staff, name):
    order = make_paid_order()
    data = WHOLE | {"confirm": "1", "token": "a" * 32}
    client.force_login(order.buyer)
    assert client.post(page_of(order, name), data).status_code == 302  # to the sign-in of the admin
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(staff)

    assert forged.post(page_of(order, name), data).status_code == 403
    assert not Refund.objects.exists()
    assert not PaymentEvent.objects.filter(kind="staff").exists()


def test_pages_of_orders_that_are_not_there_are_404(staff_client):
    for name in ("ask", "refund", "receipt"):
        assert (
            staff_client.get(f"/admin/checkout/order/00000000-0000-0000-0000-000000000000/{name}/").status_code == 404
        )


# --- The page of an order, and orders in doubt


def test_the_page_shows_the_timeline_in_korean_too(staff_client):
    order = make_paid_order()
    staff_client.cookies["django_language"] = "ko"

    page = staff_client.get(page_of(order)).content.decode()

    assert "주문 상태가 바뀌었어요: 결제됨" in page
    assert page.count('class="timeline__entry') >= 3


@pytest.mark.parametrize("count", [1, 20])
def test_the_page_costs_the_same_however_much_is_in_the_order(staff_client, count, django_assert_max_num_queries):
    order = make_paid_order(prompts=[make_prompt(price=1_000) for _ in range(count)])
    for line in order.lines.all():
        make_refund(order=order, lines=[line], reason="staff", note="x", requested_by=make_user(), status="done")
    for _ in range(count):
        make_payment(order=order)

    with django_assert_max_num_queries(40):
        staff_client.get(page_of(order))


def make_doubts() -> dict[str, Order]:
    confirming = make_lost_charge()
    waiting = make_order(status="waiting")
    make_payment(order=waiting, status="waiting", payment_key="w", deposit_account="1")
    refunding = make_paid_order()
    make_refund(order=refunding)
    returning = make_order(status="cancelled")
    make_payment(order=returning, status="returning", payment_key="r")
    make_paid_order()
    make_order()
    return {"confirming": confirming, "waiting": waiting, "refund": refunding, "returning": returning}


def test_orders_in_doubt_are_listed(staff_client):
    doubts = make_doubts()

    def listed(key):
        page = staff_client.get(f"/admin/checkout/order/?doubt={key}")
        return {order.pk for order in page.context["cl"].result_list}

    for key, order in doubts.items():
        assert listed(key) == {order.pk}
    assert listed("any") == {order.pk for order in doubts.values()}
    assert len(listed("nonsense")) == 6


def test_the_start_page_counts_them(staff_client):
    make_doubts()
    OrderMail.objects.create(order=make_order(), kind="receipt", key="k", status="failed")

    page = staff_client.get("/admin/").content.decode()

    for key in ("confirming", "waiting", "refund", "returning"):
        assert re.search(rf'doubt={key}">[^<]+</a> <b class="doubts__some">1</b>', page)
    assert re.search(r'ordermail/\?status__exact=failed">[^<]+</a> <b class="doubts__some">1</b>', page)


def test_the_start_page_tells_nothing_to_who_may_not_see_orders(client):
    client.force_login(make_staff("view_prompt"))

    assert "orders-in-doubt" not in client.get("/admin/").content.decode()
