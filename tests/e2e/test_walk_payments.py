"""Paying and having money back, as a shopper sees it: in the sandbox, and at a stand-in of Toss Payments over TCP.

`open_page` watches as everywhere: no console error, no breach of the policy, no host besides the site and the stand-in.
"""

import re
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from checkout.carts import UserCart
from checkout.models import AccessEvent, Entitlement, Order, Payment, Purchase, Refund, SandboxPayment
from marketplace.settings import _payment_page_csp
from tests.factories import make_prompt, make_seller, make_user
from tests.toss.fixtures import toss, toss_process  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

PHONE_AGENT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
HANGUL = re.compile("[가-힣]")


@pytest.fixture
def buyer() -> User:
    """With two prompts in the cart, 14,800 won."""
    buyer = make_user(email="buyer@example.com")
    seller = make_seller(name="종이 책상")
    for title, slug, price in [("주간 보고서", "report", 9_900), ("회의 안건", "agenda", 4_900)]:
        UserCart(buyer).add(make_prompt(title=title, slug=slug, price=price, seller=seller), now=timezone.now())
    return buyer


@pytest.fixture
def other_hosts(request) -> set[str]:
    return {urlsplit(request.getfixturevalue("toss").url).netloc} if "use_toss" in request.fixturenames else set()


@pytest.fixture
def use_toss(settings, toss):  # noqa: F811
    """Real keys: the shop talks to the stand-in, the browser gets its script. `use_toss("test_gck_")` for widgets."""

    def use(kind: str):
        settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = toss.pair_of(kind)
        settings.TOSS_API_URL, settings.TOSS_SDK_URL = toss.url, toss.sdk_url
        settings.TOSS_CSP = _payment_page_csp(toss.sdk_url)
        return toss

    return use


def heading(page: Page):
    return page.get_by_role("heading", level=1)


def main(page: Page):
    return page.get_by_role("main")


def order_cart(page: Page, button: str = "14,800원 결제하기") -> None:
    """From the cart to the payment window or its page."""
    page.goto("/checkout/")
    for box in main(page).get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name=button).click()


def window(page: Page):
    """The provider's window, in a frame over our page."""
    return page.frame_locator("iframe[title='결제창']")


def frames(page: Page):
    return page.locator("iframe[title='결제창']")


def choose(page: Page, method: str) -> None:
    """Once both frames are drawn: until then a line above them comes and goes, and a click would land beside."""
    expect(pay_button(page)).to_be_enabled()
    page.frame_locator("#toss-methods iframe").get_by_label(method).check()


def agree(page: Page) -> None:
    """Neither by the mouse nor by the keyboard: a frame that moves, or gets its focus late, would miss either."""
    expect(pay_button(page)).to_be_enabled()
    box = page.frame_locator("#toss-agreement iframe").get_by_role("checkbox")
    box.dispatch_event("click")
    expect(box).to_be_checked()


def pay_button(page: Page):
    return page.get_by_role("button", name="14,800원 결제하기")


def fits(page: Page) -> None:
    width, view = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= view, f"{page.url} is {width} wide in {view}"


def assert_paid_once(stand_in) -> None:
    order = Order.objects.get()
    assert (order.status, order.total_krw, order.payments.get(status="paid").provider) == ("paid", 14_800, "toss")
    assert Purchase.objects.count() == 2
    totals = stand_in.books()["totals"]
    assert (totals["charges"], totals["held_krw"]) == (1, 14_800)


# --- Buy two, cancel one, open the other


