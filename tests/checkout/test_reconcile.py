"""What was left behind is finished, and what does not agree is listed."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checkout import reconcile, refunds, sandbox
from checkout.differences import Finding, check_books
from checkout.gateway import get_gateway
from checkout.management.commands.reconcile_payments import read_period
from checkout.models import (
    Entitlement,
    LedgerEntry,
    Order,
    OrderMail,
    Payment,
    PaymentEvent,
    Purchase,
    Refund,
    SandboxPayment,
)
from checkout.payments import CONFIRM_AGAIN_AFTER, DEPOSIT_GRACE, GIVE_UP_AFTER, confirm_payment
from checkout.provider import GatewayMisconfigured, GatewayRefused, GatewayUnknown, ProviderState
from checkout.reconcile import Report, Step, _Run, reconcile_payments
from checkout.refunds import cancel_sealed_lines
from tests.checkout.gateways import ScriptedGateway, afterwards, authorise, changed, make_gateway
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_sandbox_payment,
    make_user,
)
from tests.toss.fixtures import toss, toss_process  # noqa: F401

pytestmark = pytest.mark.django_db

LOST = GatewayUnknown("connection_lost")
LATER = timedelta(hours=2)  # an order placed at noon has expired
NOTHING = dict.fromkeys(reconcile.COUNTED, 0)


@pytest.fixture(autouse=True)
def clock(time_machine, request):
    if not {"shop", "database_url"} & set(request.fixturenames):
        time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def use(monkeypatch):
    """Let the run ask this gateway."""

    def use(gateway):
        monkeypatch.setattr(reconcile, "get_gateway", lambda provider: gateway)
        return gateway

    return use


def run(**options):
    since = options.pop("since", timezone.now() - timedelta(days=1))
    return reconcile_payments(since=since, until=timezone.now(), **options)


def done(report):
    """What was counted, and that nothing is left to look at."""
    assert (report.differences, report.problems) == ([], [])
    return {name: count for name, count in report.counts.items() if count}


def words(findings):
    return [finding.what for finding in findings]


def dump():
    """Every row of every table of ours."""
    models = [model for app in ("checkout", "catalog", "accounts") for model in apps.get_app_config(app).get_models()]
    return {model: list(model.objects.order_by("pk").values()) for model in models}


def lost_confirm(order=None, *, script=None, choice="approve"):
    payment, returned = authorise(order or make_order(), choice)
    gateway = ScriptedGateway(confirm=[script or afterwards(LOST)])
    confirm_payment(payment=payment, **returned, now=timezone.now(), gateway=gateway)
    return payment


def waiting_deposit():
    payment, returned = authorise(make_order(), "deposit")
    confirm_payment(payment=payment, **returned, now=timezone.now(), gateway=make_gateway())
    payment.refresh_from_db()
    assert payment.status == "waiting"
    OrderMail.objects.update(status="sent", sent_at=timezone.now())  # the one with the account, out by then
    return payment


def cancel_at_provider(payment, amount_krw=None):
    """In the provider's own dashboard."""
    make_gateway().cancel(
        payment_key=payment.payment_key, amount_krw=amount_krw, reason="dashboard", idempotency_key="by-hand"
    )


# --- Orders in doubt


def test_an_order_in_doubt_that_was_charged_is_finished_and_a_second_run_does_nothing(clock):
    lost_confirm()
    clock.shift(timedelta(seconds=5))

    report = run()
    assert done(report) == {"finished": 1}
    assert report.steps == [Step(Order.objects.get().number, "finished")]
    assert (Order.objects.get().status, Purchase.objects.count()) == ("paid", 1)

    before = dump()
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}
    assert dump() == before


def test_an_order_whose_request_was_lost_is_asked_for_again_under_the_same_key(clock, use):
    lost_confirm(script=LOST)
    clock.shift(timedelta(seconds=5))
    gateway = use(ScriptedGateway())

    assert done(run()) == {"finished": 1}
    assert gateway.calls[:2] == ["look_up", "confirm"]
    assert gateway.asked[1]["idempotency_key"] == Payment.objects.get().idempotency_key


def test_an_order_in_doubt_that_lapsed_at_the_provider_fails(clock):
    lost_confirm(script=LOST)
    clock.shift(timedelta(minutes=11))

    assert done(run()) == {"failed": 1}
    assert Order.objects.get().status == "failed"


def test_an_order_in_doubt_whose_provider_is_silent_is_a_problem_after_a_while_only(clock, use):
    payment = lost_confirm()
    gateway = use(ScriptedGateway(look_up=[LOST] * 9))

    clock.shift(GIVE_UP_AFTER - timedelta(minutes=1))
    assert done(run()) == {}
    clock.shift(timedelta(minutes=2))
    report = run()

    assert words(report.problems) == ["in_doubt"]
    assert report.problems[0].order == payment.order.number
    assert Order.objects.get().status == "confirming"
    gateway.scripts = {}
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {"finished": 1}


