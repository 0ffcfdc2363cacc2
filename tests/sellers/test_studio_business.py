"""Who a seller is in law: what the form takes, and where it shows."""

import pytest
from django.db import IntegrityError
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from sellers.business import format_registration_number, save_business
from sellers.models import SellerBusiness
from tests.catalog.pages import plain
from tests.factories import NOON, make_business, make_order, make_prompt, make_seller, make_user
from tests.sellers.studio_pages import complaints, read_form, send

pytestmark = pytest.mark.django_db

BUSINESS = "/studio/business/"
WHOLE = {
    "trade_name": "종이 책상",
    "representative": "김종이",
    "registration_number": "1234567891",
    "report": "number",
    "report_number": "제2026-서울종로-0001호",
    "address": "서울 종로구 보기로 1",
    "phone": "02-000-0000",
    "email": "desk@example.com",
}


# --- The number


@pytest.mark.parametrize(
    "typed", ["1234567891", "123-45-67891", " 123 45 67891 ", "１２３-４５-６７８９１", "123–45–67891"]
)
def test_a_registration_number_may_be_typed_in_many_ways(typed):
    assert format_registration_number(typed) == "123-45-67891"


@pytest.mark.parametrize(
    "typed", ["", "123-45-67890", "123456789", "12345678910", "000-00-00000", "123-45-6789a", "一二三", "²23-45-67891"]
)
def test_what_cannot_be_a_registration_number_is_none(typed):
    assert format_registration_number(typed) is None


@given(st.text("0123456789", min_size=9, max_size=9).filter(int))
def test_of_ten_last_digits_one_fits(nine):
    assert sum(format_registration_number(f"{nine}{last}") is not None for last in range(10)) == 1


@given(st.text("0123456789", min_size=9, max_size=9).filter(int), st.integers(0, 7), st.integers(1, 9))
def test_one_mistyped_digit_among_the_first_eight_is_found(nine, place, change):
    number = next(n for last in range(10) if (n := format_registration_number(f"{nine}{last}"))).replace("-", "")
    other = str((int(number[place]) + change) % 10)

    assert format_registration_number(number[:place] + other + number[place + 1 :]) is None


# --- The form