@pytest.mark.parametrize("browser_page", ["page", "phone", "plain_page"])
def test_one_of_two_is_cancelled_sealed_and_the_other_opened_for_good(
    buyer, browser_page, request, sign_in, check_accessibility
):
    page = request.getfixturevalue(browser_page)

    def look_around():
        fits(page)
        if browser_page != "plain_page":
            check_accessibility(page)

    sign_in(page, buyer)
    order_cart(page)
    page.get_by_role("button", name="14,800원 승인").click()
    expect(heading(page)).to_have_text("결제했어요")
    expect(main(page).get_by_text("아직 열지 않아서 취소할 수 있어요.")).to_have_count(2)
    look_around()
    order_page = page.url

    main(page).get_by_role("link", name=re.compile("취소.*회의 안건")).click()
    expect(heading(page)).to_have_text("구매 1건을 취소할까요?")
    expect(main(page)).to_contain_text("4,900원")
    look_around()
    yes, no = page.get_by_role("button", name="구매 취소하기"), page.get_by_role("link", name="그대로 두기")
    assert yes.bounding_box()["width"] == no.bounding_box()["width"]
    assert yes.bounding_box()["height"] == no.bounding_box()["height"]
    assert not Refund.objects.exists()
    yes.click()

    expect(heading(page)).to_have_text("일부를 환불했어요")
    expect(main(page)).to_contain_text("4,900원을 돌려드렸어요")
    look_around()

    main(page).get_by_role("link", name=re.compile("열어 보기.*주간 보고서")).click()
    expect(main(page)).to_contain_text("열면 이 구매를 더 취소할 수 없어요")
    yes, no = page.get_by_role("button", name="열기", exact=True), page.get_by_role("link", name="나중에")
    assert yes.bounding_box()["width"] == no.bounding_box()["width"]
    look_around()
    yes.click()
    expect(page.locator("#prompt-text")).to_be_visible()

    page.goto(order_page)
    expect(main(page)).to_contain_text("이제 취소할 수 없어요")
    expect(main(page).get_by_role("link", name=re.compile("취소"))).to_have_count(0)
    page.goto(f"{order_page}cancel/?line=1")
    assert page.url == order_page
    expect(page.locator("#messages")).to_contain_text("이 프롬프트는 더 이상 취소할 수 없어요.")
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_krw, refund.reason) == ("done", 4_900, "buyer_cancelled")
    assert SandboxPayment.objects.get().balance_krw == 9_900
    opened = AccessEvent.objects.get(kind="opened")
    assert (opened.wording_version, opened.entitlement.prompt.title) == ("2026-11", "주간 보고서")
    assert Entitlement.objects.live().get() == opened.entitlement


# --- Toss Payments: the payment window


def test_the_window_opens_by_itself_and_pays(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)
    order_cart(page)

    expect(heading(page)).to_have_text("결제")
    expect(pay_button(page)).to_be_disabled()
    expect(main(page)).to_contain_text("결제창이 열려 있어요.")
    expect(window(page).get_by_text("14,800원")).to_be_visible()
    window(page).get_by_role("button", name="결제하기", exact=True).click()

    expect(heading(page)).to_have_text("결제했어요")
    expect(main(page)).to_contain_text("카드")
    assert urlsplit(page.url).query == ""
    assert_paid_once(stand_in)
    page.go_back()
    expect(heading(page)).not_to_have_text("결제")  # not back into a window for what is paid
    assert_paid_once(stand_in)


def test_a_closed_window_costs_nothing_and_opens_again_by_the_button_only(
    buyer, page, sign_in, use_toss, check_accessibility
):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)
    order_cart(page)

    window(page).get_by_role("button", name="닫기").click()

    expect(main(page).get_by_role("status")).to_have_text("결제창을 닫았어요. 빠져나간 돈은 없고 주문은 그대로 있어요.")
    expect(pay_button(page)).to_be_enabled()
    expect(pay_button(page)).to_be_focused()
    fits(page)
    check_accessibility(page)
    page.reload()
    expect(pay_button(page)).to_be_enabled()
    expect(frames(page)).to_have_count(0)
    pay_button(page).click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()
    expect(heading(page)).to_have_text("결제했어요")
    assert_paid_once(stand_in)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("카드사 거절", "카드사가 결제를 거절했어요. 빠져나간 돈은 없어요."),
        ("결제 중단", "결제를 마치지 못했어요. 빠져나간 돈은 없어요."),
        ("한도가 넘는 카드로 결제하기", "카드 한도나 잔액이 부족해요. 빠져나간 돈은 없어요."),
    ],
)
def test_a_refused_card_is_explained_and_the_same_order_is_paid_with_another(
    buyer, page, sign_in, use_toss, choice, said
):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)
    order_cart(page)

    window(page).get_by_role("button", name=choice).click()

    expect(heading(page)).to_have_text("아직 결제되지 않았어요")
    expect(main(page)).to_contain_text(said)
    expect(page.locator("#messages .toast")).to_have_count(0)
    assert stand_in.books()["totals"]["charges"] == 0
    pay_button(page).click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()
    expect(heading(page)).to_have_text("결제했어요")
    assert_paid_once(stand_in)
    assert Payment.objects.count() == 2


def test_an_amount_edited_in_the_page_is_not_charged(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)

    def edit(route):
        asked = route.request.post_data_json
        asked["request"]["amount"]["value"] = 100
        route.continue_(post_data=asked)

    page.route("**/sdk/payments", edit)
    order_cart(page)
    expect(window(page).get_by_text("100원")).to_be_visible()
    window(page).get_by_role("button", name="결제하기", exact=True).click()

    expect(heading(page)).to_have_text("아직 결제되지 않았어요")
    expect(main(page)).to_contain_text("금액이 주문과 달라서 결제하지 않았어요.")
    assert stand_in.books()["totals"]["charges"] == 0
    assert not Purchase.objects.exists()