def test_a_payment_that_somebody_else_looks_up_just_now_is_left_to_them(clock, use):
    lost_confirm()
    clock.shift(GIVE_UP_AFTER * 2)
    Payment.objects.update(looked_up_at=timezone.now() - timedelta(seconds=1))
    gateway = use(ScriptedGateway(list_transactions=[lambda rows: iter([])]))

    assert done(run()) == {}
    assert gateway.calls == ["list_transactions"]


def test_one_order_that_fails_does_not_stop_the_others(clock, monkeypatch):
    first, second = lost_confirm(), lost_confirm()
    clock.shift(timedelta(seconds=5))
    check = reconcile.check_payment

    def fail_for_the_first(*, payment, **given):
        if payment == first:
            raise RuntimeError("something else")
        return check(payment=payment, **given)

    monkeypatch.setattr(reconcile, "check_payment", fail_for_the_first)
    report = run(since=NOON + timedelta(seconds=1))

    assert report.counts["finished"] == 1
    assert words(report.problems) == ["failed"]
    assert report.problems[0].order == first.order.number
    assert Order.objects.get(pk=second.order_id).status == "paid"


# --- Deposits


def test_a_deposit_that_came_is_delivered(clock):
    waiting_deposit()
    sandbox.deposit(SandboxPayment.objects.get())
    clock.shift(timedelta(seconds=5))

    assert done(run()) == {"finished": 1}


def test_a_deposit_that_did_not_come_is_cancelled_there_and_expires_here_after_its_grace(clock):
    payment = waiting_deposit()
    clock.move_to(payment.deposit_due_at + DEPOSIT_GRACE, tick=False)
    assert done(run()) == {}
    assert Order.objects.get().status == "waiting"

    clock.shift(timedelta(seconds=5))
    assert done(run()) == {"expired": 1}
    assert Order.objects.get().status == "expired"
    assert SandboxPayment.objects.get().status == "cancelled"
    assert SandboxPayment.objects.get().charge_count == 0
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


def test_a_deposit_without_a_deadline_is_given_a_week(clock):
    payment = waiting_deposit()
    Payment.objects.update(deposit_due_at=None)
    clock.move_to(payment.confirmed_at + timedelta(days=7, minutes=31), tick=False)

    assert done(run()) == {"expired": 1}


def test_an_overdue_deposit_that_came_after_all_is_delivered(clock):
    payment = waiting_deposit()
    sandbox.deposit(SandboxPayment.objects.get())
    clock.move_to(payment.deposit_due_at + DEPOSIT_GRACE * 2, tick=False)

    assert done(run()) == {"finished": 1}


def test_an_overdue_deposit_that_cannot_be_cancelled_is_a_problem(clock, use):
    payment = waiting_deposit()
    clock.move_to(payment.deposit_due_at + DEPOSIT_GRACE * 2, tick=False)
    use(ScriptedGateway(cancel=[LOST]))

    assert words(run().problems) == ["deposit_overdue"]
    use(ScriptedGateway(look_up=[LOST]))
    clock.shift(timedelta(seconds=5))
    assert words(run().problems) == ["in_doubt"]
    assert Order.objects.get().status == "waiting"


def test_a_delivered_deposit_that_the_bank_took_back_is_listed_as_long_as_it_is_gone(clock, use):
    payment = waiting_deposit()
    sandbox.deposit(SandboxPayment.objects.get())
    clock.shift(timedelta(seconds=5))
    run()
    taken_back = changed(state=ProviderState.WAITING_FOR_DEPOSIT, approved_at=None)
    gone = ScriptedGateway(look_up=[taken_back] * 9)
    clock.shift(timedelta(days=3))
    payment.refresh_from_db()
    reconcile.check_payment(payment=payment, now=timezone.now(), gateway=gone)  # a webhook said so
    use(gone)

    report = run()
    krw = payment.amount_krw
    text = "it was delivered, and the provider waits for the deposit again"
    assert report.differences == [Finding("deposit_taken_back", payment.order.number, text, krw, 0)]
    assert Order.objects.get().status == "paid"

    use(ScriptedGateway())
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


# --- Orders that nobody paid in time


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_an_order_that_nobody_paid_expires_after_its_time_only(clock, status):
    order = make_order(status=status)
    clock.move_to(order.expires_at - timedelta(seconds=1), tick=False)
    assert done(run()) == {}

    clock.shift(timedelta(seconds=1))
    assert done(run()) == {"expired": 1}
    assert Order.objects.get().status == "expired"
    assert done(run()) == {}


def test_each_attempt_is_looked_up_by_its_own_name_before_its_order_expires(clock, use):
    order = make_order()
    window = make_payment(order=order)
    make_sandbox_payment(payment=window, status="ready")
    failed = make_payment(order=order, status="failed", payment_key="KEY-OF-THE-SECOND")
    gateway = use(ScriptedGateway())
    clock.shift(LATER)

    assert done(run()) == {"expired": 1}
    assert gateway.asked[:2] == [{"order_id": window.provider_order_id}, {"payment_key": failed.payment_key}]


