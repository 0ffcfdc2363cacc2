"""The sandbox's window, faults and books. What it shares with the provider is in `test_provider_contract.py`."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from time_machine import escape_hatch

from checkout import sandbox
from checkout.gateway import make_sandbox_gateway
from checkout.models import SandboxPayment
from checkout.provider import GatewayRefused, GatewayUnknown, ProviderState
from tests.checkout.test_at_once import ROOT
from tests.factories import NOON

pytestmark = pytest.mark.django_db

ORDER = "PJ261122-K7QM2F9X"


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture(autouse=True)
def naps(settings, monkeypatch):
    """How long the sandbox slept, without anybody waiting for it."""
    settings.TOSS_SANDBOX_SLOW_S = 8
    naps = []
    monkeypatch.setattr(sandbox.time, "sleep", naps.append)
    return naps


@pytest.fixture
def gateway():
    return make_sandbox_gateway(timeout_s=60)


def open_window(**changes):
    return sandbox.open_window(
        **{
            "reference": "window-1",
            "order_id": ORDER,
            "order_name": "글쓰기",
            "amount_krw": 12900,
            "success_url": "http://testserver/return/",
            "fail_url": "http://testserver/fail/",
        }
        | changes
    )


def only():
    return SandboxPayment.objects.get()


def choose(choice):
    """The address of ours that the browser goes to, and its query."""
    address = urlsplit(sandbox.choose(only(), choice))
    return address.path, {name: values[0] for name, values in parse_qs(address.query).items()}


def authorised(choice="approve"):
    open_window()
    choose(choice)
    return only()


def confirm(gateway, key="attempt-1", amount_krw=12900):
    return gateway.confirm(payment_key=only().pk, order_id=ORDER, amount_krw=amount_krw, idempotency_key=key)


def unknown(call, *args, **kwargs):
    with pytest.raises(GatewayUnknown) as caught:
        call(*args, **kwargs)
    return caught.value.code, caught.value.keeps_key


# --- The window


def test_a_window_opens_once_for_a_reference():
    assert open_window() == open_window(amount_krw=1) == "/sandbox/window-1/"

    assert only().amount_krw == 12900


@pytest.mark.parametrize("choice", ["approve", "refuse", "lost_after", "lost_before", "slow", "deposit"])
def test_whoever_agrees_returns_with_what_was_authorised_and_nothing_is_charged(choice):
    open_window()

    assert choose(choice) == (
        "/return/",
        {"paymentType": "NORMAL", "orderId": ORDER, "paymentKey": only().pk, "amount": "12900"},
    )
    assert (only().status, only().charge_count) == ("in_progress", 0)


def test_an_edited_amount_is_what_is_authorised(gateway):
    open_window()

    assert choose("edited")[1]["amount"] == "100"
    with pytest.raises(GatewayRefused, match="FORBIDDEN_REQUEST"):
        confirm(gateway)
    assert only().charge_count == 0


def test_whoever_closes_the_window_returns_without_an_order():
    open_window()

    assert choose("close") == ("/fail/", {"code": "PAY_PROCESS_CANCELED"})
    assert only().status == "ready"


def test_a_refusal_in_the_window_names_the_order():
    open_window()

    path, query = choose("decline")

    assert (path, query["code"], query["orderId"]) == ("/fail/", "REJECT_CARD_COMPANY", ORDER)
    assert only().status == "ready"


def test_a_window_that_was_used_leads_to_the_same_place_and_changes_nothing(gateway):
    open_window()
    first = choose("approve")
    confirm(gateway)

    assert choose("edited") == choose("refuse") == first
    assert (only().status, only().amount_krw, only().fault) == ("done", 12900, "")


def test_every_choice_leads_somewhere():
    for number, choice in enumerate(sandbox.CHOICES):
        open_window(reference=f"window-{number}")
        payment = SandboxPayment.objects.get(reference=f"window-{number}")

        assert sandbox.choose(payment, choice).startswith("http://testserver/")


def buttons(client):
    page = client.get("/sandbox/window-1/").content.decode()
    return re.findall(r'<button[^>]* name="choice" value="(\w+)"', page)


def test_the_window_offers_what_can_happen_to_the_payment_as_it_stands(client, gateway):
    open_window()
    ready = buttons(client)
    choose("deposit")
    used = buttons(client)
    confirm(gateway)

    assert sorted(ready + sandbox.DEPOSIT_CHOICES) == sorted(sandbox.CHOICES)
    assert buttons(client) == sandbox.DEPOSIT_CHOICES
    assert used == ["approve"]


def test_each_button_of_the_window_says_what_it_does(client):
    open_window()
    page = client.get("/sandbox/window-1/").content.decode()

    for name in re.findall(r'aria-describedby="(about-[a-z-]+)"', page):
        assert re.search(rf'<p class="small soft" id="{name}">[^<]{{10,}}</p>', page)
    assert page.count("aria-describedby") == page.count('name="choice"') == 9


# --- What goes wrong on the way


def test_an_answer_lost_after_the_charge_is_found_by_a_later_look_up(gateway, time_machine):
    payment_key = authorised("lost_after").pk

    assert unknown(confirm, gateway) == ("connection_lost", True)
    assert unknown(gateway.look_up, payment_key=payment_key) == ("timeout", True)
    assert unknown(gateway.look_up_order, order_id=ORDER) == ("timeout", True)
    assert unknown(confirm, gateway) == ("timeout", True)

    time_machine.shift(sandbox.SILENCE)
    assert gateway.look_up(payment_key=payment_key).state == ProviderState.DONE
    assert confirm(gateway).state == ProviderState.DONE
    assert only().charge_count == 1


def test_a_request_lost_before_the_charge_may_be_sent_again(gateway, time_machine):
    payment_key = authorised("lost_before").pk

    assert unknown(confirm, gateway) == ("connection_lost", True)
    time_machine.shift(sandbox.SILENCE)
    assert gateway.look_up(payment_key=payment_key).state == ProviderState.IN_PROGRESS

    assert confirm(gateway).state == ProviderState.DONE
    assert only().charge_count == 1


def test_a_slow_answer_comes_and_a_second_request_meanwhile_hears_that_the_first_runs(gateway, naps, monkeypatch):
    authorised("slow")
    seen = []

    def nap(seconds):
        naps.append(seconds)
        assert not connection.in_atomic_block or connection.savepoint_ids == outer  # nobody waits for a lock
        seen.append(unknown(confirm, gateway))
        seen.append(gateway.look_up(payment_key=only().pk).state)

    outer = list(connection.savepoint_ids)
    monkeypatch.setattr(sandbox.time, "sleep", nap)

    assert confirm(gateway).state == ProviderState.DONE
    assert naps == [8]
    assert seen == [("IDEMPOTENT_REQUEST_PROCESSING", True), ProviderState.IN_PROGRESS]
    assert confirm(gateway).state == ProviderState.DONE
    assert only().charge_count == 1


def test_a_slow_answer_comes_too_late_for_whoever_waits_shorter(naps):
    authorised("slow")
    hurried = make_sandbox_gateway(timeout_s=3)

    assert unknown(confirm, hurried) == ("timeout", True)
    assert naps == [3]
    assert hurried.look_up(payment_key=only().pk).state == ProviderState.DONE
    assert confirm(hurried).state == ProviderState.DONE
    assert only().charge_count == 1


def test_another_request_that_charges_while_a_slow_one_sleeps_leaves_it_nothing_to_charge(gateway, monkeypatch):
    authorised("slow")
    monkeypatch.setattr(sandbox.time, "sleep", lambda seconds: confirm(gateway, key="attempt-2"))

    assert unknown(confirm, gateway) == ("ALREADY_PROCESSED_PAYMENT", False)
    assert only().charge_count == 1


# --- Deposits


def waiting(gateway):
    authorised("deposit")
    confirm(gateway)
    return only()


def test_a_deposit_arrives_once(gateway):
    sandbox.deposit(waiting(gateway))
    sandbox.deposit(only())

    assert (only().status, only().charge_count, len(only().transactions)) == ("done", 1, 1)


def test_the_button_of_the_deposit_leads_back_to_the_shop(gateway):
    waiting(gateway)

    path, query = choose("deposit_arrives")

    assert (path, query["paymentKey"], query["amount"]) == ("/return/", only().pk, "12900")
    assert only().status == "done"


def test_a_deposit_that_never_comes_leaves_the_payment_waiting_past_its_deadline(gateway):
    waiting(gateway)

    assert choose("deposit_never")[0] == "/return/"
    sandbox.deposit(only())

    answer = gateway.look_up(payment_key=only().pk)
    assert (answer.state, answer.deposit.due_at) == (ProviderState.WAITING_FOR_DEPOSIT, NOON)
    assert only().charge_count == 0


@pytest.mark.parametrize("act", [sandbox.deposit, sandbox.miss_deposit])
def test_nothing_is_deposited_where_nothing_is_waited_for(act):
    act(authorised())

    assert (only().status, only().deposit_due_at, only().charge_count) == ("in_progress", None, 0)


# --- The books


def test_a_payment_of_the_demo_can_be_moved_to_the_past(gateway):
    payment = authorised()
    confirm(gateway)
    gateway.cancel(payment_key=payment.pk, amount_krw=900, reason="x", idempotency_key="refund-1")
    past = NOON - timedelta(days=30)

    sandbox.backdate(payment, to=past)

    answer = gateway.look_up(payment_key=payment.pk)
    assert (answer.approved_at, answer.cancels[0].cancelled_at) == (past, past)
    listed = list(gateway.list_transactions(since=past, until=past))
    assert [(row.state, row.at) for row in listed] == [
        (ProviderState.DONE, past),
        (ProviderState.PARTLY_CANCELLED, past),
    ]
    assert list(gateway.list_transactions(since=NOON, until=NOON)) == []


def test_a_cancel_kept_by_an_earlier_version_is_shown(gateway):
    payment = authorised()
    confirm(gateway)
    old = [{"idempotency_key": "k", "amount_krw": 900, "reason": "old"}]
    SandboxPayment.objects.filter(pk=payment.pk).update(cancels=old, balance_krw=12000, status="partly_cancelled")

    answer = gateway.look_up(payment_key=payment.pk)

    assert [(it.amount_krw, it.reason, it.cancelled_at) for it in answer.cancels] == [(900, "old", NOON)]


def run(database, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.checkout.confirming", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process):
    out, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems
    return json.loads(out)


@pytest.mark.slow
@pytest.mark.parametrize("prefixes", [["one", "one"], ["a", "b"]], ids=["one key", "a key each"])
def test_processes_that_confirm_at_once_charge_once(database_url, prefixes):
    payment_key = told(run(database_url, "prepare"))
    start = escape_hatch.time.time() + 4

    processes = [run(database_url, "confirm", payment_key, start, prefix) for prefix in prefixes]
    answers = [answer for process in processes for answer in told(process)]

    assert answers.count("charged 1") == 2
    others = "DONE" if prefixes[0] == "one" else "ALREADY_PROCESSED_PAYMENT"
    found = sorted(answer for answer in answers if not answer.startswith("charged"))
    assert found == sorted(["DONE", *[others] * 7])
