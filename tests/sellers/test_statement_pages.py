"""A seller's statements in the studio: finished months, the running one so far, their lines, and the same as CSV."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checkout.statements import build_finished_months
from sellers.studio import statements as pages
from tests.checkout.test_statements import IN_DECEMBER, IN_NOVEMBER, IN_OCTOBER, OCTOBER, sell
from tests.factories import (
    make_paid_order,
    make_payout,
    make_prompt,
    make_refund,
    make_seller,
    make_staff,
    make_statement,
    make_user,
)

pytestmark = pytest.mark.django_db

LIST = "/studio/statements/"


@pytest.fixture(autouse=True)
def _december(time_machine):
    time_machine.move_to(IN_DECEMBER, tick=False)


@pytest.fixture
def seller():
    return make_seller(name="Anna", user=make_user(email="anna@example.com"))


@pytest.fixture
def studio(client, seller):
    client.force_login(seller.user)
    client.cookies["django_language"] = "en"
    return client


def words_of(answer) -> str:
    return " ".join(answer.content.decode().split())


def read_csv(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))


# --- The list


def test_months_are_listed_newest_first_with_how_they_stand(studio, seller):
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER), now=IN_NOVEMBER)
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    make_statement(seller=seller)
    sell(2_000, seller=seller, now=IN_DECEMBER - timedelta(hours=1))

    page = studio.get(LIST)

    words = words_of(page)
    months = [words.index(f">{month} 2026</a>") for month in ("December", "November", "October")]
    assert months == sorted(months)
    [december] = page.context["drafts"]
    assert (december.sales_krw, december.carried_krw, december.due_krw) == (2_000, -9_000, -7_200)
    for text in ("so far, not final", "carried over", "paid on Nov. 22, 2026", "−₩7,200", "₩9,000"):
        assert text in words


def test_a_month_that_is_over_and_not_built_is_not_final(studio, seller):
    sell(10_000, seller=seller)

    page = studio.get(LIST)

    assert [f"{draft.month:%Y-%m}" for draft in page.context["drafts"]] == ["2026-12", "2026-11"]
    assert words_of(page).count("so far, not final") == words_of(page).count("not final yet") == 1


def test_who_sold_nothing_sees_the_running_month(studio):
    page = studio.get(LIST)

    assert [(draft.month.month, draft.due_krw) for draft in page.context["drafts"]] == [(12, 0)]


@pytest.mark.parametrize("month_count", [1, 3])
def test_the_list_costs_the_same_however_long(studio, seller, month_count):
    for number in range(month_count):
        sell(1_000, seller=seller, now=IN_NOVEMBER - timedelta(days=31 * number))
    build_finished_months(now=IN_DECEMBER)
    studio.get(LIST)

    with CaptureQueriesContext(connection) as asked:
        assert len(studio.get(LIST).context["page"]) == month_count
    assert len(asked) == 9


def test_many_months_come_in_pages(studio, seller, monkeypatch):
    monkeypatch.setattr(pages, "MONTHS_PER_PAGE", 1)
    sell(1_000, seller=seller, now=IN_OCTOBER)
    sell(1_000, seller=seller)
    build_finished_months(now=IN_DECEMBER)

    second = studio.get(f"{LIST}?page=2")

    assert [statement.month for statement in second.context["page"]] == [OCTOBER]
    assert second.context["drafts"] == []


# --- A month


def test_a_statement_explains_each_sum_and_shows_each_line(studio, seller):
    order = make_paid_order(prompts=[make_prompt(title="Letter", price=9_999, seller=seller)], now=IN_NOVEMBER)
    make_paid_order(prompts=[make_prompt(title="<Poem>", price=5_000, seller=seller)], now=IN_NOVEMBER)
    make_refund(order=order, status="done", now=IN_NOVEMBER + timedelta(days=1))
    make_payout(statement=make_statement(seller=seller), bank_reference="KB 17")

    page = studio.get(f"{LIST}2026-11/")

    words = words_of(page)
    assert page.context["is_final"]
    for text in (
        "Statement of November 2026",
        "₩14,999",
        "−₩9,999",
        "10 % (1,000 basis points)",
        "rounded down to the won, sale by sale",
        "−₩500",
        "₩4,500",
        "KB 17",
        "&lt;Poem&gt;",
    ):
        assert text in words
    assert [(line["title"], line["kind"], line["share_krw"]) for line in page.context["page"]][2] == (
        *("Letter", "refund"),
        -9_000,
    )
    assert "Not final" not in words
    assert "Carried over" not in words


@pytest.mark.parametrize(
    ("fee_bp", "words"),
    [(0, ">0 % (0 b"), (1, "0.01 % (1 b"), (1_250, "12.5 % (1,250 b"), (10_000, "100 % (10,000 b")],
)
def test_the_fee_is_told_in_percent_and_basis_points(studio, seller, fee_bp, words):
    sell(9_999, seller=seller, fee_bp=fee_bp)
    make_statement(seller=seller)

    assert words in words_of(studio.get(f"{LIST}2026-11/"))


def test_two_fees_in_one_month_are_both_told(studio, seller):
    sell(1_000, seller=seller, fee_bp=500)
    sell(1_000, seller=seller, fee_bp=1_000)

    assert "5 % (500 basis points), 10 % (1,000 basis points)." in words_of(studio.get(f"{LIST}2026-11/"))


def test_a_debt_is_explained(studio, seller):
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    make_statement(seller=seller)
    sell(1_000, seller=seller, now=IN_DECEMBER)

    november, december = words_of(studio.get(f"{LIST}2026-11/")), words_of(studio.get(f"{LIST}2026-12/"))

    assert "Nothing is paid out. Your next statement begins with this sum." in november
    assert "so your last statement was below zero" in december
    assert "−₩9,000" in december
    assert "−₩8,100" in december


def test_the_running_month_is_a_preview_and_says_so(studio, seller):
    sell(10_000, seller=seller, now=IN_DECEMBER - timedelta(hours=1))

    page = studio.get(f"{LIST}2026-12/")

    assert "The month is not over. These are the sums so far" in words_of(page)
    assert (page.context["account"].due_krw, page.context["is_final"]) == (9_000, False)
    assert len(page.context["page"]) == 1


def test_the_running_month_without_sales_is_shown_with_the_debt_that_waits(studio, seller):
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    make_statement(seller=seller)

    page = studio.get(f"{LIST}2026-12/")

    assert page.context["account"].due_krw == -9_000
    assert "Nothing was sold or given back so far." in words_of(page)


def test_the_running_month_shows_no_lines_of_one_that_is_not_built(studio, seller):
    sell(10_000, seller=seller)

    running, november = studio.get(f"{LIST}2026-12/"), studio.get(f"{LIST}2026-11/")

    assert [len(page.context["page"]) for page in (running, november)] == [0, 1]
    assert running.context["account"].due_krw == 0


def test_the_preview_becomes_the_statement(studio, seller):
    sell(9_999, 2_000, seller=seller)
    preview = studio.get(f"{LIST}2026-11/")
    make_statement(seller=seller)

    final = studio.get(f"{LIST}2026-11/")

    for name in ("sales_krw", "refunds_krw", "fee_krw", "payable_krw", "carried_krw", "due_krw"):
        assert getattr(final.context["account"], name) == getattr(preview.context["account"], name)
    assert list(final.context["page"]) == list(preview.context["page"])


@pytest.mark.parametrize("month", ["2026-10", "2027-01", "2026-13", "x", "2026-11-01", "９999-11"])
@pytest.mark.parametrize("form", ["{}/", "{}.csv"])
def test_a_month_without_a_statement_is_not_found(studio, month, form):
    assert studio.get(LIST + form.format(month)).status_code == 404


@pytest.mark.parametrize("line_count", [1, 20])
@pytest.mark.parametrize(("is_built", "query_count"), [(True, 8), (False, 10)])
def test_a_month_costs_the_same_however_many_lines(studio, seller, line_count, is_built, query_count):
    for _ in range(line_count):
        sell(1_000, seller=seller)
    if is_built:
        make_statement(seller=seller)
    studio.get(LIST)

    with CaptureQueriesContext(connection) as asked:
        assert len(studio.get(f"{LIST}2026-11/").context["page"]) == line_count
    assert len(asked) == query_count


def test_many_lines_come_in_pages_and_the_csv_has_all(studio, seller, monkeypatch):
    monkeypatch.setattr(pages, "LINES_PER_PAGE", 2)
    sell(1_000, 2_000, 3_000, seller=seller)
    make_statement(seller=seller)

    first, second = studio.get(f"{LIST}2026-11/"), studio.get(f"{LIST}2026-11/?page=2")

    assert [len(answer.context["page"]) for answer in (first, second)] == [2, 1]
    assert "The CSV has every one of them." in words_of(first)
    assert len(read_csv(studio.get(f"{LIST}2026-11.csv"))) == 1 + 3 + 6


# --- CSV


def test_the_csv_has_the_lines_and_the_sums(studio, seller):
    order = make_paid_order(prompts=[make_prompt(title="=SUM(A1)", price=9_999, seller=seller)], now=IN_NOVEMBER)
    make_refund(order=order, status="done", now=IN_NOVEMBER + timedelta(days=1))
    make_statement(seller=seller)

    answer = studio.get(f"{LIST}2026-11.csv")

    assert answer["Content-Disposition"] == 'attachment; filename="statement-2026-11.csv"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert read_csv(answer) == [
        ["Date", "Prompt", "What", "Price (won)", "Fee (basis points)", "Fee (won)", "Your share (won)"],
        ["2026-11-22 21:00:00", "'=SUM(A1)", "sale", "9999", "1000", "999", "9000"],
        ["2026-11-23 21:00:00", "'=SUM(A1)", "refund", "-9999", "1000", "-999", "-9000"],
        *(["", name, "", "", "", "", str(won)] for name, won in [
            ("Sales", 9_999), ("Refunds", -9_999), ("Fee", 0), ("Payable", 0), ("Carried over", 0), ("Due", 0)
        ]),
    ]  # fmt: skip


def test_the_csv_of_the_running_month_says_that_it_is_not_final(studio, seller):
    sell(10_000, seller=seller, now=IN_DECEMBER - timedelta(hours=1))

    assert read_csv(studio.get(f"{LIST}2026-12.csv"))[-1] == ["", "So far, not final", "", "", "", "", "9000"]


# --- Who may

ADDRESSES = [LIST, f"{LIST}2026-11/", f"{LIST}2026-11.csv", f"{LIST}2026-12/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_visitor_signs_in_first_and_who_sells_nothing_learns_how(client, seller, address):
    sell(10_000, seller=seller)
    make_statement(seller=seller)

    assert client.get(address)["Location"].startswith("/accounts/login/")
    client.force_login(make_user())
    assert client.get(address)["Location"] == "/sell/"
    client.force_login(make_staff("finance"))  # they have the admin
    assert client.get(address)["Location"] == "/sell/"


def test_another_seller_sees_their_own_months_and_nothing_of_these(seller):
    make_paid_order(prompts=[make_prompt(title="Secret letter", price=7_777, seller=seller)], now=IN_NOVEMBER)
    make_statement(seller=seller)
    other = Client()
    other.force_login(make_seller(name="Ben").user)

    assert other.get(f"{LIST}2026-11/").status_code == other.get(f"{LIST}2026-11.csv").status_code == 404
    for address in (LIST, f"{LIST}2026-12/"):
        assert "7,777" not in words_of(other.get(address))
        assert "Secret letter" not in words_of(other.get(address))


def test_a_statement_says_nothing_of_who_bought(studio, seller):
    buyer = make_user(email="mina@example.com", nickname="Mina Kim")
    prompt = make_prompt(price=5_000, seller=seller)
    order = make_paid_order(buyer=buyer, email=buyer.email, prompts=[prompt], now=IN_NOVEMBER)

    shown = words_of(studio.get(f"{LIST}2026-11/")) + str(read_csv(studio.get(f"{LIST}2026-11.csv")))

    assert not any(name in shown for name in ("mina", "Mina", order.number))


def test_a_suspended_seller_still_reads_their_statements(studio, seller):
    sell(10_000, seller=seller)
    make_statement(seller=seller)
    type(seller).objects.update(status="suspended")

    assert [studio.get(address).status_code for address in ADDRESSES] == [200] * len(ADDRESSES)


@pytest.mark.parametrize("address", ADDRESSES)
def test_statements_take_no_form_and_are_kept_by_no_cache(studio, seller, address):
    sell(10_000, seller=seller)

    assert studio.post(address).status_code == 405
    assert "no-store" in studio.get(address)["Cache-Control"]
