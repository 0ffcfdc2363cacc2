"""Reviews on the product page and the profile, replies, and how a mean is rounded and ranked."""

import json
import re
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import Prompt, Review
from catalog.moderation import hide_reviews, show_reviews
from catalog.ratings import find_mean, refresh_ratings
from catalog.reviews import ReviewRefused, delete_review, reply_to_review, save_review
from catalog.search import PRIOR_RATING, rank_rating
from tests.catalog.pages import plain
from tests.factories import NOON, make_prompt, make_purchase, make_review, make_seller, make_user

EN = {"accept-language": "en"}


def read_reviews(client, address="/prompts/letter/", **headers) -> str:
    page = client.get(address, headers={**EN, **headers}).text
    return page.partition('id="reviews"')[2].partition('id="seller"')[0]


def save(prompt, *, author=None, rating=5, body="", now=NOON):
    fields = {"rating": rating, "body": body, "model_used": ""}
    return save_review(prompt=prompt, author=author or make_user(), now=now, **fields)[0]


# --- Sums


@pytest.mark.parametrize(
    ("stars", "count", "mean"),
    [(0, 0, 0.0), (5, 1, 5.0), (33, 8, 4.13), (35, 8, 4.38), (14, 3, 4.67), (10, 3, 3.33), (1_001, 1_000, 1.0)],
)
def test_a_mean_is_rounded_to_hundredths_halves_up(stars, count, mean):
    assert find_mean(stars, count) == mean


counts_of_stars = st.lists(st.integers(0, 400), min_size=5, max_size=5)


def rank(counts) -> float:
    """The place of a prompt with so many reviews of one, two, three, four and five stars."""
    return rank_rating(find_mean(sum(n * stars for stars, n in enumerate(counts, 1)), sum(counts)), sum(counts))


@given(counts=counts_of_stars)
def test_a_place_lies_between_one_and_five_stars_and_without_reviews_at_the_end(counts):
    assert 1 < rank(counts) < 5 if any(counts) else rank(counts) == 0


@given(counts=counts_of_stars.filter(any), stars=st.integers(0, 3))
def test_a_star_more_in_one_review_never_costs_a_place(counts, stars):
    better = list(counts)
    if better[stars]:
        better[stars] -= 1
        better[stars + 1] += 1

    assert rank(better) >= rank(counts)


@given(mean=st.integers(100, 500), count=st.integers(1, 1_000), more=st.integers(1, 1_000))
def test_more_reviews_of_the_same_mean_lead_away_from_the_middle(mean, count, more):
    few, many = rank_rating(mean / 100, count), rank_rating(mean / 100, count + more)

    assert many >= few if mean / 100 >= PRIOR_RATING else many <= few


def test_a_single_five_does_not_outrank_fifty_times_four_point_eight():
    assert rank_rating(5, 1) < rank_rating(4.8, 50)
    assert rank_rating(5, 1) > rank_rating(3.5, 50) > rank_rating(1, 1) > rank_rating(0, 0)


# --- The author and the seller


@pytest.mark.django_db
def test_the_seller_of_a_prompt_is_refused_whoever_asks():
    seller = make_seller()

    with translation.override("en"), pytest.raises(ReviewRefused, match="sell this prompt yourself"):
        save(make_prompt(seller=seller), author=seller.user)


@pytest.mark.django_db
def test_deleting_twice_says_so():
    review = save(make_prompt())

    assert [delete_review(review=review), delete_review(review=review)] == [True, False]
    assert Prompt.objects.values_list("rating", "review_count").get() == (0, 0)


@pytest.mark.django_db
def test_hiding_needs_a_reason_and_happens_once():
    review = save(make_prompt())

    with pytest.raises(ValueError, match="reason"):
        hide_reviews(reviews=[review], note=" ", now=NOON)
    assert hide_reviews(reviews=[review], note="Rude.", now=NOON) == [review]
    assert hide_reviews(reviews=[review], note="Again.", now=NOON + timedelta(days=1)) == []

    assert Review.objects.values_list("hidden_note", "hidden_at").get() == ("Rude.", NOON)
    assert show_reviews(reviews=[review], refunded_ids=[], now=NOON) == [review]
    assert show_reviews(reviews=[review], refunded_ids=[], now=NOON) == []
    assert Prompt.objects.values_list("rating", "review_count").get() == (5, 1)


@pytest.mark.django_db
def test_a_reply_is_written_changed_and_taken_away():
    review, later = save(make_prompt()), NOON + timedelta(hours=1)

    def read():
        return Review.objects.values_list("reply", "replied_at").get()

    assert reply_to_review(review=review, reply="Thank you.", now=NOON)
    assert not reply_to_review(review=review, reply="Thank you.", now=later)
    assert read() == ("Thank you.", NOON)
    assert reply_to_review(review=review, reply="Thanks.", now=later)
    assert read() == ("Thanks.", later)
    assert reply_to_review(review=review, reply="", now=later)
    assert read() == ("", None)


@pytest.mark.django_db
def test_nobody_replies_to_what_is_hidden():
    review = save(make_prompt())
    hide_reviews(reviews=[review], note="Rude.", now=NOON)

    assert not reply_to_review(review=review, reply="Thank you.", now=NOON)


# --- The product page


