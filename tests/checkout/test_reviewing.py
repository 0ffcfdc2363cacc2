"""Who may review what, what a refund does to it, and the pages on which buyers write."""

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Listing, Prompt, Review, SearchDocument
from catalog.moderation import hide_reviews
from catalog.ratings import find_mean
from catalog.recount import repair_ratings
from catalog.reviews import ReviewRefused, delete_review
from catalog.search import rank_rating
from checkout.library import open_entitlement, revoke_entitlement
from checkout.models import Entitlement
from checkout.refunds import begin_refund, find_paid_payment
from checkout.reviewing import show_reviews_again, write_review
from marketplace.roles import ROLES
from sellers.models import SellerMail
from tests.factories import (
    NOON,
    make_paid_order,
    make_prompt,
    make_purchase,
    make_refund,
    make_report,
    make_review,
    make_seller,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db

EN = {"Accept-Language": "en"}
ADDRESSES = ["/library/letter/review/", "/library/letter/review/delete/"]


def write(entitlement, *, rating=5, body="", model_used="", now=NOON):
    return write_review(entitlement=entitlement, rating=rating, body=body, model_used=model_used, now=now)


def read_counters():
    return Prompt.objects.values_list("rating", "review_count").get()


def tell(answer) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


# --- Who may


def test_whoever_opened_what_they_bought_reviews_it_and_it_counts_at_once():
    entitlement = make_purchase(is_open=True)

    review, is_new = write(entitlement, rating=4, body="Good.", model_used="GPT-5")

    assert (review.rating, review.body, review.model_used, review.author) == (4, "Good.", "GPT-5", entitlement.user)
    assert (is_new, read_counters()) == (True, (4.0, 1))
    assert Listing.objects.get().rating_rank == SearchDocument.objects.get().rating_rank == rank_rating(4, 1)


def test_a_free_prompt_is_open_at_once_and_may_be_reviewed():
    write(make_purchase(prompt=make_prompt(price=0)))

    assert read_counters() == (5.0, 1)


def test_a_sealed_purchase_is_not_reviewed():
    with translation.override("en"), pytest.raises(ReviewRefused, match="Open the prompt first"):
        write(make_purchase())

    assert Review.objects.count() == 0


@pytest.mark.parametrize("reason", ["refunded", "staff"])
def test_a_right_that_is_gone_reviews_nothing(reason):
    entitlement = make_purchase(is_open=True)
    revoke_entitlement(entitlement_id=entitlement.pk, reason=reason, now=NOON)

    with translation.override("en"), pytest.raises(ReviewRefused, match="refunded or taken back"):
        write(entitlement)

    assert Review.objects.count() == 0


def test_nobody_reviews_their_own_prompt_even_with_a_purchase_of_it():
    buyer, prompt = make_user(), make_prompt()
    entitlement = make_purchase(buyer=buyer, prompt=prompt, is_open=True)
    Listing.objects.filter(prompt=prompt).update(seller=make_seller(user=buyer))

    with translation.override("en"), pytest.raises(ReviewRefused, match="sell this prompt yourself"):
        write(entitlement)

    assert Review.objects.count() == 0


def test_a_second_time_changes_the_first_and_says_so_later():
    entitlement = make_purchase(is_open=True)
    first, _ = write(entitlement, rating=2, body="Slow.")

    again, is_new = write(entitlement, rating=5, body="Fast now.", now=NOON + timedelta(hours=1))

    assert (again.pk, is_new, Review.objects.count()) == (first.pk, False, 1)
    saved = Review.objects.get()
    assert (saved.rating, saved.body, saved.created_at) == (5, "Fast now.", NOON)
    assert saved.is_edited
    assert read_counters() == (5.0, 1)


def test_the_same_words_again_are_no_edit():
    entitlement = make_purchase(is_open=True)
    write(entitlement, body="Good.")

    write(entitlement, body="Good.", now=NOON + timedelta(days=1))

    assert Review.objects.get().updated_at == NOON


def test_a_slip_corrected_within_a_minute_is_no_edit_that_shows():
    entitlement = make_purchase(is_open=True)
    write(entitlement, body="Gud.")

    review, _ = write(entitlement, body="Good.", now=NOON + timedelta(seconds=50))

    assert (review.body, review.is_edited) == ("Good.", False)


# --- The seller's mail


def test_the_seller_hears_of_a_new_review_once(mailoutbox, django_capture_on_commit_callbacks):
    prompt = make_prompt(title="Letters", seller=make_seller(language="en", user=make_user(email="s@example.com")))
    entitlement = make_purchase(buyer=make_user(nickname="Jieun"), prompt=prompt, is_open=True)

    with django_capture_on_commit_callbacks(execute=True):
        review, _ = write(entitlement, rating=4, body="Warm words.")
        write(entitlement, rating=3, body="Less warm.")
        delete_review(review=review)
        write(entitlement, rating=1, body="Cold.")

    [mail] = [mail for mail in mailoutbox if "review" in mail.subject]
    assert mail.to == ["s@example.com"]
    assert mail.subject.endswith("A new review of “Letters”")
    for text in (mail.body, mail.alternatives[0].content):
        assert "Jieun reviewed “Letters”: 4 of 5 stars." in text
        assert "Warm words." in text
        assert "/studio/reviews/" in text


def test_somebody_without_a_nickname_is_called_so_in_the_seller_s_language():
    prompt = make_prompt(title="Letters", seller=make_seller(language="ko"))

    write(make_purchase(prompt=prompt, is_open=True))

    assert SellerMail.objects.get(kind="new_review").context["author"] == "구매자"


def test_a_prompt_of_the_house_tells_nobody():
    write(make_purchase(is_open=True))

    assert SellerMail.objects.count() == 0


# --- Refunds


def make_reviewed():
    """A paid, opened purchase with its review of two stars, beside another buyer's five."""
    entitlement = make_purchase(is_open=True)
    review, _ = write(entitlement, rating=2, body="Bad.")
    write(make_purchase(prompt=entitlement.prompt, is_open=True), rating=5)
    assert read_counters() == (3.5, 2)
    return entitlement, review


def test_a_refund_hides_the_review_and_it_stops_counting():
    entitlement, review = make_reviewed()

    make_refund(order=entitlement.order_line.order, reason="staff", note="Sorry.")

    review.refresh_from_db()
    assert (review.hidden_reason, review.hidden_note, review.hidden_at) == ("refunded", "", NOON)
    assert read_counters() == (5.0, 1)


def test_a_refund_that_fails_brings_the_review_back():
    entitlement, review = make_reviewed()

    make_refund(order=entitlement.order_line.order, reason="staff", note="Sorry.", status="failed")

    review.refresh_from_db()
    assert (review.hidden_reason, review.hidden_at) == ("", None)
    assert read_counters() == (3.5, 2)


def test_hiding_is_undone_with_the_refund_that_could_not_be_recorded(monkeypatch):
    entitlement, review = make_reviewed()
    order = entitlement.order_line.order
    monkeypatch.setattr("checkout.refunds.create_refund", lambda **fields: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        begin_refund(
            order=order, payment=find_paid_payment(order), lines=list(order.lines.all()), reason="staff", now=NOON
        )

    review.refresh_from_db()
    assert (review.hidden_reason, read_counters()) == ("", (3.5, 2))


def test_who_buys_again_after_a_refund_edits_the_review_of_then():
    entitlement, review = make_reviewed()
    make_refund(order=entitlement.order_line.order, reason="staff", note="Sorry.", status="done")

    again = make_purchase(buyer=entitlement.user, prompt=entitlement.prompt)
    assert read_counters() == (5.0, 1)  # sealed: nothing new to say yet
    open_entitlement(entitlement=again, wording_version="test", now=NOON)
    assert read_counters() == (3.5, 2)

    saved, is_new = write(again, rating=4)
    assert (saved.pk, is_new, read_counters()) == (review.pk, False, (4.5, 2))


def test_several_lines_refunded_at_once_hide_the_review_of_each():
    prompts = [make_prompt(), make_prompt()]
    order = make_paid_order(prompts=prompts)
    for right in Entitlement.objects.all():
        open_entitlement(entitlement=right, wording_version="test", now=NOON)
        write(right, rating=3)

    make_refund(order=order, reason="staff", note="Sorry.")

    assert set(Review.objects.values_list("hidden_reason", flat=True)) == {"refunded"}
    assert set(Prompt.objects.values_list("rating", "review_count")) == {(0.0, 0)}


def test_what_staff_took_back_keeps_its_review():
    entitlement, review = make_reviewed()

    revoke_entitlement(entitlement_id=entitlement.pk, reason="staff", now=NOON)

    review.refresh_from_db()
    assert (review.hidden_reason, read_counters()) == ("", (3.5, 2))


def test_what_staff_hid_stays_hidden_whatever_refunds_do():
    entitlement, review = make_reviewed()
    hide_reviews(reviews=[review], note="Rude.", now=NOON)

    make_refund(order=entitlement.order_line.order, reason="staff", note="Sorry.", status="failed")
    again, _ = write(entitlement, rating=1, body="Worse.")

    assert (again.hidden_reason, again.hidden_note, again.body) == ("staff", "Rude.", "Worse.")
    assert read_counters() == (5.0, 1)


def test_what_staff_show_again_stays_hidden_where_the_money_went_back():
    entitlement, review = make_reviewed()
    hide_reviews(reviews=[review], note="Rude.", now=NOON)
    make_refund(order=entitlement.order_line.order, reason="staff", note="Sorry.", status="done")

    assert show_reviews_again(reviews=[review], now=NOON) == [review]
    assert show_reviews_again(reviews=[review], now=NOON) == []

    review.refresh_from_db()
    assert (review.hidden_reason, review.hidden_note, read_counters()) == ("refunded", "", (5.0, 1))


def test_what_staff_show_again_counts_again():
    _entitlement, review = make_reviewed()
    hide_reviews(reviews=[review], note="Rude.", now=NOON)

    show_reviews_again(reviews=[review], now=NOON)

    review.refresh_from_db()
    assert (review.hidden_reason, review.hidden_note, read_counters()) == ("", "", (3.5, 2))


# --- The rating is right after anything


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "delete", "hide", "show", "refund", "refund_fails", "buy_again"]),
        st.integers(0, 2),
        st.integers(1, 5),
    ),
    max_size=16,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_rating_is_the_mean_of_what_is_visible_after_any_sequence(steps):
    with transaction.atomic():
        prompt = make_prompt()
        rights = [make_purchase(prompt=prompt, is_open=True) for _ in range(3)]
        is_refunded, is_staff_hidden = [False] * 3, [False] * 3
        for step, who, stars in steps:
            right = rights[who]
            review = Review.objects.filter(author=right.user).first()
            match step:
                case "write" if not is_refunded[who]:
                    write(right, rating=stars)
                case "delete" if review and not is_staff_hidden[who]:
                    delete_review(review=review)
                case "hide" if review:
                    hide_reviews(reviews=[review], note="Rude.", now=NOON)
                    is_staff_hidden[who] = True
                case "show" if review:
                    show_reviews_again(reviews=[review], now=NOON)
                    is_staff_hidden[who] = False
                case "refund" | "refund_fails" if not is_refunded[who]:
                    is_refunded[who] = step == "refund"
                    status = "requested" if is_refunded[who] else "failed"
                    make_refund(order=right.order_line.order, reason="staff", note="-", status=status)
                case "buy_again" if is_refunded[who]:
                    rights[who] = make_purchase(buyer=right.user, prompt=prompt, is_open=True)
                    is_refunded[who] = False

            reviews = Review.objects.filter(prompt=prompt)
            counted = [
                each.rating
                for number, right in enumerate(rights)
                for each in reviews.filter(author=right.user)
                if not is_refunded[number] and not is_staff_hidden[number]
            ]
            assert sorted(reviews.visible().values_list("rating", flat=True)) == sorted(counted)
            prompt.refresh_from_db()
            assert (prompt.rating, prompt.review_count) == (find_mean(sum(counted), len(counted)), len(counted))
            assert Listing.objects.get().rating_rank == rank_rating(prompt.rating, len(counted))
            assert repair_ratings([prompt.pk], is_dry_run=True) == set()
        transaction.set_rollback(True)


