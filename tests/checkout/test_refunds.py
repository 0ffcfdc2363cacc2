"""Money back: by the buyer while sealed, by staff, by the shop itself, and once however often it is asked for."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection

from checkout import refunds, sandbox
from checkout.library import grant_missing_entitlements, open_entitlement, owned_prompt_ids
from checkout.models import (
    Entitlement,
    LedgerEntry,
    Order,
    Payment,
    PaymentEvent,
    Purchase,
    Refund,
    RefundLine,
    SandboxPayment,
)
from checkout.orders import fulfil_order
from checkout.payments import check_payment, confirm_payment
from checkout.provider import GatewayMisconfigured, GatewayRefused, GatewayUnknown
from checkout.refunds import (
    RefundRefused,
    adopt_outside_cancel,
    cancel_sealed_lines,
    carry_out_refund,
    fail_refund,
    refund_by_staff,
)
from tests.checkout.gateways import ACCOUNT, ScriptedGateway, afterwards, authorise, make_gateway
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_purchase,
    make_refund,
    make_seller,
    make_user,
)

pytestmark = pytest.mark.django_db

LOST = GatewayUnknown("connection_lost")


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def after(**distance):
    return NOON + timedelta(**distance)


def cancel(entitlement, *, now=NOON, gateway=None, **arguments):
    """The buyer cancels one purchase."""
    line = entitlement.order_line
    return cancel_sealed_lines(order=line.order, lines=[line], now=now, gateway=gateway or make_gateway(), **arguments)


def make_order_of(*prices, buyer=None, **fields):
    """A paid order with a prompt for each price, and its lines."""
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(price=price) for price in prices], **fields)
    return order, list(order.lines.order_by("position"))


def rights():
    """(sealed?, revoked?) of each right, in the order of the lines."""
    return [(right.is_sealed, right.is_revoked) for right in Entitlement.objects.order_by("order_line__position")]


# --- By the buyer


def test_a_sealed_purchase_is_given_back_in_full(buyer, on_commit):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(price=9_900))
    mail.outbox.clear()

    refund = cancel(entitlement, now=after(days=6))

    assert (refund.status, refund.amount_krw) == ("done", 9_900)
    assert SandboxPayment.objects.get().balance_krw == 0
    order = Order.objects.get()
    assert (order.status, order.refunded_krw) == ("refunded", 9_900)
    entitlement.refresh_from_db()
    assert (entitlement.is_revoked, entitlement.revoked_reason) == (True, "refunded")
    assert Purchase.objects.count() == 1
    assert owned_prompt_ids(buyer, [entitlement.prompt_id]) == set()
    assert entitlement.prompt.listing.__class__.objects.get().sales_count == 0
    assert len(mail.outbox) == 1
    assert "9,900" in mail.outbox[0].body


def test_cancelling_twice_gives_back_once(buyer):
    entitlement = make_purchase(buyer=buyer)

    refunds = {cancel(entitlement, now=after(seconds=5 * n)).pk for n in range(3)}

    assert len(refunds) == 1
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_one_line_of_an_order_can_be_cancelled_and_then_the_other(buyer, buyer_client):
    prompts = [make_prompt(slug="a", price=3_000), make_prompt(slug="b", price=4_000)]
    order = make_paid_order(buyer=buyer, prompts=prompts)
    charged = SandboxPayment.objects.get()

    assert buyer_client.post("/library/a/cancel/")["Location"] == f"/orders/{order.number}/"
    order.refresh_from_db()
    assert (order.status, order.refunded_krw, order.balance_krw) == ("partly_refunded", 3_000, 4_000)
    charged.refresh_from_db()
    assert (charged.status, charged.balance_krw) == ("partly_cancelled", 4_000)
    buyer_client.post("/library/b/cancel/")
    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 7_000)
    charged.refresh_from_db()
    # Made of parts it never becomes CANCELED at the provider: only the balance says that all of it is back.
    assert (charged.status, charged.balance_krw, len(charged.cancels)) == ("partly_cancelled", 0, 2)
    assert buyer_client.get(f"/orders/{order.number}/").status_code == 200
    assert buyer_client.get(f"/orders/{order.number}/receipt/").status_code == 200


def test_several_lines_go_back_in_one_cancel(buyer):
    order, lines = make_order_of(1_000, 2_000, 4_000, buyer=buyer)

    refund = cancel_sealed_lines(order=order, lines=lines[1:], now=NOON, gateway=make_gateway())

    assert (refund.amount_krw, refund.lines.count()) == (6_000, 2)
    charged = SandboxPayment.objects.get()
    assert [entry["amount_krw"] for entry in charged.cancels] == [6_000]
    assert (charged.status, charged.balance_krw) == ("partly_cancelled", 1_000)
    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("partly_refunded", 6_000)
    assert rights() == [(True, False), (True, True), (True, True)]


def test_a_whole_order_in_one_cancel_is_cancelled_at_the_provider_too(buyer):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)

    gateway = ScriptedGateway()
    cancel_sealed_lines(order=order, lines=lines, now=NOON, gateway=gateway)

    assert [request["amount_krw"] for request in gateway.asked] == [None]  # a cancel without an amount is of the whole
    charged = SandboxPayment.objects.get()
    assert (charged.status, charged.balance_krw, len(charged.cancels)) == ("cancelled", 0, 1)
    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 3_000)


def test_of_several_lines_with_an_opened_one_none_is_cancelled(buyer):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)
    open_entitlement(entitlement=lines[1].entitlement, wording_version="x", now=NOON)

    with pytest.raises(RefundRefused):
        cancel_sealed_lines(order=order, lines=lines, now=NOON, gateway=make_gateway())

    assert rights() == [(True, False), (False, False)]
    assert not Refund.objects.exists()


def test_more_lines_than_the_refund_under_way_has_are_not_taken_for_it(buyer):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)
    cancel_sealed_lines(order=order, lines=lines[:1], now=NOON, gateway=make_gateway())

    with pytest.raises(RefundRefused):  # from a page that was loaded before; nobody may think that both are cancelled
        cancel_sealed_lines(order=order, lines=lines, now=NOON, gateway=make_gateway())

    assert rights() == [(True, True), (True, False)]


def test_an_opened_purchase_cannot_be_cancelled(buyer, buyer_client):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(slug="letter"), is_open=True)

    buyer_client.post("/library/letter/cancel/")

    entitlement.refresh_from_db()
    assert not entitlement.is_revoked
    assert not Refund.objects.exists()


def test_after_seven_days_it_cannot_be_cancelled(buyer):
    entitlement = make_purchase(buyer=buyer)

    with pytest.raises(RefundRefused):
        cancel(entitlement, now=after(days=7, seconds=1))
    assert cancel(entitlement, now=after(days=7)).status == "done"


def test_what_was_free_has_nothing_to_give_back(buyer):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(price=0))

    with pytest.raises(RefundRefused):
        cancel(entitlement)


def test_nothing_chosen_is_nothing_cancelled(buyer):
    order, _ = make_order_of(1_000, buyer=buyer)

    with pytest.raises(RefundRefused):
        cancel_sealed_lines(order=order, lines=[], now=NOON, gateway=make_gateway())


def test_opened_in_the_other_tab_just_now_it_is_not_cancelled(buyer, monkeypatch):
    entitlement = make_purchase(buyer=buyer)
    is_cancellable = refunds.is_cancellable

    def open_after_the_look(right, *, now):
        looks_cancellable = is_cancellable(right, now=now)
        open_entitlement(entitlement=right, wording_version="x", now=NOON)
        return looks_cancellable

    monkeypatch.setattr(refunds, "is_cancellable", open_after_the_look)
    with pytest.raises(RefundRefused):
        cancel(entitlement)

    assert rights() == [(False, False)]
    assert not Refund.objects.exists()


def test_a_deposit_goes_back_to_an_account_of_the_buyers_only(buyer):
    order = make_order(buyer=buyer)
    payment, returned = authorise(order, "deposit")
    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())
    sandbox.deposit(SandboxPayment.objects.get())
    check_payment(payment=payment, now=after(hours=1), gateway=make_gateway())
    entitlement = Entitlement.objects.select_related("order_line__order").get()

    with pytest.raises(RefundRefused):
        cancel(entitlement, now=after(hours=2))
    assert rights() == [(True, False)]
    gateway = ScriptedGateway()
    refund = cancel(entitlement, now=after(hours=2), gateway=gateway, refund_account=ACCOUNT)

    assert refund.status == "done"
    assert gateway.asked[0]["refund_account"] == ACCOUNT
    assert SandboxPayment.objects.get().balance_krw == 0
    stored = [str(row) for table in (Refund, RefundLine, Payment) for row in table.objects.values()]
    assert not any(ACCOUNT.account_number in row or ACCOUNT.holder_name in row for row in stored)


# --- By the shop itself: what was bought twice


def test_a_prompt_delivered_by_another_order_meanwhile_is_given_back_by_itself(buyer, on_commit):
    prompt, other = make_prompt(price=5_000), make_prompt(price=1_000)
    order = make_order(buyer=buyer, prompts=[prompt, other])
    payment, returned = authorise(order)

    def buy_in_the_other_tab(answer):
        make_purchase(buyer=buyer, prompt=prompt)
        mail.outbox.clear()
        return answer

    gateway = ScriptedGateway(confirm=[buy_in_the_other_tab])
    confirm_payment(payment=payment, **returned, now=NOON, gateway=gateway)

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("partly_refunded", 5_000)
    charged = SandboxPayment.objects.get(reference=payment.reference)
    assert [entry["amount_krw"] for entry in charged.cancels] == [5_000]
    bought = Purchase.objects.filter(payment_order_id__startswith=order.number)
    assert [purchase.payment_order_id for purchase in bought] == [f"{order.number}-2"]
    refund = Refund.objects.get()
    assert (refund.reason, refund.status, refund.lines.get().order_line.prompt) == ("bought_twice", "done", prompt)
    assert Entitlement.objects.live().filter(user=buyer, prompt=prompt).count() == 1
    assert len(mail.outbox) == 2  # the receipt, and that one line goes back


def test_an_order_of_nothing_but_what_the_buyer_has_is_given_back_whole(buyer):
    prompt = make_prompt(price=5_000)
    order = make_order(buyer=buyer, prompts=[prompt])
    payment, returned = authorise(order)
    make_gateway().confirm(**returned, idempotency_key="x")
    make_purchase(buyer=buyer, prompt=prompt)

    check_payment(payment=payment, now=after(seconds=5), gateway=make_gateway())

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 5_000)
    assert SandboxPayment.objects.get(reference=payment.reference).status == "cancelled"


def test_prompts_sold_are_counted_once_however_often_one_was_paid(buyer):
    prompt = make_prompt(price=5_000)
    payment, returned = authorise(make_order(buyer=buyer, prompts=[prompt]))
    make_gateway().confirm(**returned, idempotency_key="x")
    make_purchase(buyer=buyer, prompt=prompt)

    check_payment(payment=payment, now=after(seconds=5), gateway=make_gateway())

    prompt.listing.refresh_from_db()
    assert prompt.listing.sales_count == 1


# --- No answer, or a no


@pytest.mark.parametrize("trouble", [LOST, afterwards(LOST)])
def test_a_lost_answer_leaves_the_refund_open_and_the_next_look_finishes_it_once(
    buyer, buyer_client, trouble, time_machine
):
    entitlement = make_purchase(buyer=buyer)

    refund = cancel(entitlement, gateway=ScriptedGateway(cancel=[trouble]))

    assert refund.status == "requested"
    assert Order.objects.get().status == "paid"
    assert rights() == [(True, True)]
    time_machine.move_to(after(minutes=1), tick=False)
    buyer_client.get(f"/orders/{Order.objects.get().number}/")
    assert Refund.objects.get().status == "done"
    assert Order.objects.get().status == "refunded"
    assert len(SandboxPayment.objects.get().cancels) == 1


@pytest.mark.parametrize(
    ("trouble", "calls"),
    [(LOST, ["cancel", "look_up", "cancel"]), (afterwards(LOST), ["cancel", "look_up"])],
)
def test_a_refund_without_answer_is_looked_for_by_its_mark_before_it_is_asked_for_again(buyer, trouble, calls):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)
    gateway = ScriptedGateway(cancel=[trouble])

    refund = cancel_sealed_lines(order=order, lines=lines[:1], now=NOON, gateway=gateway)
    carry_out_refund(refund=refund, now=after(seconds=5), gateway=gateway)

    assert gateway.calls == calls
    assert refund.status == "done"
    charged = SandboxPayment.objects.get()
    assert [(entry["amount_krw"], entry["reason"]) for entry in charged.cancels] == [
        (1_000, f"buyer_cancelled {refund.mark}")
    ]


def test_the_cancel_of_another_line_is_not_taken_for_this_one(buyer):
    order, lines = make_order_of(1_000, 1_000, 1_000, buyer=buyer)
    gateway = ScriptedGateway(cancel=[LOST])
    lost = cancel_sealed_lines(order=order, lines=lines[:1], now=NOON, gateway=gateway)
    cancel_sealed_lines(order=order, lines=lines[1:2], now=NOON, gateway=gateway)

    carry_out_refund(refund=lost, now=after(seconds=5), gateway=gateway)

    assert gateway.calls == ["cancel", "cancel", "look_up", "cancel"]
    assert SandboxPayment.objects.get().balance_krw == 1_000
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["done", "done"]


@pytest.mark.parametrize(
    ("error", "is_same"),
    [
        (GatewayUnknown("timeout"), True),
        (GatewayUnknown("FAILED_REFUND_PROCESS", keeps_key=False), False),
        (GatewayMisconfigured("FORBIDDEN_REQUEST"), False),
    ],
)
def test_the_key_of_a_refund_is_used_again_only_when_no_answer_was_stored_with_it(buyer, error, is_same):
    entitlement = make_purchase(buyer=buyer)
    gateway = ScriptedGateway(cancel=[error])

    refund = cancel(entitlement, gateway=gateway)
    carry_out_refund(refund=refund, now=after(seconds=5), gateway=gateway)

    first, second = (request["idempotency_key"] for request in gateway.asked if "idempotency_key" in request)
    assert (first == second) == is_same
    assert refund.status == "done"


def test_many_pages_that_look_ask_the_provider_once_in_two_seconds(buyer):
    gateway = ScriptedGateway(cancel=[LOST] * 9)
    refund = cancel(make_purchase(buyer=buyer), gateway=gateway)

    for milliseconds in range(0, 5_000, 250):
        carry_out_refund(refund=refund, now=after(milliseconds=milliseconds), gateway=gateway)

    assert gateway.calls.count("cancel") == 3
    assert gateway.calls.count("look_up") == 2


def test_two_processes_that_carry_out_one_refund_ask_once(buyer):
    entitlement = make_purchase(buyer=buyer)
    refund = make_refund(order=entitlement.order_line.order)
    same = Refund.objects.get(pk=refund.pk)
    gateway = ScriptedGateway()

    carry_out_refund(refund=refund, now=NOON, gateway=gateway)
    carry_out_refund(refund=same, now=NOON, gateway=gateway)  # which was loaded before the other began

    assert gateway.calls == ["cancel"]
    assert same.status == "done"


def test_a_refused_refund_gives_the_sealed_prompt_back(buyer):
    entitlement = make_purchase(buyer=buyer)

    refund = cancel(
        entitlement, gateway=ScriptedGateway(cancel=[GatewayRefused("EXCEED_MAX_REFUND_DUE", "늦었습니다")])
    )

    entitlement.refresh_from_db()
    assert (refund.status, refund.failure_code, refund.failure_message) == (
        "failed",
        "EXCEED_MAX_REFUND_DUE",
        "늦었습니다",
    )
    assert (entitlement.is_revoked, entitlement.is_sealed) == (False, True)
    again = cancel(entitlement, now=after(hours=1))
    assert again.status == "done"
    assert Order.objects.get().status == "refunded"


def test_a_refused_refund_gives_no_second_right_to_who_bought_again_meanwhile(buyer):
    first = make_purchase(buyer=buyer)
    refund = cancel(first, gateway=ScriptedGateway(cancel=[LOST]))
    again = make_purchase(buyer=buyer, prompt=first.prompt)

    gateway = ScriptedGateway(cancel=[GatewayRefused("EXCEED_MAX_REFUND_DUE")])
    carry_out_refund(refund=refund, now=after(seconds=5), gateway=gateway)

    assert refund.status == "failed"
    assert Entitlement.objects.live().get() == again


def test_keys_that_the_provider_refuses_leave_the_refund_for_later(buyer):
    gateway = ScriptedGateway(cancel=[GatewayMisconfigured("UNAUTHORIZED_KEY")])
    refund = cancel(make_purchase(buyer=buyer), gateway=gateway)
    assert refund.status == "requested"

    carry_out_refund(refund=refund, now=after(hours=1), gateway=gateway)
    assert refund.status == "done"


def test_an_answer_that_does_not_show_the_cancel_does_not_finish_the_refund(buyer):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)

    def without_cancels(answer):
        return replace(answer, cancels=(), balance_krw=answer.amount_krw)

    gateway = ScriptedGateway(cancel=[without_cancels])
    refund = cancel_sealed_lines(order=order, lines=lines[:1], now=NOON, gateway=gateway)
    assert refund.status == "requested"

    carry_out_refund(refund=refund, now=after(seconds=5), gateway=gateway)
    assert (refund.status, gateway.calls) == ("done", ["cancel", "look_up"])


def test_a_refund_finished_twice_is_booked_and_added_once(buyer):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)
    refund = make_refund(order=order, lines=lines[:1], status="done")
    entries = LedgerEntry.objects.count()

    refunds.finish_refund(refund=refund, now=after(hours=1))

    order.refresh_from_db()
    assert (order.refunded_krw, LedgerEntry.objects.count()) == (1_000, entries)


# --- By staff


@pytest.fixture
def staff():
    return make_user(email="staff@example.com", is_staff=True)


def test_staff_give_back_an_opened_purchase_at_any_time_and_say_why(buyer, staff, on_commit):
    entitlement = make_purchase(buyer=buyer, is_open=True)
    line = entitlement.order_line
    mail.outbox.clear()

    refund = refund_by_staff(
        order=line.order,
        lines=[line],
        note=" 글이 설명과 달라요 ",
        staff=staff,
        now=after(days=30),
        gateway=make_gateway(),
    )

    assert (refund.status, refund.reason, refund.note) == ("done", "staff", "글이 설명과 달라요")
    assert refund.requested_by == staff
    assert rights() == [(False, True)]
    assert SandboxPayment.objects.get().balance_krw == 0
    event = refund.events.get(kind="staff")
    assert (event.actor, event.detail) == (staff, {"note": "글이 설명과 달라요"})
    assert line.order.number in mail.outbox[0].subject


def test_staff_give_back_one_line_and_then_the_rest(buyer, staff):
    order, lines = make_order_of(1_000, 2_000, 0, buyer=buyer)
    arguments = {"note": "사과의 뜻", "staff": staff, "gateway": make_gateway()}

    refund_by_staff(order=order, lines=lines[:1], now=NOON, **arguments)
    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("partly_refunded", 1_000)
    refund_by_staff(order=order, lines=lines[1:], now=NOON, **arguments)

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 3_000)
    assert rights()[:2] == [(True, True), (True, True)]


def test_staff_need_a_reason_something_paid_and_nothing_under_way(buyer, staff):
    order, lines = make_order_of(1_000, 0, buyer=buyer)
    unpaid = make_order(buyer=buyer)
    arguments = {"staff": staff, "now": NOON, "gateway": make_gateway()}

    for refused in (
        {"order": order, "lines": lines, "note": "  "},
        {"order": order, "lines": lines[1:], "note": "무료"},
        {"order": order, "lines": [], "note": "없음"},
        {"order": unpaid, "lines": list(unpaid.lines.all()), "note": "안 냄"},
    ):
        with pytest.raises(RefundRefused):
            refund_by_staff(**refused, **arguments)
    assert not Refund.objects.exists()

    make_refund(order=order, lines=lines[:1])
    with pytest.raises(RefundRefused):
        refund_by_staff(order=order, lines=lines[:1], note="다시", **arguments)
    assert Refund.objects.count() == 1


def test_staff_need_the_account_of_who_paid_by_deposit(buyer, staff):
    order, lines = make_order_of(1_000, buyer=buyer)
    Payment.objects.update(deposit_account="X1234567890")

    with pytest.raises(RefundRefused):
        refund_by_staff(order=order, lines=lines, note="x", staff=staff, now=NOON, gateway=make_gateway())
    assert rights() == [(True, False)]


def test_staff_may_try_again_what_the_provider_refused(buyer, staff):
    order, lines = make_order_of(1_000, buyer=buyer)
    make_refund(order=order, status="failed")

    refund = refund_by_staff(order=order, lines=lines, note="다시", staff=staff, now=NOON, gateway=make_gateway())

    assert refund.status == "done"
    assert RefundLine.objects.filter(is_live=True).count() == 1


# --- Given back at the provider, in its own dashboard


def cancel_outside(amount_krw=None, key="dashboard"):
    charged = SandboxPayment.objects.get()
    make_gateway().cancel(payment_key=charged.pk, amount_krw=amount_krw, reason="상점관리자", idempotency_key=key)


def test_a_charge_cancelled_in_full_at_the_provider_ends_the_rights_and_is_booked(buyer):
    order, _ = make_order_of(1_000, 2_000, buyer=buyer)
    payment = order.payments.get()
    cancel_outside()

    for seconds in (0, 10, 20):
        check_payment(payment=payment, now=after(seconds=seconds), gateway=make_gateway())

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 3_000)
    refund = Refund.objects.get()
    assert (refund.reason, refund.status, refund.amount_krw) == ("provider", "done", 3_000)
    assert rights() == [(True, True), (True, True)]
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_a_part_cancelled_at_the_provider_is_left_to_staff(buyer):
    order, _ = make_order_of(1_000, 2_000, buyer=buyer)
    cancel_outside(1_000)

    check_payment(payment=order.payments.get(), now=NOON, gateway=make_gateway())

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("paid", 0)
    assert not Refund.objects.exists()
    assert rights() == [(True, False), (True, False)]


def test_the_rest_cancelled_at_the_provider_finishes_our_own_refund_on_the_way(buyer):
    order, lines = make_order_of(1_000, 2_000, 4_000, buyer=buyer)
    make_refund(order=order, lines=lines[:1], status="done")
    gateway = ScriptedGateway(cancel=[afterwards(LOST)])
    cancel_sealed_lines(order=order, lines=lines[1:2], now=NOON, gateway=gateway)
    cancel_outside()
    payment = order.payments.get()

    adopted = adopt_outside_cancel(
        payment=payment, answer=make_gateway().look_up(payment_key=payment.payment_key), now=after(minutes=1)
    )

    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 7_000)
    assert (adopted.reason, adopted.amount_krw) == ("provider", 4_000)
    assert sorted(Refund.objects.values_list("amount_krw", "status")) == [
        (1_000, "done"),
        (2_000, "done"),
        (4_000, "done"),
    ]


def test_money_that_was_given_back_at_the_provider_is_not_given_back_again(buyer):
    order, lines = make_order_of(1_000, 2_000, buyer=buyer)
    gateway = ScriptedGateway(cancel=[LOST])
    refund = cancel_sealed_lines(order=order, lines=lines[1:], now=NOON, gateway=gateway)
    cancel_outside(2_000)

    carry_out_refund(refund=refund, now=after(seconds=5), gateway=gateway)

    assert gateway.calls == ["cancel", "look_up"]
    assert (refund.status, refund.failure_code) == ("failed", "balance_too_small")
    assert SandboxPayment.objects.get().balance_krw == 1_000
    assert rights() == [(True, False), (True, False)]


# --- Pages


def test_a_purchase_of_another_program_has_nothing_to_cancel(buyer, buyer_client, settings):
    settings.TOSS_SANDBOX = False  # and no gateway is asked for one
    prompt = make_prompt(slug="letter")
    Purchase.objects.create(buyer=buyer, prompt=prompt, payment_order_id="old-1", created_at=NOON)
    grant_missing_entitlements(now=NOON)

    assert buyer_client.post("/library/letter/cancel/").status_code == 302
    assert owned_prompt_ids(buyer, [prompt.pk]) == {prompt.pk}


@pytest.mark.parametrize("count", [1, 50])
def test_the_pages_of_an_order_cost_the_same_however_long_it_is(buyer, buyer_client, count, django_assert_num_queries):
    seller = make_seller()
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(seller=seller, price=1_000) for _ in range(count)])

    # session, user, order, open refunds, order again, payment, refunds, lines, their refunds, last refund, badge
    with django_assert_num_queries(11):
        buyer_client.get(f"/orders/{order.number}/")
    with django_assert_num_queries(7):  # session, user, order, lines, refunds, payment, badge
        buyer_client.get(f"/orders/{order.number}/receipt/")


def test_a_look_up_without_answer_leaves_the_key_of_a_cancel_that_may_still_run(buyer):
    refund = make_refund(order=make_paid_order(buyer=buyer))
    key = refund.idempotency_key
    busy = GatewayUnknown("FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING", keeps_key=False)
    gateway = ScriptedGateway(cancel=[GatewayUnknown("timeout")], look_up=[busy])

    for seconds in (0, 3):
        carry_out_refund(refund=refund, now=NOON + timedelta(seconds=seconds), gateway=gateway)

    refund.refresh_from_db()
    assert (gateway.calls, refund.idempotency_key) == (["cancel", "look_up"], key)


def test_a_cancel_that_the_provider_gets_to_late_does_not_give_a_line_back_twice(buyer):
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(price=5_000), make_prompt(price=5_000)])
    refund = make_refund(order=order, lines=list(order.lines.order_by("position"))[:1])
    late = {}

    class SlowGateway(ScriptedGateway):
        def cancel(self, **request):
            if not late:
                late.update(request)
                raise GatewayUnknown("FAILED_REFUND_PROCESS", keeps_key=False)  # and goes on behind that answer
            return super().cancel(**request)

    for seconds in (0, 3):
        carry_out_refund(refund=refund, now=NOON + timedelta(seconds=seconds), gateway=SlowGateway())
    with pytest.raises(GatewayUnknown):
        make_gateway().cancel(**late)

    assert Refund.objects.get().status == "done"
    assert SandboxPayment.objects.get().balance_krw == 5_000


def begin_elsewhere(monkeypatch, lines):
    """Another tab cancels these lines in the moment before the next refund is written."""
    begin = refunds.begin_refund

    def begin_late(**request):
        monkeypatch.setattr(refunds, "begin_refund", begin)
        cancel_sealed_lines(order=Order.objects.get(), lines=lines, now=NOON, gateway=make_gateway())
        return begin(**request)

    monkeypatch.setattr(refunds, "begin_refund", begin_late)


def test_a_cancel_of_everything_does_not_pass_off_a_refund_of_one_line_as_its_own(buyer, monkeypatch):
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(price=3_000), make_prompt(price=4_000)])
    lines = list(order.lines.order_by("position"))
    begin_elsewhere(monkeypatch, lines[:1])

    with pytest.raises(RefundRefused):
        cancel_sealed_lines(order=order, lines=lines, now=NOON, gateway=make_gateway())

    assert Refund.objects.get().amount_krw == 3_000


def test_staff_are_not_given_the_buyers_refund_as_theirs(buyer, monkeypatch):
    order = make_paid_order(buyer=buyer)
    lines = list(order.lines.all())
    begin_elsewhere(monkeypatch, lines)

    with pytest.raises(RefundRefused):
        refund_by_staff(order=order, lines=lines, note="Broken.", staff=make_user(), now=NOON, gateway=make_gateway())

    assert not PaymentEvent.objects.filter(kind="staff").exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time: nothing to race for")
@pytest.mark.django_db(transaction=True)
def test_a_refusal_while_the_same_prompt_is_bought_again_leaves_one_right(monkeypatch):
    """The right comes back in one transaction, and another order delivers the same prompt in the other."""
    buyer, prompt = make_user(), make_prompt()
    refund = make_refund(order=make_paid_order(buyer=buyer, prompts=[prompt]))
    again = make_order(buyer=buyer, prompts=[prompt])
    payment = make_payment(order=again, status="paid", payment_key="k", approved_at=NOON, method="카드")
    delivered, settle = [], refunds.settle_reviews

    def deliver():
        try:
            delivered.append(fulfil_order(order=again, payment=payment, now=NOON))
        finally:
            connection.close()

    other = threading.Thread(target=deliver)

    def settle_while_the_other_delivers(**arguments):
        other.start()
        other.join(timeout=1)  # it waits for this transaction
        settle(**arguments)

    monkeypatch.setattr(refunds, "settle_reviews", settle_while_the_other_delivers)
    fail_refund(refund=refund, error=GatewayRefused("EXCEED_MAX_REFUND_DUE"), now=NOON)
    other.join(timeout=30)

    assert [fulfilled.refund.reason for fulfilled in delivered] == ["bought_twice"]
    assert Entitlement.objects.live().filter(user=buyer, prompt=prompt).count() == 1
