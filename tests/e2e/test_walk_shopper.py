"""The main job of the shop as somebody new does it: sign up, find, buy two prompts, open one, take it along.

Three times in Korean (with scripts, without them, on the narrowest phone in the dark), once in English for its words.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import OperationalError
from playwright.sync_api import Page, expect

from catalog.listings import create_listing
from catalog.models import Listing, Prompt
from checkout.models import AccessEvent, Order, OrderConsent, Purchase, SandboxPayment
from tests.factories import NOON, make_seller, make_user

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "mina@example.com"
PASSWORD = "quiet-harbour-42"
MINUTES = "회의록을 보고서로 바꾸기"
OPENING_LINE = "보고서 첫 문장 다듬기"
QUARTER = "분기 보고서 통째로 쓰기"
COVER = "보고서 표지 문구"
MINUTES_TEXT = (
    "당신은 편집자예요.\n\n{{회의록}}을 읽고 결정된 것만 <표> 하나로 적어 주세요.\n끝에 할 일을 덧붙이세요.\n"
)
SHEET = "항목,담당\n보고서,미나\n".encode()
OUTSIDE = """
[
  document.documentElement.scrollWidth,
  [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map((each) => each.outerHTML.slice(0, 120)),
]
"""
BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"
HANGUL = re.compile("[가-힣]")


@dataclass
class Shop:
    minutes: Prompt  # with a file
    opening_line: Prompt


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A small catalogue in which each filter of the walk leaves something out."""
    seller = make_seller(slug="paper-desk", name="종이 책상", user=make_user(nickname="책상"))
    path = storages["private"].save("walk/minutes.csv", ContentFile(SHEET))

    def offer(
        title: str, *, price: int, tags: list[str], prompt_text: str = "{{주제}}를 다듬어 주세요.", **fields
    ) -> Prompt:
        return create_listing(
            prompt_fields={
                "title": title,
                "description": f"{title}: **바로** 쓸 수 있어요.",
                "price": price,
                "tags": tags,
                "prompt_text": prompt_text,
                **fields,
            },
            seller=seller,
            state=Listing.State.PUBLISHED,
            model="gpt-5",
            now=NOON,
        )

    minutes = offer(MINUTES, price=9_900, tags=["업무", "회의"], prompt_text=MINUTES_TEXT, file_url=f"private://{path}")
    opening_line = offer(OPENING_LINE, price=4_900, tags=["업무", "글쓰기"])
    offer(QUARTER, price=29_000, tags=["업무"])
    offer(COVER, price=4_900, tags=["디자인"])
    offer("여행 일정 짜기", price=3_000, tags=["여행"])
    yield Shop(minutes, opening_line)
    storages["private"].delete(path)


# --- What the three have in common


def fits(page: Page) -> None:
    """Nothing makes the page scroll sideways, once it has its styles."""
    page.wait_for_load_state()
    width, outside = page.evaluate(OUTSIDE)
    assert width <= page.viewport_size["width"], f"{page.url} is {width} wide: {outside}"


def sign_up(page: Page, read_code) -> None:
    page.goto("/")
    page.get_by_role("banner").locator("summary", has_text="메뉴").click()
    page.get_by_role("link", name="회원가입").click()
    page.get_by_role("textbox", name="이메일").fill(ADDRESS)
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_label("비밀번호 (확인)").fill(PASSWORD)
    page.get_by_role("button", name="회원가입").click()
    code = page.get_by_label("메일로 받은 코드")
    code.wait_for()
    code.fill(read_code(ADDRESS))
    page.get_by_role("button", name="확인", exact=True).click()
    page.wait_for_url("**/")


def cards(page: Page):
    return page.get_by_role("main").get_by_role("article").get_by_role("link")


def open_product(page: Page, title: str) -> None:
    cards(page).filter(has_text=title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def open_cart(page: Page) -> None:
    page.get_by_role("navigation", name="주 메뉴").get_by_role("link", name="장바구니").click()
    lines = page.get_by_role("main").get_by_role("listitem")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text(MINUTES)
    expect(lines.nth(0)).to_contain_text("9,900원")
    expect(lines.nth(1)).to_contain_text(OPENING_LINE)
    expect(lines.nth(1)).to_contain_text("4,900원")
    expect(page.get_by_role("complementary", name="합계")).to_contain_text("14,800원")


def agree(page: Page) -> None:
    """Nothing is ticked beforehand; each box is one decision."""
    boxes = page.get_by_role("main").get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    for box in boxes.all():
        expect(box).not_to_be_checked()
        box.check()


def refuse_to_agree(page: Page) -> None:
    """Ordering with every box empty leads to a summary whose links lead to the boxes."""
    page.get_by_role("button", name="14,800원 결제하기").click()
    problems = page.get_by_role("main").get_by_role("alert")
    expect(problems.get_by_role("heading")).to_have_text("고칠 곳이 3군데 있어요")
    expect(problems.get_by_role("link")).to_have_count(3)
    expect(page.get_by_text("주문하려면 동의해 주세요.")).to_have_count(6)  # each in the summary and at its box
    assert not Order.objects.exists()


def pay(page: Page) -> str:
    """Approve in the sandbox; the address that the provider sent the browser to."""
    page.get_by_role("button", name="14,800원 결제하기").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("시험 결제")
    with page.expect_request("**/payments/*/return/?*") as returned:
        page.get_by_role("button", name="14,800원 승인").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("결제했어요")
    return returned.value.url


def wait_for(page: Page, is_so: Callable[[], bool]) -> None:
    """What the server writes after its last byte may come a moment after the browser has it.

    Test and server share one database in memory, which refuses to read a table while it is being written.
    """
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OperationalError):
            if is_so():
                return
        page.wait_for_timeout(50)
    assert is_so()


def download(page: Page, label: str) -> tuple[str, bytes]:
    """(name, content) of what the link gives."""
    with page.expect_download() as got:
        page.get_by_role("link", name=label).click()
    return got.value.suggested_filename, Path(got.value.path()).read_bytes()


def assert_bought_once(shop: Shop) -> None:
    """One order over both, charged once; both prompts are the shopper's; what was agreed to is on record."""
    order = Order.objects.get()
    assert (order.buyer.email, order.status, order.total_krw) == (ADDRESS, "paid", 14_800)
    assert [line.title for line in order.lines.order_by("position")] == [MINUTES, OPENING_LINE]
    assert SandboxPayment.objects.get().charge_count == 1
    assert set(Purchase.objects.values_list("prompt_id", flat=True)) == {shop.minutes.pk, shop.opening_line.pk}
    assert Purchase.objects.count() == 2
    assert set(OrderConsent.objects.values_list("key", flat=True)) == {"order", "withdrawal", "privacy"}
    assert order.buyer.cart_items.count() == 0
    assert [message.to for message in mail.outbox if order.number in message.body] == [[ADDRESS]]


def take_along(page: Page, shop: Shop) -> None:
    """From the order to the sealed text, opened, read and downloaded with its file."""
    page.get_by_role("link", name=re.compile(f"열어 보기.*{MINUTES}")).click()
    expect(page.get_by_role("heading", name="지금 열까요?")).to_be_visible()
    assert "결정된 것만" not in page.content()
    page.get_by_role("button", name="열기", exact=True).click()

    expect(page.locator("#prompt-text")).to_have_text(MINUTES_TEXT, use_inner_text=False)
    assert download(page, "본문 .md로 받기") == (f"{MINUTES}.md", MINUTES_TEXT.encode())
    assert download(page, "파일 내려받기") == (f"{MINUTES}.csv", SHEET)
    wait_for(page, lambda: AccessEvent.objects.count() == 4)
    kinds = sorted(AccessEvent.objects.values_list("kind", flat=True))
    assert kinds == ["file_downloaded", "opened", "read", "text_downloaded"]
    shop.minutes.refresh_from_db()
    assert shop.minutes.download_count == 2


# --- The walks


def test_somebody_new_finds_buys_and_opens_a_prompt(shop, page, read_code, check_accessibility):
    def look_around():
        fits(page)
        check_accessibility(page)

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_up(page, read_code)
    look_around()

    page.get_by_role("searchbox", name="프롬프트 검색").press_sequentially("보고서")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(4)
    page.get_by_role("checkbox", name="업무", exact=False).first.check()
    expect(cards(page)).to_have_count(3)
    page.get_by_label("최고(원)").fill("10,000")
    page.get_by_label("최고(원)").blur()
    expect(cards(page)).to_have_count(2)
    expect(page.locator("#announcer")).to_have_text("결과 2개")
    look_around()
    found = page.url

    open_product(page, MINUTES)
    assert "결정된 것만" not in page.content()
    page.get_by_role("button", name="장바구니에 담기").click()
    expect(page.get_by_role("link", name="담김 · 장바구니 보기")).to_be_visible()
    expect(page.locator("#messages")).to_contain_text("장바구니에 담았어요.")
    expect(page.locator("#announcer")).to_have_text("장바구니 1개, 9,900원")
    look_around()

    page.go_back()
    assert page.url == found
    expect(cards(page)).to_have_count(2)
    open_product(page, OPENING_LINE)
    page.get_by_role("button", name="장바구니에 담기").click()
    expect(page.locator("#announcer")).to_have_text("장바구니 2개, 14,800원")
    open_cart(page)
    look_around()

    page.get_by_role("link", name="결제하러 가기").click()
    refuse_to_agree(page)
    expect(page.get_by_role("main").get_by_role("alert")).to_be_focused()
    look_around()
    agree(page)
    address = pay(page)
    look_around()
    assert_bought_once(shop)

    order_page = page.url
    page.goto(address)
    assert page.url == order_page
    page.go_back()
    page.go_back()
    page.get_by_role("button", name="상점으로 돌아가기").click()
    page.wait_for_url(order_page)
    assert_bought_once(shop)

    take_along(page, shop)
    page.get_by_role("button", name="복사").click()
    expect(page.locator("#announcer")).to_have_text("복사했어요")
    assert page.evaluate("navigator.clipboard.readText()") == MINUTES_TEXT
    wait_for(page, lambda: AccessEvent.objects.filter(kind="copied").exists())
    look_around()


def test_the_same_without_scripts(shop, plain_page, read_code):
    page = plain_page
    sign_up(page, read_code)

    page.get_by_role("searchbox", name="프롬프트 검색").fill("보고서")
    page.get_by_role("button", name="찾기").click()
    expect(cards(page)).to_have_count(4)
    page.get_by_role("checkbox", name="업무").first.check()
    page.get_by_label("최고(원)").fill("10,000")
    page.get_by_role("button", name="적용").first.click()
    expect(cards(page)).to_have_count(2)
    found = page.url

    open_product(page, MINUTES)
    page.get_by_role("button", name="장바구니에 담기").click()
    expect(page.get_by_role("link", name="담김 · 장바구니 보기")).to_be_visible()
    expect(page.locator("#messages")).to_contain_text("장바구니에 담았어요.")
    page.goto(found)
    open_product(page, OPENING_LINE)
    page.get_by_role("button", name="장바구니에 담기").click()
    open_cart(page)

    page.get_by_role("link", name="결제하러 가기").click()
    refuse_to_agree(page)
    agree(page)
    address = pay(page)
    order_page = page.url
    page.goto(address)
    assert page.url == order_page
    assert_bought_once(shop)

    take_along(page, shop)


def test_the_same_on_the_narrowest_phone_in_the_dark(shop, phone, read_code, check_accessibility):
    page = phone

    def look_around():
        fits(page)
        check_accessibility(page)

    sign_up(page, read_code)
    look_around()
    dark = page.evaluate(BACKGROUND)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(BACKGROUND) != dark
    page.emulate_media(color_scheme="dark")

    page.get_by_role("searchbox", name="프롬프트 검색").press_sequentially("보고서")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(4)
    fits(page)
    page.get_by_role("button", name="필터").tap()
    sheet = page.get_by_role("dialog", name="필터")
    expect(sheet.get_by_role("button", name="닫기")).to_be_focused()
    sheet.get_by_role("checkbox", name="업무").first.check()
    expect(sheet.get_by_role("button", name="결과 3개 보기")).to_be_visible()
    sheet.get_by_label("최고(원)").fill("10,000")
    sheet.get_by_label("최고(원)").blur()
    expect(sheet.get_by_role("button", name="결과 2개 보기")).to_be_visible()
    look_around()
    sheet.get_by_role("button", name="결과 2개 보기").tap()
    expect(sheet).to_be_hidden()
    expect(cards(page)).to_have_count(2)
    look_around()
    found = page.url

    open_product(page, MINUTES)
    page.get_by_role("button", name="장바구니에 담기").tap()
    expect(page.locator("#announcer")).to_have_text("장바구니 1개, 9,900원")
    look_around()
    page.go_back()
    assert page.url == found
    open_product(page, OPENING_LINE)
    page.get_by_role("button", name="장바구니에 담기").tap()
    expect(page.locator("#announcer")).to_have_text("장바구니 2개, 14,800원")
    open_cart(page)
    look_around()

    page.get_by_role("link", name="결제하러 가기").tap()
    refuse_to_agree(page)
    look_around()
    agree(page)
    pay(page)
    look_around()
    assert_bought_once(shop)

    take_along(page, shop)
    look_around()


def test_its_words_are_english_for_somebody_who_reads_english(english_page, sign_in):
    page = english_page
    create_listing(
        prompt_fields={"title": "A polite refusal", "price": 4_900, "tags": ["mail"], "prompt_text": "Say no, kindly."},
        seller=make_seller(slug="north", name="North"),
        state=Listing.State.PUBLISHED,
        language="en",
        now=NOON,
    )
    sign_in(page, make_user(email=ADDRESS))

    def read(heading: str):
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        assert HANGUL.findall(page.get_by_role("main").inner_text()) == [], page.url
        assert HANGUL.findall(page.title()) == [], page.url

    page.goto("/prompts/?q=refusal")
    read("Results for “refusal”")
    cards(page).click()
    read("A polite refusal")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#announcer")).to_have_text("Cart: 1 prompt, ₩4,900")
    page.get_by_role("link", name="In cart · see the cart").click()
    read("Cart")
    page.get_by_role("link", name="Check out").click()
    page.get_by_role("button", name="Pay ₩4,900").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("3 things to correct")
    read("Checkout")
    agree(page)
    page.get_by_role("button", name="Pay ₩4,900").click()
    read("Test payment")
    page.get_by_role("button", name="Approve ₩4,900").click()
    read("Paid")
    page.get_by_role("link", name=re.compile("Open it.*A polite refusal")).click()
    read("A polite refusal")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("#prompt-text")).to_have_text("Say no, kindly.")
    read("A polite refusal")
    receipt = next(message for message in mail.outbox if "Your order" in message.subject)  # the seller got one too
    assert HANGUL.findall(receipt.subject + receipt.body) == []