# --- The pages


@pytest.fixture
def bought(buyer):
    return make_purchase(buyer=buyer, prompt=make_prompt(slug="letter", title="Letter"), is_open=True)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_visitor_signs_in_first_and_comes_back(client, bought, address):
    assert client.get(address)["Location"] == f"/accounts/login/?next={address}"


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_finds_no_page(bought, stranger_client, address, method):
    make_review(prompt=bought.prompt, author=bought.user)

    answer = getattr(stranger_client, method)(address, {"rating": "1"})

    assert (answer.status_code, Review.objects.get().rating) == (404, 5)


@pytest.mark.parametrize("address", ADDRESSES)
def test_staff_of_every_role_find_no_page(bought, client, address):
    for role in ROLES:
        client.force_login(make_staff(role))
        assert client.get(address).status_code == 404


def test_the_seller_finds_no_page(client, bought):
    seller = make_seller()
    Listing.objects.update(seller=seller)
    client.force_login(seller.user)

    assert [client.get(address).status_code for address in ADDRESSES] == [404, 404]


def test_a_seller_who_bought_it_before_is_told_why_not(buyer_client, bought):
    Listing.objects.update(seller=make_seller(user=bought.user))

    shown = buyer_client.get("/library/letter/review/", headers=EN)
    sent = buyer_client.post("/library/letter/review/", {"rating": "5"}, headers=EN)

    words = "You sell this prompt yourself, so you cannot review it."
    assert (shown["Location"], sent["Location"]) == ("/library/letter/", "/library/letter/")
    assert tell(shown) == [words]
    assert words in tell(sent)
    assert Review.objects.count() == 0