def test_an_order_does_not_expire_while_one_of_its_attempts_has_no_answer(clock, use):
    order = make_order()
    make_payment(order=order)
    make_payment(order=order, status="failed", payment_key="KEY-OF-THE-SECOND")
    clock.shift(LATER)
    gateway = use(ScriptedGateway(look_up=[LOST]))

    report = run()
    assert words(report.problems) == ["in_doubt"]
    assert Order.objects.get().status == "pending"

    gateway.scripts = {}
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {"expired": 1}


def test_a_charge_that_nobody_heard_of_is_delivered_instead_of_expired(clock):
    order = make_order()
    payment = make_payment(order=order)
    make_sandbox_payment(payment=payment)
    clock.shift(LATER)

    assert done(run()) == {"finished": 1}
    assert (Order.objects.get().status, Purchase.objects.count()) == ("paid", 1)


def test_a_charge_of_another_amount_is_given_back(clock):
    order = make_order()
    make_sandbox_payment(payment=make_payment(order=order), amount_krw=100)
    clock.shift(LATER)

    assert done(run()) == {"cancelled": 1}
    assert SandboxPayment.objects.get().balance_krw == 0
    assert Payment.objects.get().status == "cancelled"


def test_a_deposit_that_is_awaited_there_and_unknown_here_is_a_problem(clock, use):
    make_sandbox_payment(
        payment=make_payment(order=make_order()), status="waiting", deposit_account="X1", deposit_due_at=NOON
    )
    clock.shift(LATER)

    assert words(run().problems) == ["unknown_deposit"]
    assert Order.objects.get().status == "pending"


def test_an_attempt_of_a_provider_that_is_switched_off_is_listed_and_left(clock, settings):
    order = make_order()
    make_payment(order=order)
    paid = make_paid_order()
    clock.shift(LATER)
    settings.TOSS_SANDBOX = False

    report = run()

    assert [(finding.what, finding.order) for finding in report.problems] == [
        ("no_gateway", order.number),
        ("no_gateway", "-"),  # the charge of the period cannot be compared
    ]
    assert Order.objects.get(pk=order.pk).status == "pending"
    assert Order.objects.get(pk=paid.pk).status == "paid"


# --- Refunds, hints and mails


def test_a_refund_without_answer_is_looked_for_and_finished(clock, use):
    order = make_paid_order()
    cancel_sealed_lines(
        order=order, lines=order.lines.all(), now=NOON, gateway=ScriptedGateway(cancel=[afterwards(LOST)])
    )
    clock.shift(timedelta(seconds=5))
    gateway = use(ScriptedGateway())

    assert done(run()) == {"refunds": 1}
    assert "cancel" not in gateway.calls
    assert Order.objects.get().status == "refunded"
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


def test_a_refund_that_never_reached_the_provider_is_carried_out(clock):
    order = make_paid_order()
    cancel_sealed_lines(order=order, lines=order.lines.all(), now=NOON, gateway=ScriptedGateway(cancel=[LOST]))
    clock.shift(timedelta(seconds=5))

    assert done(run()) == {"refunds": 1}
    assert SandboxPayment.objects.get().balance_krw == 0


def test_a_refund_that_the_provider_refuses_or_does_not_answer_is_a_problem(clock, use):
    orders = [make_paid_order(), make_paid_order()]
    for order in orders:
        cancel_sealed_lines(order=order, lines=order.lines.all(), now=NOON, gateway=ScriptedGateway(cancel=[LOST]))
    clock.shift(GIVE_UP_AFTER * 2)
    use(ScriptedGateway(cancel=[GatewayRefused("EXCEED_MAX_REFUND_DUE"), LOST]))

    report = run()

    assert sorted(words(report.problems)) == ["refund_in_doubt", "refund_refused"]
    assert Entitlement.objects.live().count() == 1  # of the refused one: its buyer keeps it


def test_the_refund_of_a_deposit_is_left_to_staff_who_know_the_account(clock, use):
    order = make_paid_order()
    Payment.objects.update(deposit_account="X123")
    refunds.begin_refund(
        order=order, payment=order.payments.get(), lines=list(order.lines.all()), reason="buyer_cancelled", now=NOON
    )
    gateway = use(ScriptedGateway())
    clock.shift(LATER)

    report = run()

    assert "cancel" not in gateway.calls
    assert words(report.problems) == ["refund_in_doubt"]
    assert "account" in report.problems[0].text


def test_a_charge_whose_refund_was_refused_stays_listed(clock, use):
    make_sandbox_payment(payment=make_payment(order=make_order()), amount_krw=100)
    clock.shift(LATER)
    use(ScriptedGateway(cancel=[GatewayRefused("NOT_CANCELABLE_PAYMENT")]))

    for _ in range(2):
        report = run()
        assert words(report.differences) == ["charge_kept"]
        assert report.differences[0].ours_krw == 100
        clock.shift(timedelta(seconds=5))


