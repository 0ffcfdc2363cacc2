"""The stand-in keeps the rules of the provider's server API. Source: the fact sheet, sections 2, 4 and 7."""

import base64
import os
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta

import pytest
import requests

from tests.toss.caller import Caller, refusal
from tests.toss.client import ROOT, StandInError, TossStandIn
from tests.toss.control import Control

MEMBERS = (
    "version paymentKey type orderId orderName mId currency method totalAmount balanceAmount suppliedAmount vat"
    " taxFreeAmount taxExemptionAmount status requestedAt approvedAt useEscrow cultureExpense lastTransactionKey"
    " transactionKey isPartialCancelable cancels secret card virtualAccount transfer mobilePhone giftCertificate"
    " easyPay country failure cashReceipt cashReceipts discount metadata receipt checkout"
)
ROW_MEMBERS = (
    "mId transactionKey paymentKey orderId method customerKey useEscrow receiptUrl status transactionAt currency amount"
)
EXTRAS = {"loyalty", "aMemberOfTomorrow"}
REFUND_ACCOUNT = {"bank": "88", "accountNumber": "110123456789", "holderName": "김구매"}


# Keys


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


# Confirm and look-up


def test_a_confirm_moves_the_money_once(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    before = shop.look_up(payment_key).json()

    first, second = shop.confirm(payment_key), shop.confirm(payment_key)

    assert (before["status"], before["approvedAt"], before["secret"]) == ("IN_PROGRESS", None, None)
    assert (first.status_code, first.json()["status"], first.json()["totalAmount"]) == (200, "DONE", 15_000)
    assert refusal(second) == (400, "ALREADY_PROCESSED_PAYMENT")
    assert toss.books()["payments"][payment_key] == {
        "payment_key": payment_key,
        "order_id": "order-0001",
        "status": "DONE",
        "method": "카드",
        "total_krw": 15_000,
        "balance_krw": 15_000,
        "charges": 1,
        "charged_krw": 15_000,
        "cancels": 0,
        "given_back_krw": 0,
        "reverted_krw": 0,
        "held_krw": 15_000,
    }


def test_the_payment_object_has_every_member_and_sometimes_more(toss, shop):
    keys = [toss.authorise(order_id=f"order-000{number}", amount=15_000) for number in (1, 2)]
    toss.settings(has_extra_members="sometimes")

    with_extras, without = (shop.confirm(key, f"order-000{n}").json() for n, key in enumerate(keys, start=1))

    assert set(without) == set(MEMBERS.split())
    assert set(with_extras) == {*MEMBERS.split(), *EXTRAS}
    assert (without["vat"], without["suppliedAmount"], without["method"]) == (1_364, 13_636, "카드")
    assert without["approvedAt"].endswith("+09:00")
    assert without["cancels"] is None
    assert without["secret"].startswith("ps_")


def test_english_is_answered_on_request(toss, shop, paid):
    shop.session.headers["Accept-Language"] = "en-US"

    assert shop.look_up(paid).json()["method"] == "Card"
    assert shop.confirm(paid).json()["message"] == "This payment has already been processed."


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": 100}, (403, "FORBIDDEN_REQUEST")),
        ({"amount": "15000"}, (400, "INVALID_REQUEST")),
        ({"amount": True}, (400, "INVALID_REQUEST")),
        ({"amount": 15_000.5}, (400, "INVALID_REQUEST")),
        ({"amount": None}, (400, "INVALID_REQUEST")),
        ({"orderId": "order-0002"}, (403, "FORBIDDEN_REQUEST")),
        ({"orderId": None}, (400, "INVALID_REQUEST")),
        ({"paymentKey": "another"}, (404, "NOT_FOUND_PAYMENT_SESSION")),
        ({"paymentKey": "k" * 201}, (400, "INVALID_REQUEST")),
    ],
)
def test_a_confirm_that_differs_from_the_window_is_refused(toss, shop, change, expected):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    body = {"paymentKey": payment_key, "orderId": "order-0001", "amount": 15_000} | change

    assert refusal(shop.post("/v1/payments/confirm", body)) == expected
    assert toss.books()["totals"]["charges"] == 0
    assert shop.confirm(payment_key).status_code == 200


def test_the_amount_is_whatever_the_window_was_opened_with(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=100)

    assert refusal(shop.confirm(payment_key, amount=15_000)) == (403, "FORBIDDEN_REQUEST")
    toss.settings(amount_error="INVALID_REQUEST")
    assert refusal(shop.confirm(payment_key, amount=15_000)) == (400, "INVALID_REQUEST")
    assert shop.confirm(payment_key, amount=100).json()["totalAmount"] == 100