def test_a_sealed_buyer_is_led_to_the_seal(buyer, buyer_client):
    make_purchase(buyer=buyer, prompt=make_prompt(slug="letter"))

    shown = buyer_client.get("/library/letter/review/", headers=EN)
    sent = buyer_client.post("/library/letter/review/", {"rating": "5"}, headers=EN)

    assert (shown["Location"], sent["Location"]) == ("/library/letter/", "/library/letter/")
    assert tell(shown) == ["Open the prompt first. A review tells what it was like to use it."]
    assert Review.objects.count() == 0


def test_a_refunded_buyer_reads_and_deletes_the_own_review_and_writes_none(buyer_client, bought):
    write(bought, body="Good.")
    make_refund(order=bought.order_line.order, reason="staff", note="Sorry.", status="done")

    library = buyer_client.get("/library/letter/", headers=EN).text
    page = buyer_client.get("/library/letter/review/", headers=EN).text
    sent = buyer_client.post("/library/letter/review/", {"rating": "1"}, headers=EN)

    for text in (library, page):
        assert "Good." in text
        assert "You got your money back, so nobody else sees it" in text
    assert 'name="rating"' not in page
    assert (sent.status_code, Review.objects.get().rating) == (302, 5)
    assert buyer_client.post("/library/letter/review/delete/").status_code == 302
    assert Review.objects.count() == 0


