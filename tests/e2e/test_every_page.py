"""Each page in a real browser: light and dark, wide and narrow, with nothing for axe, the console or the policy to say.

What `open_page` watches (console, scripts, Content-Security-Policy, missing files, foreign hosts) is part of each test.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import Prompt, Review
from catalog.moderation import hide_reviews
from catalog.pictures import add_picture
from catalog.ratings import refresh_ratings
from checkout.statements import begin_of, month_of
from sellers.models import Seller
from tests.accounts.pictures import draw, upload
from tests.factories import (
    NOON,
    make_business,
    make_paid_order,
    make_payout,
    make_prompt,
    make_purchase,
    make_refund,
    make_review,
    make_seller,
    make_statement,
    make_user,
)
from tests.mcp.weather import make_weather_server

PUBLIC = [
    "/",
    "/prompts/",
    "/prompts/?q=보고서&tag=업무&sort=newest",
    "/prompts/?q=아무것도없는말",
    "/prompts/weekly-report/",
    "/sellers/paper-desk/",
    "/people/{handle}/",
    "/mcp-servers/",
    "/mcp-servers/?q=날씨&state=working",
    "/mcp-servers/?q=아무것도없는말",
    "/mcp-servers/weather/",
    "/cart/",
    "/terms/",
    "/privacy/",
    "/refund-policy/",
    "/connect/",
    "/sell/",
    "/sell/applied/",
    "/sell/link/",
    "/sell/link/sent/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/no-such-page/",
]
SIGNED_IN = [
    "/",
    "/prompts/weekly-report/",
    "/cart/",
    "/checkout/?buy=weekly-report",
    "/orders/",
    "/library/",
    "/account/",
    "/account/profile/",
    "/account/tokens/",
    "/connect/",
    "/account/delete/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/sessions/",
    "/mcp-servers/submit/",
    "/mcp-servers/submitted/",
]
STUDIO = [
    "/studio/",
    "/studio/?state=draft&q=없는말",
    "/studio/listings/new/",
    "/studio/listings/{draft}/",
    "/studio/listings/{draft}/files/",
    "/studio/listings/{draft}/pictures/remove/?address=https://elsewhere.example/a.webp",
    "/studio/listings/{draft}/file/remove/",
    "/studio/listings/{draft}/publish/",
    "/studio/listings/{draft}/versions/?number=1",
    "/studio/listings/{on_sale}/",
    "/studio/listings/{on_sale}/withdraw/",
    "/studio/listings/{removed}/",
    "/studio/listings/{removed}/publish/",
    "/studio/profile/",
    "/studio/business/",
    "/studio/sales/",
    "/prompts/draft/?preview=1",
    "/prompts/weekly-report/",
    "/sellers/paper-desk/",
]

REVIEWING = [  # who looks, and at what
    ("reader", "/library/weekly-report/"),
    ("reader", "/library/weekly-report/review/"),
    ("author", "/library/weekly-report/"),
    ("author", "/library/weekly-report/review/"),
    ("author", "/library/weekly-report/review/delete/"),
    ("author", "/prompts/weekly-report/"),
    ("reader", "/prompts/weekly-report/report/"),
    ("reader", "/prompts/weekly-report/reviews/{review}/report/"),
    ("reader", "/prompts/weekly-report/report/sent/"),
    ("seller", "/prompts/weekly-report/"),
    ("seller", "/studio/reviews/"),
    ("seller", "/studio/reviews/{review}/reply/"),
]

STATEMENTS = ["/studio/statements/", *(f"/studio/statements/{{{month}}}/" for month in ("paid", "debt", "running"))]


@pytest.fixture
def shop():
    """A small catalogue, and a shopper who bought nothing yet."""
    seller = make_seller(slug="paper-desk", name="종이 책상", user=make_user(nickname="책상"))
    report = make_prompt(
        slug="weekly-report",
        title="주간 보고서를 한 장으로 정리하는 프롬프트",
        description="회의록을 넣으면 **한 장**으로 정리해요.",
        tags=["업무", "보고서"],
        price=9_900,
        seller=seller,
    )
    make_prompt(slug="free-names", title="가게 이름 짓기", tags=["업무"], price=0, seller=seller)
    make_prompt(slug="english-mail", title="A polite mail in English", tags=["english"], price=4_900, seller=seller)
    make_review(prompt=report, author=make_user(nickname="하나"), rating=5, body="바로 썼어요.")
    make_weather_server(needed_by=report)
    return make_user(email="shopper@example.com", nickname="두리")


def look_at(page, path, check_accessibility):
    answer = page.goto(path)
    assert answer.status == (404 if path == "/no-such-page/" else 200)
    assert page.locator("h1").count() == 1
    assert page.title() != ""
    check_accessibility(page)
    width, view = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= view, f"{path} scrolls sideways: {width} in {view}"


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_that_anybody_sees(shop, page, path, check_accessibility):
    look_at(page, path.format(handle=shop.handle), check_accessibility)


@pytest.mark.parametrize("path", PUBLIC)
def test_the_same_on_a_phone_in_the_dark(shop, phone, path, check_accessibility):
    look_at(phone, path.format(handle=shop.handle), check_accessibility)


@pytest.mark.parametrize("path", SIGNED_IN)
def test_a_page_of_somebody_signed_in(shop, page, sign_in, path, check_accessibility):
    sign_in(page, shop)
    look_at(page, path, check_accessibility)


@pytest.mark.parametrize("path", SIGNED_IN)
def test_those_on_a_phone_in_the_dark(shop, phone, sign_in, path, check_accessibility):
    sign_in(phone, shop)
    look_at(phone, path, check_accessibility)


@pytest.fixture
def desk(shop):
    """The shop's seller with one prompt in each state, and the keys that addresses of the studio name."""
    seller = Seller.objects.get(slug="paper-desk")
    make_business(seller=seller)
    draft = make_prompt(
        slug="draft",
        title="아직 쓰는 중인 프롬프트",
        state="draft",
        description="",
        file_url="private://plan.md",
        image_urls=["https://elsewhere.example/a.webp"],
        seller=seller,
    )
    add_picture(prompt=draft, upload=upload(draw(), "a.jpg"), alt="", now=NOON)
    reason = {"state_reason": "설명과 내용이 달라요.\n고친 뒤에 알려 주세요."}
    removed = make_prompt(title="내려간 프롬프트", state="removed", seller=seller, listing=reason)
    on_sale = Prompt.objects.get(listing__slug="weekly-report")
    return seller.user, {"draft": draft.pk, "on_sale": on_sale.pk, "removed": removed.pk}


