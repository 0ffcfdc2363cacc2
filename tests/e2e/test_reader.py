"""Filling in a text that one bought: as one types, and by a form where there is no script."""

import re

import pytest
from playwright.sync_api import expect

from checkout.models import Preset
from tests.factories import make_prompt, make_purchase, make_user

TEXT = "{{손님}}께 {{말투|다정하게}} 씁니다.\n{{손님}}, <b>{{장소}}</b>"


@pytest.fixture
def reader():
    prompt = make_prompt(slug="letter", title="편지", prompt_text=TEXT)
    return make_purchase(buyer=make_user(nickname="지은"), prompt=prompt, is_open=True).user


def test_the_text_is_filled_in_as_one_types(reader, english_page, sign_in, check_accessibility):
    page, text = english_page, english_page.locator("#prompt-text")
    sign_in(page, reader)
    page.goto("/library/letter/")
    counter = page.locator("[data-unfilled]")
    expect(counter).to_have_text("Left to fill in: 2")

    page.get_by_label("손님").fill("봄 <i>씨</i> {{장소}}")
    expect(text).to_have_text("봄 <i>씨</i> {{장소}}께 다정하게 씁니다. 봄 <i>씨</i> {{장소}}, <b>{{장소}}</b>")
    expect(counter).to_have_text("Left to fill in: 1")
    page.get_by_label("말투").fill("짧게")
    page.get_by_label("장소").fill("제주")
    expect(counter).to_have_text("Everything is filled in.")
    expect(text).to_contain_text("께 짧게 씁니다.")
    check_accessibility(page)

    page.get_by_label("말투").fill("")
    page.get_by_label("장소").fill("")
    expect(text).to_contain_text("께 다정하게 씁니다.")
    expect(text).to_contain_text("<b>{{장소}}</b>")
    assert text.locator("i, b").count() == 0


def test_what_is_copied_and_downloaded_is_the_filled_text(reader, english_page, sign_in):
    page = english_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, reader)
    page.goto("/library/letter/")
    page.get_by_label("손님").fill("봄")
    page.get_by_label("장소").fill("제주")

    with page.expect_response(re.compile("/copied/")):
        page.get_by_role("button", name="Copy").click()
    filled = "봄께 다정하게 씁니다.\n봄, <b>제주</b>"
    assert page.evaluate("navigator.clipboard.readText()") == filled

    with page.expect_download() as download:
        page.get_by_role("button", name="Filled text as .md").click()
    assert download.value.suggested_filename == "편지.md"
    assert download.value.path().read_text(encoding="utf-8") == filled
    assert "제주" not in page.url


@pytest.mark.parametrize("has_scripts", [True, False])
def test_values_are_kept_as_a_preset_and_deleted(reader, open_page, sign_in, has_scripts):
    page = open_page(java_script_enabled=has_scripts, locale="en-US")
    sign_in(page, reader)
    page.goto("/library/letter/")
    page.get_by_label("손님").fill("봄")
    page.get_by_text("Presets").click()
    page.get_by_label("Name").fill("봄 편지")
    page.get_by_label("Name").press("Enter")

    expect(page).to_have_url(re.compile(r"/library/letter/\?preset=\d+$"))
    expect(page.get_by_label("손님")).to_have_value("봄")
    page.goto("/library/letter/")
    expect(page.get_by_label("손님")).to_have_value("")
    page.get_by_role("link", name="봄 편지").click()
    expect(page.locator("#prompt-text")).to_contain_text("봄께")

    page.get_by_label("장소").fill("제주")
    page.get_by_role("button", name="Delete the preset 봄 편지").click()
    expect(page.get_by_role("link", name="봄 편지")).to_have_count(0)
    expect(page.get_by_label("장소")).to_have_value("제주")
    assert Preset.objects.count() == 0


def test_without_a_script_a_form_answers_with_the_filled_text(reader, open_page, sign_in):
    page = open_page(java_script_enabled=False, locale="en-US")
    sign_in(page, reader)
    page.goto("/library/letter/")
    page.get_by_label("손님").fill("봄")
    page.get_by_role("button", name="Show the filled text").click()

    expect(page.locator("#prompt-text")).to_have_text("봄께 다정하게 씁니다. 봄, <b>{{장소}}</b>")
    expect(page.get_by_label("손님")).to_have_value("봄")
    assert "봄" not in page.url


def test_on_a_phone_in_the_dark_the_form_stands_above_the_text(reader, phone, sign_in, check_accessibility):
    sign_in(phone, reader)
    phone.goto("/library/letter/")

    form, text = phone.locator("#fill").bounding_box(), phone.locator("#prompt-text").bounding_box()
    assert form["y"] + form["height"] <= text["y"]
    width, view = phone.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= view
    check_accessibility(phone)


def test_what_the_browser_puts_back_is_filled_in(reader, english_page, sign_in):
    page = english_page
    sign_in(page, reader)
    page.goto("/library/letter/")
    page.get_by_label("손님").fill("봄")
    page.goto("/library/")
    page.go_back()

    value = page.get_by_label("손님").input_value()
    expect(page.locator("#prompt-text")).to_contain_text(f"{value or '{{손님}}'}께")
