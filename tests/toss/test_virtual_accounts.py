"""A virtual account is paid by the deposit. Source: the fact sheet, sections 2.6 and 2.7."""

import pytest

from tests.toss.caller import refusal
from tests.toss.client import StandInError

REFUND_ACCOUNT = {"bank": "88", "accountNumber": "110123456789", "holderName": "김구매"}


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
    totals = toss.books()["totals"]
    assert (totals["charges"], totals["charged_krw"], totals["held_krw"]) == (2, 30_000, 15_000)


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
