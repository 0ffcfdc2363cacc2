"""The books: every won that moved, twice, and never changed."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st

from checkout import ledger
from checkout.models import LedgerEntry, Order
from checkout.orders import fulfil_order
from checkout.payments import check_payment
from tests.checkout.gateways import authorise, make_gateway
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_purchase,
    make_refund,
    make_seller,
)


def entries(**filters):
    """(kind, account, won, seller's name) of each entry, in the order in which they were booked."""
    rows = LedgerEntry.objects.filter(**filters).order_by("pk")
    return [(row.kind, row.account, row.amount_krw, row.seller and row.seller.name) for row in rows]


def sums(*fields):
    """What the entries of each `fields` add up to."""
    return set(LedgerEntry.objects.values_list(*fields).annotate(n=Sum("amount_krw")).values_list("n", flat=True))


@pytest.mark.parametrize(
    ("price_krw", "fee_bp", "shares"),
    [
        (10_000, 1_000, (1_000, 9_000)),
        (9_999, 1_000, (999, 9_000)),  # the fee rounds down
        (1, 1_000, (0, 1)),
        (9, 1_250, (1, 8)),
        (5_000, 0, (0, 5_000)),
        (5_000, 10_000, (5_000, 0)),
        (0, 1_000, (0, 0)),
    ],
)
def test_the_fee_rounds_down_and_the_rest_is_the_seller_s(price_krw, fee_bp, shares):
    assert ledger.split_price(price_krw=price_krw, fee_bp=fee_bp) == shares


@given(price_krw=st.integers(0, 2**31 - 1), fee_bp=st.integers(0, 10_000))
def test_fee_and_rest_always_add_up_to_the_price(price_krw, fee_bp):
    fee_krw, seller_krw = ledger.split_price(price_krw=price_krw, fee_bp=fee_bp)

    assert fee_krw + seller_krw == price_krw
    assert 0 <= fee_krw <= price_krw
    assert 0 <= price_krw * fee_bp - fee_krw * 10_000 < 10_000


@pytest.mark.django_db
def test_a_charge_is_shared_between_sellers_platform_and_house():
    anna, ben = make_seller(name="Anna"), make_seller(name="Ben")
    prices = [(9_999, anna), (2_000, ben), (3_000, None), (0, anna)]

    make_paid_order(prompts=[make_prompt(price=price, seller=seller) for price, seller in prices])

    assert entries() == [
        ("charge", "provider", 14_999, None),
        ("charge", "seller", -9_000, "Anna"),
        ("charge", "fee", -999, None),
        ("charge", "seller", -1_800, "Ben"),
        ("charge", "fee", -200, None),
        ("charge", "house", -3_000, None),
    ]
    assert sums("booking") == {0}


@pytest.mark.django_db
def test_the_fee_is_the_one_of_the_day_of_the_order(settings):
    order = make_order(prompts=[make_prompt(price=10_000, seller=make_seller(name="Anna"))])
    order.lines.update(fee_bp=500)
    settings.PLATFORM_FEE_BP = 3_000
    payment = make_payment(order=order, status="paid", payment_key="k", approved_at=NOON)

    fulfil_order(order=order, payment=payment, now=NOON)

    assert ("charge", "fee", -500, None) in entries()
    assert ("charge", "seller", -9_500, "Anna") in entries()


@pytest.mark.django_db
def test_a_refund_is_the_charge_of_its_lines_the_other_way_round():
    seller = make_seller(name="Anna")
    order = make_paid_order(prompts=[make_prompt(price=price, seller=seller) for price in (9_999, 2_000)])
    lines = list(order.lines.order_by("position"))

    refund = make_refund(order=order, lines=lines[:1], status="done")

    assert entries(refund=refund) == [
        ("refund", "provider", -9_999, None),
        ("refund", "seller", 9_000, "Anna"),
        ("refund", "fee", 999, None),
    ]
    make_refund(order=order, lines=lines[1:], status="done")
    assert sums("account") == {0}
    assert sums("order") == sums("booking") == {0}
    assert ledger.find_unbalanced_order_ids() == []


@pytest.mark.django_db
def test_a_refund_is_booked_when_it_is_done_and_not_before():
    order = make_paid_order()

    make_refund(order=order, status="failed")
    make_refund(order=order)

    assert set(LedgerEntry.objects.values_list("kind", flat=True)) == {"charge"}


@pytest.mark.django_db
def test_a_line_that_the_buyer_had_already_is_owed_to_the_buyer(buyer):
    prompt, other = (make_prompt(price=price, seller=make_seller(name="Anna")) for price in (5_000, 1_000))
    order = make_order(buyer=buyer, prompts=[prompt, other])
    payment, returned = authorise(order)
    make_gateway().confirm(**returned, idempotency_key="x")
    make_purchase(buyer=buyer, prompt=prompt)

    check_payment(payment=payment, now=NOON, gateway=make_gateway())

    assert entries(order=order) == [
        ("charge", "provider", 6_000, None),
        ("charge", "seller", -900, "Anna"),
        ("charge", "fee", -100, None),
        ("charge", "buyer", -5_000, None),
        ("refund", "provider", -5_000, None),
        ("refund", "buyer", 5_000, None),
    ]


@pytest.mark.django_db
def test_a_charge_that_cannot_be_delivered_is_owed_to_the_buyer_and_given_back():
    payment, returned = authorise(make_order())
    make_gateway().confirm(**returned, idempotency_key="x")
    Order.objects.update(status="expired")

    check_payment(payment=payment, now=NOON, gateway=make_gateway())

    assert entries() == [
        ("charge", "provider", 5_000, None),
        ("charge", "buyer", -5_000, None),
        ("refund", "provider", -5_000, None),
        ("refund", "buyer", 5_000, None),
    ]


@pytest.mark.django_db
def test_a_free_order_is_not_booked():
    make_paid_order(prompts=[make_prompt(price=0)])

    assert entries() == []


@pytest.mark.django_db
def test_nothing_is_booked_twice():
    order = make_paid_order()
    payment, lines = order.payments.get(), list(order.lines.all())
    refund = make_refund(order=order, status="done")
    before = entries()

    for book in (
        lambda: ledger.book_charge(payment=payment, lines=lines, undelivered=[], now=NOON),
        lambda: ledger.book_refund(refund=refund, now=NOON),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            book()
    assert entries() == before


@pytest.mark.django_db
def test_what_does_not_add_up_is_not_booked():
    order = make_order(prompts=[make_prompt(price=1_000), make_prompt(price=2_000)])
    payment = make_payment(order=order)

    with pytest.raises(ValueError, match="does not add up"):
        ledger.book_charge(payment=payment, lines=list(order.lines.all())[:1], undelivered=[], now=NOON)
    with pytest.raises(ValueError, match="does not add up"):
        ledger.book_charge(payment=payment, lines=[], undelivered=[], now=NOON)
    assert entries() == []


@pytest.mark.django_db
def test_an_order_whose_entries_do_not_add_up_is_found():
    make_paid_order()
    order = make_paid_order()
    LedgerEntry.objects.create(
        order=order, payment=order.payments.get(), kind="charge", account="house", amount_krw=1, entry_key="a"
    )

    assert ledger.find_unbalanced_order_ids() == [order.pk]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_flushed", [False, True])
def test_no_entry_is_changed_or_deleted_not_even_after_the_tests_emptied_the_ledger(is_flushed):
    if is_flushed:
        make_paid_order()
        call_command("flush", interactive=False, verbosity=0)
        assert not LedgerEntry.objects.exists()
    make_paid_order()
    rows = LedgerEntry.objects.order_by("pk")
    before = list(rows.values())

    for change in (lambda: rows.update(amount_krw=1), rows.all().delete, rows.first().delete):
        with pytest.raises(DatabaseError, match="a ledger entry is never"), transaction.atomic():
            change()

    assert list(rows.values()) == before