def test_the_reader_offers_the_form_and_the_review_when_there_is_one(buyer_client, bought):
    before = buyer_client.get("/library/letter/", headers=EN).text
    buyer_client.post(
        "/library/letter/review/", {"rating": "4", "body": " Warm.\r\nVery. ", "model_used": " GPT-5 "}, headers=EN
    )
    after = buyer_client.get("/library/letter/", headers=EN).text

    assert 'action="/library/letter/review/"' in before
    review = Review.objects.get()
    assert (review.rating, review.body, review.model_used) == (4, "Warm.\nVery.", "GPT-5")
    assert "Warm." in after
    assert 'name="rating"' not in after
    assert 'href="/library/letter/review/"' in after


def test_the_answer_to_a_review_is_the_place_where_it_stands(buyer_client, bought):
    first = buyer_client.post("/library/letter/review/", {"rating": "4"}, headers=EN)
    second = buyer_client.post("/library/letter/review/", {"rating": "5"}, headers=EN)

    assert (first["Location"], second["Location"]) == ("/library/letter/#review", "/library/letter/#review")
    assert tell(second) == ["Thank you. Your review is published.", "Your review is saved."]


def test_what_another_tab_saved_is_shown_before_it_is_replaced(buyer_client, bought):
    tab = {"seen": "", "rating": "2", "body": "Cold."}
    buyer_client.post("/library/letter/review/", {"seen": "", "rating": "4", "body": "Warm."})

    page = buyer_client.post("/library/letter/review/", tab, headers=EN)

    assert page.status_code == 422
    assert "You saved a review in another tab meanwhile." in page.text
    assert "Warm." in page.text
    assert "Cold.</textarea>" in page.text
    assert Review.objects.get().body == "Warm."
    seen = re.search(r'name="seen" value="([^"]+)"', page.text)[1]
    assert buyer_client.post("/library/letter/review/", tab | {"seen": seen}).status_code == 302
    assert Review.objects.get().body == "Cold."