def test_whole_facts_are_stored_in_one_form(studio, seller):
    assert send(studio, BUSINESS, **WHOLE).status_code == 302

    business = SellerBusiness.objects.get(seller=seller)
    assert (business.registration_number, business.report_number) == ("123-45-67891", "제2026-서울종로-0001호")
    assert (business.report_exemption, business.trade_name, business.phone) == ("", "종이 책상", "02-000-0000")


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("few_sales", "No report needed: fewer than 50 sales in the previous year"),
        ("simplified", "No report needed: simplified taxpayer under the VAT Act"),
    ],
)
def test_an_exemption_is_stated_in_place_of_a_number(studio, seller, client, reason, shown):
    make_prompt(slug="letters", seller=seller)

    assert send(studio, BUSINESS, **WHOLE | {"report": reason, "report_number": ""}).status_code == 302

    assert shown in plain(client.get("/prompts/letters/", headers={"accept-language": "en"}).text)
    assert read_form(studio.get(BUSINESS))["report"] == [reason]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"registration_number": "123-45-67890"}, "This is no business registration number"),
        ({"report_number": ""}, "Type the number, or choose why you need none."),
        ({"report": "few_sales"}, "You chose that no report is needed."),
        ({"report_number": "면제"}, "A report number holds the year and a number."),
        ({"report": "made-up"}, "Select a valid choice."),
        ({"phone": "call me"}, "Type a phone number of at least 7 digits."),
        ({"phone": "123"}, "Type a phone number of at least 7 digits."),
        ({"email": "desk"}, "E-mail"),
        ({"trade_name": "Pay\u202eDesk"}, "a character in it that cannot be seen"),
        ({"address": ""}, "Business address"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_the_rest_is_kept(studio, changes, complaint):
    page = send(studio, BUSINESS, **WHOLE | changes)

    assert page.status_code == 422
    assert complaint in complaints(page)
    kept = {name: [value] for name, value in (WHOLE | changes).items() if value}
    kept.pop("report") if changes.get("report") == "made-up" else None
    assert {name: value for name, value in read_form(page).items() if value != [""]} == kept
    assert SellerBusiness.objects.count() == 0


def test_all_missing_facts_are_named_at_once(studio):
    said = complaints(studio.post(BUSINESS, {}))

    assert said.startswith("7 things to correct")


def test_facts_that_stand_so_already_are_not_written_again(seller):
    business = make_business(seller=seller)
    facts = {name: getattr(business, name) for name in [*WHOLE, "report_exemption"] if name != "report"}

    assert save_business(seller=seller, facts=facts, now=NOON) is False
    assert save_business(seller=seller, facts=facts | {"phone": "02-111-1111"}, now=NOON) is True

    assert (SellerBusiness.objects.get().phone, SellerBusiness.objects.get().updated_at) == ("02-111-1111", NOON)


@pytest.mark.parametrize(
    "report",
    [{"report_number": "", "report_exemption": ""}, {"report_number": "2026-1", "report_exemption": "few_sales"}],
)
def test_the_database_wants_either_a_report_or_a_reason(seller, report):
    with pytest.raises(IntegrityError):
        make_business(seller=seller, **report)


def test_the_page_says_why_it_is_public_and_how_it_shows(studio, seller):
    make_business(seller=seller, trade_name="종이 책상")

    text = plain(studio.get(BUSINESS).text)

    assert "Article 20 of the Act on Consumer Protection in Electronic Commerce" in text
    assert "As buyers see it Business name 종이 책상" in text


# --- Where it shows


def shown_facts(page) -> str:
    return plain(page.text.partition('<section id="seller"')[2].partition("</section>")[0])


def test_product_and_seller_page_say_who_sells_and_that_the_shop_does_not(client, seller):
    make_business(seller=seller)
    make_prompt(slug="letters", seller=seller)
    facts = (
        "Business name Paper Desk Representative Kim Business registration number 123-45-67891 "
        "Mail-order report number 2026-Seoul-0001 Business address 1 Example-ro, Seoul "
        "Phone 02-000-0000 E-mail desk@example.com"
    )

    with translation.override("en"):
        product = client.get("/prompts/letters/", headers={"accept-language": "en"})
        page = client.get("/sellers/paper-desk/", headers={"accept-language": "en"})

    assert facts in shown_facts(product)
    assert "is an intermediary and not a party to the sale" in shown_facts(product)
    assert facts in plain(page.text)


def test_a_prompt_of_the_house_shows_neither(client):
    make_prompt(slug="letters")

    page = client.get("/prompts/letters/", headers={"accept-language": "en"})

    assert 'id="seller"' not in page.text
    assert "Business registration number" not in page.text


def test_a_seller_without_facts_is_said_to_have_none(client, seller):
    make_prompt(slug="letters", seller=seller)

    page = client.get("/prompts/letters/", headers={"accept-language": "en"})

    assert "This seller has not entered business facts yet." in shown_facts(page)


def test_facts_are_text_and_never_markup(client, seller):
    make_business(seller=seller, trade_name="<b>Desk</b>", email="a&b@example.com")
    make_prompt(slug="letters", seller=seller)

    page = client.get("/prompts/letters/")

    assert "<b>Desk</b>" not in page.text
    assert "mailto:a&amp;b@example.com" in page.text


@pytest.mark.parametrize("is_house", [True, False])
def test_checkout_says_that_the_shop_is_an_intermediary_where_it_is(client, seller, is_house):
    make_prompt(slug="letters", seller=None if is_house else seller)
    client.force_login(make_user())

    page = client.get("/checkout/?buy=letters", headers={"accept-language": "en"})

    notice = plain(page.text.partition('class="summary sheet"')[2].partition("</aside>")[0])
    assert ("is an intermediary and not a party to the sale" in notice) is not is_house
    assert ('href="/sellers/paper-desk/#who"' in page.text) is not is_house


def test_the_receipt_names_the_business(client, seller):
    make_business(seller=seller, trade_name="Paper Desk Ltd")
    buyer = make_user()
    order = make_order(buyer=buyer, prompts=[make_prompt(seller=seller), make_prompt()], status="paid", paid_at=NOON)
    client.force_login(buyer)

    page = client.get(f"/orders/{order.number}/receipt/")

    assert "Paper Desk Ltd · 123-45-67891" in page.text


@pytest.mark.parametrize("lines", [1, 3])
def test_the_receipt_costs_the_same_however_many_sellers(client, django_assert_num_queries, lines):
    prompts = []
    for _ in range(lines):
        seller = make_seller()
        make_business(seller=seller)
        prompts.append(make_prompt(seller=seller))
    buyer = make_user()
    order = make_order(buyer=buyer, prompts=prompts, status="paid", paid_at=NOON)
    client.force_login(buyer)

    with django_assert_num_queries(7):
        client.get(f"/orders/{order.number}/receipt/")
