"""The sales page of the studio and its file: what they show, to whom, and what they say to nonsense."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from catalog.days import add_views, count_put_into_cart
from catalog.listings import remove_prompt, withdraw_prompt
from catalog.models import PromptDay
from checkout.sales import RATE_FLOOR
from sellers.models import Seller
from sellers.studio.periods import find_period
from tests.catalog.pages import plain
from tests.factories import NOON, make_paid_order, make_prompt, make_refund, make_seller, make_user

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 22)  # NOON, in Seoul
FIGURES = re.compile(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", re.DOTALL)
ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def letter(seller):
    """Three days ago: 150 views, one cart, two sales for 5,000 won each, one of them refunded yesterday."""
    prompt = make_prompt(seller=seller, title="Letter", price=5_000)
    day = NOON - timedelta(days=3)
    add_views({(prompt.pk, TODAY - timedelta(days=3)): 150})
    count_put_into_cart(prompt_id=prompt.pk, now=day)
    make_paid_order(prompts=[prompt], now=day)
    make_refund(order=make_paid_order(prompts=[prompt], now=day), status="done", now=NOON - timedelta(days=1))
    return prompt


def figures(page) -> dict[str, str]:
    box = re.search(r'<dl class="figures">(.*?)</dl>', page.text, re.DOTALL)[1]
    return {plain(name): plain(value) for name, value in FIGURES.findall(box)}


def tables(page) -> list[list[list[str]]]:
    """The cells of each table, row by row."""
    found = re.findall(r"<table.*?</table>", page.text, re.DOTALL)
    return [[[plain(cell) for cell in CELL.findall(row)] for row in ROW.findall(table)] for table in found]


def range_shown(page) -> str:
    return plain(re.search(r'<h2 class="sales__range">(.*?)</h2>', page.text, re.DOTALL)[1])


def error_of(page, name: str) -> str:
    found = re.search(rf'id="id_{name}_error">(.*?)</ul>', page.text, re.DOTALL)
    return plain(found[1]) if found else ""


def read_csv(answer) -> list[list[str]]:
    text = answer.getvalue().decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


# --- The page


def test_the_page_shows_the_last_thirty_days(studio, letter):
    page = studio.get("/studio/sales/")

    assert page.status_code == 200
    assert range_shown(page) == "Oct. 24, 2026 to Nov. 22, 2026"
    assert figures(page) == {
        "Views": "150",
        "Put into carts": "1",
        "Sold": "2",
        "Paid": "₩10,000",
        "Refunded": "₩5,000 1 refund",
        "Net": "₩5,000",
        "Sold per 100 views": "1.3",
    }


def test_charts_say_their_gist_and_the_tables_behind_them_add_up(studio, letter):
    page = studio.get("/studio/sales/?period=7")

    gists = [plain(gist) for gist in re.findall(r"<desc[^>]*>(.*?)</desc>", page.text)]
    assert gists == [
        "Paid: ₩10,000 in all, the most ₩10,000 (Nov. 19, 2026). "
        "Refunded: ₩5,000 in all, the most ₩5,000 (Nov. 21, 2026).",
        "150 in all, the most 150 (Nov. 19, 2026).",
        "The most for “Letter”: ₩10,000.",
    ]
    by_day, by_prompt = tables(page)
    assert by_day == [
        ["Day", "Views", "Put into carts", "Sold", "Paid", "Refunds", "Refunded", "Net"],
        ["11/22/2026", "0", "0", "0", "₩0", "0", "₩0", "₩0"],
        ["11/21/2026", "0", "0", "0", "₩0", "1", "₩5,000", "−₩5,000"],
        ["11/20/2026", "0", "0", "0", "₩0", "0", "₩0", "₩0"],
        ["11/19/2026", "150", "1", "2", "₩10,000", "0", "₩0", "₩10,000"],
        *([f"11/{day}/2026", "0", "0", "0", "₩0", "0", "₩0", "₩0"] for day in (18, 17, 16)),
        ["Total", "150", "1", "2", "₩10,000", "1", "₩5,000", "₩5,000"],
    ]
    assert by_prompt[1:] == [
        ["Letter", "150", "1", "2", "₩10,000", "1", "₩5,000", "₩5,000", "1.3"],
        ["Total", "150", "1", "2", "₩10,000", "1", "₩5,000", "₩5,000", "1.3"],
    ]


def test_a_share_of_few_views_is_not_shown(studio, seller):
    prompt = make_prompt(seller=seller)
    add_views({(prompt.pk, TODAY): RATE_FLOOR - 1})
    make_paid_order(prompts=[prompt], now=NOON)

    page = studio.get("/studio/sales/")

    assert figures(page)["Sold per 100 views"] == "–"
    assert "needs at least 100 views to say anything" in plain(page.text)


def test_where_all_is_free_the_charts_count(studio, seller):
    make_paid_order(prompts=[make_prompt(seller=seller, title="Names", price=0)], now=NOON)

    page = studio.get("/studio/sales/")

    assert "Sold by day" in page.text
    assert "1 in all, the most 1 (Nov. 22, 2026)." in page.text
    assert figures(page)["Paid"] == "₩0"
    assert "The most for “Names”: 1." in page.text


def test_a_newcomer_is_told_what_will_stand_here(studio, seller):
    make_prompt(seller=seller)

    page = studio.get("/studio/sales/")

    assert page.status_code == 200
    assert "Nobody has looked at a prompt of yours yet" in page.text
    assert '<svg class="chart' not in page.text


def test_a_quiet_range_of_somebody_who_sold_before_shows_zeros(studio, letter):
    page = studio.get("/studio/sales/?since=2026-01-01&until=2026-01-31")

    assert figures(page)["Paid"] == "₩0"
    assert page.text.count("Nothing in this period.") >= 3
    assert "Nobody has looked" not in page.text


def test_withdrawn_and_removed_prompts_stay_and_say_so(studio, seller):
    prompts = [make_prompt(seller=seller, title=title, price=1_000) for title in ("One", "Two", "Three")]
    make_paid_order(prompts=prompts, now=NOON)
    withdraw_prompt(prompt=prompts[0], reason="", now=NOON)
    remove_prompt(prompt=prompts[1], reason="Copied.", now=NOON)

    page = studio.get("/studio/sales/")

    names = [row[0] for row in tables(page)[1][1:-1]]
    assert names == ["One withdrawn by the seller", "Three", "Two removed by staff"]
    assert figures(page)["Paid"] == "₩3,000"


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("", ["dear", "often", "seen"]),
        ("nonsense", ["dear", "often", "seen"]),
        ("paid", ["dear", "often", "seen"]),
        ("title", ["dear", "often", "seen"]),
        ("views", ["seen", "dear", "often"]),
        ("sold", ["often", "dear", "seen"]),
        ("carts", ["often", "dear", "seen"]),
    ],
)
def test_the_table_by_prompt_is_sorted_by_links(studio, seller, sort, names):
    dear = make_prompt(seller=seller, title="dear", price=90_000)
    often = make_prompt(seller=seller, title="often", price=1_000)
    seen = make_prompt(seller=seller, title="seen", price=1_000)
    make_paid_order(prompts=[dear, often], now=NOON)
    make_paid_order(prompts=[often], now=NOON)
    count_put_into_cart(prompt_id=often.pk, now=NOON)
    add_views({(seen.pk, TODAY): 9})

    page = studio.get("/studio/sales/", {"sort": sort} if sort else {})

    assert [row[0] for row in tables(page)[1][1:-1]] == names
    chosen = re.findall(r'aria-sort="(\w+)"><a id="sort-(\w+)"', page.text)
    expected = sort if sort not in ("", "nonsense") else "paid"
    assert chosen == [("ascending" if expected == "title" else "descending", expected)]


def test_a_chosen_order_is_kept_by_the_form_and_the_periods(studio, letter):
    page = studio.get("/studio/sales/?sort=views")

    assert '<input type="hidden" name="sort" value="views">' in page.text
    assert 'id="period-7" href="/studio/sales/?sort=views&amp;period=7"' in page.text
    assert 'name="sort"' not in studio.get("/studio/sales/").text


# --- Which days


@pytest.mark.parametrize(
    ("today", "name", "first", "last"),
    [
        ("2026-11-22", "7", "2026-11-16", "2026-11-22"),
        ("2026-11-22", "30", "2026-10-24", "2026-11-22"),
        ("2026-11-22", "90", "2026-08-25", "2026-11-22"),
        ("2026-11-22", "month", "2026-11-01", "2026-11-22"),
        ("2026-11-22", "last-month", "2026-10-01", "2026-10-31"),
        ("2027-01-01", "month", "2027-01-01", "2027-01-01"),
        ("2027-01-01", "last-month", "2026-12-01", "2026-12-31"),
        ("2028-03-31", "last-month", "2028-02-01", "2028-02-29"),
    ],
)
def test_periods_end_today_or_with_a_month(today, name, first, last):
    days = find_period(name, today=date.fromisoformat(today))

    assert days == (date.fromisoformat(first), date.fromisoformat(last))


def test_today_is_the_one_in_seoul(studio, letter):
    with time_machine.travel(datetime(2026, 11, 30, 15, 30, tzinfo=UTC), tick=False):
        page = studio.get("/studio/sales/?period=month")

    assert range_shown(page) == "Dec. 1, 2026"


def test_from_one_day_to_another_may_be_chosen(studio, letter):
    page = studio.get("/studio/sales/?since=2026-11-21&until=2026-11-21")

    assert range_shown(page) == "Nov. 21, 2026"
    assert figures(page)["Refunded"] == "₩5,000 1 refund"
    assert figures(page)["Paid"] == "₩0"
    assert re.findall(r'id="period-[^>]*aria-current', page.text) == []


def test_a_chosen_period_is_marked_and_fills_the_days_in(studio, letter):
    page = studio.get("/studio/sales/?period=7")

    assert re.findall(r'id="period-([\w-]+)"[^>]*aria-current="true"', page.text) == ["7"]
    assert 'name="since" value="2026-11-16"' in page.text
    assert 'name="until" value="2026-11-22"' in page.text


def test_a_year_is_drawn_in_weeks_and_told_by_day(studio, letter):
    page = studio.get("/studio/sales/?since=2025-11-22&until=2026-11-22")

    assert page.status_code == 200
    assert "Paid and refunded by week" in page.text
    assert len(tables(page)[0]) == 1 + 366 + 1


@pytest.mark.parametrize(
    ("since", "until", "field", "sentence"),
    [
        ("2026-11-10", "2026-11-09", "until", "The last day is before the first."),
        ("nonsense", "2026-11-09", "since", "Write the day like 2026-11-22."),
        ("2026-02-30", "2026-11-09", "since", "Write the day like 2026-11-22."),
        ("2026-11-09", "", "until", "Choose a day."),
        ("", "2026-11-09", "since", "Choose a day."),
        ("2026-11-01", "9999-12-31", "until", "That day is still to come."),
        ("2026-11-01", "2026-11-23", "until", "That day is still to come."),
        ("0001-01-01", "2026-11-09", "since", "There is nothing before 2020."),
        ("2025-11-21", "2026-11-22", "until", "At most a year fits here: 366 days."),
        ("2020-01-01", "2026-11-22", "until", "At most a year fits here: 366 days."),
        ("２０２６-11-01x", "2026-11-09", "since", "Write the day like 2026-11-22."),
    ],
)
def test_days_that_make_no_range_are_explained_at_the_field(studio, letter, since, until, field, sentence):
    page = studio.get("/studio/sales/", {"since": since, "until": until})

    assert page.status_code == 422
    assert error_of(page, field) == sentence
    assert range_shown(page) == "Oct. 24, 2026 to Nov. 22, 2026"
    assert figures(page)["Paid"] == "₩10,000"
    assert not since or f'name="since" value="{since}"' in page.text


def test_an_unknown_period_means_the_usual_one(studio, letter):
    assert range_shown(studio.get("/studio/sales/?period=-1")) == "Oct. 24, 2026 to Nov. 22, 2026"


# --- One prompt


def test_one_prompt_can_be_looked_at_alone(studio, seller, letter):
    other = make_prompt(seller=seller, title="Other", price=7_000)
    make_paid_order(prompts=[other], now=NOON)

    page = studio.get(f"/studio/sales/?prompt={other.pk}")

    assert figures(page)["Paid"] == "₩7,000"
    assert range_shown(page).startswith("Other, ")
    assert f'<option value="{other.pk}" selected>Other</option>' in page.text
    assert len(tables(page)) == 1
    assert f"prompt={other.pk}" in re.search(r'href="(/studio/sales\.csv[^"]*)"', page.text)[1]
    assert f"prompt={other.pk}" in re.search(r'id="period-7" href="([^"]*)"', page.text)[1]


@pytest.mark.parametrize("path", ["/studio/sales/", "/studio/sales.csv"])
def test_a_prompt_of_somebody_else_is_not_found(studio, letter, path):
    others = [make_prompt(seller=make_seller()), make_prompt()]

    for key in [others[0].pk, others[1].pk, "00000000-0000-0000-0000-000000000000", "nonsense", "' OR 1=1"]:
        assert studio.get(path, {"prompt": key}).status_code == 404


# --- htmx


def test_a_request_for_the_part_gets_the_part_with_words_for_the_ear(studio, letter):
    headers = {"hx-request": "true", "hx-target": "sales"}
    part = studio.get("/studio/sales/?period=7", headers=headers)

    assert part.text.lstrip().startswith('<section class="sales')
    assert "Nov. 16, 2026 to Nov. 22, 2026: 150 views, ₩10,000 paid</span>" in part.text
    assert 'hx-swap-oob="innerHTML:#announcer"' in part.text
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in part["Vary"].split(",")}
    assert "innerHTML:#announcer" not in studio.get("/studio/sales/?period=7").text


# --- The file


def test_the_file_holds_a_line_for_each_day_and_prompt(studio, letter):
    answer = studio.get("/studio/sales.csv?period=7")

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="sales-2026-11-16-2026-11-22.csv"'
    assert answer.streaming
    assert "no-store" in answer["Cache-Control"]
    assert read_csv(answer) == [
        [
            "Day",
            "Prompt",
            "Views",
            "Put into carts",
            "Sold",
            "Paid (won)",
            "Refunds",
            "Refunded (won)",
            "Net (won)",
        ],
        ["2026-11-19", "Letter", "150", "1", "2", "10000", "0", "0", "10000"],
        ["2026-11-21", "Letter", "0", "0", "0", "0", "1", "5000", "-5000"],
    ]


def test_titles_in_the_file_are_no_formulas(studio, seller):
    make_paid_order(prompts=[make_prompt(seller=seller, title="=1+1", price=1_000)], now=NOON)

    assert read_csv(studio.get("/studio/sales.csv"))[1][1] == "'=1+1"


def test_the_file_has_the_same_filters_as_the_page(studio, seller, letter):
    other = make_prompt(seller=seller, title="Other", price=7_000)
    make_paid_order(prompts=[other], now=NOON)

    address = {"prompt": other.pk, "since": "2026-11-22", "until": "2026-11-22"}
    assert [row[1] for row in read_csv(studio.get("/studio/sales.csv", address))[1:]] == ["Other"]


def test_days_that_make_no_range_lead_from_the_file_to_the_page_that_says_so(studio, letter):
    answer = studio.get("/studio/sales.csv?since=2026-11-10&until=2026-11-09")

    assert answer.status_code == 302
    assert answer["Location"] == "/studio/sales/?since=2026-11-10&until=2026-11-09"


# --- Who may


@pytest.mark.parametrize("path", ["/studio/sales/", "/studio/sales.csv"])
def test_nobody_else_sees_the_figures(path, letter):
    visitor, stranger, staff, other = Client(), Client(), Client(), Client(headers={"accept-language": "en"})
    stranger.force_login(make_user())
    staff.force_login(make_user(is_staff=True, is_superuser=True))
    other.force_login(make_seller().user)

    assert visitor.get(path)["Location"].startswith("/accounts/login/")
    assert stranger.get(path)["Location"] == "/sell/"
    assert staff.get(path)["Location"] == "/sell/"
    answer = other.get(path)
    text = answer.getvalue().decode() if answer.streaming else answer.text
    assert answer.status_code == 200
    assert "Letter" not in text
    assert "10,000" not in text


@pytest.mark.parametrize("path", ["/studio/sales/", "/studio/sales.csv"])
def test_only_reading_is_allowed(studio, path):
    assert studio.post(path).status_code == 405


def test_a_suspended_seller_still_reads_the_figures(studio, seller, letter):
    Seller.objects.filter(pk=seller.pk).update(status=Seller.Status.SUSPENDED)

    assert figures(studio.get("/studio/sales/"))["Paid"] == "₩10,000"
    assert studio.get("/studio/sales.csv").status_code == 200


# --- Speed


@pytest.mark.parametrize("count", [1, 30])
def test_the_number_of_queries_does_not_grow(studio, seller, count, django_assert_num_queries):
    prompts = [make_prompt(seller=seller, price=1_000) for _ in range(count)]
    make_refund(order=make_paid_order(prompts=prompts, now=NOON), status="done", now=NOON)
    PromptDay.objects.bulk_create(PromptDay(prompt=prompt, day=TODAY, view_count=3) for prompt in prompts)

    with django_assert_num_queries(9):  # 2 for who is there, the seller, its prompts, 4 of figures, the cart's badge
        studio.get("/studio/sales/")