@pytest.mark.parametrize(
    ("data", "content_type"),
    [("{", "application/json"), ("[]", "application/json"), ('{"paymentKey": "k"}', "text/plain")],
)
def test_a_body_that_is_no_json_object_is_refused(toss, shop, data, content_type):
    answer = shop.session.post(
        f"{toss.url}/v1/payments/confirm", data=data, headers={"Content-Type": content_type}, timeout=10
    )

    assert refusal(answer) == (400, "INVALID_REQUEST")


def test_an_address_that_does_not_exist_is_told_so(toss, shop):
    assert refusal(shop.get("/v1/nothing")) == (404, "NOT_FOUND")
    assert shop.get("/nothing").status_code == 404


def test_ten_minutes_after_the_authentication_the_session_is_gone(toss, shop, paid):
    late = toss.authorise(order_id="order-0002", amount=15_000)

    toss.advance(seconds=601)

    assert refusal(shop.confirm(late, "order-0002")) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert shop.look_up(late).json()["status"] == "EXPIRED"
    assert refusal(shop.confirm(paid)) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert shop.look_up(paid).json()["status"] == "DONE"


def test_nine_minutes_after_the_authentication_it_still_confirms(toss, shop):
    payment_key = toss.open_payment(order_id="order-0001", amount=15_000)
    toss.advance(seconds=29 * 60)
    toss.authenticate(payment_key=payment_key)
    toss.advance(seconds=9 * 60)

    assert shop.confirm(payment_key).status_code == 200


def test_a_window_nobody_used_expires_after_thirty_minutes(toss, shop):
    payment_key = toss.open_payment(order_id="order-0001", amount=15_000)

    assert refusal(shop.confirm(payment_key)) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert shop.look_up(payment_key).json()["status"] == "READY"
    toss.advance(seconds=30 * 60 + 1)
    assert shop.look_up(payment_key).json()["status"] == "EXPIRED"
    with pytest.raises(StandInError):
        toss.authenticate(payment_key=payment_key)