def test_a_charge_that_was_given_back_by_hand_after_a_refusal_is_taken_over(clock, use):
    order = make_order()
    make_sandbox_payment(payment=make_payment(order=order), amount_krw=100)
    clock.shift(LATER)
    use(ScriptedGateway(cancel=[GatewayRefused("NOT_CANCELABLE_PAYMENT")]))
    assert words(run().differences) == ["charge_kept"]
    cancel_at_provider(Payment.objects.get())
    use(make_gateway())
    clock.shift(timedelta(seconds=5))

    assert run(is_dry_run=True).steps == [Step(order.number, "adopted")]
    assert done(run()) == {"adopted": 1}
    assert Payment.objects.get().status == "cancelled"
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


def test_hints_that_nobody_looked_into_are_looked_into_with_one_question_for_each_payment(clock, use):
    payment = lost_confirm()
    for number in range(3):
        PaymentEvent.objects.create(
            kind="webhook", order=payment.order, payment=payment, dedup_key=number, detail={"received_count": 1}
        )
    clock.shift(timedelta(seconds=5))
    gateway = use(ScriptedGateway())

    assert done(run()) == {"finished": 1, "hints": 3}
    assert gateway.calls.count("look_up") == 1
    assert not PaymentEvent.objects.filter(kind="webhook", handled_at=None).exists()


def test_a_hint_about_an_order_whose_time_is_over_is_done_with_in_the_same_run(clock):
    order = make_order()
    payment = make_payment(order=order)
    make_sandbox_payment(payment=payment, status="ready")
    PaymentEvent.objects.create(kind="webhook", order=order, payment=payment, detail={"received_count": 1})
    clock.shift(LATER)

    assert done(run()) == {"expired": 1, "hints": 1}


def test_a_hint_without_an_answer_is_a_problem(clock, use):
    payment = lost_confirm()
    PaymentEvent.objects.create(kind="webhook", order=payment.order, payment=payment, detail={"received_count": 1})
    clock.shift(timedelta(seconds=5))
    use(ScriptedGateway(look_up=[LOST] * 2))

    assert words(run(since=timezone.now() - timedelta(seconds=1)).problems) == ["hint_waits"]


def test_waiting_mails_go_out_once(clock):
    order = make_paid_order()
    OrderMail.objects.update(status="queued", queued_at=NOON)
    clock.shift(timedelta(minutes=2))

    assert done(run()) == {"mails": OrderMail.objects.count()}
    assert [message.to for message in mail.outbox] == [[order.email]] * OrderMail.objects.count()
    assert done(run()) == {}


def test_mails_that_are_stuck_are_listed_until_one_went_out_again(clock):
    order = make_paid_order()
    OrderMail.objects.all().delete()
    fields = {"kind": "receipt", "order": order, "tried_at": NOON}
    OrderMail.objects.create(key="a", status="failed", **fields)
    OrderMail.objects.create(key="b", status="sending", **fields)
    clock.shift(timedelta(minutes=5))
    assert [finding.what for finding in run().problems] == ["mail"]

    clock.shift(timedelta(minutes=10))
    assert [finding.order for finding in run().problems] == [order.number] * 2

    OrderMail.objects.create(key="c", status="sent", sent_at=NOON, **fields)
    assert done(run()) == {}


# --- The provider's list


def test_an_order_that_agrees_is_not_looked_up(clock, use):
    make_paid_order()
    gateway = use(ScriptedGateway())

    assert done(run()) == {}
    assert gateway.calls == ["list_transactions"]


def test_a_charge_of_an_order_that_was_given_up_is_found_in_the_list_and_given_back(clock):
    order = make_order(status="cancelled")
    make_sandbox_payment(payment=make_payment(order=order))

    assert done(run()) == {}
    assert SandboxPayment.objects.get().balance_krw == 0
    assert Payment.objects.get().status == "cancelled"
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


def test_a_charge_of_an_order_that_may_still_be_paid_is_found_in_the_list_and_delivered():
    make_sandbox_payment(payment=make_payment(order=make_order()))

    assert done(run()) == {"finished": 1}
    assert Purchase.objects.count() == 1


def test_a_charge_there_that_cannot_be_settled_here_is_a_difference(use, monkeypatch):
    order = make_order()
    make_sandbox_payment(payment=make_payment(order=order))
    monkeypatch.setattr(reconcile, "settle_payment", lambda **given: None)

    text = "the provider has charged it, and here it is not paid"
    assert run().differences == [Finding("charge_unknown", order.number, text, 0, order.total_krw)]


def test_a_charge_here_that_is_none_there_is_a_difference():
    order = make_paid_order()
    SandboxPayment.objects.all().delete()

    text = "here it is charged, and at the provider it is not"
    assert run().differences == [Finding("charge_missing", order.number, text, order.total_krw, 0)]


def test_amounts_that_differ_are_a_difference():
    order = make_paid_order()
    rows = [row | {"amount": 4_000} for row in SandboxPayment.objects.get().transactions]
    SandboxPayment.objects.update(transactions=rows, amount_krw=4_000, balance_krw=4_000)

    text = "the charged amounts differ"
    assert run().differences == [Finding("amount_differs", order.number, text, 5_000, 4_000)]


