"""A running stand-in, a shop that calls it, and a payment to begin with."""

import pytest

from tests.toss.caller import Caller
from tests.toss.fixtures import toss, toss_process

__all__ = ["issued", "paid", "shop", "toss", "toss_process"]


@pytest.fixture
def shop(toss):
    caller = Caller(toss)
    yield caller
    caller.session.close()


@pytest.fixture
def paid(toss, shop):
    """A confirmed card payment of 15,000 won."""
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    assert shop.confirm(payment_key).status_code == 200
    return payment_key


@pytest.fixture
def issued(toss, shop):
    """A virtual account for 15,000 won, to which a day is left to deposit."""
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, method="가상계좌", valid_hours=24)
    assert shop.look_up(payment_key).json()["status"] == "READY"
    shown = shop.confirm(payment_key).json()
    assert (shown["status"], shown["approvedAt"], shown["method"]) == ("WAITING_FOR_DEPOSIT", None, "가상계좌")
    assert shown["virtualAccount"]["accountNumber"].startswith("X")
    assert shown["secret"].startswith("ps_")
    return payment_key
