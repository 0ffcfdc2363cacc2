"""Sellers' pages: who they are and what they have on sale."""

import pytest
from django.core.cache import caches

from tests.catalog.pages import canonical, card_titles, meta, next_address, plain
from tests.factories import make_prompt, make_seller, make_user

pytestmark = pytest.mark.django_db


def get_page(client, address="/sellers/spring/", **headers):
    return client.get(address, headers={"accept-language": "en", **headers})


def test_a_seller_is_shown_with_figures_over_everything_on_sale(client):
    seller = make_seller(
        slug="spring",
        name="Spring Cafe",
        bio="Letters.\nEvery week.",
        website_url="https://example.com/",
    )
    make_prompt(title="One", seller=seller, rating=5, review_count=1, listing={"sales_count": 8})
    make_prompt(title="Two", seller=seller, rating=4, review_count=3, listing={"sales_count": 4})
    make_prompt(title="Gone", seller=seller, state="withdrawn", rating=1, review_count=9)
    make_prompt(title="Of another", seller=make_seller())

    page = get_page(client)

    assert sorted(card_titles(page)) == ["One", "Two"]
    assert page.context["figures"] == {"prompt_count": 2, "review_count": 4, "rating": 4.25, "sales_count": 12}
    assert "Spring Cafe Rating 4.2 4 reviews 2 prompts sold 12 times Selling since" in plain(page.text)
    assert '<a href="https://example.com/" rel="nofollow ugc noopener">' in page.text
    assert (meta(page, "description"), canonical(page)) == (
        "Letters. Every week.",
        "http://localhost:8000/sellers/spring/",
    )


def test_few_sales_are_not_told_and_no_rating_is_invented(client):
    make_prompt(seller=make_seller(slug="spring"), listing={"sales_count": 9})

    page = get_page(client)

    assert (page.context["figures"]["sales_count"], page.context["figures"]["rating"]) == (None, None)
    assert "Rating" not in plain(page.text)


def test_a_seller_without_prompts_is_shown_as_such(client):
    make_seller(slug="spring")

    assert "Nothing is on sale here yet" in get_page(client).text


@pytest.mark.parametrize("address", ["/sellers/spring/", "/sellers/spring/feed.atom"])
def test_a_suspended_seller_is_unknown(client, address):
    make_prompt(seller=make_seller(slug="spring", name="Spring Cafe", status="suspended"))

    page = get_page(client, address)

    assert page.status_code == 404
    assert "Spring Cafe" not in page.text


def test_the_list_of_a_seller_is_narrowed_and_ordered_by_links(client):
    seller = make_seller(slug="spring")
    make_prompt(title="Cheap", price=1_000, tags=["mail"], seller=seller)
    make_prompt(title="Free", price=0, seller=seller)
    page = get_page(client)

    assert [(chip.label, chip.address, chip.count) for chip in page.context["toggles"]] == [
        ("Free only", "/sellers/spring/?free=1", 1),
        ("mail", "/sellers/spring/?tag=mail", 1),
    ]
    assert card_titles(get_page(client, "/sellers/spring/?tag=mail")) == ["Cheap"]
    assert card_titles(get_page(client, "/sellers/spring/?sort=price_low")) == ["Free", "Cheap"]
    assert meta(get_page(client, "/sellers/spring/?tag=mail"), "robots") == "noindex, follow"


def test_show_more_stays_with_the_seller(client):
    seller = make_seller(slug="spring")
    for number in range(25):
        make_prompt(title=f"Prompt {number}", seller=seller)
    make_prompt(title="Of another")

    first = get_page(client)
    second = get_page(client, next_address(first), **{"hx-request": "true", "hx-target": "more"})

    assert next_address(first).startswith("/sellers/spring/?")
    assert "<html" not in second.text
    assert len({*card_titles(first), *card_titles(second)}) == 25


def test_the_seller_reads_that_this_is_how_others_see_it(client):
    seller = make_seller(slug="spring")
    sentence = "This is your page as others see it."

    client.force_login(make_user())
    assert sentence not in get_page(client).text
    client.force_login(seller.user)
    assert sentence in get_page(client).text


@pytest.mark.parametrize("rows", [1, 50])
def test_a_sellers_page_costs_the_same_with_one_row_and_fifty(client, django_assert_num_queries, rows):
    seller = make_seller(slug="spring")
    for _ in range(rows):
        make_prompt(seller=seller, tags=["mail"], rating=4, review_count=1)
    client.force_login(make_user())
    caches["pages"].clear()

    with django_assert_num_queries(9):
        page = get_page(client)

    assert len(card_titles(page)) == min(rows, 24)
