"""What each seller is owed for a month: every entry of theirs on one statement, and every won tied to the payments."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from checkout.balances import Untied, find_untied, list_balances, sum_ledger, sum_months
from checkout.models import LedgerEntry, OrderLine, Payment, Payout, Refund, Statement, StatementEntry
from checkout.statements import (
    StatementsRefused,
    begin_of,
    build_finished_months,
    build_statements,
    draft_statements,
    entries_of_sellers,
    foresee_statements,
    list_fees,
    list_lines,
    month_of,
    next_month,
    read_month,
    unstated_entries,
)
from tests.factories import (
    NOON,
    make_paid_order,
    make_payout,
    make_prompt,
    make_refund,
    make_seller,
    make_statement,
    make_user,
)

SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (9, 10, 11, 12))
IN_OCTOBER = datetime(2026, 10, 20, 3, 0, tzinfo=UTC)
IN_NOVEMBER = NOON
IN_DECEMBER = datetime(2026, 12, 8, 3, 0, tzinfo=UTC)
IN_JANUARY = datetime(2027, 1, 8, 3, 0, tzinfo=UTC)


def sell(*prices, seller, now=IN_NOVEMBER, **fields):
    return make_paid_order(prompts=[make_prompt(price=price, seller=seller) for price in prices], now=now, **fields)


def sums(statement):
    names = ("sales_krw", "refunds_krw", "fee_krw", "payable_krw", "carried_krw", "due_krw")
    return tuple(getattr(statement, name) for name in names)


def entries_of(statement):
    return set(statement.entries.values_list("entry_id", flat=True))


# --- Months


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), OCTOBER),  # a second before midnight in Seoul
        (datetime(2026, 10, 31, 15, 0, tzinfo=UTC), NOVEMBER),
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_a_month_begins_at_midnight_in_seoul(moment, month):
    assert month_of(moment) == month
    assert begin_of(month) <= moment < begin_of(next_month(month))


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2026-11", NOVEMBER),
        *(
            (text, None)
            for text in ("2026-13", "2026-00", "2026-1", "2026-11-01", "1999-11", "２０２６-11", "", "2026-11\n")
        ),
    ],
)
def test_a_month_is_written_as_year_and_number(text, month):
    assert read_month(text) == month


# --- Building


@pytest.mark.django_db
def test_a_statement_says_what_was_sold_what_went_back_and_what_is_due():
    anna, ben = make_seller(name="Anna"), make_seller(name="Ben")
    order = sell(9_999, 2_000, seller=anna)
    sell(5_000, seller=ben)
    make_refund(order=order, lines=[order.lines.get(price_krw=2_000)], status="done", now=NOON + timedelta(days=1))

    built = build_statements(month=NOVEMBER, now=IN_DECEMBER)

    assert sums(Statement.objects.get(seller=anna)) == (11_999, 2_000, 999, 9_000, 0, 9_000)
    assert sums(Statement.objects.get(seller=ben)) == (5_000, 0, 500, 4_500, 0, 4_500)
    assert (built.statement_count, built.entry_count, built.payable_krw, built.due_krw) == (2, 8, 13_500, 13_500)
    assert set(StatementEntry.objects.values_list("entry", flat=True)) == set(
        entries_of_sellers().values_list("pk", flat=True)
    )
    assert find_untied() == []


@pytest.mark.django_db
@pytest.mark.parametrize(("fee_bp", "due_krw"), [(0, 9_999), (10_000, 0), (1_250, 8_750)])
def test_whatever_the_fee_the_price_is_the_sale(fee_bp, due_krw):
    seller = make_seller()
    sell(9_999, seller=seller, fee_bp=fee_bp)

    statement = make_statement(seller=seller)

    assert sums(statement) == (9_999, 0, 9_999 - due_krw, due_krw, 0, due_krw)
    assert list_fees(statement) == [fee_bp]


@pytest.mark.django_db
def test_the_house_and_money_owed_to_buyers_stand_on_no_statement():
    seller, buyer = make_seller(), make_user()
    prompt = make_prompt(price=3_000, seller=seller)
    make_paid_order(prompts=[make_prompt(price=7_000)])
    make_paid_order(buyer=buyer, prompts=[prompt])
    make_paid_order(buyer=buyer, prompts=[prompt])  # has it already: the money goes back

    statement = make_statement(seller=seller)

    assert Statement.objects.count() == 1
    assert sums(statement) == (3_000, 0, 300, 2_700, 0, 2_700)


@pytest.mark.django_db
def test_a_second_call_builds_nothing():
    seller = make_seller()
    sell(5_000, seller=seller)
    make_statement(seller=seller)
    before = list(StatementEntry.objects.values())

    built = build_statements(month=NOVEMBER, now=IN_DECEMBER)

    assert (built.statement_count, build_finished_months(now=IN_DECEMBER)) == (0, [])
    assert list(StatementEntry.objects.values()) == before


@pytest.mark.django_db
@pytest.mark.parametrize("now", [NOON, datetime(2026, 11, 30, 14, 59, tzinfo=UTC)])
def test_a_month_that_is_not_over_in_seoul_is_refused(now):
    sell(5_000, seller=make_seller())

    with translation.override("en"), pytest.raises(StatementsRefused, match="2026-11 is not over"):
        build_statements(month=NOVEMBER, now=now)
    assert build_finished_months(now=now) == []
    assert not Statement.objects.exists()


@pytest.mark.django_db
def test_no_month_is_built_before_an_earlier_one():
    sell(5_000, seller=make_seller(), now=IN_OCTOBER)
    sell(5_000, seller=make_seller())

    words = "Before 2026-11 the statements of 2026-10"
    with translation.override("en"), pytest.raises(StatementsRefused, match=words):
        build_statements(month=NOVEMBER, now=IN_DECEMBER)
    assert not Statement.objects.exists()


@pytest.mark.django_db
def test_every_finished_month_is_built_oldest_first_and_the_running_one_is_left():
    seller = make_seller()
    for now in (IN_OCTOBER, IN_NOVEMBER, IN_DECEMBER):
        sell(5_000, seller=seller, now=now)

    built = build_finished_months(now=IN_DECEMBER + timedelta(days=1))

    assert [(each.month, each.statement_count) for each in built] == [(OCTOBER, 1), (NOVEMBER, 1)]
    assert unstated_entries(before=next_month(DECEMBER)).count() == 2


@pytest.mark.django_db
def test_a_month_that_cannot_be_built_ends_the_run(monkeypatch):
    sell(5_000, seller=make_seller())
    monkeypatch.setattr("checkout.statements._build_statement", lambda **seller: (None, 0))

    with pytest.raises(RuntimeError, match="2026-11 cannot be built"):
        build_finished_months(now=IN_DECEMBER)


@pytest.mark.django_db
def test_what_was_sold_in_the_last_second_of_a_month_is_that_months():
    seller = make_seller()
    sell(1_000, seller=seller, now=datetime(2026, 11, 30, 14, 59, 59, 999_000, tzinfo=UTC))
    sell(2_000, seller=seller, now=datetime(2026, 11, 30, 15, 0, tzinfo=UTC))

    build_finished_months(now=IN_JANUARY)

    assert list(Statement.objects.order_by("month").values_list("month", "sales_krw")) == [
        (NOVEMBER, 1_000),
        (DECEMBER, 2_000),
    ]


@pytest.mark.django_db
def test_a_late_entry_stands_on_the_next_statement():
    seller = make_seller()
    sell(5_000, seller=seller)
    november = make_statement(seller=seller)
    before = entries_of(november)
    sell(1_000, seller=seller, now=IN_NOVEMBER)  # booked into November, after its statement was built
    sell(2_000, seller=seller, now=IN_DECEMBER)

    december = make_statement(seller=seller, month=DECEMBER)

    assert entries_of(november) == before
    assert sums(december) == (3_000, 0, 300, 2_700, 0, 2_700)
    assert not unstated_entries(before=next_month(DECEMBER)).exists()


@pytest.mark.django_db
def test_a_late_entry_of_a_seller_without_a_statement_for_that_month_gets_one():
    sell(5_000, seller=make_seller())
    make_statement(seller=OrderLine.objects.get().seller)
    late = make_seller()
    sell(1_000, seller=late)

    assert sums(make_statement(seller=late)) == (1_000, 0, 100, 900, 0, 900)


@pytest.mark.django_db
def test_a_late_entry_alone_stands_on_the_month_after_the_last_statement():
    seller = make_seller()
    sell(5_000, seller=seller, now=IN_OCTOBER)
    make_statement(seller=seller, month=OCTOBER)
    sell(1_000, seller=seller, now=IN_OCTOBER)

    assert build_finished_months(now=IN_NOVEMBER) == []  # November is not over, so there is no next one yet
    assert [draft.month for draft in draft_statements(before=next_month(NOVEMBER))] == [NOVEMBER]
    build_finished_months(now=IN_JANUARY)

    assert list(Statement.objects.order_by("month").values_list("month", "sales_krw")) == [
        (OCTOBER, 5_000),
        (NOVEMBER, 1_000),
    ]


@pytest.mark.django_db
def test_a_refund_after_the_payout_is_a_debt_that_is_carried_until_sales_cover_it():
    seller = make_seller()
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    november = make_statement(seller=seller)
    assert sums(november) == (0, 10_000, -1_000, -9_000, 0, -9_000)

    sell(2_000, seller=seller, now=IN_DECEMBER)
    december = make_statement(seller=seller, month=DECEMBER)
    sell(10_000, seller=seller, now=IN_JANUARY)
    january = make_statement(seller=seller, month=date(2027, 1, 1))

    assert sums(december) == (2_000, 0, 200, 1_800, -9_000, -7_200)
    assert sums(january) == (10_000, 0, 1_000, 9_000, -7_200, 1_800)
    assert find_untied() == []


@pytest.mark.django_db
def test_a_debt_makes_no_statement_until_something_is_booked():
    seller = make_seller()
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    make_statement(seller=seller)

    assert build_finished_months(now=IN_JANUARY + timedelta(days=90)) == []
    sell(20_000, seller=seller, now=IN_JANUARY)
    assert sums(make_statement(seller=seller, month=date(2027, 1, 1))) == (20_000, 0, 2_000, 18_000, -9_000, 9_000)


@pytest.mark.django_db
def test_what_is_due_and_not_paid_out_yet_is_not_carried():
    seller = make_seller()
    sell(10_000, seller=seller, now=IN_OCTOBER)
    make_statement(seller=seller, month=OCTOBER)
    sell(1_000, seller=seller)

    assert sums(make_statement(seller=seller)) == (1_000, 0, 100, 900, 0, 900)


@pytest.mark.django_db
def test_what_would_be_built_is_what_is_built():
    anna, ben = make_seller(), make_seller()
    order = sell(9_999, 3_000, seller=anna, now=IN_OCTOBER)
    sell(5_000, seller=ben)
    make_refund(order=order, lines=[order.lines.get(price_krw=3_000)], status="done", now=IN_NOVEMBER)
    foreseen = foresee_statements(drafts=draft_statements(before=DECEMBER))

    assert build_finished_months(now=IN_DECEMBER) == foreseen


@pytest.mark.django_db
def test_progress_is_told_for_each_seller():
    for _ in range(3):
        sell(5_000, seller=make_seller())
    told = []

    build_statements(month=NOVEMBER, now=IN_DECEMBER, on_progress=lambda: told.append(1))

    assert len(told) == 3


@pytest.mark.django_db
@pytest.mark.parametrize("line_count", [1, 30])
def test_a_sellers_statement_costs_the_same_however_much_they_sold(line_count):
    seller = make_seller()
    for _ in range(line_count):
        sell(1_000, seller=seller)

    with CaptureQueriesContext(connection) as asked:
        build_statements(month=NOVEMBER, now=IN_DECEMBER)

    assert len(asked) == 9  # two for the drafts, and a transaction: lock, last, entries, statement, its entries


# --- What stands on it


@pytest.mark.django_db
def test_the_lines_are_sales_and_refunds_with_price_fee_and_share():
    seller = make_seller()
    order = make_paid_order(prompts=[make_prompt(title="Letter", price=9_999, seller=seller)], now=NOON)
    make_paid_order(prompts=[make_prompt(title="All", price=100, seller=seller)], now=NOON, fee_bp=10_000)
    make_refund(order=order, status="done", now=NOON + timedelta(hours=1))
    statement = make_statement(seller=seller)

    lines = [
        (row["title"], row["kind"], row["price_krw"], row["fee_krw"], row["share_krw"]) for row in list_lines(statement)
    ]

    assert sorted(lines[:2]) == [("All", "charge", 100, 100, 0), ("Letter", "charge", 9_999, 999, 9_000)]
    assert lines[2:] == [("Letter", "refund", -9_999, -999, -9_000)]
    assert list_fees(statement) == [1_000, 10_000]


@pytest.mark.django_db
def test_the_lines_of_a_draft_are_those_of_the_statement_that_comes_of_it():
    seller = make_seller()
    sell(1_000, seller=seller, now=IN_OCTOBER)
    make_statement(seller=seller, month=OCTOBER)
    sell(2_000, seller=seller, now=IN_OCTOBER)  # late
    sell(3_000, seller=seller, now=IN_NOVEMBER)
    sell(4_000, seller=seller, now=IN_DECEMBER)

    drafts = draft_statements(before=next_month(DECEMBER), seller=seller)
    drawn = [list(list_lines(draft)) for draft in drafts]
    build_finished_months(now=IN_JANUARY)

    assert [[row["price_krw"] for row in lines] for lines in drawn] == [[2_000, 3_000], [4_000]]
    assert [list(list_lines(statement)) for statement in Statement.objects.order_by("month")][1:] == drawn


# --- Never changed


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Statement, StatementEntry, Payout])
def test_nothing_of_it_is_changed_or_deleted(model):
    seller = make_seller()
    sell(5_000, seller=seller)
    make_payout(statement=make_statement(seller=seller))
    column = {Statement: "due_krw", StatementEntry: "entry_id", Payout: "amount_krw"}[model]
    before = list(model.objects.values())

    for sql in (f"UPDATE {model._meta.db_table} SET {column} = {column}", f"DELETE FROM {model._meta.db_table}"):
        with pytest.raises(DatabaseError, match="never"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)

    assert list(model.objects.values()) == before


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["statements", "statement_entries", "payouts"])
def test_no_table_of_it_is_emptied(table):
    seller = make_seller()
    sell(5_000, seller=seller)
    make_payout(statement=make_statement(seller=seller))
    connection.check_constraints()
    is_sqlite = connection.vendor == "sqlite"  # which has no TRUNCATE; this is what stands for it
    sql = f"DELETE FROM {table} WHERE 1" if is_sqlite else f"TRUNCATE {table} CASCADE"

    with pytest.raises(DatabaseError, match="never"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db(transaction=True)
def test_tests_may_empty_the_tables_and_the_triggers_are_there_again():
    seller = make_seller()
    sell(5_000, seller=seller)
    make_statement(seller=seller)

    call_command("flush", interactive=False, verbosity=0)

    assert not Statement.objects.exists()
    seller = make_seller()
    sell(5_000, seller=seller)
    make_statement(seller=seller)
    with pytest.raises(DatabaseError, match="a statement is never"), transaction.atomic():
        Statement.objects.update(due_krw=0)


@pytest.mark.django_db
def test_the_database_lets_no_entry_stand_on_two_statements_and_no_seller_have_two_for_a_month():
    seller = make_seller()
    sell(5_000, seller=seller)
    statement = make_statement(seller=seller)
    entry = statement.entries.first().entry

    with pytest.raises(IntegrityError), transaction.atomic():
        StatementEntry.objects.create(statement=statement, entry=entry)
    with pytest.raises(IntegrityError), transaction.atomic():
        Statement.objects.create(
            seller=seller, month=NOVEMBER, sales_krw=0, refunds_krw=0, fee_krw=0, payable_krw=0, due_krw=0
        )


# --- Ties


@pytest.mark.django_db
def test_what_came_in_is_what_sellers_platform_house_and_buyers_have_of_it_each_month():
    seller = make_seller()
    order = sell(9_999, seller=seller, now=IN_OCTOBER)
    make_paid_order(prompts=[make_prompt(price=3_000)], now=IN_OCTOBER)
    make_refund(order=order, status="done", now=IN_NOVEMBER)

    october, november = sum_months()

    assert (october.month, october.charged_krw, october.given_back_krw) == (OCTOBER, 12_999, 0)
    assert (october.sellers_krw, october.fees_krw, october.house_krw, october.buyers_krw) == (9_000, 999, 3_000, 0)
    assert (november.month, november.charged_krw, november.given_back_krw) == (NOVEMBER, 0, 9_999)
    assert (november.sellers_krw, november.fees_krw, november.kept_krw) == (-9_000, -999, -9_999)
    assert sum_ledger().kept_krw == 3_000
    assert {sums.untied_krw for sums in (october, november, sum_ledger())} == {0}


@pytest.mark.django_db
def test_a_balance_says_what_a_seller_earned_was_paid_and_is_owed():
    seller = make_seller(name="Anna")
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    make_statement(seller=seller)
    sell(1_000, seller=seller, now=IN_DECEMBER)

    [balance] = list_balances()

    assert (balance.name, balance.earned_krw, balance.stated_krw, balance.unstated_krw) == ("Anna", 900, 0, 900)
    assert (balance.paid_krw, balance.unpaid_krw, balance.debt_krw, balance.owed_krw) == (9_000, 0, -9_000, -8_100)


def tamper(sql, *parameters):
    """Write past the triggers, as nobody can through the site."""
    from tests.conftest import _guards

    with connection.cursor() as cursor:
        for guard in _guards.values():
            for undo in guard.UNDO[connection.vendor]:
                cursor.execute(undo)
        cursor.execute(sql, parameters)
        for guard in _guards.values():
            for trigger in guard.TRIGGERS[connection.vendor]:
                cursor.execute(trigger)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            "UPDATE ledger_entries SET amount_krw = amount_krw - 1 WHERE account = 'seller'",
            {"ledger", "seller", "statement"},
        ),
        (
            "UPDATE ledger_entries SET amount_krw = amount_krw + 1 WHERE account = 'provider'",
            {"ledger", "payments"},
        ),
        (
            "UPDATE statements SET payable_krw = payable_krw + 1, sales_krw = sales_krw + 1, due_krw = due_krw + 1",
            {"statement", "seller", "settled", "payout"},
        ),
        ("UPDATE statements SET carried_krw = -5, due_krw = due_krw - 5", {"carried", "payout"}),
        ("UPDATE payouts SET amount_krw = amount_krw - 1", {"payout", "settled"}),
        ("DELETE FROM statement_entries", {"statement", "seller"}),
        ("UPDATE payments SET amount_krw = amount_krw + 1", {"payments"}),
    ],
)
def test_a_single_won_that_does_not_tie_is_found(sql, found):
    seller = make_seller()
    sell(10_000, seller=seller)
    make_payout(statement=make_statement(seller=seller))
    assert find_untied() == []

    tamper(sql)

    untied = find_untied()
    assert {each.what for each in untied} == found
    assert all(isinstance(each, Untied) and str(each).endswith("won)") for each in untied)


@pytest.mark.django_db
def test_an_entry_of_another_seller_on_a_statement_is_found():
    anna, ben = make_seller(name="Anna"), make_seller(name="Ben")
    sell(10_000, seller=anna)
    sell(10_000, seller=ben)
    statement = make_statement(seller=anna)
    theirs = LedgerEntry.objects.filter(seller=ben).get()

    mine = "(SELECT statement_id FROM statement_entries WHERE entry_id = %s)"
    moved = f"UPDATE statement_entries SET statement_id = {mine} WHERE entry_id = %s"
    tamper(moved, statement.entries.first().entry_id, theirs.pk)

    assert "owner" in {each.what for each in find_untied()}


@pytest.mark.django_db
@pytest.mark.parametrize("seller_count", [1, 4])
def test_ties_are_checked_in_the_same_number_of_queries_however_many_sellers(seller_count):
    for _ in range(seller_count):
        seller = make_seller()
        sell(5_000, seller=seller, now=IN_OCTOBER)
    build_finished_months(now=IN_NOVEMBER)
    for statement in Statement.objects.all():
        make_payout(statement=statement)

    with CaptureQueriesContext(connection) as asked:
        assert find_untied() == []

    assert len(asked) == 15


# --- Random histories

PEOPLE, PER_SELLER = 3, 2
FEES = st.sampled_from([0, 1, 333, 1_000, 1_250, 9_999, 10_000])
PRICES = [1, 9_999, 100, 33_333, 0, 7_777]
buyers, baskets, picks = (
    st.integers(0, PEOPLE - 1),
    st.sets(st.integers(0, 6), min_size=1, max_size=3),
    st.integers(0, 9),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), buyers, baskets, FEES),
        st.tuples(st.just("buy late"), buyers, baskets, FEES),
        st.tuples(st.just("refund"), picks, st.booleans()),
        st.tuples(st.just("refund late"), picks, st.booleans()),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("build")),
        st.tuples(st.just("pay"), picks),
    ),
    min_size=4,
    max_size=16,
)


# Two that must be among them: a refund after the payout, with too few sales behind it, and bookings into built months.
DEBT = [
    *[("buy", 0, {3}, 1_000), ("wait", 40), ("build",), ("pay", 0), ("refund", 0, True), ("wait", 40), ("build",)],
    *[("buy", 0, {0}, 0), ("wait", 40), ("build",), ("pay", 0)],
]
LATE = [
    *[("buy", 0, {0, 1, 6}, 333), ("buy", 1, {1}, 10_000), ("wait", 40), ("build",), ("buy late", 2, {0, 1}, 1_250)],
    *[("refund late", 0, False), ("wait", 20), ("build",), ("pay", 1)],
]


class History:
    """Buyers, three sellers and the house, through some months. `now` only moves on; late bookings lie before it."""

    def __init__(self, buyers, prompts, staff):
        self.buyers, self.prompts, self.staff = buyers, prompts, staff
        self.now = datetime(2026, 9, 10, 3, 0, tzinfo=UTC)
        self.built_until = None

    def take(self, step):
        kind, *arguments = step
        getattr(self, kind.replace(" ", "_"))(*arguments)

    def buy(self, buyer, wanted, fee_bp, now=None):
        prompts = [self.prompts[position] for position in sorted(wanted)]
        make_paid_order(buyer=self.buyers[buyer], prompts=prompts, fee_bp=fee_bp, now=now or self.now)

    def buy_late(self, buyer, wanted, fee_bp):
        self.buy(buyer, wanted, fee_bp, now=self.now - timedelta(days=35))

    def refund(self, pick, is_whole, now=None):
        lines = OrderLine.objects.filter(price_krw__gt=0, order__status__in=["paid", "partly_refunded"])
        left = list(lines.exclude(refund_lines__is_live=True).select_related("order").order_by("pk"))
        if left:
            line = left[pick % len(left)]
            lines = [each for each in left if each.order_id == line.order_id] if is_whole else [line]
            make_refund(order=line.order, lines=lines, status="done", now=now or self.now)

    def refund_late(self, pick, is_whole):
        self.refund(pick, is_whole, now=self.now - timedelta(days=35))

    def wait(self, days):
        self.now += timedelta(days=days)

    def build(self):
        foreseen = foresee_statements(drafts=draft_statements(before=month_of(self.now)))
        assert build_finished_months(now=self.now) == foreseen
        assert build_finished_months(now=self.now) == []
        self.check_built()

    def pay(self, pick):
        unpaid = list(Statement.objects.filter(due_krw__gt=0, payout__isnull=True).order_by("month", "pk"))
        if unpaid:
            statement = unpaid[pick % len(unpaid)]
            make_payout(statement=statement, now=self.now, staff=self.staff)

    def check_built(self):
        """Once its month is built, and that of the seller's last statement is no later, an entry is on a statement."""
        placed = StatementEntry.objects.values("entry")
        over = LedgerEntry.objects.filter(order_line__seller__isnull=False, booked_at__lt=begin_of(month_of(self.now)))
        sellers = over.filter(account__in=["seller", "fee"]).select_related("order_line")
        for entry in sellers.exclude(pk__in=placed):
            last = Statement.objects.filter(seller=entry.order_line.seller_id).order_by("-month").first()
            assert last is not None
            assert next_month(last.month) >= month_of(self.now)  # late, and the next one is of a month not yet over

    def check_always(self):
        assert find_untied() == []
        entries = entries_of_sellers()
        placed = list(StatementEntry.objects.values_list("entry", flat=True))
        assert len(placed) == len(set(placed))
        assert set(placed) <= set(entries.values_list("pk", flat=True))
        self.check_won()
        self.check_debts()

    def check_won(self):
        """Counted from payments, refunds and order lines, without the ledger's accounts."""
        charged = sum(Payment.objects.filter(status="paid").values_list("amount_krw", flat=True))
        returned = sum(Refund.objects.filter(status="done").values_list("amount_krw", flat=True))
        sold = fees = house = 0
        for line in OrderLine.objects.filter(price_krw__gt=0, entitlement__isnull=False):
            if line.refund_lines.filter(is_live=True, refund__status="done").exists():
                continue
            if line.seller_id is None:
                house += line.price_krw
            else:
                sold += line.price_krw
                fees += line.price_krw * line.fee_bp // 10_000
        owed_to_buyers = sum(Refund.objects.filter(status="requested").values_list("amount_krw", flat=True))
        assert charged - returned == sold + house + owed_to_buyers
        balances = list_balances()
        assert sum(balance.stated_krw + balance.unstated_krw for balance in balances) == sold - fees
        paid = sum(Payout.objects.values_list("amount_krw", flat=True))
        assert sum(balance.owed_krw for balance in balances) == sold - fees - paid

    def check_debts(self):
        for seller in {statement.seller_id for statement in Statement.objects.all()}:
            debt_krw = 0
            for statement in Statement.objects.filter(seller=seller).order_by("month"):
                assert statement.carried_krw == debt_krw
                if debt_krw < 0 and statement.due_krw > debt_krw:
                    assert statement.payable_krw > 0  # only sales of a later month make a debt smaller
                debt_krw = min(statement.due_krw, 0)


@pytest.mark.slow
@pytest.mark.django_db
def test_every_entry_is_on_one_statement_and_every_won_ties_whatever_happened():
    sellers = [make_seller() for _ in range(PEOPLE)]
    prompts = [make_prompt(price=price, seller=sellers[position % PEOPLE]) for position, price in enumerate(PRICES)]
    prompts.append(make_prompt(price=5_000))
    buyers, staff = [make_user() for _ in range(PEOPLE)], make_user(is_staff=True)
    seen = set()

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @example(steps=DEBT)
    @example(steps=LATE)
    @given(steps=STEPS)
    def live(steps):
        with transaction.atomic():
            history = History(buyers, prompts, staff)
            for step in steps:
                history.take(step)
                history.check_always()
            history.wait(40)
            history.build()
            history.check_always()
            seen.update(step[0] for step in steps)
            seen.update(["debt"] * Statement.objects.filter(carried_krw__lt=0).exists())
            seen.update(["payout"] * Payout.objects.exists())
            transaction.set_rollback(True)

    live()

    assert {"debt", "payout", "buy late", "refund late"} <= seen
