"""From the page about selling to the studio, with a browser and a mailbox; and the page behind the mailed link."""

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from sellers.application_links import sign_link
from sellers.models import SellerApplication
from sellers.onboarding import (
    accept_application,
    ask_applicant,
    decline_application,
    start_review,
    withdraw_application,
)
from tests.e2e.test_every_page import look_at
from tests.factories import NOON, make_application, make_user


def newest_link(address: str) -> str:
    texts = [message.body for message in mail.outbox if message.to == [address]]
    return re.findall(r"http://localhost:8000(/\S+)", texts[-1])[0]


def fill_in(page, *, email: str, message: str = "I write prompts for offices.") -> None:
    page.get_by_label("Name (required)").fill("Mina Kim")
    page.get_by_label("E-mail address (required)").fill(email)
    page.get_by_label("Writing and editing").check()
    page.get_by_label("What do your prompts do").fill(message)
    page.get_by_label("I agree that my name").check()


def test_somebody_applies_answers_is_accepted_and_opens_the_studio(english_page, read_code, check_accessibility):
    page, staff = english_page, make_user(is_staff=True)
    page.goto("/")
    page.get_by_role("link", name="Sell", exact=True).click()
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_role("alert").filter(has_text="5 things to correct")).to_be_visible()
    check_accessibility(page)
    fill_in(page, email="mina@example.com")
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your application is on its way")

    application = SellerApplication.objects.get()
    ask_applicant(application=application, staff=staff, question="Which model?", now=NOON)
    page.goto(newest_link("mina@example.com"))
    page.get_by_label("Your answer").fill("Any of them.")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_role("heading", name="Received")).to_be_visible()

    page.get_by_role("link", name="Withdraw the application").click()
    page.get_by_role("button", name="Withdraw it").click()
    page.get_by_role("button", name="Apply again with the same words").click()
    expect(page.get_by_role("heading", name="Received")).to_be_visible()

    accept_application(application=application, staff=staff, now=NOON)
    page.goto(newest_link("mina@example.com"))
    page.locator("#id_email").fill("mina@example.com")
    page.locator("#id_password1").fill("long-enough-1")
    page.locator("#id_password2").fill("long-enough-1")
    page.locator("main").get_by_role("button", name="Sign up", exact=True).click()
    page.locator("input[name=code]").fill(read_code("mina@example.com"))
    page.locator("main button.button--primary").click()
    expect(page).to_have_url(re.compile("/studio/$"))


def test_it_works_without_scripts(open_page):
    page = open_page(locale="en-US", java_script_enabled=False)
    page.goto("/sell/")
    fill_in(page, email="mina@example.com")
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your application is on its way")

    page.goto(newest_link("mina@example.com"))
    page.get_by_role("link", name="Withdraw the application").click()
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_role("heading", name="Withdrawn")).to_be_visible()


def test_the_counter_counts_and_says_it_near_the_end(english_page):
    page = english_page
    page.goto("/sell/")
    field, counter = page.get_by_label("What do your prompts do"), page.locator(".field__count")
    expect(counter).to_have_text("2,000 characters left")

    field.fill("가나다")
    expect(counter).to_have_text("1,997 characters left")
    field.fill("a" * 1_950)
    expect(page.locator("#announcer")).to_have_text("50 characters left")
    field.fill("a" * 2_003)
    expect(counter).to_have_text("3 characters too many")
    expect(page.locator("#announcer")).to_have_text("3 characters too many")


def test_the_trap_is_out_of_sight_and_out_of_reach(english_page):
    page = english_page
    page.goto("/sell/")

    expect(page.locator("input[name=subject]")).to_be_hidden()
    assert "Leave this empty" not in page.locator("main").aria_snapshot()


def receive(application, staff):
    pass


def ask(application, staff):
    ask_applicant(
        application=application, staff=staff, question="어떤 모델에서 써 보셨나요?\n예를 들어 주세요.", now=NOON
    )


def decline(application, staff):
    decline_application(application=application, staff=staff, reason="비슷한 상품이 이미 많아요.", now=NOON)


def review(application, staff):
    start_review(application=application, staff=staff, now=NOON)


def accept(application, staff):
    accept_application(application=application, staff=staff, now=NOON)


def withdraw(application, staff):
    withdraw_application(application=application, now=NOON)


@pytest.mark.parametrize("move", [receive, review, ask, accept, decline, withdraw])
@pytest.mark.parametrize("kind", ["page", "phone"])
def test_the_page_behind_the_link_in_every_standing(live_server, request, kind, move, check_accessibility):
    application = make_application(
        name="김미나", email=f"{'long' * 12}@example.com", message="보고서를 써요.\n매일 써요."
    )
    move(application, make_user(is_staff=True))

    look_at(request.getfixturevalue(kind), f"/sell/application/{sign_link(application)}/", check_accessibility)
