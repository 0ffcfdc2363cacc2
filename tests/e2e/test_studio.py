"""The editor in a browser: written, pictured and put on sale, with scripts and without, in one tab and in two."""

import re

import pytest
from playwright.sync_api import Page, expect

from catalog.models import Prompt
from tests.accounts.pictures import draw
from tests.factories import make_business, make_prompt, make_seller

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Write a letter to {{guest}} about {{weather}}."
PICTURE = {"name": "letter.png", "mimeType": "image/png", "buffer": draw((1200, 900), kind="PNG")}
BROKEN = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
FILE = {"name": "봄 편지.md", "mimeType": "text/markdown", "buffer": "# 봄\n".encode()}


@pytest.fixture
def seller():
    seller = make_seller(slug="paper-desk", name="Paper Desk")
    make_business(seller=seller, trade_name="Paper Desk Ltd")
    return seller


def tab(page: Page, name: str):
    return page.get_by_role("link", name=name, exact=True)


def fill(page: Page) -> None:
    page.get_by_label("Title").fill("Letters to guests")
    page.get_by_label("Price in won").fill("9,900")
    page.get_by_label("Description").fill("A **warm** letter.")
    page.get_by_label("The prompt itself").fill(TEXT)
    page.get_by_label("Other tags").fill("letters, 카페")


def add_files_and_publish(page: Page) -> None:
    tab(page, "Pictures and file").click()
    page.get_by_label("New pictures").set_input_files([PICTURE, BROKEN])
    page.get_by_role("button", name="Add pictures").click()
    expect(page.locator(".problems")).to_contain_text("“broken.png” was not taken.")
    expect(page.locator(".pictures__image")).to_have_count(1)
    page.get_by_label("What it shows").fill("A letter on a table")
    page.get_by_role("button", name=re.compile("^Save.*Picture 1")).click()
    expect(page.get_by_role("img", name="A letter on a table")).to_be_visible()
    page.locator("#id_file").set_input_files(FILE)
    page.get_by_role("button", name="Add the file").click()
    expect(page.locator("#file")).to_contain_text("봄 편지.md")

    tab(page, "Edit").click()
    page.get_by_role("link", name="Preview as a buyer").click()
    expect(page.get_by_role("heading", name="Letters to guests")).to_be_visible()
    expect(page.locator("#buy-actions").get_by_role("button", name="Buy now")).to_be_disabled()
    page.get_by_role("link", name="Back to the editor").click()
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("button", name="Publish for ₩9,900").click()
    expect(page.locator("#messages")).to_contain_text("“Letters to guests” is on sale.")


def look_as_a_buyer(page: Page) -> None:
    prompt = Prompt.objects.get()
    page.goto(prompt.get_absolute_url())
    expect(page.get_by_role("img", name="A letter on a table").first).to_be_visible()
    expect(page.locator(".facts").first).to_contain_text("Included")
    expect(page.locator("#seller")).to_contain_text("Paper Desk Ltd")
    expect(page.locator("#seller")).to_contain_text("is an intermediary and not a party to the sale")
    assert TEXT not in page.content()


def test_with_scripts_the_editor_counts_and_shows_while_one_types(seller, english_page, open_page, sign_in):
    page = english_page
    sign_in(page, seller.user)
    page.goto("/studio/")
    page.get_by_role("link", name="New prompt", exact=True).click()

    fill(page)
    expect(page.locator("#text-facts")).to_contain_text("46 characters · 2 variables")
    expect(page.locator("#description-look strong")).to_have_text("warm")
    assert Prompt.objects.count() == 0
    page.get_by_label("Title").press("Enter")  # saves, and does not only look

    expect(page.locator("#messages")).to_contain_text("Your draft is saved.")
    add_files_and_publish(page)
    look_as_a_buyer(open_page(locale="en-US"))


def test_without_scripts_it_all_works_by_forms(seller, open_page, sign_in):
    page = open_page(locale="en-US", java_script_enabled=False)
    sign_in(page, seller.user)
    page.goto("/studio/listings/new/")

    fill(page)
    page.get_by_role("button", name="Look without saving").click()
    expect(page.locator("#text-facts")).to_contain_text("46 characters · 2 variables")
    expect(page.locator("#description-look strong")).to_have_text("warm")
    assert Prompt.objects.count() == 0
    page.get_by_role("button", name="Save the draft").click()

    add_files_and_publish(page)
    look_as_a_buyer(page)


def test_leaving_with_something_unsaved_asks_first_and_saving_does_not(seller, english_page, sign_in):
    page, asked = english_page, []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    prompt = make_prompt(title="Letters", seller=seller, state="draft")
    sign_in(page, seller.user)
    page.goto(f"/studio/listings/{prompt.pk}/")

    page.get_by_label("Title").fill("Letters to guests")
    tab(page, "Versions").click(no_wait_after=True)
    expect(page.get_by_label("Title")).to_have_value("Letters to guests")
    assert asked == ["beforeunload"]

    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.locator("#messages")).to_contain_text("Your changes are saved.")
    tab(page, "Versions").click()
    expect(page).to_have_url(re.compile("/versions/$"))
    assert asked == ["beforeunload"]


def test_the_second_of_two_tabs_sees_what_the_first_saved(seller, english_page, open_tab, sign_in, check_accessibility):
    prompt = make_prompt(title="Letters", seller=seller, state="draft")
    sign_in(english_page, seller.user)
    other = open_tab(english_page)
    for page in (english_page, other):
        page.goto(f"/studio/listings/{prompt.pk}/")
    english_page.get_by_label("Title").fill("From the first tab")
    english_page.get_by_role("button", name="Save", exact=True).last.click()
    expect(english_page.locator("#messages")).to_contain_text("Your changes are saved.")

    other.get_by_label("Title").fill("From the second tab")
    other.get_by_role("button", name="Save", exact=True).last.click()

    expect(other.get_by_role("alert").filter(has_text="Not saved")).to_contain_text("From the first tab")
    expect(other.get_by_label("Title")).to_have_value("From the second tab")
    check_accessibility(other)
    other.get_by_role("button", name="Overwrite with what I typed").click()
    expect(other.locator("#messages")).to_contain_text("Your changes are saved.")
    assert Prompt.objects.get(pk=prompt.pk).title == "From the second tab"