def test_a_part_given_back_in_the_dashboard_is_a_difference(clock):
    order = make_paid_order()
    cancel_at_provider(order.payments.get(), 1_000)

    text = "the provider has given back more than was refunded here"
    for _ in range(2):
        assert run().differences == [Finding("refund_unknown", order.number, text, 0, 1_000)]
        clock.shift(timedelta(seconds=5))
    assert Order.objects.get().status == "paid"


def test_all_given_back_in_the_dashboard_is_taken_over(clock):
    order = make_paid_order(prompts=[make_prompt(), make_prompt()])
    cancel_at_provider(order.payments.get())

    assert done(run()) == {"adopted": 1}
    assert Order.objects.get().status == "refunded"
    assert Refund.objects.get().reason == "provider"
    assert not Entitlement.objects.live().exists()
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


def test_a_refund_here_that_is_none_there_is_a_difference():
    order = make_paid_order()
    refund = refunds.begin_refund(
        order=order, payment=order.payments.get(), lines=list(order.lines.all()), reason="staff", now=NOON
    )
    refunds.finish_refund(refund=refund, now=NOON)

    text = "more was refunded here than the provider has given back"
    assert run().differences == [Finding("refund_missing", order.number, text, 5_000, 0)]


def test_a_payment_that_nobody_here_knows_is_a_difference_and_its_key_is_not_shown():
    window = make_sandbox_payment(payment=make_payment(order=make_order()))
    SandboxPayment.objects.update(order_id="ANOTHER-SHOP-1")
    finding = run().differences[0]

    assert (finding.what, finding.order, finding.theirs_krw) == ("unknown_payment", "ANOTHER-SHOP-1", 5_000)
    assert window.pk not in str(finding)
    assert window.pk[-6:] in str(finding)


def test_another_payment_under_the_id_of_an_order_of_ours_is_a_difference():
    order = make_paid_order()
    SandboxPayment.objects.create(
        reference="other",
        order_id=order.number,
        order_name="x",
        amount_krw=700,
        balance_krw=700,
        status="done",
        charge_count=1,
        created_at=NOON,
        authorised_at=NOON,
        approved_at=NOON,
        transactions=[
            {"status": "DONE", "amount": 700, "transactionAt": "2026-11-22T21:00:00+09:00", "transactionKey": "T"}
        ],
    )

    finding = run().differences[0]
    assert (finding.what, finding.order, finding.theirs_krw) == ("unknown_payment", order.number, 700)


def test_a_payment_that_the_period_cuts_in_two_is_no_difference(clock, use):
    order = make_paid_order()
    clock.shift(timedelta(days=2))
    cancel_sealed_lines(order=order, lines=order.lines.all(), now=timezone.now(), gateway=make_gateway())
    OrderMail.objects.update(status="sent", sent_at=NOON)
    clock.shift(timedelta(seconds=5))
    gateway = use(ScriptedGateway())

    assert done(run()) == {}  # the refund alone
    assert done(reconcile_payments(since=NOON - timedelta(days=1), until=NOON + timedelta(days=1))) == {}  # the charge
    assert gateway.calls == ["list_transactions"] * 2  # ours are cut at the same place

    Payment.objects.update(approved_at=NOON + timedelta(seconds=3))  # our clock is ahead
    edge = {"since": NOON - timedelta(hours=1), "until": NOON + timedelta(seconds=2)}
    assert done(reconcile_payments(**edge)) == {}
    assert gateway.calls[2:] == ["list_transactions", "look_up"]


def test_a_deposit_that_was_cancelled_before_anybody_paid_is_no_difference(clock):
    payment = waiting_deposit()
    cancel_at_provider(payment)
    clock.shift(timedelta(seconds=5))

    assert done(run()) == {"cancelled": 1}
    clock.shift(timedelta(seconds=5))
    assert done(run()) == {}


def test_a_row_that_comes_twice_counts_once(use):
    make_paid_order()

    def twice(rows):
        return iter([row for row in rows for _ in range(2)])

    gateway = use(ScriptedGateway(list_transactions=[twice]))
    assert done(run()) == {}
    assert gateway.calls == ["list_transactions"]


@pytest.mark.parametrize("error", [LOST, GatewayMisconfigured("UNAUTHORIZED_KEY")])
def test_a_list_that_cannot_be_read_is_a_problem(use, error):
    make_paid_order()
    use(ScriptedGateway(list_transactions=[error]))

    report = run()
    assert words(report.problems) == ["no_list"]
    assert error.code in report.problems[0].text


def test_a_difference_that_cannot_be_looked_up_is_a_difference(use):
    order = make_paid_order()
    use(ScriptedGateway(list_transactions=[lambda rows: iter([])], look_up=[LOST]))

    report = run()
    assert [(f.what, f.order, f.ours_krw, f.theirs_krw) for f in report.differences] == [
        ("not_looked_up", order.number, 5_000, 0)
    ]


# --- Our own books


