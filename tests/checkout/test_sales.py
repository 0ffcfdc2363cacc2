"""What a seller sold, by day in Seoul and by prompt. Every won of it stands in the ledger."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.days import add_views, count_put_into_cart
from catalog.listings import remove_prompt, withdraw_prompt
from checkout.models import LedgerEntry, OrderLine, Refund
from checkout.refunds import carry_out_refund, finish_refund
from checkout.sales import RATE_FLOOR, Figures, has_figures, read_sales, stream_sales
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_prompt,
    make_purchase,
    make_refund,
    make_seller,
    make_user,
)

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 22)  # NOON is 21:00 of it in Seoul
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


@pytest.fixture
def seller():
    return make_seller(slug="spring")


def read(seller, first: date = FIRST, last: date = LAST, prompt=None):
    return read_sales(seller=seller, first=first, last=last, prompt=prompt)


def busy_days(sales) -> dict[date, Figures]:
    return {each.day: each.figures for each in sales.days if each.figures != Figures()}


def by_title(sales) -> dict[str, Figures]:
    return {each.title: each.figures for each in sales.prompts}


# --- What counts when


def test_each_kind_of_figure_goes_to_its_day(seller):
    prompt = make_prompt(seller=seller, title="Letter", price=5_000)
    add_views({(prompt.pk, DAY): 7, (prompt.pk, DAY + timedelta(days=1)): 2})
    count_put_into_cart(prompt_id=prompt.pk, now=NOON)
    order = make_paid_order(prompts=[prompt], now=NOON)
    make_refund(order=order, status="done", now=NOON + timedelta(days=2))
    make_paid_order(prompts=[prompt], now=NOON + timedelta(days=1))

    sales = read(seller)

    assert busy_days(sales) == {
        DAY: Figures(view_count=7, cart_count=1, paid_count=1, paid_krw=5_000),
        DAY + timedelta(days=1): Figures(view_count=2, paid_count=1, paid_krw=5_000),
        DAY + timedelta(days=2): Figures(refund_count=1, refund_krw=5_000),
    }
    total = Figures(view_count=9, cart_count=1, paid_count=2, paid_krw=10_000, refund_count=1, refund_krw=5_000)
    assert sales.total == total
    assert by_title(sales) == {"Letter": total}
    assert total.net_krw == 5_000


def test_all_days_of_the_range_are_there_in_order(seller):
    days = [each.day for each in read(seller, date(2026, 10, 30), date(2026, 11, 2)).days]

    assert days == [date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-21T14:59:59.999", date(2026, 11, 21)),
        ("2026-11-21T15:00:00.000", date(2026, 11, 22)),
        ("2026-11-22T14:59:59.999", date(2026, 11, 22)),
        ("2026-11-30T14:59:59.999", date(2026, 11, 30)),
        ("2026-12-31T15:00:00.000", date(2027, 1, 1)),
        ("2024-02-29T14:59:59.999", date(2024, 2, 29)),
    ],
)
def test_days_begin_at_midnight_in_seoul_for_payments_and_refunds(seller, moment, day):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    order = make_paid_order(prompts=[make_prompt(seller=seller, price=5_000)], now=now)
    make_refund(order=order, status="done", now=now)

    one_day = Figures(paid_count=1, paid_krw=5_000, refund_count=1, refund_krw=5_000)
    assert read(seller, day, day).total == one_day
    assert busy_days(read(seller, day - timedelta(days=3), day + timedelta(days=3))) == {day: one_day}
    assert read(seller, day - timedelta(days=3), day - timedelta(days=1)).total == Figures()
    assert read(seller, day + timedelta(days=1), day + timedelta(days=3)).total == Figures()


def test_what_is_free_counts_as_sold_for_nothing(seller):
    make_paid_order(prompts=[make_prompt(seller=seller, price=0)])

    assert read(seller).total == Figures(paid_count=1)


def test_orders_that_were_not_paid_count_nothing(seller):
    prompt = make_prompt(seller=seller)
    for status in ("pending", "confirming", "waiting", "failed", "expired", "cancelled"):
        make_order(prompts=[prompt], status=status)

    assert read(seller).total == Figures()


@pytest.mark.parametrize("status", ["requested", "failed"])
def test_refunds_that_were_not_made_count_nothing(seller, status):
    order = make_paid_order(prompts=[make_prompt(seller=seller, price=5_000)])
    make_refund(order=order, status=status)

    assert read(seller).total == Figures(paid_count=1, paid_krw=5_000)


def test_a_refund_after_one_that_was_refused_counts_once(seller):
    order = make_paid_order(prompts=[make_prompt(seller=seller, price=5_000)])
    make_refund(order=order, status="failed")
    make_refund(order=order, status="done")

    assert read(seller).total == Figures(paid_count=1, paid_krw=5_000, refund_count=1, refund_krw=5_000)


def test_what_the_buyer_had_already_was_never_the_sellers(seller):
    buyer, prompt = make_user(), make_prompt(seller=seller, price=5_000)
    make_purchase(buyer=buyer, prompt=prompt)
    make_paid_order(buyer=buyer, prompts=[prompt, make_prompt(price=1_000)])
    finish_refund(refund=Refund.objects.get(reason="bought_twice"), now=NOON)

    assert read(seller).total == Figures(paid_count=1, paid_krw=5_000)


def test_the_price_at_which_it_was_sold_counts_and_not_todays(seller):
    prompt = make_prompt(seller=seller, price=5_000)
    make_paid_order(prompts=[prompt])
    type(prompt).objects.filter(pk=prompt.pk).update(price=9_000)

    assert read(seller).total.paid_krw == 5_000


# --- Whose and of which


def test_others_sales_are_not_among_them(seller):
    mine = make_prompt(seller=seller, price=5_000)
    theirs = make_prompt(seller=make_seller(), price=7_000)
    house = make_prompt(price=9_000)
    order = make_paid_order(prompts=[mine, theirs, house])
    make_refund(order=order, lines=[order.lines.get(prompt=theirs)], status="done")
    add_views({(theirs.pk, DAY): 5, (house.pk, DAY): 5})

    assert read(seller).total == Figures(paid_count=1, paid_krw=5_000)


def test_one_prompt_can_be_looked_at_alone(seller):
    one, other = make_prompt(seller=seller, price=5_000), make_prompt(seller=seller, price=7_000)
    order = make_paid_order(prompts=[one, other])
    make_refund(order=order, status="done")
    add_views({(one.pk, DAY): 2, (other.pk, DAY): 3})

    expected = Figures(view_count=2, paid_count=1, paid_krw=5_000, refund_count=1, refund_krw=5_000)
    assert read(seller, prompt=one).total == expected


def test_withdrawn_and_removed_prompts_stay_with_their_state(seller):
    prompts = [make_prompt(seller=seller, title=title, price=5_000) for title in ("a", "b", "c")]
    make_paid_order(prompts=prompts)
    withdraw_prompt(prompt=prompts[1], reason="", now=NOON)
    remove_prompt(prompt=prompts[2], reason="Copied.", now=NOON)

    sales = read(seller)

    assert [(each.title, each.state) for each in sales.prompts] == [
        ("a", "published"),
        ("b", "withdrawn"),
        ("c", "removed"),
    ]
    assert sales.total.paid_krw == 15_000


def test_prompts_without_anything_are_left_out(seller):
    make_prompt(seller=seller, title="quiet")
    add_views({(make_prompt(seller=seller, title="seen").pk, DAY): 1})

    assert list(by_title(read(seller))) == ["seen"]


# --- Rates


@pytest.mark.parametrize(
    ("view_count", "paid_count", "percent"),
    [
        (RATE_FLOOR - 1, 50, None),
        (RATE_FLOOR, 0, Decimal("0")),
        (RATE_FLOOR, 1, Decimal("1")),
        (1_000, 23, Decimal("2.3")),
        (2_000, 3, Decimal("0.2")),  # 0.15: halves go up
        (200, 300, Decimal("150")),
    ],
)
def test_a_share_of_few_views_says_nothing(view_count, paid_count, percent):
    assert Figures(view_count=view_count, paid_count=paid_count).paid_percent == percent


# --- As a stream


def test_the_stream_says_the_same_by_day_and_title(seller):
    b, a = make_prompt(seller=seller, title="b", price=5_000), make_prompt(seller=seller, title="a", price=0)
    make_paid_order(prompts=[b, a], now=NOON)
    order = make_paid_order(prompts=[b], now=NOON + timedelta(days=1))
    make_refund(order=order, status="done", now=NOON + timedelta(days=1))
    add_views({(a.pk, DAY): 3, (b.pk, DAY + timedelta(days=2)): 4})

    rows = list(stream_sales(seller=seller, first=FIRST, last=LAST))

    assert rows == [
        (DAY, "a", Figures(view_count=3, paid_count=1)),
        (DAY, "b", Figures(paid_count=1, paid_krw=5_000)),
        (DAY + timedelta(days=1), "b", Figures(paid_count=1, paid_krw=5_000, refund_count=1, refund_krw=5_000)),
        (DAY + timedelta(days=2), "b", Figures(view_count=4)),
    ]
    assert list(stream_sales(seller=seller, first=FIRST, last=LAST, prompt=a)) == rows[:1]


def test_a_newcomer_has_no_figures_until_somebody_looks(seller):
    prompt = make_prompt(seller=seller)
    make_order(prompts=[prompt])
    assert not has_figures(seller)

    add_views({(prompt.pk, DAY): 1})
    assert has_figures(seller)


def test_a_sale_without_a_view_makes_figures_too(seller):
    make_paid_order(prompts=[make_prompt(seller=seller)])

    assert has_figures(seller)


# --- Speed


@pytest.mark.parametrize("count", [1, 200])
def test_the_number_of_queries_does_not_grow(seller, count, django_assert_num_queries):
    prompts = [make_prompt(seller=seller, price=1_000) for _ in range(min(count, 20))]
    buyers = [make_user() for _ in range(max(1, count // 20))]
    for number, buyer in enumerate(buyers):
        order = make_paid_order(buyer=buyer, prompts=prompts, now=NOON - timedelta(days=number))
        if number < 2:
            make_refund(order=order, status="done", now=NOON)
        add_views({(prompt.pk, DAY - timedelta(days=number)): 3 for prompt in prompts})
    assert OrderLine.objects.count() == count

    with django_assert_num_queries(4):
        sales = read(seller)
    with django_assert_num_queries(4):
        rows = list(stream_sales(seller=seller, first=FIRST, last=LAST))

    assert sales.total.paid_count == count
    assert len(rows) == count


# --- The ledger

MIDNIGHTS = [
    datetime(2026, month, day, 15, tzinfo=UTC)  # of the next day in Seoul
    for month, day in ((10, 31), (11, 1), (11, 22), (11, 29), (11, 30), (12, 31))
]
MOMENTS = st.builds(
    lambda midnight, ms: midnight + timedelta(milliseconds=ms),
    st.sampled_from(MIDNIGHTS),
    st.one_of(st.integers(-2, 2), st.integers(-40_000_000, 40_000_000)),
)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 2),  # buyer
        st.sets(st.integers(0, 4), min_size=1),  # prompts
        MOMENTS,  # paid
        st.one_of(st.none(), MOMENTS),  # refunded
        st.booleans(),  # all of it, or the first line
    ),
    max_size=6,
)


def test_every_won_of_every_day_stands_in_the_ledger(seller):
    prices = [0, 100, 9_999]
    prompts = [make_prompt(seller=seller, price=price) for price in prices]
    prompts += [make_prompt(seller=make_seller(), price=700), make_prompt(price=300)]
    buyers = [make_user() for _ in range(3)]
    seen = Counter()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(orders=ORDERS)
    def live(orders):
        with transaction.atomic():
            _carry_out(orders, buyers=buyers, prompts=prompts)
            first, last = date(2026, 10, 1), date(2027, 1, 31)
            sales = read(seller, first, last)
            days = {each.day: (each.figures.paid_krw, each.figures.refund_krw) for each in sales.days}
            booked = _sum_ledger(seller)
            assert {day: sums for day, sums in days.items() if any(sums)} == booked
            by_prompt = sum((each.figures for each in sales.prompts), Figures())
            assert by_prompt == sales.total
            streamed = [row[2] for row in stream_sales(seller=seller, first=first, last=last)]
            assert sum(streamed, Figures()) == sales.total
            months = [(date(2026, 10, 1), date(2026, 10, 31)), (date(2026, 11, 1), date(2026, 11, 30))]
            months += [(date(2026, 12, 1), date(2026, 12, 31)), (date(2027, 1, 1), date(2027, 1, 31))]
            assert sum((read(seller, *month).total for month in months), Figures()) == sales.total
            assert sales.total.paid_count == OrderLine.objects.filter(seller=seller, entitlement__isnull=False).count()
            seen.update(["twice"] * Refund.objects.filter(reason="bought_twice").exists())
            seen.update(["refund"] * bool(sales.total.refund_krw))
            transaction.set_rollback(True)

    live()

    assert {"twice", "refund"} <= set(seen)


def _carry_out(orders, *, buyers, prompts) -> None:
    from checkout.gateway import make_sandbox_gateway

    for buyer, chosen, paid_at, refunded_at, is_whole in orders:
        order = make_paid_order(buyer=buyers[buyer], prompts=[prompts[n] for n in sorted(chosen)], now=paid_at)
        lines = list(order.lines.filter(price_krw__gt=0, entitlement__isnull=False).order_by("position"))
        for refund in order.refunds.filter(status="requested"):  # what the buyer had already
            carry_out_refund(refund=refund, now=paid_at, gateway=make_sandbox_gateway(timeout_s=5))
        order.refresh_from_db()
        if refunded_at and lines:
            make_refund(order=order, lines=lines if is_whole else lines[:1], status="done", now=refunded_at)


def _sum_ledger(seller) -> dict[date, tuple[int, int]]:
    """(charged, given back) by day, of the entries for the seller and for the platform's part of their prices."""
    sums = {}
    entries = LedgerEntry.objects.filter(account__in=["seller", "fee"], order_line__seller=seller)
    for entry in entries:
        charged, given_back = sums.get(timezone.localdate(entry.booked_at), (0, 0))
        if entry.kind == "charge":
            charged -= entry.amount_krw
        else:
            given_back += entry.amount_krw
        sums[timezone.localdate(entry.booked_at)] = (charged, given_back)
    return sums
