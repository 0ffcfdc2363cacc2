"""A review from the first star to its end, with the keyboard alone and without a script."""

import re

import pytest
from playwright.sync_api import expect

from catalog.models import Review
from tests.factories import make_prompt, make_purchase, make_seller, make_staff, make_user


@pytest.fixture
def buyer():
    seller = make_seller(name="Paper Desk", user=make_user(email="seller@example.com"))
    prompt = make_prompt(slug="letter", title="Letter", seller=seller)
    return make_purchase(buyer=make_user(nickname="Jieun"), prompt=prompt, is_open=True).user


def test_a_buyer_reviews_with_the_keyboard_and_deletes_it_again(buyer, english_page, sign_in):
    page = english_page
    sign_in(page, buyer)
    page.goto("/prompts/letter/")
    page.get_by_role("link", name="Write a review").click()

    page.get_by_role("radio", name="5, very good").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("Warm words.")
    page.keyboard.press("Tab")
    page.keyboard.type("GPT-5")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("/library/letter/#review$"))
    expect(page.get_by_role("article")).to_contain_text("Warm words.")
    assert Review.objects.values_list("rating", "model_used").get() == (4, "GPT-5")

    page.get_by_role("link", name="Edit your review").click()
    page.get_by_role("link", name="Delete the review").click()
    page.get_by_role("button", name="Delete the review").click()
    expect(page).to_have_url(re.compile("/library/letter/$"))
    assert Review.objects.count() == 0


def test_review_reply_report_and_decision_work_without_a_script(buyer, open_page, sign_in):
    def open_for(user):
        page = open_page(java_script_enabled=False, locale="en-US")
        sign_in(page, user)
        return page

    page = open_for(buyer)
    page.goto("/library/letter/review/")
    page.get_by_role("radio", name="2, poor").check()
    page.get_by_label("Your experience").fill("Rude words.")
    page.get_by_role("button", name="Publish the review").click()
    expect(page.get_by_role("article")).to_contain_text("Rude words.")

    page = open_for(Review.objects.get().prompt.listing.seller.user)
    page.goto("/studio/reviews/")
    page.get_by_role("link", name="Reply").click()
    page.get_by_label("Your reply").fill("Sorry to hear that.")
    page.get_by_role("button", name="Publish the reply").click()
    expect(page.get_by_role("article")).to_contain_text("Sorry to hear that.")

    page = open_for(make_user())
    page.goto("/prompts/letter/")
    page.get_by_role("link", name="Report the review by Jieun").click()
    page.get_by_role("radio", name="insulting").check()
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your report has arrived")

    page = open_for(make_staff("catalogue staff"))
    page.goto("/admin/catalog/report/")
    page.get_by_role("link", name="Review of Letter: Rude words.").click()
    page.get_by_role("radio", name="Hide the review").check()
    page.get_by_label("Reason").fill("It insults somebody.")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("1 report was closed.")).to_be_visible()

    page = open_for(buyer)
    page.goto("/library/letter/")
    expect(page.get_by_text("It insults somebody.")).to_be_visible()