def test_books_that_are_right_have_no_differences():
    bought = make_prompt()
    buyer = make_user()
    twice = lost_confirm(make_order(buyer=buyer, prompts=[bought, make_prompt()]))
    make_paid_order(prompts=[make_prompt(price=0)])
    make_paid_order(buyer=buyer, prompts=[bought])
    partly = make_paid_order(prompts=[make_prompt(), make_prompt()])
    cancel_sealed_lines(order=partly, lines=[partly.lines.first()], now=NOON, gateway=make_gateway())
    reconcile.check_payment(payment=twice, now=NOON, gateway=make_gateway())

    states = sorted(Order.objects.values_list("status", flat=True))
    assert states == ["paid", "paid", "partly_refunded", "partly_refunded"]
    assert list(check_books()) == []


def test_what_is_wrong_in_the_books_is_listed():
    def book(order, amount_krw, **fields):
        payment = order.payments.get()
        LedgerEntry.objects.create(
            entry_key=f"x:{order.pk}", account="provider", amount_krw=amount_krw, order=order, payment=payment, **fields
        )

    unbalanced, refunded, unbooked, undelivered = (make_paid_order() for _ in range(4))
    book(unbalanced, 7, kind="charge")
    Order.objects.filter(pk=refunded.pk).update(status="refunded", refunded_krw=5_000)
    Payment.objects.filter(order=unbooked).update(status="failed")
    Entitlement.objects.filter(order_line__order=undelivered).delete()

    found = {(finding.what, finding.order, finding.ours_krw) for finding in check_books()}
    assert found == {
        ("ledger_unbalanced", unbalanced.number, 7),
        ("charge_booked_wrong", unbalanced.number, 5_000),
        ("refund_booked_wrong", refunded.number, 5_000),
        ("charge_booked_wrong", unbooked.number, 5_000),
        ("line_undelivered", undelivered.number, 5_000),
        ("purchase_without_right", undelivered.number, None),
    }


def test_the_books_are_checked_in_so_many_queries_however_many_orders_there_are(django_assert_num_queries):
    for count in (1, 3):
        for _ in range(count):
            order = make_paid_order(prompts=[make_prompt(), make_prompt()])
            Entitlement.objects.filter(order_line__order=order).delete()
        with django_assert_num_queries(6):
            assert len(list(check_books())) == 4 * Order.objects.count()


def test_a_run_over_orders_that_agree_costs_the_same_however_many_there_are():
    counts = []
    for _ in range(2):
        for _ in range(3):
            make_paid_order()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert done(run()) == {}
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- A dry run


@pytest.fixture
def everything_left(clock):
    """One of each thing that a run would do. Two hours later."""
    lost_confirm()
    lost_confirm(script=LOST)
    waiting_deposit()
    paid_deposit = waiting_deposit()
    sandbox.deposit(SandboxPayment.objects.get(order_id=paid_deposit.provider_order_id))
    make_payment(order=make_order())
    make_sandbox_payment(payment=make_payment(order=make_order(status="cancelled")))
    refunded = make_paid_order()
    cancel_sealed_lines(
        order=refunded, lines=refunded.lines.all(), now=NOON, gateway=ScriptedGateway(cancel=[afterwards(LOST)])
    )
    partly = make_paid_order(prompts=[make_prompt(), make_prompt()])
    cancel_sealed_lines(
        order=partly, lines=[partly.lines.first()], now=NOON, gateway=ScriptedGateway(cancel=[afterwards(LOST)])
    )
    in_dashboard = make_paid_order()
    cancel_at_provider(in_dashboard.payments.get())
    partly = make_paid_order()
    cancel_at_provider(partly.payments.get(), 1_000)
    hinted = lost_confirm()
    PaymentEvent.objects.create(kind="webhook", order=hinted.order, payment=hinted, detail={"received_count": 1})
    clock.shift(LATER)
    OrderMail.objects.update(status="queued", queued_at=NOON)


def test_a_dry_run_writes_nothing_and_says_what_a_run_then_does(clock, everything_left, use):
    before = dump()
    gateway = use(ScriptedGateway())
    mail.outbox.clear()

    foreseen = run(is_dry_run=True)

    assert dump() == before
    assert not mail.outbox
    assert set(gateway.calls) == {"look_up", "look_up_order", "list_transactions"}
    assert words(foreseen.differences) == ["refund_unknown"]
    assert foreseen.problems == []
    for name in ("finished", "failed", "expired", "refunds", "adopted", "hints", "mails"):
        assert foreseen.counts[name] > 0, name

    queued = foreseen.counts.pop("mails")
    actual = run()
    assert actual.counts.pop("mails") == queued
    assert actual.counts["finished"] == foreseen.counts["finished"]
    # What is found in the list only, and given back, belongs to an order that was cancelled before: it does not move.
    assert set(actual.steps) == {step for step in foreseen.steps if step.what != "cancelled"}
    assert actual.differences == foreseen.differences


