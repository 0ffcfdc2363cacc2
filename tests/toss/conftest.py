"""A running stand-in, a shop that calls it, and a payment to begin with."""

import pytest

from tests.toss.caller import Caller
from tests.toss.fixtures import toss, toss_process

__all__ = ["paid", "shop", "toss", "toss_process"]


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
