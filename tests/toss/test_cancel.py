"""A cancel gives back what is left and no more. Source: the fact sheet, section 2.6."""

import pytest

from tests.toss.caller import refusal


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


def test_what_is_free_of_tax_is_given_back_as_such(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, tax_free=4_000)
    assert shop.confirm(payment_key).json()["vat"] == 1_000

    too_much_taxed = shop.cancel(payment_key, {"cancelAmount": 12_000})
    toss.advance(seconds=2)
    fitting = shop.cancel(payment_key, {"cancelAmount": 12_000, "taxFreeAmount": 4_000}).json()

    assert refusal(too_much_taxed) == (403, "NOT_CANCELABLE_AMOUNT")
    shown = [fitting[name] for name in ("balanceAmount", "taxFreeAmount", "vat", "suppliedAmount")]
    assert shown == [3_000, 0, 273, 2_727]


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