def test_a_payment_can_be_let_expire_at_once(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    toss.expire(payment_key=payment_key)

    assert refusal(shop.confirm(payment_key)) == (404, "NOT_FOUND_PAYMENT_SESSION")
    assert shop.look_up(payment_key).json()["useEscrow"] is None


def test_the_clock_can_be_set(toss):
    toss.set_clock(now="2026-03-02T09:00:00+00:00")

    moved = datetime.fromisoformat(toss.clock()) - datetime.fromisoformat("2026-03-02T18:00:00+09:00")

    assert abs(moved) < timedelta(minutes=1)


def test_a_refused_card_leaves_the_payment_aborted(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, refuse_with="REJECT_CARD_PAYMENT")

    assert refusal(shop.confirm(payment_key)) == (403, "REJECT_CARD_PAYMENT")
    shown = shop.look_up(payment_key).json()
    assert (shown["status"], shown["failure"]["code"]) == ("ABORTED", "REJECT_CARD_PAYMENT")
    assert refusal(shop.confirm(payment_key)) == (400, "ALREADY_PROCESSED_PAYMENT")
    assert toss.books()["totals"]["charges"] == 0


@pytest.mark.parametrize(
    ("method", "amount", "status"), [("카드", 99, 400), ("카드", 100, 200), ("계좌이체", 199, 400)]
)
def test_too_little_cannot_be_paid(toss, shop, method, amount, status):
    payment_key = toss.authorise(order_id="order-0001", amount=amount, method=method)

    assert shop.confirm(payment_key, amount=amount).status_code == status


def test_an_easy_payment_may_come_with_a_card_or_without(toss, shop):
    keys = [toss.authorise(order_id=f"order-000{n}", amount=15_000, method="간편결제") for n in (1, 2)]

    with_card, without = (shop.confirm(key, f"order-000{n}").json() for n, key in enumerate(keys, start=1))

    assert (with_card["method"], with_card["card"]["amount"], with_card["easyPay"]["amount"]) == ("간편결제", 15_000, 0)
    assert (without["card"], without["easyPay"]["amount"]) == (None, 15_000)


def test_an_order_id_used_twice_shows_its_latest_attempt_unless_switched(toss, shop):
    first, second = (toss.authorise(order_id="order-0001", amount=15_000) for _ in range(2))

    assert shop.get("/v1/payments/orders/order-0001").json()["paymentKey"] == second
    toss.settings(order_lookup_answers="first")
    assert shop.get("/v1/payments/orders/order-0001").json()["paymentKey"] == first
    assert refusal(shop.get("/v1/payments/orders/order-none")) == (404, "NOT_FOUND_PAYMENT")
    assert (shop.confirm(first).status_code, shop.confirm(second).status_code) == (200, 200)
    assert toss.books()["orders"]["order-0001"]["charges"] == 2


# Idempotency


def test_an_idempotency_key_replays_a_success_to_the_byte(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    first = shop.confirm(payment_key, Idempotency_Key="attempt-1")
    again = shop.confirm(payment_key, "order-9999", 1, Idempotency_Key="attempt-1")  # the body is no part of it

    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert toss.books()["totals"]["charges"] == 1


def test_an_idempotency_key_replays_a_refusal_too(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    first = shop.confirm(payment_key, amount=1, Idempotency_Key="attempt-1")
    again = shop.confirm(payment_key, Idempotency_Key="attempt-1")

    assert (again.status_code, again.content) == (403, first.content)
    assert shop.confirm(payment_key, Idempotency_Key="attempt-2").status_code == 200


def test_an_idempotency_key_counts_per_path_per_key_and_for_fifteen_days(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    form = Caller(toss, toss.pair_of("test_gck_")[1])

    assert shop.confirm(payment_key, Idempotency_Key="k").status_code == 200
    assert shop.cancel(payment_key, {"cancelAmount": 1_000}, Idempotency_Key="k").status_code == 200
    assert refusal(form.confirm(payment_key, Idempotency_Key="k")) == (403, "FORBIDDEN_REQUEST")
    toss.advance(seconds=15 * 86_400 - 60)
    assert shop.confirm(payment_key, Idempotency_Key="k").status_code == 200
    toss.advance(seconds=120)
    assert refusal(shop.confirm(payment_key, Idempotency_Key="k")) == (404, "NOT_FOUND_PAYMENT_SESSION")
    form.session.close()


def test_an_idempotency_key_has_at_most_300_characters(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    assert refusal(shop.confirm(payment_key, Idempotency_Key="k" * 301)) == (400, "INVALID_IDEMPOTENCY_KEY")
    assert shop.confirm(payment_key, Idempotency_Key="k" * 300).status_code == 200


@pytest.mark.parametrize("executed", [False, True])
def test_while_the_first_request_runs_its_repeat_is_told_so(toss, shop, executed):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    toss.fault(kind="hold", on="confirm", executed=executed)
    first = []
    other = Caller(toss)
    thread = threading.Thread(target=lambda: first.append(other.confirm(payment_key, Idempotency_Key="k")))
    thread.start()
    assert toss.await_held() is True

    meanwhile = shop.confirm(payment_key, Idempotency_Key="k")
    charges_meanwhile = toss.books()["totals"]["charges"]
    toss.release()
    thread.join()

    assert refusal(meanwhile) == (409, "IDEMPOTENT_REQUEST_PROCESSING")
    assert charges_meanwhile == int(executed)
    assert first[0].status_code == 200
    assert shop.confirm(payment_key, Idempotency_Key="k").content == first[0].content
    assert toss.books()["totals"]["charges"] == 1
    other.session.close()


def test_more_requests_than_a_minute_allows_are_refused_when_switched_on(toss, shop, paid):
    toss.settings(requests_per_minute=2)

    statuses = [shop.look_up(paid).status_code for _ in range(3)]
    toss.advance(seconds=61)

    assert [*statuses, shop.look_up(paid).status_code] == [200, 200, 429, 200]


# Cancel


def test_a_whole_cancel_gives_everything_back_once(toss, shop, paid):
    answer = shop.cancel(paid).json()
    toss.advance(seconds=2)

    assert (answer["status"], answer["balanceAmount"], answer["totalAmount"]) == ("CANCELED", 0, 15_000)
    assert (answer["vat"], answer["suppliedAmount"], len(answer["cancels"])) == (0, 0, 1)
    cancel = answer["cancels"][0]
    assert (cancel["cancelAmount"], cancel["refundableAmount"], cancel["cancelStatus"]) == (15_000, 0, "DONE")
    assert cancel["cancelReason"] == "변심"
    assert cancel["transactionKey"] == answer["lastTransactionKey"]
    assert refusal(shop.cancel(paid)) == (400, "ALREADY_CANCELED_PAYMENT")
    assert toss.books()["payments"][paid]["given_back_krw"] == 15_000
    assert toss.books()["totals"]["held_krw"] == 0


def test_partial_cancels_end_with_nothing_left_and_are_never_called_cancelled(toss, shop, paid):
    answers = []
    for amount in (4_000, 1_000, None):
        answers.append(shop.cancel(paid, {"cancelAmount": amount} if amount else {}).json())
        toss.advance(seconds=2)

    assert [answer["balanceAmount"] for answer in answers] == [11_000, 10_000, 0]
    assert {answer["status"] for answer in answers} == {"PARTIAL_CANCELED"}
    assert [(answer["vat"], answer["suppliedAmount"]) for answer in answers] == [(1_000, 10_000), (909, 9_091), (0, 0)]
    assert [cancel["cancelAmount"] for cancel in answers[-1]["cancels"]] == [4_000, 1_000, 10_000]
    assert refusal(shop.cancel(paid)) == (403, "NOT_CANCELABLE_AMOUNT")
    assert toss.books()["payments"][paid]["given_back_krw"] == 15_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"cancelAmount": 15_001}, (403, "NOT_CANCELABLE_AMOUNT")),
        ({"cancelAmount": 0}, (400, "INVALID_REQUEST")),
        ({"cancelAmount": -1}, (400, "INVALID_REQUEST")),
        ({"cancelAmount": "1000"}, (400, "INVALID_REQUEST")),
        ({"cancelReason": ""}, (400, "INVALID_REQUEST")),
        ({"cancelReason": "x" * 201}, (400, "INVALID_REQUEST")),
        ({"currency": "USD"}, (400, "INVALID_REQUEST")),
        ({"refundableAmount": 14_999}, (400, "NOT_MATCHES_REFUNDABLE_AMOUNT")),
    ],
)
def test_a_wrong_cancel_gives_nothing_back(toss, shop, paid, body, expected):
    assert refusal(shop.cancel(paid, body)) == expected
    assert toss.books()["totals"]["given_back_krw"] == 0


def test_the_guard_lets_a_cancel_pass_that_knows_the_balance(toss, shop, paid):
    assert shop.cancel(paid, {"cancelAmount": 5_000, "refundableAmount": 15_000}).status_code == 200
    toss.advance(seconds=2)
    assert refusal(shop.cancel(paid, {"refundableAmount": 15_000})) == (400, "NOT_MATCHES_REFUNDABLE_AMOUNT")
    toss.advance(seconds=2)
    assert shop.cancel(paid, {"refundableAmount": 10_000}).json()["balanceAmount"] == 0


def test_two_cancels_within_a_second_are_one_too_many_unless_switched_off(toss, shop, paid):
    first = shop.cancel(paid, {"cancelAmount": 1_000}, Idempotency_Key="a")

    assert refusal(shop.cancel(paid, {"cancelAmount": 1_000})) == (403, "FORBIDDEN_CONSECUTIVE_REQUEST")
    assert shop.cancel(paid, Idempotency_Key="a").content == first.content  # a replay carries nothing out
    toss.settings(guards_consecutive_cancels=False)
    assert shop.cancel(paid, {"cancelAmount": 1_000}).json()["balanceAmount"] == 13_000


def test_what_was_not_paid_cannot_be_cancelled(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    assert refusal(shop.cancel(payment_key)) == (403, "NOT_CANCELABLE_PAYMENT")
    assert refusal(shop.cancel("no-such-payment")) == (404, "NOT_FOUND_PAYMENT")


def test_some_payments_can_only_be_cancelled_whole(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, partial_cancelable=False)
    assert shop.confirm(payment_key).json()["isPartialCancelable"] is False

    assert refusal(shop.cancel(payment_key, {"cancelAmount": 1})) == (403, "NOT_ALLOWED_PARTIAL_REFUND")
    toss.advance(seconds=2)
    assert shop.cancel(payment_key).json()["status"] == "CANCELED"


def test_transfers_and_phones_can_be_cancelled_for_a_time_only(toss, shop):
    toss.set_clock(now="2026-01-10T12:00:00+09:00")
    keys = {}
    for number, method in enumerate(("계좌이체", "휴대폰", "카드")):
        keys[method] = toss.authorise(order_id=f"order-{number}00", amount=15_000, method=method)
        assert shop.confirm(keys[method], f"order-{number}00").json()["method"] == method

    toss.set_clock(now="2026-02-01T00:00:00+09:00")
    assert refusal(shop.cancel(keys["휴대폰"])) == (403, "EXCEED_MAX_REFUND_DUE")
    toss.set_clock(now="2026-07-20T00:00:00+09:00")
    assert refusal(shop.cancel(keys["계좌이체"])) == (403, "EXCEED_MAX_REFUND_DUE")
    assert shop.cancel(keys["카드"]).status_code == 200


def test_a_cancel_can_be_made_to_fail(toss, shop, paid):
    toss.refuse_cancels(payment_key=paid, code="PROVIDER_ERROR")
    assert refusal(shop.cancel(paid)) == (400, "PROVIDER_ERROR")

    toss.refuse_cancels(payment_key=paid, code="")
    toss.advance(seconds=2)
    assert shop.cancel(paid).status_code == 200


def test_staff_can_cancel_on_the_provider_s_own_pages(toss, shop, paid):
    toss.cancel_in_dashboard(payment_key=paid, amount=5_000)

    assert shop.look_up(paid).json()["balanceAmount"] == 10_000
    assert toss.books()["totals"]["given_back_krw"] == 5_000


# Virtual accounts


@pytest.fixture
def issued(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, method="가상계좌", valid_hours=24)
    assert shop.look_up(payment_key).json()["status"] == "READY"
    shown = shop.confirm(payment_key).json()
    assert (shown["status"], shown["approvedAt"], shown["method"]) == ("WAITING_FOR_DEPOSIT", None, "가상계좌")
    assert shown["virtualAccount"]["accountNumber"].startswith("X")
    assert shown["secret"].startswith("ps_")
    return payment_key


def test_a_virtual_account_is_paid_when_the_deposit_comes(toss, shop, issued):
    assert toss.books()["totals"]["charges"] == 0
    assert refusal(shop.confirm(issued)) == (400, "ALREADY_PROCESSED_PAYMENT")
    with pytest.raises(StandInError):
        toss.deposit(payment_key=issued, amount=14_000)

    toss.deposit(payment_key=issued)

    shown = shop.look_up(issued).json()
    assert shown["status"] == "DONE"
    assert shown["approvedAt"].endswith("+09:00")
    assert toss.books()["payments"][issued]["charged_krw"] == 15_000
    with pytest.raises(StandInError):
        toss.deposit(payment_key=issued)


def test_a_deposit_can_be_taken_back_and_come_again(toss, shop, issued):
    toss.deposit(payment_key=issued)
    toss.revert_deposit(payment_key=issued)

    assert shop.look_up(issued).json()["status"] == "WAITING_FOR_DEPOSIT"
    assert toss.books()["totals"]["held_krw"] == 0
    toss.deposit(payment_key=issued)
    assert toss.books()["totals"]["held_krw"] == 15_000


def test_the_deadline_of_a_deposit_passes_in_silence(toss, shop, issued):
    made = len(toss.webhooks_made())

    toss.advance(seconds=25 * 3_600)

    shown = shop.look_up(issued).json()
    assert (shown["status"], shown["virtualAccount"]["expired"]) == ("WAITING_FOR_DEPOSIT", True)
    assert len(toss.webhooks_made()) == made
    with pytest.raises(StandInError):
        toss.deposit(payment_key=issued)


def test_before_the_deposit_only_the_whole_can_be_cancelled(toss, shop, issued):
    partial = shop.cancel(issued, {"cancelAmount": 1_000})
    toss.advance(seconds=2)
    with_account = shop.cancel(issued, {"refundReceiveAccount": REFUND_ACCOUNT})
    toss.advance(seconds=2)
    whole = shop.cancel(issued)

    assert refusal(partial) == (403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT")
    assert refusal(with_account) == (400, "INVALID_REQUEST")
    assert (whole.json()["status"], whole.json()["balanceAmount"]) == ("CANCELED", 0)
    assert toss.books()["payments"][issued]["given_back_krw"] == 0


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (None, "INVALID_REFUND_ACCOUNT_INFO"),
        ({"bankCode": "88", "accountNumber": "1", "holderName": "김"}, "INVALID_BANK"),
        (REFUND_ACCOUNT | {"accountNumber": "110-123"}, "INVALID_REFUND_ACCOUNT_NUMBER"),
        (REFUND_ACCOUNT | {"holderName": ""}, "INVALID_REFUND_ACCOUNT_INFO"),
    ],
)
def test_after_the_deposit_a_cancel_needs_an_account(toss, shop, issued, account, code):
    toss.deposit(payment_key=issued)

    assert refusal(shop.cancel(issued, {"refundReceiveAccount": account} if account else {})) == (400, code)
    assert toss.books()["totals"]["given_back_krw"] == 0


def test_after_the_deposit_the_money_goes_to_the_account(toss, shop, issued):
    toss.deposit(payment_key=issued)

    shown = shop.cancel(issued, {"cancelAmount": 5_000, "refundReceiveAccount": REFUND_ACCOUNT}).json()

    assert (shown["status"], shown["balanceAmount"]) == ("PARTIAL_CANCELED", 10_000)
    account = {"bankCode": "88", "accountNumber": "110123456789", "holderName": "김구매"}
    assert shown["virtualAccount"]["refundReceiveAccount"] == account
    assert shown["virtualAccount"]["refundStatus"] == "PENDING"
    toss.advance(seconds=31 * 60)
    assert shop.look_up(issued).json()["virtualAccount"]["refundReceiveAccount"] is None
    toss.advance(seconds=2 * 86_400)
    assert shop.look_up(issued).json()["virtualAccount"]["refundStatus"] == "COMPLETED"
    assert toss.books()["totals"]["given_back_krw"] == 5_000


# Listings


def test_transactions_list_each_approval_and_each_cancel_in_pages(toss, shop):
    toss.set_clock(now="2026-05-04T10:00:00+09:00")
    keys = []
    for number in (1, 2):
        keys.append(toss.authorise(order_id=f"order-000{number}", amount=15_000, customer_key="customer-1"))
        shop.confirm(keys[-1], f"order-000{number}")
        toss.advance(seconds=60)
    shop.cancel(keys[0], {"cancelAmount": 4_000})
    day = {"startDate": "2026-05-04", "endDate": "2026-05-05"}

    rows = shop.get("/v1/transactions", **day).json()

    assert [(row["orderId"], row["status"], row["amount"]) for row in rows] == [
        ("order-0001", "DONE", 15_000),
        ("order-0002", "DONE", 15_000),
        ("order-0001", "PARTIAL_CANCELED", 4_000),
    ]
    assert len({row["transactionKey"] for row in rows}) == 3
    assert set(rows[0]) == set(ROW_MEMBERS.split())
    pages, after = [], {}
    while page := shop.get("/v1/transactions", limit=2, **after, **day).json():
        pages.append(page)
        after = {"startingAfter": page[-1]["transactionKey"]}
    assert pages == [rows[:2], rows[2:]]
    toss.settings(negates_cancelled_amounts=True)
    assert [row["amount"] for row in shop.get("/v1/transactions", **day).json()] == [15_000, 15_000, -4_000]
    narrow = {"startDate": "2026-05-04T10:00:30", "endDate": "2026-05-04T10:01:30"}
    assert [row["orderId"] for row in shop.get("/v1/transactions", **narrow).json()] == ["order-0002"]
    assert shop.get("/v1/transactions", startDate="2026-05-05", endDate="2026-05-06").json() == []


def test_a_deposit_taken_back_leaves_the_transactions(toss, shop, issued):
    period = {"startDate": "2000-01-01", "endDate": "2100-01-01"}
    toss.deposit(payment_key=issued)
    assert [row["status"] for row in shop.get("/v1/transactions", **period).json()] == ["DONE"]

    toss.revert_deposit(payment_key=issued)

    assert shop.get("/v1/transactions", **period).json() == []


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"startDate": "2026-05-04"},
        {"startDate": "2026-05-04T00:00:00+09:00", "endDate": "2026-05-05"},
        {"startDate": "2026-05-06", "endDate": "2026-05-05"},
        {"startDate": "2026-13-01", "endDate": "2026-13-02"},
        {"startDate": "2026-05-04", "endDate": "2026-05-05", "limit": "5001"},
        {"startDate": "2026-05-04", "endDate": "2026-05-05", "limit": "0"},
        {"startDate": "2026-05-04", "endDate": "2026-05-05", "startingAfter": "unknown"},
    ],
)
def test_a_period_that_cannot_be_read_is_refused(shop, query):
    assert refusal(shop.get("/v1/transactions", **query)) == (400, "INVALID_REQUEST")


def test_settlements_are_empty(shop, paid):
    assert shop.get("/v1/settlements", startDate="2026-01-01", endDate="2027-01-01").json() == []


# The process, and the books without it


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
