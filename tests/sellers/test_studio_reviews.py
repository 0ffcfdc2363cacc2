"""The studio's reviews: what buyers said, and the seller's one reply to each."""

import re
from datetime import timedelta

import pytest

from catalog.models import Listing, Prompt, Review
from marketplace.roles import ROLES
from sellers.models import Seller
from tests.factories import (
    NOON,
    make_prompt,
    make_purchase,
    make_review,
    make_seller,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db

EN = {"accept-language": "en"}


@pytest.fixture
def seller():
    return make_seller(name="Paper Desk")


@pytest.fixture
def prompt(seller):
    return make_prompt(slug="letter", title="Letter", seller=seller)


@pytest.fixture
def review(prompt):
    return make_review(prompt=prompt, author=make_user(nickname="Jieun"), rating=4, body="Warm.")


@pytest.fixture
def studio(client, seller):
    client.force_login(seller.user)
    return client


def addresses(review):
    return [
        "/studio/reviews/",
        f"/studio/reviews/{review.pk}/reply/",
        f"/studio/reviews/{review.pk}/reply/delete/",
    ]


def bodies(client, query="") -> list[str]:
    return [review.body for review in client.get(f"/studio/reviews/{query}").context["page"]]


def test_the_list_shows_what_was_said_of_ones_own_prompts_newest_first(studio, prompt):
    make_review(prompt=prompt, body="Older.", created_at=NOON - timedelta(days=1))
    make_review(prompt=prompt, body="Newer.", created_at=NOON)
    make_review(prompt=prompt, body="Hidden.", hidden_at=NOON)
    make_review(prompt=make_prompt(seller=make_seller()), body="Of another.")
    make_review(prompt=make_prompt(), body="Of the house.")

    assert bodies(studio) == ["Newer.", "Older."]


def test_filters_combine_and_say_how_many_each_would_show(studio, prompt):
    make_review(prompt=prompt, rating=5, body="5 answered", reply="Thanks.", created_at=NOON)
    make_review(prompt=prompt, rating=5, body="5 open", created_at=NOON - timedelta(hours=1))
    make_review(prompt=prompt, rating=1, body="1 open", created_at=NOON - timedelta(hours=2))

    assert bodies(studio, "?state=unanswered") == ["5 open", "1 open"]
    assert bodies(studio, "?stars=5") == ["5 answered", "5 open"]
    assert bodies(studio, "?stars=5&state=unanswered") == ["5 open"]
    assert bodies(studio, "?stars=2") == []
    assert bodies(studio, "?stars=9&state=x&page=x") == ["5 answered", "5 open", "1 open"]
    page = studio.get("/studio/reviews/?state=unanswered", headers=EN)
    chips = [(str(chip["label"]), chip["count"], chip["is_selected"]) for chip in page.context["filters"]]
    assert chips == [
        *[("All", 3, False), ("Unanswered", 2, True)],
        *[("5 stars", 1, False), ("4 stars", 0, False), ("3 stars", 0, False), ("2 stars", 0, False)],
        ("1 star", 1, False),
    ]
    assert page.context["filters"][2]["address"] == "/studio/reviews/?state=unanswered&stars=5"


def test_pages_of_twenty_keep_the_filter(studio, prompt):
    for number in range(25):
        make_review(prompt=prompt, body=f"{number}", created_at=NOON - timedelta(hours=number))

    read = bodies(studio, "?state=unanswered") + bodies(studio, "?state=unanswered&page=2")

    assert read == [str(number) for number in range(25)]
    assert 'href="?state=unanswered&amp;page=2"' in studio.get("/studio/reviews/?state=unanswered").text


def test_without_reviews_the_page_says_so(studio):
    assert "No reviews yet" in studio.get("/studio/reviews/", headers=EN).text


def test_a_reply_stands_below_the_review_for_everybody(studio, client, review):
    sent = studio.post(f"/studio/reviews/{review.pk}/reply/", {"reply": " Thank you.\r\nCome again. "})

    assert sent["Location"] == "/studio/reviews/"
    review.refresh_from_db()
    assert (review.reply, bool(review.replied_at)) == ("Thank you.\nCome again.", True)
    client.logout()
    assert "Come again." in client.get("/prompts/letter/").text


def test_a_reply_is_changed_and_deleted(studio, review):
    address = f"/studio/reviews/{review.pk}/reply/"
    studio.post(address, {"reply": "Thank you."})

    assert "Thank you.</textarea>" in studio.get(address).text
    studio.post(address, {"reply": "Thanks."})
    assert Review.objects.get().reply == "Thanks."

    for _ in range(2):
        assert studio.post(f"{address}delete/")["Location"] == "/studio/reviews/"
    assert Review.objects.values_list("reply", "replied_at").get() == ("", None)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1_001])