def test_two_clicks_send_the_same_words_and_ask_nothing(buyer_client, bought):
    form = {"seen": "", "rating": "4", "body": "Warm."}

    assert [buyer_client.post("/library/letter/review/", form).status_code for _ in range(2)] == [302, 302]


@pytest.mark.parametrize("fields", [{}, {"rating": "0"}, {"rating": "6"}, {"rating": "4.5"}, {"rating": "x"}])
def test_without_one_to_five_stars_nothing_is_lost_and_nothing_saved(buyer_client, bought, fields):
    page = buyer_client.post(
        "/library/letter/review/", {**fields, "body": "Warm words.", "model_used": "GPT-5"}, headers=EN
    )

    assert page.status_code == 422
    assert "Warm words.</textarea>" in page.text
    assert 'value="GPT-5"' in page.text
    assert Review.objects.count() == 0


def test_too_long_a_text_is_refused_and_kept(buyer_client, bought):
    page = buyer_client.post("/library/letter/review/", {"rating": "4", "body": "가" * 2_001}, headers=EN)

    assert page.status_code == 422
    assert "가" * 2_001 in page.text
    assert re.search(r'value="4"[^>]*checked', page.text)
    assert buyer_client.post("/library/letter/review/", {"rating": "4", "body": "가" * 2_000}).status_code == 302


def test_the_form_offers_models_that_prompts_are_made_for(buyer_client, bought):
    make_prompt(listing={"model": "Claude"})

    assert '<option value="Claude">' in buyer_client.get("/library/letter/review/").text


def test_the_author_reads_why_staff_hid_it_and_nobody_else_reads_anything(buyer_client, stranger_client, bought):
    review, _ = write(bought, body="Rude words.")
    make_report(review=review)
    hide_reviews(reviews=[review], note="It insults somebody.", now=NOON)

    for address in ("/library/letter/", "/library/letter/review/", "/prompts/letter/"):
        page = buyer_client.get(address, headers=EN).text
        assert "Our staff hid your review" in page
        assert "It insults somebody." in page
    others = stranger_client.get("/prompts/letter/", headers=EN).text
    assert ("It insults somebody." in others, "Rude words." in others) == (False, False)


def test_deleting_asks_once_and_then_it_is_gone(buyer_client, bought):
    write(bought, body="Good.")

    asked = buyer_client.get("/library/letter/review/delete/", headers=EN)
    assert "Good." in asked.text
    assert Review.objects.count() == 1

    deleted = [buyer_client.post("/library/letter/review/delete/", headers=EN) for _ in range(2)]

    assert [answer["Location"] for answer in deleted] == ["/library/letter/", "/library/letter/"]
    assert Review.objects.count() == 0
    assert read_counters() == (0.0, 0)


def test_what_staff_hid_cannot_be_deleted_and_written_anew(buyer_client, bought):
    review, _ = write(bought, rating=1, body="Rude.")
    hide_reviews(reviews=[review], note="It insults somebody.", now=NOON)

    refused = buyer_client.post("/library/letter/review/delete/", headers=EN)
    emptied = buyer_client.post("/library/letter/review/", {"rating": "1", "body": ""}, headers=EN)

    assert refused["Location"] == "/library/letter/review/"
    assert tell(refused) == [
        "Our staff hid this review, so it stays on record. You can still take the words out of it."
    ]
    assert emptied.status_code == 302
    assert Review.objects.values_list("body", "hidden_reason").get() == ("", "staff")
    assert read_counters() == (0.0, 0)


@pytest.mark.parametrize("is_reviewed", [False, True])
def test_the_form_costs_few_queries(buyer_client, bought, is_reviewed, django_assert_max_num_queries):
    if is_reviewed:
        write(bought)

    with django_assert_max_num_queries(7):  # session, user, right, review, open, models, badge
        buyer_client.get("/library/letter/review/")
