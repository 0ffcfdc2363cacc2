"""Beside the main way: a cart that signs in, two tabs, payments that go wrong, undo, back and forward."""

import re
from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from checkout import sandbox
from checkout.carts import UserCart
from checkout.models import Order, Purchase, SandboxPayment
from tests.factories import make_prompt, make_purchase, make_seller, make_user

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "quiet-harbour-42"


@pytest.fixture
def buyer() -> User:
    return make_user(email="buyer@example.com", password=PASSWORD)


def heading(page: Page):
    return page.get_by_role("heading", level=1)


def cart_lines(page: Page):
    return page.get_by_role("region", name="장바구니에 담은 프롬프트").get_by_role("listitem").get_by_role("link")


def results(page: Page):
    return page.get_by_role("region", name="결과", exact=True).get_by_role("article").get_by_role("link")


def agree_and_pay(page: Page, amount: str = "9,900원") -> None:
    """From the checkout page to the payment window."""
    for box in page.get_by_role("main").get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name=f"{amount} 결제하기").click()
    expect(heading(page)).to_have_text("시험 결제")


def approve(page: Page) -> None:
    page.get_by_role("button", name="9,900원 승인").click()


def count_charges() -> int:
    return SandboxPayment.objects.aggregate(total=Sum("charge_count"))["total"]


# --- Carts


def test_a_visitors_cart_comes_along_when_they_sign_in(buyer, page):
    seller = make_seller()
    kept = make_prompt(slug="kept", title="먼저 담은 것", seller=seller)
    brought = make_prompt(slug="brought", title="들고 온 것", seller=seller)
    owned = make_prompt(slug="owned", title="이미 산 것", seller=seller)
    make_purchase(buyer=buyer, prompt=owned, now=timezone.now())
    UserCart(buyer).add(kept, now=timezone.now())
    for address in ["/prompts/brought/", "/prompts/owned/"]:
        page.goto(address)
        page.get_by_role("button", name="장바구니에 담기").click()
        page.get_by_role("link", name="담김 · 장바구니 보기").wait_for()
    page.goto("/cart/")
    expect(cart_lines(page)).to_have_text(["들고 온 것", "이미 산 것"])

    page.get_by_role("main").get_by_role("link", name="로그인").click()
    page.get_by_label("이메일").fill("buyer@example.com")
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="로그인", exact=True).click()

    page.wait_for_url("**/cart/")
    expect(page.locator("#messages")).to_contain_text("이전에 담아 둔 1개를 합쳤어요.")
    expect(page.locator("#messages")).to_contain_text("이미 가진 1개는 뺐어요.")
    expect(cart_lines(page)).to_have_text(["먼저 담은 것", "들고 온 것"])
    assert set(buyer.cart_items.values_list("prompt_id", flat=True)) == {kept.pk, brought.pk}


@pytest.mark.parametrize("browser_page", ["page", "plain_page"])
def test_what_was_taken_out_comes_back_to_its_place(buyer, browser_page, sign_in, request):
    page = request.getfixturevalue(browser_page)
    sign_in(page, buyer)
    for title in ["하나", "둘", "셋"]:
        UserCart(buyer).add(make_prompt(title=title, price=1_000, seller=make_seller()), now=timezone.now())
    page.goto("/cart/")

    page.get_by_role("button", name="둘").click()

    expect(cart_lines(page)).to_have_text(["하나", "셋"])
    expect(page.get_by_text("“둘” 항목을 뺐어요.")).to_be_visible()
    expect(page.get_by_role("complementary", name="합계")).to_contain_text("2,000원")
    if browser_page == "page":
        expect(heading(page)).to_be_focused()
        expect(page.locator("#announcer")).to_have_text("장바구니 2개, 2,000원")

    page.get_by_role("button", name="되돌리기").click()

    expect(cart_lines(page)).to_have_text(["하나", "둘", "셋"])
    expect(page.get_by_role("button", name="되돌리기")).to_have_count(0)
    expect(page.get_by_role("complementary", name="합계")).to_contain_text("3,000원")
    assert buyer.cart_items.count() == 3


# --- Payments


@pytest.fixture
def prompt():
    return make_prompt(slug="weekly-report", title="주간 보고서", price=9_900, seller=make_seller())