def test_a_dry_run_foretells_an_overdue_deposit(clock):
    payment = waiting_deposit()
    clock.move_to(payment.deposit_due_at + DEPOSIT_GRACE * 2, tick=False)
    before = dump()

    report = run(is_dry_run=True)

    assert report.steps == [Step(payment.order.number, "expired")]
    assert dump() == before


# --- The command


def call(capsys, *arguments):
    """(what it printed, exit status)"""
    status = 0
    try:
        call_command("reconcile_payments", *arguments)
    except CommandError as error:
        status = error.returncode
    return capsys.readouterr().out, status


def test_the_command_prints_one_line_and_exits_with_nothing_to_tell(capsys, clock):
    lost_confirm()
    clock.shift(timedelta(seconds=5))

    out, status = call(capsys)

    assert status == 0
    assert out == (
        "1 orders finished, 0 failed, 0 waiting, 0 cancelled, 0 expired, 0 refunds carried out, 0 taken over, "
        "0 hints looked into, 0 mails sent, 0 differences, 0 problems\n"
    )


def test_the_command_lists_each_difference_and_exits_with_1(capsys):
    order = make_paid_order()
    payment = order.payments.get()
    cancel_at_provider(payment, 1_000)
    doubtful = lost_confirm()
    Payment.objects.filter(pk=doubtful.pk).update(status="failed")

    out, status = call(capsys)

    assert status == 1
    assert out.splitlines()[:-1] == [
        f"difference: {order.number}: the provider has given back more than was refunded here "
        "(here 0 won, provider 1,000 won)",
        f"problem: {doubtful.order.number}: it is confirming and has no payment that is",
    ]
    assert "1 differences, 1 problems" in out
    assert payment.payment_key not in out


def test_the_command_tells_everything_as_one_json_object(capsys, clock):
    order = make_paid_order()
    cancel_at_provider(order.payments.get(), 1_000)
    finished = lost_confirm().order
    clock.shift(timedelta(seconds=5))

    out, status = call(capsys, "--json", "--since", "2026-11-22")

    assert status == 1
    assert json.loads(out) == {
        "dry_run": False,
        "since": "2026-11-21T15:00:00+00:00",
        "until": "2026-11-22T12:00:05+00:00",
        **NOTHING,
        "finished": 1,
        "steps": [{"order": finished.number, "what": "finished"}],
        "differences": [
            {
                "what": "refund_unknown",
                "order": order.number,
                "text": "the provider has given back more than was refunded here",
                "ours_krw": 0,
                "theirs_krw": 1_000,
            }
        ],
        "problems": [],
    }


def test_a_dry_run_of_the_command_names_each_order(capsys, clock):
    order = make_order()
    clock.shift(LATER)

    out, status = call(capsys, "--dry-run")

    assert status == 0
    assert out.startswith(f"{order.number}: would be expired\nwould be: 0 orders finished")
    assert Order.objects.get().status == "pending"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "yesterday"],
        ["--since", "2026-13-01"],
        ["--until", "2026-11-01T25:00"],
        ["--days", "0"],
        ["--days", "-1"],
        ["--days", "many"],
        ["--days", "99999"],
        ["--since", "2026-11-22", "--days", "1"],
        ["--since", "2026-11-22", "--until", "2026-11-21"],
        ["--since", "2026-11-23T12:00"],
        ["--since", "0001-01-01T00:00:00"],
    ],
)
def test_wrong_use_exits_with_2(capsys, arguments):
    assert call(capsys, *arguments) == ("", 2)


@pytest.mark.parametrize(
    ("given", "since", "until"),
    [
        ({}, datetime(2026, 11, 20, 14, tzinfo=UTC), NOON),
        ({"days": "3"}, datetime(2026, 11, 18, 15, tzinfo=UTC), NOON),
        (
            {"since": "2026-11-01", "until": "2026-11-02"},
            datetime(2026, 10, 31, 15, tzinfo=UTC),
            datetime(2026, 11, 2, 15, tzinfo=UTC),
        ),
        ({"since": "2026-11-22T20:00"}, datetime(2026, 11, 22, 11, tzinfo=UTC), NOON),
        ({"since": "2026-11-22T11:00:00Z"}, datetime(2026, 11, 22, 11, tzinfo=UTC), NOON),
        ({"until": "2026-11-22"}, datetime(2026, 11, 20, 14, tzinfo=UTC), NOON),  # the day is not over yet
    ],
)
def test_the_period_is_in_the_time_of_seoul(given, since, until):
    assert read_period(**{"since": None, "until": None, "days": None} | given, now=NOON) == (since, until)


# --- At once, and over TCP


def test_what_another_run_finishes_between_two_questions_is_no_problem():
    order = make_paid_order(now=NOON)
    order.status = Order.Status.CONFIRMING  # as it was a moment ago

    run = _Run(Report(since=NOON, until=NOON, is_dry_run=False), lambda subject: None)
    run.finish_order(order)

    assert run.report.problems == []