def test_an_answer_lost_after_the_charge_is_seen_as_paid_by_polling(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)
    order_cart(page)
    stand_in.fault(kind="drop", on="confirm", executed=True)
    stand_in.fault(kind="error", on="lookup", times=2)

    window(page).get_by_role("button", name="결제하기", exact=True).click()

    expect(heading(page)).to_have_text("결제를 확인하고 있어요")
    expect(main(page)).to_contain_text("다시 결제하지 마세요")
    expect(pay_button(page)).to_have_count(0)
    assert stand_in.books()["totals"]["charges"] == 1
    expect(heading(page)).to_have_text("결제했어요", timeout=30_000)
    assert_paid_once(stand_in)


def test_a_script_that_does_not_load_is_said_and_tried_again_by_the_button(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)
    page.route(stand_in.sdk_url, lambda route: route.abort())
    order_cart(page)

    expect(main(page).get_by_role("status")).to_contain_text("토스페이먼츠를 불러오지 못했어요.")
    expect(pay_button(page)).to_be_enabled()
    pay_button(page).click()
    expect(main(page).get_by_role("status")).to_contain_text("토스페이먼츠를 불러오지 못했어요.")
    page.unroute(stand_in.sdk_url)
    pay_button(page).click()

    window(page).get_by_role("button", name="결제하기", exact=True).click()
    expect(heading(page)).to_have_text("결제했어요")
    assert_paid_once(stand_in)


def test_a_refusal_of_the_script_is_said_in_plain_words(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_ck_")
    sign_in(page, buyer)
    refusal = {"code": "UNHEARD_OF", "message": "clientKey mismatch"}
    page.route("**/sdk/payments", lambda route: route.fulfill(status=400, json=refusal, headers=ANY_ORIGIN))
    order_cart(page)

    expect(main(page).get_by_role("status")).to_contain_text("결제창을 열지 못했어요. 빠져나간 돈은 없어요.")
    expect(main(page)).not_to_contain_text("UNHEARD_OF")
    expect(main(page)).not_to_contain_text("clientKey")
    page.unroute("**/sdk/payments")
    pay_button(page).click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()
    expect(heading(page)).to_have_text("결제했어요")
    assert_paid_once(stand_in)


ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type"}


def test_on_a_phone_the_window_takes_the_whole_page_and_back_does_not_trap(buyer, open_page, sign_in, use_toss):
    stand_in = use_toss("test_ck_")
    phone = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, user_agent=PHONE_AGENT)
    sign_in(phone, buyer)
    order_cart(phone)
    phone.wait_for_url(f"{stand_in.url}/**")

    phone.go_back()
    expect(pay_button(phone)).to_be_enabled()
    expect(main(phone).get_by_role("status")).to_have_text("")
    fits(phone)
    pay_button(phone).click()
    phone.get_by_role("button", name="결제 취소").click()
    expect(heading(phone)).to_have_text("아직 결제되지 않았어요")
    expect(main(phone)).to_contain_text("결제창을 닫았어요.")
    pay_button(phone).click()
    phone.wait_for_url(f"{stand_in.url}/**")
    phone.get_by_role("button", name="결제하기", exact=True).click()

    expect(heading(phone)).to_have_text("결제했어요")
    assert_paid_once(stand_in)


def test_without_scripts_the_page_says_what_is_needed_and_keeps_the_order(buyer, plain_page, sign_in, use_toss):
    use_toss("test_ck_")
    sign_in(plain_page, buyer)
    order_cart(plain_page)

    said = plain_page.locator("noscript p")  # selectors by text or role leave <noscript> out
    expect(said).to_be_visible()
    assert "결제하려면 자바스크립트가 필요해요. 주문은 그대로 있으니" in said.inner_text()
    expect(pay_button(plain_page)).to_be_hidden()
    main(plain_page).get_by_role("link", name="나중에 결제하기").click()
    expect(heading(plain_page)).to_have_text("결제를 기다리고 있어요")
    assert Order.objects.get().status == "pending"