def test_two_tabs_that_buy_the_same_prompt_are_one_order_and_charge_once(buyer, prompt, page, open_tab, sign_in):
    sign_in(page, buyer)
    other = open_tab(page)
    for tab in (page, other):
        tab.goto("/checkout/?buy=weekly-report")
        agree_and_pay(tab)
    assert Order.objects.count() == 1
    assert page.url == other.url

    approve(page)
    expect(heading(page)).to_have_text("결제했어요")
    approve(other)

    expect(heading(other)).to_have_text("결제했어요")
    assert other.url == page.url
    assert count_charges() == 1
    assert Purchase.objects.count() == 1
    assert Order.objects.get().status == "paid"


def test_what_two_tabs_buy_twice_is_refunded_by_itself_and_said(buyer, prompt, page, open_tab, sign_in, monkeypatch):
    monkeypatch.setattr(sandbox, "SILENCE", timedelta(hours=1))  # until we say so, however slow this machine is
    more = make_prompt(slug="more", title="회의 안건", price=4_900, seller=make_seller())
    for each in (prompt, more):
        UserCart(buyer).add(each, now=timezone.now())
    sign_in(page, buyer)
    other = open_tab(page)
    page.goto("/checkout/?buy=weekly-report")
    agree_and_pay(page)
    other.goto("/checkout/")
    agree_and_pay(other, "14,800원")

    page.get_by_role("button", name="결제된 뒤 응답이 사라짐").click()
    expect(heading(page)).to_have_text("결제를 확인하고 있어요")
    other.get_by_role("button", name="14,800원 승인").click()
    expect(heading(other)).to_have_text("결제했어요")
    SandboxPayment.objects.update(silent_until=None)

    expect(heading(page)).to_have_text("모두 환불했어요", timeout=20_000)
    expect(page.get_by_role("main")).to_contain_text("다른 주문으로 이미 가지고 계셔서")
    expect(page.get_by_role("main")).to_contain_text("9,900원을 돌려드렸어요")
    assert Purchase.objects.count() == 2
    assert sorted(SandboxPayment.objects.values_list("balance_krw", flat=True)) == [0, 14_800]


def test_one_payment_window_in_two_tabs_charges_once(buyer, prompt, page, open_tab, sign_in):
    sign_in(page, buyer)
    page.goto("/checkout/?buy=weekly-report")
    agree_and_pay(page)
    other = open_tab(page)
    other.goto(page.url)

    approve(page)
    expect(heading(page)).to_have_text("결제했어요")
    approve(other)

    expect(heading(other)).to_have_text("결제했어요")
    assert other.url == page.url
    assert Order.objects.get().status == "paid"
    assert count_charges() == 1
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("결제창에서 카드 거절", "카드사가 결제를 거절했어요. 빠져나간 돈은 없어요. 다른 카드로 해 보세요."),
        ("결제창 닫기", "결제창을 닫았어요. 빠져나간 돈은 없고 주문은 그대로 있어요."),
        ("승인할 때 카드 거절", "카드 한도나 잔액이 부족해요. 빠져나간 돈은 없어요. 다른 카드로 해 보세요."),
        ("금액을 100원으로 고침", "금액이 주문과 달라서 결제하지 않았어요."),
    ],
)
def test_a_payment_that_fails_costs_nothing_and_is_tried_again(buyer, prompt, page, sign_in, choice, said):
    sign_in(page, buyer)
    page.goto("/checkout/?buy=weekly-report")
    agree_and_pay(page)
    page.get_by_role("button", name=choice).click()

    expect(heading(page)).to_have_text("아직 결제되지 않았어요")
    expect(page.get_by_role("main")).to_contain_text(said)
    assert count_charges() == 0
    assert Purchase.objects.count() == 0

    page.get_by_role("button", name="9,900원 결제하기").click()
    approve(page)

    expect(heading(page)).to_have_text("결제했어요")
    assert Order.objects.get().status == "paid"
    assert count_charges() == 1


