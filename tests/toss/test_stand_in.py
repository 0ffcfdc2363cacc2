"""The keys that open the stand-in, its process, and the books without it.

Source: the fact sheet, sections 1.1, 2.1 and 7.
"""

import base64
import os
import signal
import subprocess
import sys

import pytest
import requests

from tests.toss.caller import Caller, refusal
from tests.toss.client import ROOT, StandInError, TossStandIn
from tests.toss.control import Control


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (401, "UNAUTHORIZED_KEY")),
        ("Bearer x", (401, "UNAUTHORIZED_KEY")),
        ("Basic %%%", (401, "UNAUTHORIZED_KEY")),
        ("Basic " + base64.b64encode(b"test_sk_unknown:").decode(), (401, "UNAUTHORIZED_KEY")),
        (
            "Basic " + base64.b64encode(b"\xef\xbb\xbftest_sk_StandInWindowAAAAAAAAAAAA:").decode(),
            (401, "UNAUTHORIZED_KEY"),
        ),
        ("Basic " + base64.b64encode(b"test_ck_StandInWindowAAAAAAAAAAAA:").decode(), (401, "UNAUTHORIZED_KEY")),
        (
            "Basic " + base64.b64encode(b"test_sk_StandInWindowAAAAAAAAAAAA").decode(),
            (403, "INCORRECT_BASIC_AUTH_FORMAT"),
        ),
    ],
)
def test_only_the_secret_key_and_its_colon_open_the_api(toss, header, expected):
    headers = {} if header is None else {"Authorization": header}

    answer = requests.get(toss.url + "/v1/payments/any", headers=headers, timeout=10)

    assert refusal(answer) == expected


def test_a_payment_belongs_to_the_pair_of_keys_that_opened_it(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    form = Caller(toss, toss.pair_of("test_gck_")[1])
    live = Caller(toss, toss.pair_of("live_ck_")[1])

    assert refusal(form.confirm(payment_key)) == (403, "FORBIDDEN_REQUEST")
    assert refusal(live.confirm(payment_key)) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert refusal(form.look_up(payment_key)) == (404, "NOT_FOUND_PAYMENT")
    assert refusal(form.get("/v1/payments/orders/order-0001")) == (404, "NOT_FOUND_PAYMENT")
    assert refusal(form.cancel(payment_key)) == (403, "FORBIDDEN_REQUEST")
    assert refusal(live.cancel(payment_key)) == (404, "NOT_FOUND_PAYMENT")
    toss.settings(key_pair_error="NOT_FOUND_PAYMENT_SESSION")
    assert refusal(form.confirm(payment_key)) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert toss.books()["totals"]["charges"] == 0
    form.session.close()
    live.session.close()


def test_another_pair_of_keys_can_be_given_at_the_start():
    client_key, secret_key = "test_gck_ofTheTest", "test_gsk_ofTheTest"

    with TossStandIn(client_key=client_key, secret_key=secret_key) as own:
        assert (own.client_key, own.secret_key) == (client_key, secret_key)
        caller = Caller(own)
        assert refusal(caller.look_up("none")) == (404, "NOT_FOUND_PAYMENT")
        caller.session.close()
    assert own.process.returncode == 0


def test_a_test_code_answers_for_test_keys_only(toss, shop):
    live = Caller(toss, toss.pair_of("live_ck_")[1])
    code = {"TossPayments_Test_Code": "INVALID_STOPPED_CARD"}

    assert refusal(shop.confirm("no-such-payment", **code)) == (400, "INVALID_STOPPED_CARD")
    assert refusal(live.confirm("no-such-payment", **code)) == (404, "NOT_FOUND_PAYMENT_SESSION")
    live.session.close()


def test_a_reset_forgets_everything_but_the_keys(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    shop.confirm(payment_key, Idempotency_Key="k")
    toss.fault(kind="too_many")
    toss.settings(amount_error="INVALID_REQUEST")
    toss.advance(seconds=86_400)

    toss.reset()

    assert toss.books()["payments"] == {}
    assert toss.faults_pending() == 0
    assert toss.settings()["amount_error"] == "FORBIDDEN_REQUEST"
    assert toss.requests() == []
    assert toss.webhooks_made() == []
    assert refusal(shop.confirm(payment_key, Idempotency_Key="k")) == (404, "NOT_FOUND_PAYMENT_SESSION")


def test_the_requests_of_the_shop_can_be_read(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    shop.confirm(payment_key, Idempotency_Key="k")
    shop.look_up(payment_key)

    seen = toss.requests(route="confirm")

    assert [(one["method"], one["path"], one["idempotency_key"], one["status"]) for one in seen] == [
        ("POST", "/v1/payments/confirm", "k", 200)
    ]
    assert len(toss.requests()) == 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("no_such_control", {}),
        ("authorise", {"order_id": "short", "amount": 1}),
        ("authorise", {"order_id": "order-0001", "amount": 0}),
        ("authorise", {"order_id": "order-0001", "amount": 100, "method": "CARD"}),
        ("authorise", {"order_id": "order-0001", "amount": 100, "client_key": "test_ck_unknown"}),
        ("authorise", {"order_id": "order-0001", "amount": 100, "refuse_with": "NO_SUCH_CODE"}),
        ("settings", {"no_such_setting": 1}),
        ("settings", {"amount_error": "NO_SUCH_CODE"}),
        ("fault", {"kind": "drop"}),
        ("fault", {"kind": "missing", "executed": False}),
        ("fault", {"kind": "error", "on": "everything"}),
        ("set_webhooks", {"url": "https://example.com/"}),
        ("add_shop", {"client_key": "test_ck_a", "secret_key": "test_gsk_a"}),
        ("add_shop", {"client_key": "test_ck_a", "secret_key": "live_sk_a"}),
    ],
)
def test_a_wrong_word_of_a_test_is_refused_and_not_guessed(toss, name, arguments):
    with pytest.raises(StandInError):
        toss.call(name, **arguments)


@pytest.mark.parametrize("ending", ["SIGTERM", "end of its standard input"])
def test_the_process_ends_when_told_or_left_alone(ending):
    command = [sys.executable, "-m", "tests.toss.server", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()

    if ending == "SIGTERM":
        os.kill(process.pid, signal.SIGTERM)
    else:
        process.stdin.close()

    assert process.wait(timeout=10) == 0
    process.stdin.close()
    process.stdout.close()


def test_the_stand_in_knows_nothing_of_the_shop():
    loaded = "import sys, tests.toss.server; print([m for m in ('django', 'checkout', 'requests') if m in sys.modules])"

    told = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, check=True, text=True)

    assert told.stdout == "[]\n"


def test_the_books_work_without_a_server():
    control = Control()
    payment_key = control.authorise("order-0001", 15_000)
    key = base64.b64encode(f"{control.engine.shops[0].secret_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {key}", "Content-Type": "application/json"}
    body = f'{{"paymentKey": "{payment_key}", "orderId": "order-0001", "amount": 15000}}'.encode()

    reply = control.api.handle("POST", "/v1/payments/confirm", headers, body)

    assert reply.status == 200
    assert control.books()["totals"]["charged_krw"] == 15_000