def test_an_empty_or_long_reply_is_refused_and_kept(studio, review, text):
    page = studio.post(f"/studio/reviews/{review.pk}/reply/", {"reply": text}, headers=EN)

    assert page.status_code == 422
    assert text in page.text
    assert Review.objects.get().reply == ""


def test_whoever_comes_back_to_the_address_of_deleting_finds_the_reply(studio, review):
    review.reply = "Thank you."
    review.save()

    answer = studio.get(f"/studio/reviews/{review.pk}/reply/delete/", follow=True)

    assert answer.redirect_chain == [(f"/studio/reviews/{review.pk}/reply/", 302)]
    assert "Thank you." in answer.text


def test_what_is_hidden_is_as_if_it_were_not_there(studio, review):
    Review.objects.update(hidden_at=NOON, hidden_reason="refunded")

    _list, reply, delete = addresses(review)
    assert [studio.get(reply).status_code, studio.post(reply, {"reply": "x"}).status_code] == [404, 404]
    assert studio.post(delete).status_code == 404
    assert Review.objects.get().reply == ""


def test_another_seller_finds_nothing_and_changes_nothing(client, review):
    client.force_login(make_seller().user)
    _list, reply, delete = addresses(review)

    assert [client.get(reply).status_code, client.post(reply, {"reply": "x"}).status_code] == [404, 404]
    assert client.post(delete).status_code == 404
    assert Review.objects.get().reply == ""


def test_visitors_sign_in_and_whoever_sells_nothing_is_led_to_selling(client, review):
    for address in addresses(review)[:2]:
        assert client.get(address)["Location"] == f"/accounts/login/?next={address}"
    people = [make_user(), review.author, make_purchase().user, *(make_staff(role) for role in ROLES)]
    for person in people:
        client.force_login(person)
        for address in addresses(review):
            assert client.post(address, {"reply": "x"}).status_code in (302, 405)
        for address in addresses(review)[:2]:
            assert client.get(address)["Location"] == "/sell/"
    assert Review.objects.get().reply == ""


def test_a_suspended_seller_reads_and_does_not_write(studio, review):
    Seller.objects.update(status="suspended")
    _list, reply, delete = addresses(review)

    assert bodies(studio) == ["Warm."]
    assert studio.get(reply).status_code == 200
    assert [studio.post(reply, {"reply": "x"}).status_code, studio.post(delete).status_code] == [403, 403]
    assert Review.objects.get().reply == ""


def test_what_is_off_sale_keeps_its_reviews(studio, review):
    Listing.objects.update(state="withdrawn")
    Prompt.objects.update(is_published=False)

    assert bodies(studio) == ["Warm."]


def test_the_tab_is_marked(studio):
    page = studio.get("/studio/reviews/", headers=EN).text

    assert re.search(r'href="/studio/reviews/" aria-current="page">Reviews</a>', page)


@pytest.mark.parametrize("rows", [1, 20])
def test_the_list_costs_the_same_however_long(studio, prompt, rows, django_assert_num_queries):
    for number in range(rows):
        make_review(prompt=prompt, author=make_user(nickname=f"N{number}"), reply="Thanks." if number % 2 else "")

    with django_assert_num_queries(7):  # session, user, seller, count, filters, page, badge
        studio.get("/studio/reviews/")