@pytest.mark.parametrize("browser_page", ["page", "plain_page"])
@pytest.mark.parametrize(
    ("choice", "charged_at_first"), [("결제된 뒤 응답이 사라짐", 1), ("결제 전에 요청이 사라짐", 0)]
)
def test_a_lost_answer_is_being_checked_until_it_is_paid_by_itself(
    buyer, prompt, browser_page, request, sign_in, monkeypatch, choice, charged_at_first
):
    monkeypatch.setattr(sandbox, "SILENCE", timedelta(hours=1))  # until we say so, however slow this machine is
    page = request.getfixturevalue(browser_page)
    sign_in(page, buyer)
    page.goto("/checkout/?buy=weekly-report")
    agree_and_pay(page)
    page.get_by_role("button", name=choice).click()

    expect(heading(page)).to_have_text("결제를 확인하고 있어요")
    expect(page.get_by_role("main")).to_contain_text("다시 결제하지 마세요")
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
    assert count_charges() == charged_at_first
    assert Purchase.objects.count() == 0

    SandboxPayment.objects.update(silent_until=None)

    expect(heading(page)).to_have_text("결제했어요", timeout=20_000)
    assert Order.objects.get().status == "paid"
    assert count_charges() == 1
    assert Purchase.objects.count() == 1


# --- Lists


def test_back_and_forward_bring_filters_results_and_address_back(page):
    make_prompt(title="비싼 보고서", tags=["업무"], price=20_000)
    make_prompt(title="싼 보고서", tags=["업무"], price=1_000)
    make_prompt(title="여행 일정", tags=["여행"], price=5_000)
    work = page.get_by_role("checkbox", name="업무").first
    order = page.get_by_label("정렬")
    text = page.get_by_role("searchbox", name="프롬프트 검색")

    def everything():
        expect(page).to_have_url("/prompts/")
        expect(heading(page)).to_have_text("모든 프롬프트")
        expect(results(page)).to_have_count(3)
        expect(page.locator("#results-total")).to_have_text("결과 3개")
        expect(work).not_to_be_checked()

    def tagged():
        expect(page).to_have_url(re.compile(r"/prompts/\?tag=[^&]+$"))
        expect(page).to_have_title(re.compile("^업무 프롬프트"))
        expect(heading(page)).to_have_text("업무 프롬프트")
        expect(results(page)).to_have_count(2)
        expect(page.locator("#results-total")).to_have_text("결과 2개")
        expect(work).to_be_checked()
        expect(order).to_have_value("")

    def cheapest_first():
        expect(page).to_have_url(re.compile(r"/prompts/\?tag=[^&]+&sort=price_low$"))
        expect(results(page)).to_have_text(["싼 보고서", "비싼 보고서"])
        expect(work).to_be_checked()
        expect(order).to_have_value("price_low")
        expect(text).to_have_value("")

    def searched():
        expect(page).to_have_url(re.compile(r"&q=[^&]+&sort=price_low$"))
        expect(page).to_have_title(re.compile("^“비싼” 검색 결과"))
        expect(results(page)).to_have_text(["비싼 보고서"])
        expect(page.locator("#results-total")).to_have_text("결과 1개")
        expect(work).to_be_checked()
        expect(text).to_have_value("비싼")

    page.goto("/prompts/")
    everything()
    work.check()
    tagged()
    order.select_option("낮은 가격순")
    cheapest_first()
    text.press_sequentially("비싼")
    searched()

    for is_there in [cheapest_first, tagged, everything]:
        page.go_back()
        is_there()
    for is_there in [tagged, cheapest_first, searched]:
        page.go_forward()
        is_there()

    results(page).click()
    expect(heading(page)).to_have_text("비싼 보고서")
    page.go_back()
    searched()


def test_more_leads_to_the_first_new_card(page):
    for number in range(30):
        make_prompt(title=f"프롬프트 {number:02}")
    page.goto("/prompts/?sort=newest")
    expect(results(page)).to_have_count(24)

    page.get_by_role("link", name="더 보기").click()

    expect(results(page)).to_have_count(30)
    expect(results(page).nth(24)).to_be_focused()
    expect(results(page).nth(24)).to_have_text("프롬프트 05")
    expect(page.get_by_role("link", name="더 보기")).to_have_count(0)
    assert len(set(results(page).all_inner_texts())) == 30
