"""The sales page in a browser: charts at both widths, a period without a reload, and all of it without JavaScript."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from catalog.days import add_views
from tests.factories import make_paid_order, make_prompt, make_refund, make_seller

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def seller():
    """Sales on each of three days, one of them refunded today, and views on all of the last ninety."""
    seller = make_seller(slug="paper-desk", name="종이 책상")
    long_title = "회의록을 넣으면 누가 무엇을 언제까지 하는지 한 장으로 정리해 주는 아주 긴 이름의 프롬프트"
    prompts = [
        make_prompt(seller=seller, title=long_title, price=9_900),
        make_prompt(seller=seller, title="가게 이름 짓기", price=10_000_000),
    ]
    now = timezone.now()
    for days in (2, 12, 40):
        order = make_paid_order(prompts=prompts, now=now - timedelta(days=days))
    make_refund(order=order, lines=[order.lines.get(position=1)], status="done", now=now)
    today = timezone.localdate(now)
    add_views({(prompts[0].pk, today - timedelta(days=number)): number % 13 for number in range(90)})
    return seller


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("period", ["7", "90"])
def test_the_page_is_accessible_and_fits_with_its_table_open(
    seller, open_page, sign_in, check_accessibility, width, period
):
    page = open_page(viewport={"width": width, "height": 900}, color_scheme="dark" if width == 360 else "light")
    sign_in(page, seller.user)
    page.goto(f"/studio/sales/?period={period}")
    page.locator("summary.chart-table__head").click()

    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for label in page.locator(".chart__drawing--columns text:visible").all():
        box = label.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_the_page_of_a_newcomer_is_accessible_and_leads_on(phone, sign_in, check_accessibility):
    sign_in(phone, make_seller().user)
    phone.goto("/studio/sales/")

    check_accessibility(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    expect(phone.locator(".empty a")).to_have_attribute("href", "/studio/")


def test_labels_below_the_columns_do_not_touch(seller, phone, sign_in):
    sign_in(phone, seller.user)
    phone.goto("/studio/sales/?period=30")

    for chart in phone.locator(".chart__drawing--columns").all():
        boxes = [label.bounding_box() for label in chart.locator(".chart__label:visible").all()]
        assert len(boxes) >= 3
        for left, right in itertools.pairwise(boxes):
            assert left["x"] + left["width"] < right["x"]


def test_a_period_is_chosen_without_a_reload_and_keeps_the_focus(seller, english_page, sign_in):
    page = english_page
    sign_in(page, seller.user)
    page.goto("/studio/sales/")
    page.evaluate("window.stayed = true")
    figures = page.locator(".figures")
    expect(figures).to_contain_text("₩20,019,800")

    page.get_by_role("link", name="7 days", exact=True).press("Enter")

    expect(figures).to_contain_text("₩10,009,900")
    expect(page).to_have_url("/studio/sales/?period=7")
    expect(page.locator("#period-7")).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text("₩10,009,900 paid")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#id_until_error")).to_have_text("At most a year fits here: 366 days.")
    assert page.evaluate("window.stayed")

    page.go_back()
    expect(page.locator("#period-7")).to_have_attribute("aria-current", "true")
    expect(figures).to_contain_text("₩10,009,900")


def test_without_scripts_the_form_and_the_table_work(seller, plain_page, sign_in):
    page = plain_page
    sign_in(page, seller.user)
    page.goto("/studio/sales/")
    page.locator("summary.chart-table__head").click()
    expect(page.locator(".chart-table tbody tr")).to_have_count(30)

    page.locator("#sales-prompt").select_option(label="가게 이름 짓기")
    page.locator("#sales-show").click()

    expect(page.locator(".figures")).to_contain_text("20,000,000원")
    expect(page.get_by_role("img").first).to_be_visible()