@pytest.mark.django_db
def test_a_review_says_who_how_with_what_and_when(client):
    prompt = make_prompt(slug="letter", seller=make_seller(name="Paper Desk"))
    now = timezone.now()
    make_review(
        prompt=prompt,
        author=make_user(nickname="Jieun"),
        rating=4,
        body="Warm.",
        model_used="GPT-5",
        created_at=now - timedelta(days=3),
        updated_at=now - timedelta(days=2),
        reply="Thank you.",
        replied_at=now - timedelta(days=1),
    )
    refresh_ratings([prompt.pk])

    shown = plain(read_reviews(client))

    assert "Jieun Bought and opened GPT-5 3 days ago (edited) Warm. Paper Desk 1 day ago Thank you. Report" in shown


@pytest.mark.django_db
def test_one_that_was_not_changed_says_nothing_of_it(client):
    save(make_prompt(slug="letter"))

    assert "edited" not in read_reviews(client)


@pytest.mark.django_db
def test_with_hidden_reviews_only_there_are_no_stars_and_no_rating(client):
    prompt = make_prompt(slug="letter")
    hide_reviews(reviews=[save(prompt, body="Rude.")], note="Rude.", now=NOON)

    page = client.get("/prompts/letter/", headers=EN).text

    assert 'class="stars"' not in page
    assert "aggregateRating" not in page
    assert "Rude." not in page
    assert "The first review is still to come." in page


@pytest.mark.django_db
def test_the_structured_data_say_what_the_page_shows(client):
    prompt = make_prompt(slug="letter")
    for stars in (5, 4, 4):
        save(prompt, rating=stars)
    hide_reviews(reviews=[save(prompt, rating=1)], note="Rude.", now=NOON)

    page = client.get("/prompts/letter/", headers=EN).text
    facts = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)[1])

    assert facts["@graph"][0]["aggregateRating"] == {
        "@type": "AggregateRating",
        "ratingValue": 4.3,
        "reviewCount": 3,
        "bestRating": 5,
        "worstRating": 1,
    }
    assert "4.3 out of 5, 3 reviews" in plain(page)


@pytest.mark.django_db
def test_the_own_review_is_marked_and_leads_to_its_form(client):
    prompt = make_prompt(slug="letter")
    mine = make_purchase(prompt=prompt, is_open=True)
    save(prompt, author=mine.user, rating=4, body="Mine.")
    save(prompt, body="Theirs.")
    client.force_login(mine.user)

    shown = read_reviews(client)

    assert shown.count('href="/library/letter/review/"') == 2  # above the list and in it
    assert shown.count("/report/") == 1
    assert "Your review Bought and opened" in plain(shown)


@pytest.mark.parametrize(("is_open", "has_way"), [(True, True), (False, False)])
@pytest.mark.django_db
def test_whoever_may_write_finds_the_way(client, is_open, has_way):
    client.force_login(make_purchase(prompt=make_prompt(slug="letter"), is_open=is_open).user)

    assert ("Write a review" in read_reviews(client)) == has_way
    part = client.get("/prompts/letter/", headers={**EN, "hx-request": "true", "hx-target": "reviews"})
    assert ("Write a review" in part.text) == has_way


@pytest.mark.django_db
def test_the_seller_finds_the_way_to_reply_and_others_do_not(client):
    prompt = make_prompt(slug="letter", seller=make_seller())
    review = save(prompt)
    way = f'href="/studio/reviews/{review.pk}/reply/"'

    assert way not in read_reviews(client)
    client.force_login(prompt.listing.seller.user)
    assert way in read_reviews(client)


@pytest.mark.django_db
def test_reviews_are_paged_there_and_back_without_a_script(client):
    prompt = make_prompt(slug="letter")
    for number in range(25):
        make_review(prompt=prompt, body=f"No {number}.", created_at=NOON - timedelta(hours=number))
    refresh_ratings([prompt.pk])

    address, read = "/prompts/letter/?order=lowest", []
    while address:
        page = client.get(address, headers=EN)
        read += [review.body for review in page.context["reviews"].reviews]
        is_first = "First reviews" not in page.text
        assert is_first == (len(read) == 10)
        address = page.context["more_reviews_address"]

    assert read == [f"No {number}." for number in range(25)]
    assert page.context["first_reviews_address"] == "/prompts/letter/?order=lowest"


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.django_db
def test_the_page_costs_an_owner_nine_queries(client, django_assert_num_queries, rows):
    prompt = make_prompt(slug="letter", seller=make_seller())
    for _ in range(rows):
        make_review(prompt=prompt, reply="Thank you.", replied_at=NOON)
    refresh_ratings([prompt.pk])
    client.force_login(make_purchase(prompt=prompt, is_open=True).user)
    caches["pages"].clear()

    with django_assert_num_queries(9):  # none for the cart, and two for the own review
        client.get("/prompts/letter/", headers=EN)


# --- The profile


@pytest.mark.django_db
def test_the_profile_shows_what_a_person_wrote_and_nothing_that_is_hidden(client):
    person = make_user(nickname="Jieun")
    save(make_prompt(title="Letters"), author=person, body="Warm.")
    hidden = save(make_prompt(title="Replies"), author=person, body="Rude.")
    hide_reviews(reviews=[hidden], note="It insults.", now=NOON)

    page = client.get(f"/people/{person.handle}/", headers=EN).text

    assert ("Letters" in page, "Warm." in page) == (True, True)
    assert [text in page for text in ("Replies", "Rude.", "It insults.")] == [False] * 3


@pytest.mark.parametrize("rows", [1, 15])
@pytest.mark.django_db
def test_the_profile_costs_the_same_however_many(client, django_assert_num_queries, rows):
    person = make_user()
    for _ in range(rows):
        make_review(prompt=make_prompt(seller=make_seller()), author=person, reply="Thank you.")

    with django_assert_num_queries(3):  # person, reviews, whether they sell
        client.get(f"/people/{person.handle}/", headers=EN)
