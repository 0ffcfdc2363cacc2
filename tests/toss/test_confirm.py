"""A confirm moves the money once, for what the window was opened with, and in time.

Source: the fact sheet, sections 2.3, 2.4, 2.5 and 2.8.
"""

from datetime import datetime, timedelta

import pytest

from tests.toss.caller import refusal
from tests.toss.client import StandInError

MEMBERS = (
    "version paymentKey type orderId orderName mId currency method totalAmount balanceAmount suppliedAmount vat"
    " taxFreeAmount taxExemptionAmount status requestedAt approvedAt useEscrow cultureExpense lastTransactionKey"
    " transactionKey isPartialCancelable cancels secret card virtualAccount transfer mobilePhone giftCertificate"
    " easyPay country failure cashReceipt cashReceipts discount metadata receipt checkout"
)
EXTRAS = {"loyalty", "aMemberOfTomorrow"}


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
