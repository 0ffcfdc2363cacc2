"""The product page: what one sees before buying, and who sees it."""

import json
import re
from datetime import timedelta

import pytest
from django.core.cache import caches

from catalog.models import Listing, Prompt
from tests.catalog.pages import card_titles, plain
from tests.factories import NOON, make_prompt, make_purchase, make_review, make_seller, make_user

pytestmark = pytest.mark.django_db

TEXT = "Write a letter to {{guest}} in the voice of the house. " * 40


def get_page(client, address="/prompts/letters/", **headers):
    return client.get(address, headers={"accept-language": "en", **headers})


def json_ld(page) -> dict:
    return json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page.text, re.DOTALL)[1])


def test_the_page_tells_what_one_may_know_before_buying(client):
    seller = make_seller(name="Spring Cafe")
    make_prompt(
        title="Letters to guests",
        slug="letters",
        price=9_900,
        seller=seller,
        prompt_text=TEXT,
        file_url="private://letters.zip",
        view_count=1_234,
        listing={"model": "GPT-5", "text_length": 1_234, "variable_count": 1, "updated_at": NOON, "sales_count": 3},
    )

    page = get_page(client)

    assert [(fact.name, plain(fact.value)) for fact in page.context["facts"] if fact.name != "Updated"] == [
        ("Model", "GPT-5"),
        ("Output", "text"),
        ("Language", "Korean"),
        ("Length", "about 1,200 characters"),
        ("Variables", "1 variable"),
        ("File", "Included"),
        ("Version", "1"),
        ("Sold", "3 times"),
        ("Seen", "1,234 views"),
    ]
    assert "₩9,900 VAT included" in plain(page.text)
    assert f'<a href="/sellers/{seller.slug}/">Spring Cafe</a>' in page.text
    assert "Cancel within 7 days as long as you have not opened it" in page.text


def test_the_preview_shows_the_beginning_and_cells_for_the_rest(client):
    make_prompt(slug="letters", prompt_text=TEXT)

    page = get_page(client)
    preview = page.context["preview"]

    assert TEXT.startswith(preview.shown)
    assert 0 < len(preview.shown) <= 300
    assert '<mark class="slot">{{guest}}</mark>' in page.text
    assert "A few more lines are covered." in page.text
    assert '<div class="manuscript__sheet" aria-hidden="true">' in page.text


@pytest.mark.parametrize(("length", "shown"), [(60, "under 100 characters"), (1_249, "about 1,200 characters")])
def test_the_length_is_told_in_hundreds(client, length, shown):
    make_prompt(slug="letters", listing={"text_length": length})

    facts = {fact.name: fact.value for fact in get_page(client).context["facts"]}

    assert facts["Length"] == shown


def test_cells_are_as_many_for_texts_of_like_length(client):
    make_prompt(slug="shorter", prompt_text="x " * 300)
    make_prompt(slug="longer", prompt_text="x " * 450)

    sheets = [
        get_page(client, f"/prompts/{slug}/").text.partition('manuscript__sheet"')[2].partition("</div>")[0]
        for slug in ("shorter", "longer")
    ]

    assert sheets[0] == sheets[1]


def test_an_address_typed_with_decomposed_hangul_finds_the_prompt(client):
    make_prompt(slug="편지", title="Letters")

    assert get_page(client, "/prompts/\u1111\u1167\u11ab\u110c\u1175/").status_code == 200


@pytest.mark.parametrize("state", ["draft", "withdrawn"])
def test_what_is_not_on_sale_is_unknown_to_others(client, state):
    make_prompt(slug="letters", title="Secret letters", state=state, seller=make_seller())

    for visitor in (None, make_user()):
        if visitor:
            client.force_login(visitor)
        page = get_page(client)
        assert page.status_code == 404
        assert "Secret letters" not in page.text


def test_what_staff_removed_is_gone_and_its_title_with_it(client):
    make_prompt(slug="letters", title="Secret letters", state="removed")

    page = get_page(client)

    assert page.status_code == 410
    assert "Secret letters" not in page.text


def test_a_suspended_sellers_prompt_is_unknown(client):
    make_prompt(slug="letters", seller=make_seller(status="suspended"))

    assert get_page(client).status_code == 404


@pytest.mark.parametrize("state", ["withdrawn", "removed"])
def test_whoever_bought_it_still_finds_the_page_but_search_engines_do_not(client, state):
    entitlement = make_purchase(prompt=make_prompt(slug="letters", title="Letters"))
    Prompt.objects.update(is_published=False)
    Listing.objects.update(state=state)
    client.force_login(entitlement.user)

    page = get_page(client)

    assert page.status_code == 200
    assert "Not on sale" in page.text
    assert '<meta name="robots" content="noindex, follow">' in page.text
    assert "application/ld+json" not in page.text
    assert 'rel="canonical"' not in page.text


def test_the_seller_sees_the_own_draft_and_why_it_was_stopped(client):
    seller = make_seller()
    make_prompt(slug="letters", state="removed", seller=seller, listing={"state_reason": "The text was copied."})
    client.force_login(seller.user)

    page = get_page(client)

    assert page.status_code == 200
    assert "The text was copied." in page.text