def test_its_words_are_english_for_somebody_who_reads_english(buyer, english_page, sign_in, use_toss):
    use_toss("test_ck_")
    page = english_page
    for prompt, title in zip(buyer.cart_items.order_by("pk"), ["Weekly report", "Agenda"], strict=True):
        type(prompt.prompt).objects.filter(pk=prompt.prompt_id).update(title=title)
        prompt.prompt.listing.seller.__class__.objects.update(name="Paper desk")
    sign_in(page, buyer)

    def read():
        assert HANGUL.findall(main(page).inner_text()) == [], page.url

    order_cart(page, "Pay ₩14,800")
    window(page).get_by_role("button", name="닫기").click()
    expect(main(page).get_by_role("status")).to_contain_text("You closed the payment window.")
    read()
    page.get_by_role("button", name="Pay ₩14,800").click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()
    expect(heading(page)).to_have_text("Paid")
    read()
    page.get_by_role("link", name="Cancel the whole order").click()
    read()
    page.get_by_role("button", name="Cancel the purchases").click()
    expect(heading(page)).to_have_text("Refunded in full")
    read()


# --- Toss Payments: the widgets of the order form


def test_the_widgets_ask_for_means_and_agreement_and_pay(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_gck_")
    sign_in(page, buyer)
    order_cart(page)

    expect(page.frame_locator("#toss-methods iframe").get_by_label("카드")).to_be_checked()
    expect(pay_button(page)).to_be_enabled()
    expect(frames(page)).to_have_count(0)  # nothing opens before the buyer has chosen
    fits(page)
    pay_button(page).click()
    expect(main(page).get_by_role("status")).to_have_text("먼저 위의 결제 약관에 동의해 주세요.")
    agree(page)
    pay_button(page).click()
    window(page).get_by_role("button", name="닫기").click()
    expect(main(page).get_by_role("status")).to_contain_text("결제창을 닫았어요.")
    pay_button(page).click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()

    expect(heading(page)).to_have_text("결제했어요")
    assert_paid_once(stand_in)


def test_the_button_waits_until_both_widgets_are_drawn(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_gck_")
    sign_in(page, buyer)
    held = []
    page.route(f"{stand_in.url}/widgets/agreement*", lambda route: held.append(route))
    order_cart(page)

    page.frame_locator("#toss-methods iframe").get_by_label("카드").wait_for()
    expect(pay_button(page)).to_be_disabled()
    expect(main(page)).to_contain_text("토스페이먼츠를 불러오고 있어요.")
    held[0].continue_()

    expect(pay_button(page)).to_be_enabled()
    expect(main(page).get_by_role("status")).to_have_text("")


def test_a_deposit_is_waited_for_seen_by_itself_and_given_back_to_an_account(
    buyer, page, sign_in, use_toss, check_accessibility
):
    stand_in = use_toss("test_gck_")
    sign_in(page, buyer)
    order_cart(page)
    choose(page, "가상계좌")
    agree(page)
    pay_button(page).click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()

    expect(heading(page)).to_have_text("입금을 기다리고 있어요")
    payment = Payment.objects.get()
    expect(main(page)).to_contain_text(payment.deposit_account)
    expect(main(page)).to_contain_text("은행")
    fits(page)
    check_accessibility(page)
    stand_in.deposit(payment_key=payment.payment_key)
    expect(heading(page)).to_have_text("결제했어요", timeout=40_000)
    assert_paid_once(stand_in)

    page.get_by_role("link", name="주문 전체 취소하기").click()
    page.get_by_role("button", name="구매 취소하기").click()
    expect(main(page).get_by_role("alert").get_by_role("link")).to_have_count(3)
    check_accessibility(page)
    page.get_by_label("은행").select_option("신한은행")
    page.get_by_label("계좌번호").fill("110-123-456789")
    page.get_by_label("예금주").fill("김미나")
    page.get_by_role("button", name="구매 취소하기").click()

    expect(heading(page)).to_have_text("모두 환불했어요")
    assert stand_in.books()["totals"]["held_krw"] == 0
    assert Order.objects.get().status == "refunded"


def test_a_waiting_order_is_given_up(buyer, page, sign_in, use_toss):
    stand_in = use_toss("test_gck_")
    sign_in(page, buyer)
    order_cart(page)
    choose(page, "가상계좌")
    agree(page)
    pay_button(page).click()
    window(page).get_by_role("button", name="결제하기", exact=True).click()
    expect(heading(page)).to_have_text("입금을 기다리고 있어요")

    page.get_by_text("이 주문 그만두기").click()
    page.get_by_role("button", name="주문 그만두기").click()

    expect(heading(page)).to_have_text("주문을 그만뒀어요")
    assert Order.objects.get().status == "cancelled"
    assert stand_in.books()["totals"]["charges"] == 0
