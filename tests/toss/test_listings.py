"""What the provider lists for a period. Source: the fact sheet, section 4."""

import pytest

from tests.toss.caller import refusal

ROW_MEMBERS = (
    "mId transactionKey paymentKey orderId method customerKey useEscrow receiptUrl status transactionAt currency amount"
)


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
    for _ in range(3):
        pages.append(shop.get("/v1/transactions", limit=2, **after, **day).json())
        after = {"startingAfter": rows[min(2 * len(pages), len(rows)) - 1]["transactionKey"]}
    assert pages == [rows[:2], rows[2:], []]
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