def test_reviews_show_mean_spread_and_words(client):
    prompt = make_prompt(slug="letters", rating=4.5, review_count=2)
    make_review(prompt=prompt, author=make_user(nickname="Jieun"), rating=5, body="Warm.", reply="Thank you.")
    make_review(prompt=prompt, rating=4, body="Good.")
    make_review(prompt=prompt, rating=1, body="Rude.", hidden_at=NOON)

    page = get_page(client)
    rows = page.context["star_counts"]

    assert [(row["stars"], row["count"]) for row in rows] == [(5, 1), (4, 1), (3, 0), (2, 0), (1, 0)]
    reviews = plain(page.text.partition('id="reviews"')[2].partition('id="seller"')[0])
    assert "4.5 out of 5, 2 reviews" in reviews
    assert "Jieun" in reviews
    assert ("Warm." in reviews, "Thank you." in reviews, "Rude." in reviews) == (True, True, False)


def test_without_reviews_there_are_no_stars_anywhere(client):
    make_prompt(slug="letters")

    page = get_page(client)

    assert "The first review is still to come." in page.text
    assert 'class="stars"' not in page.text
    assert "aggregateRating" not in page.text


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("newest", lambda review: -review.created_at.timestamp()),
        ("highest", lambda review: (-review.rating, -review.created_at.timestamp())),
        ("lowest", lambda review: (review.rating, -review.created_at.timestamp())),
    ],
)
def test_reviews_are_read_in_pages_each_once_and_in_order(client, order, key):
    prompt = make_prompt(slug="letters", rating=3, review_count=25)
    for number in range(25):
        moment = NOON - timedelta(minutes=number // 2)  # pairs of the same moment
        make_review(prompt=prompt, rating=(3, 5, 1, 4, 2)[number % 5], created_at=moment)
    read, address = [], f"/prompts/letters/?order={order}"

    while address:
        context = get_page(client, address).context
        read += context["reviews"].reviews
        address = context["more_reviews_address"]

    assert len(read) == len({review.pk for review in read}) == 25
    assert [key(review) for review in read] == sorted(key(review) for review in read)


def test_reviews_can_be_read_by_stars(client):
    prompt = make_prompt(slug="letters", rating=3, review_count=2)
    make_review(prompt=prompt, rating=5, body="Warm.")
    make_review(prompt=prompt, rating=1, body="Cold.")

    page = get_page(client, "/prompts/letters/?stars=1")

    assert [review.body for review in page.context["reviews"].reviews] == ["Cold."]
    assert [row["address"] for row in page.context["star_counts"] if row["is_selected"]] == ["/prompts/letters/"]


@pytest.mark.parametrize("query", ["after=nonsense", "after=9-1-x", "stars=9", "order=sideways", "stars=%EC%9D%BC"])
def test_a_made_up_address_of_reviews_shows_the_first_page(client, query):
    make_review(prompt=make_prompt(slug="letters", rating=5, review_count=1), body="Warm.")

    page = get_page(client, f"/prompts/letters/?{query}")

    assert [review.body for review in page.context["reviews"].reviews] == ["Warm."]


def test_htmx_gets_the_reviews_alone(client):
    make_review(prompt=make_prompt(slug="letters", rating=5, review_count=1), body="Warm.")

    part = get_page(client, **{"hx-request": "true", "hx-target": "reviews"})

    assert part.text.lstrip().startswith('<section id="reviews"')
    assert "Warm." in part.text


def test_structured_data_states_the_offer(client):
    make_prompt(
        slug="letters", title="Letters", price=9_900, seller=make_seller(name="Cafe"), rating=4.62, review_count=3
    )

    product, trail = json_ld(get_page(client))["@graph"]

    assert product["name"] == "Letters"
    assert (product["offers"]["price"], product["offers"]["priceCurrency"]) == ("9900", "KRW")
    assert product["offers"]["url"] == "http://localhost:8000/prompts/letters/"
    assert product["offers"]["seller"]["name"] == "Cafe"
    assert product["aggregateRating"]["ratingValue"] == 4.6
    assert [step["name"] for step in trail["itemListElement"]] == ["Home", "Browse", "Letters"]


def test_no_title_can_end_the_structured_data(client):
    title = "</script><script>alert(1)</script>\u2028&"
    make_prompt(slug="letters", title=title)

    page = get_page(client)

    assert json_ld(page)["@graph"][0]["name"] == title
    assert "<script>alert" not in page.text


def test_similar_prompts_are_marked_where_one_owns_them(client):
    make_prompt(slug="letters", title="Letters", tags=["mail"])
    entitlement = make_purchase(prompt=make_prompt(title="Replies", tags=["mail"]))
    client.force_login(entitlement.user)

    page = get_page(client)

    assert card_titles(page) == ["Replies"]
    assert "Owned Replies" in plain(page.text)


@pytest.mark.parametrize("rows", [1, 50])
def test_the_page_costs_ten_queries_signed_in(client, django_assert_num_queries, rows):
    prompt = make_prompt(slug="letters", tags=["mail"], seller=make_seller(), rating=4, review_count=rows)
    for _ in range(rows):
        make_prompt(tags=["mail"], seller=make_seller())
        make_review(prompt=prompt, rating=4)
    client.force_login(make_user())
    caches["pages"].clear()

    with django_assert_num_queries(10):
        page = get_page(client)

    assert len(card_titles(page)) == min(rows, 4)
    assert len(page.context["reviews"].reviews) == min(rows, 10)