@pytest.mark.slow
def test_two_runs_at_once_do_each_thing_once(database_url):
    finish(start(database_url, "prepare", 8))

    runs = [start(database_url, "run", time.time() + 4) for _ in range(2)]
    counts = sum(map(Counter, finish_all(runs)), Counter())

    assert counts == {"finished": 8, "expired": 8, "refunds": 8}
    assert finish(start(database_url, "report")) == {
        "orders": {"expired": 8, "paid": 8, "refunded": 8},
        "purchases": 16,
        "charges": [1] * 16,
        "cancels": 8,
        "differences": 0,
    }


def start(address, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.checkout.reconciling", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"DATABASE_URL": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    return finish_all([process])[0]


def finish_all(processes):
    """All have ended before one is judged: none is left running."""
    told = [process.communicate(timeout=120) for process in processes]
    for process, (_out, problems) in zip(processes, told, strict=True):
        assert process.returncode == 0, problems
        assert "database is locked" not in problems
    return [json.loads(out) for out, _problems in told]


@pytest.fixture
def shop(toss, settings):  # noqa: F811
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = toss.client_key, toss.secret_key
    settings.TOSS_API_URL, settings.TOSS_TIMEOUT_S = toss.url, 5
    settings.TOSS_SANDBOX = False
    toss.settings(guards_consecutive_cancels=False)
    return toss


def begin(client, shop, *, returns=True, **members):
    """An order that its buyer authorised, and came back from the window or not."""
    now = timezone.now()
    order = make_order(created_at=now, expires_at=now + timedelta(hours=1))
    payment = make_payment(order=order, provider="toss", requested_at=now)
    key = shop.authorise(order_id=payment.provider_order_id, amount=payment.amount_krw, **members)
    if returns:
        query = {"paymentKey": key, "orderId": payment.provider_order_id, "amount": payment.amount_krw}
        client.get(f"/payments/{payment.reference}/return/", query)
    return order, key


@pytest.mark.slow
def test_over_tcp_what_faults_left_behind_is_finished(shop, client, capsys):
    make_sandbox_payment(payment=make_payment(order=make_order(status="cancelled")))  # of another time, and ended
    shop.fault(kind="drop", on="confirm", executed=True)
    charged, _ = begin(client, shop)
    shop.fault(kind="reset", on="confirm", executed=False)
    lost, _ = begin(client, shop)
    shop.fault(kind="garbage", on="confirm")
    garbled, _ = begin(client, shop)
    unreturned, _ = begin(client, shop, returns=False)
    cancelled, key = begin(client, shop)
    shop.cancel_in_dashboard(payment_key=key)
    partly, key = begin(client, shop)
    shop.cancel_in_dashboard(payment_key=key, amount=1_000)
    Order.objects.filter(pk=unreturned.pk).update(created_at=NOON - LATER, expires_at=NOON - LATER / 2)
    Payment.objects.filter(status="confirming").update(confirmed_at=NOON - CONFIRM_AGAIN_AFTER)

    out, status = call(capsys, "--json")

    told = json.loads(out)
    assert (told["finished"], told["expired"], told["adopted"]) == (3, 1, 1)
    assert [(entry["what"], entry["order"]) for entry in told["differences"]] == [("refund_unknown", partly.number)]
    assert (told["problems"], status) == ([], 1)
    states = dict(Order.objects.values_list("number", "status"))
    assert {states[order.number] for order in (charged, lost, garbled)} == {"paid"}
    assert (states[unreturned.number], states[cancelled.number]) == ("expired", "refunded")
    books = shop.books()["orders"]
    assert {books[order.number]["charges"] for order in (charged, lost, garbled)} == {1}
    assert shop.secret_key not in out


@pytest.mark.slow
@pytest.mark.parametrize("is_negative", [True, False])
def test_over_tcp_the_sign_of_a_cancelled_amount_does_not_matter(shop, client, capsys, is_negative):
    shop.settings(negates_cancelled_amounts=is_negative)
    order, _ = begin(client, shop)
    order.refresh_from_db()
    cancel_sealed_lines(order=order, lines=order.lines.all(), now=timezone.now(), gateway=get_gateway("toss"))

    out, status = call(capsys)
    assert status == 0, out
    assert [seen["route"] for seen in shop.requests()].count("lookup") == 0


@pytest.mark.slow
def test_over_tcp_a_provider_that_is_down_leaves_everything_and_says_so(shop, client, capsys):
    shop.fault(kind="drop", on="confirm", executed=True)
    order, _ = begin(client, shop)
    Payment.objects.update(confirmed_at=timezone.now() - GIVE_UP_AFTER * 2)
    shop.fault(kind="error", on="any", times=20)

    out, status = call(capsys, "--json")

    assert status == 1
    assert [(entry["what"], entry["order"]) for entry in json.loads(out)["problems"]] == [
        ("in_doubt", order.number),
        ("no_list", "-"),
    ]
    assert Order.objects.get().status == "confirming"
    shop.clear_faults()
    Payment.objects.update(looked_up_at=None)
    assert call(capsys)[1] == 0
    assert Order.objects.get().status == "paid"