@pytest.mark.parametrize("path", STUDIO)
def test_a_page_of_a_seller(desk, page, sign_in, path, check_accessibility):
    user, keys = desk
    sign_in(page, user)
    look_at(page, path.format(**keys), check_accessibility)


@pytest.mark.parametrize("path", STUDIO)
def test_a_sellers_page_on_a_phone_in_the_dark(desk, phone, sign_in, path, check_accessibility):
    user, keys = desk
    sign_in(phone, user)
    look_at(phone, path.format(**keys), check_accessibility)


@pytest.mark.parametrize("path", ["/", "/prompts/", "/prompts/weekly-report/", "/accounts/login/"])
def test_the_same_in_english(shop, english_page, path, check_accessibility):
    look_at(english_page, path, check_accessibility)
    assert english_page.locator("html").get_attribute("lang") == "en"


@pytest.fixture
def people(shop):
    """Who reads, reviews and answers. The author's review is long, answered, changed and hidden by staff."""
    prompt = Prompt.objects.get(listing__slug="weekly-report")
    reader, author = (make_purchase(prompt=prompt, is_open=True).user for _ in range(2))
    review = make_review(
        prompt=prompt,
        author=author,
        rating=2,
        body="한 줄로 이어지는아주긴말" * 12,
        model_used="GPT-5",
        reply="고맙습니다. 다음 판에서 고칠게요.",
        created_at=NOON,
        updated_at=NOON + timedelta(days=1),
        replied_at=NOON + timedelta(days=2),
    )
    refresh_ratings([prompt.pk])
    return {"reader": reader, "author": author, "seller": prompt.listing.seller.user, "review": review}


def look_at_reviewing(page, sign_in, people, who, path, check_accessibility):
    if who == "author":
        hide_reviews(reviews=[people["review"]], note="다른 사람을 모욕하는 말이 있어요.", now=NOON)
        if path.endswith("delete/"):
            Review.objects.filter(pk=people["review"].pk).update(hidden_reason="refunded")
    sign_in(page, people[who])
    look_at(page, path.format(review=people["review"].pk), check_accessibility)


@pytest.mark.parametrize(("who", "path"), REVIEWING)
def test_a_page_about_reviews(people, page, sign_in, who, path, check_accessibility):
    look_at_reviewing(page, sign_in, people, who, path, check_accessibility)


@pytest.mark.parametrize(("who", "path"), REVIEWING)
def test_the_same_about_reviews_on_a_phone_in_the_dark(people, phone, sign_in, who, path, check_accessibility):
    look_at_reviewing(phone, sign_in, people, who, path, check_accessibility)


@pytest.fixture
def months(shop):
    """Statements of a seller: one paid out, then a debt, then the running month, each by its address."""
    prompt = Prompt.objects.get(listing__slug="weekly-report")
    running = month_of(timezone.now())
    debt = (running - timedelta(days=1)).replace(day=1)
    paid = (debt - timedelta(days=1)).replace(day=1)
    days = {name: begin_of(month) + timedelta(hours=3) for name, month in (("paid", paid), ("debt", debt))}
    order = make_paid_order(prompts=[prompt], now=days["paid"])
    make_payout(statement=make_statement(seller=prompt.listing.seller, month=paid, now=days["debt"]))
    make_refund(order=order, status="done", reason="staff", note="x", now=days["debt"])
    make_paid_order(
        prompts=[make_prompt(price=100, title="아주긴제목" * 12, seller=prompt.listing.seller)], now=days["debt"]
    )
    make_statement(seller=prompt.listing.seller, month=debt, now=timezone.now())
    make_paid_order(prompts=[prompt], now=timezone.now())
    names = {"paid": paid, "debt": debt, "running": running}
    return prompt.listing.seller.user, {name: f"{month:%Y-%m}" for name, month in names.items()}


@pytest.mark.parametrize("path", STATEMENTS)
def test_a_page_about_statements(months, page, sign_in, path, check_accessibility):
    user, names = months
    sign_in(page, user)
    look_at(page, path.format(**names), check_accessibility)


@pytest.mark.parametrize("path", STATEMENTS)
def test_the_same_about_statements_on_a_phone_in_the_dark(months, phone, sign_in, path, check_accessibility):
    user, names = months
    sign_in(phone, user)
    look_at(phone, path.format(**names), check_accessibility)
