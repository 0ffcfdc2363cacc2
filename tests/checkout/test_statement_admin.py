"""Finance staff look at statements, record payouts and see whether every won ties. Nobody changes anything else."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checkout.models import Payout, Statement
from checkout.statements import build_finished_months
from marketplace.roles import FINANCE, ROLES
from tests.checkout.test_statements import IN_DECEMBER, IN_NOVEMBER, IN_OCTOBER, NOVEMBER, OCTOBER, sell, tamper
from tests.factories import make_business, make_payout, make_refund, make_seller, make_staff, make_statement, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/checkout/statement/"


@pytest.fixture(autouse=True)
def _december(time_machine):
    time_machine.move_to(IN_DECEMBER + timedelta(days=2), tick=False)


def sign_in(client, *permissions, **fields):
    staff = make_user(is_staff=True, **fields)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)
    client.cookies["django_language"] = "en"
    return staff


@pytest.fixture
def finance(client):
    return sign_in(client, "view_statement", "view_payout", "add_payout")


@pytest.fixture
def statement():
    seller = make_seller(name="Anna")
    sell(10_000, seller=seller)
    return make_statement(seller=seller)


def page_of(statement, name="change"):
    return f"{LIST}{statement.pk}/{name}/"


def read_csv(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))


# --- The list


def make_states() -> dict[str, Statement]:
    """A statement in each state, of four sellers; the debtor has one of October that is paid besides."""
    sellers = {name: make_seller(name=name) for name in ("open", "paid", "debt", "nothing")}
    order = sell(5_000, seller=sellers["debt"], now=IN_OCTOBER)
    october = make_statement(seller=sellers["debt"], month=OCTOBER)
    make_payout(statement=october)
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    sell(10_000, seller=sellers["open"])
    sell(20_000, seller=sellers["paid"])
    sell(30_000, seller=sellers["nothing"], fee_bp=10_000)
    made = {name: make_statement(seller=seller) for name, seller in sellers.items()}
    make_payout(statement=made["paid"], bank_reference="KB-17")
    return made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=open", ["open"]),
        ("state=paid", ["paid", "debt"]),
        ("state=debt", ["debt"]),
        ("state=nothing", ["nothing"]),
        ("month=2026-10", ["debt"]),
        ("month=2026-11", ["debt", "nothing", "open", "paid"]),
        ("month=2026-11&state=paid", ["paid"]),
        ("q=KB-17", ["paid"]),
        ("q=nothing", ["nothing"]),
        ("month=x&state=y", ["debt", "nothing", "open", "paid", "debt"]),
    ],
)
def test_the_list_is_narrowed_by_month_state_and_search(client, finance, query, names):
    make_states()

    listed = client.get(f"{LIST}?{query}").context["cl"].result_list

    assert [statement.seller.name for statement in listed] == names


def test_the_sums_are_those_of_all_that_the_filters_leave(client, finance):
    make_states()

    totals = dict(client.get(f"{LIST}?month=2026-11").context["totals"])

    assert totals == {
        "Sales": "₩60,000",
        "Refunds": "₩5,000",
        "Fee": "₩32,500",
        "Payable": "₩22,500",
        "To be paid out": "₩9,000",
        "Paid out": "₩18,000",
    }
    assert dict(client.get(f"{LIST}?state=paid").context["totals"])["Paid out"] == "₩22,500"


def test_the_list_shows_how_each_stands(client, finance):
    make_states()

    page = client.get(f"{LIST}?month=2026-11").content.decode()

    for words in ("to be paid out", "paid on 12/09/2026", "carried over as a debt", "nothing due", "−₩4,500"):
        assert words in page


@pytest.mark.parametrize("count", [1, 50])
def test_the_list_costs_the_same_however_long(client, finance, count):
    for _ in range(count):
        seller = make_seller()
        sell(1_000, seller=seller)
    build_finished_months(now=timezone.now())

    with CaptureQueriesContext(connection) as asked:
        page = client.get(LIST)

    assert len(page.context["cl"].result_list) == count
    assert len(asked) == 8


# --- A statement


def test_its_page_has_the_sums_and_the_lines(client, finance, statement):
    page = client.get(page_of(statement))

    content = page.content.decode()
    assert [(line["price_krw"], line["share_krw"]) for line in page.context["lines"]] == [(10_000, 9_000)]
    assert "Anna · November 2026" in content
    assert "Record the payout of ₩9,000" in content
    assert 'name="_save"' not in content


@pytest.mark.parametrize("line_count", [1, 20])
def test_its_page_costs_the_same_however_many_lines(client, finance, line_count):
    seller = make_seller()
    for _ in range(line_count):
        sell(1_000, seller=seller)
    statement = make_statement(seller=seller)
    ContentType.objects.get_for_model(Statement)  # a test before may have emptied its cache

    with CaptureQueriesContext(connection) as asked:
        assert len(client.get(page_of(statement)).context["lines"]) == line_count
    assert len(asked) == 8


def test_many_lines_come_in_pages(client, finance, monkeypatch):
    monkeypatch.setattr("checkout.admin.statements.LINES_PER_PAGE", 2)
    seller = make_seller()
    sell(1_000, 2_000, 3_000, seller=seller)
    statement = make_statement(seller=seller)

    first, second = client.get(page_of(statement)), client.get(page_of(statement) + "?page=2")

    assert [len(page.context["lines"]) for page in (first, second)] == [2, 1]
    assert "?page=2" in first.content.decode()


# --- Recording a payout


def test_a_payout_is_shown_before_it_is_recorded(client, finance, statement):
    form = {"bank_reference": "KB 17", "paid_on": "2026-12-09"}

    shown = client.get(page_of(statement, "payout"))
    check = client.post(page_of(statement, "payout"), form)

    assert "₩9,000 to Anna" in shown.content.decode()
    assert shown.context["form"]["paid_on"].value() == timezone.localdate()
    assert check.status_code == 200
    assert "Record ₩9,000 as paid" in check.content.decode()
    assert not Payout.objects.exists()

    answer = client.post(page_of(statement, "payout"), form | {"confirm": "1"}, follow=True)

    assert answer.redirect_chain == [(page_of(statement), 302)]
    assert [str(message) for message in answer.context["messages"]] == [
        "The payout of ₩9,000 to Anna is recorded. The seller gets a mail about it."
    ]
    payout = Payout.objects.get()
    assert (payout.amount_krw, payout.bank_reference, payout.recorded_by) == (9_000, "KB 17", finance)
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Recorded a payout of ₩9,000: KB 17."]
    assert "Record the payout" not in answer.content.decode()


def test_a_form_sent_twice_records_once_and_says_so(client, finance, statement):
    form = {"bank_reference": "KB 17", "paid_on": "2026-12-09", "confirm": "1"}
    client.post(page_of(statement, "payout"), form)

    answer = client.post(page_of(statement, "payout"), form, follow=True)

    told = [str(message) for message in answer.context["messages"]]
    assert told[-1] == "This statement is paid out: ₩9,000 on 2026-12-09, bank reference KB 17."
    assert Payout.objects.count() == LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bank_reference": " "}, "This field is required."),
        ({"bank_reference": "x" * 81}, "at most 80 characters"),
        ({"paid_on": "tomorrow"}, "Enter a valid date."),
        ({"paid_on": "2026-12-11"}, "This day has not come yet."),
        ({"paid_on": "2026-12-11", "confirm": "1"}, "This day has not come yet."),
        ({"paid_on": "2026-11-30"}, "The month was not over on this day"),
        ({"paid_on": "2026-11-30", "confirm": "1"}, "The month was not over on this day"),
        ({"bank_reference": "USED"}, "stands on the payout to Ben for 2026-11 already"),
        ({"bank_reference": "USED", "confirm": "1"}, "stands on the payout to Ben for 2026-11 already"),
    ],
)
def test_what_is_wrong_is_said_and_everything_typed_is_kept(client, finance, statement, changes, words):
    ben = make_seller(name="Ben")
    sell(5_000, seller=ben)
    make_payout(statement=make_statement(seller=ben), bank_reference="USED")
    form = {"bank_reference": "KB 17", "paid_on": "2026-12-09"} | changes

    answer = client.post(page_of(statement, "payout"), form)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page
    assert f'value="{form["bank_reference"]}"' in page
    assert f'value="{form["paid_on"]}"' in page
    assert Payout.objects.count() == 1


def test_one_may_go_back_and_change_it(client, finance, statement):
    form = {"bank_reference": "KB 17", "paid_on": "2026-12-09", "change": "1"}

    answer = client.post(page_of(statement, "payout"), form)

    assert answer.status_code == 200
    assert 'value="KB 17"' in answer.content.decode()


@pytest.mark.parametrize("state", ["debt", "nothing", "paid"])
def test_there_is_no_form_where_nothing_is_to_be_paid(client, finance, state):
    statement = make_states()[state]
    before = Payout.objects.count()

    answer = client.get(page_of(statement, "payout"), follow=True)
    client.post(page_of(statement, "payout"), {"bank_reference": "x", "paid_on": "2026-12-09", "confirm": "1"})

    assert answer.redirect_chain == [(page_of(statement), 302)]
    assert Payout.objects.count() == before


def test_the_form_warns_of_a_debt_that_came_since(client, finance, statement):
    assert "in all the shop owes this seller" not in client.get(page_of(statement, "payout")).content.decode()
    order = statement.entries.first().entry.order

    make_refund(order=order, status="done", reason="staff", note="x", now=IN_DECEMBER)

    assert "in all the shop owes this seller ₩0" in client.get(page_of(statement, "payout")).content.decode()


# --- For the bank


def test_what_is_due_comes_as_csv_that_a_spreadsheet_takes_for_text(client, finance):
    states = make_states()
    cunning = make_seller(name="=cmd()", user=make_user(email="cunning@example.com"))
    make_business(seller=cunning, trade_name="+82 Desk", representative="Kim", registration_number="123-45-67891")
    sell(7_000, seller=cunning)
    statement = make_statement(seller=cunning)

    answer = client.get(f"{LIST}due.csv")

    heading, *rows = read_csv(answer)
    assert answer["Content-Disposition"] == 'attachment; filename="payouts-due-2026-12-10.csv"'
    assert heading[0] == "Seller"
    facts = ["'=cmd()", "'+82 Desk", "Kim", "123-45-67891", "cunning@example.com"]
    none = ["open", "", "", "", states["open"].seller.user.email]
    assert sorted(rows) == sorted(
        [
            [*facts, "2026-11", "6300", str(statement.pk)],
            [*none, "2026-11", "9000", str(states["open"].pk)],
        ]
    )


@pytest.mark.parametrize("count", [1, 5])
def test_the_csv_costs_one_query_for_its_rows(client, finance, count):
    for _ in range(count):
        sell(1_000, seller=make_seller())
    build_finished_months(now=timezone.now())

    with CaptureQueriesContext(connection) as asked:
        assert len(read_csv(client.get(f"{LIST}due.csv"))) == count + 1
    assert len(asked) == 5


# --- Ties


def test_the_page_of_ties_says_that_every_won_ties(client, finance, statement):
    page = client.get(f"{LIST}ties/")

    assert "Every won ties" in page.content.decode()
    assert [sums.month for sums in page.context["months"]] == [NOVEMBER]
    assert page.context["whole"].charged_krw == 10_000


def test_the_page_of_ties_names_what_does_not(client, finance, statement):
    tamper("UPDATE payments SET amount_krw = amount_krw + 1")

    page = client.get(f"{LIST}ties/").content.decode()

    assert "Every won ties" not in page
    assert "the charges of the ledger are not the payments (10,000 and 10,001 won)" in page


# --- Who may


PAGES = ["", "ties/", "due.csv", "{pk}/change/", "{pk}/payout/"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("permissions", [[], ["view_order", "change_order"], ["view_payout", "add_payout"]])
def test_staff_without_the_permission_see_nothing(client, statement, page, permissions):
    sign_in(client, *permissions)

    assert client.get(LIST + page.format(pk=statement.pk)).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_neither_does_anybody_else(client, statement, page):
    client.force_login(statement.seller.user)

    answer = client.get(LIST + page.format(pk=statement.pk))

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"] or "login" in answer["Location"]


def test_finance_may_pay_out_and_the_other_roles_see_none_of_it(statement):
    answers = {}
    for role in ROLES:
        client = Client()
        client.force_login(make_staff(role))
        answers[role] = [client.get(LIST + page.format(pk=statement.pk)).status_code for page in PAGES]

    assert answers == {role: [200 if role == FINANCE else 403] * len(PAGES) for role in ROLES}


def test_who_may_only_look_records_no_payout(client, statement):
    sign_in(client, "view_statement", "view_payout")

    assert client.get(page_of(statement)).status_code == 200
    assert "Record the payout" not in client.get(page_of(statement)).content.decode()
    assert "due.csv" not in client.get(LIST).content.decode()
    form = {"bank_reference": "x", "paid_on": "2026-12-09", "confirm": "1"}
    assert client.post(page_of(statement, "payout"), form).status_code == 403
    assert client.get(f"{LIST}due.csv").status_code == 403
    assert not Payout.objects.exists()


@pytest.mark.parametrize("page", ["ties/", "due.csv"])
def test_pages_to_look_at_take_no_form(client, finance, page):
    assert client.post(LIST + page).status_code == 405


def test_a_statement_that_is_none_is_not_found(client, finance):
    assert client.get(f"{LIST}00000000-0000-4000-8000-000000000000/payout/").status_code == 404
