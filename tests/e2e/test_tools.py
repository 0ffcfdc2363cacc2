"""Naming the tools that a prompt needs, in a browser: found and checked while one types, and without scripts."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from mcp.models import Tool
from mcp.tools.need_states import update_needs
from mcp.tools.needs import list_names, set_needs
from tests.factories import make_prompt, make_purchase, make_seller
from tests.mcp.needing import make_tool_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def prompt():
    make_tool_server("find", "fetch")
    make_tool_server("route", slug="maps")
    make_tool_server(slug="locked", health="sign_in", tool_count=None)
    return make_prompt(title="Letters", slug="letters", seller=make_seller(language="en"))


def open_editor(page: Page, prompt, sign_in) -> None:
    sign_in(page, prompt.listing.seller.user)
    page.goto(f"/studio/listings/{prompt.pk}/")


def field(page: Page):
    return page.get_by_label("Tools of MCP servers that it needs")


def test_with_scripts_tools_are_found_and_checked_while_one_types(prompt, english_page, sign_in):
    page = english_page
    open_editor(page, prompt, sign_in)
    page.get_by_label("Title").fill("Other title")

    field(page).fill("search/lose")
    expect(page.locator("#tool-facts")).to_contain_text("“search” has no tool “lose”.")
    field(page).fill("")
    page.get_by_label("Find a tool in the registry").press_sequentially("rou")
    page.get_by_role("button", name="Add maps/route").click()
    expect(field(page)).to_have_value("maps/route")
    expect(page.get_by_label("Title")).to_have_value("Other title")
    page.get_by_role("button", name="Save, for buyers at once").click()

    expect(page.locator("#messages")).to_contain_text("Your changes are saved.")
    expect(page.locator("#tools")).to_contain_text("maps/route")
    assert list_names(prompt) == ["maps/route"]


def test_without_scripts_tools_are_lines_of_text(prompt, open_page, sign_in):
    page = open_page(java_script_enabled=False, locale="en-US")
    open_editor(page, prompt, sign_in)

    page.get_by_label("Find a tool in the registry").fill("search")
    page.locator("#tool-search").get_by_role("button", name="Find").click()
    page.get_by_role("button", name="Add search/find").click()
    expect(field(page)).to_have_value("search/find")
    field(page).fill("search/find\nmaps/lose")
    page.get_by_role("button", name="Save, for buyers at once").click()
    expect(page.locator(".problems")).to_contain_text("“maps” has no tool “lose”. Among what it offers: route.")
    expect(field(page)).to_have_value("search/find\nmaps/lose")
    field(page).fill("search/find\nmaps/route")
    page.get_by_role("button", name="Save, for buyers at once").click()

    expect(page.locator("#tools")).to_contain_text("maps/route")
    assert list_names(prompt) == ["search/find", "maps/route"]


def test_a_phone_shows_tools_and_warnings_without_sideways_scroll(prompt, phone, sign_in, check_accessibility):
    set_needs(prompt=prompt, names=["search/find", f"locked/{'long_' * 20}"], now=timezone.now())
    buyer = make_purchase(prompt=prompt, is_open=True).user
    Tool.objects.filter(name="find").update(input_schema={"properties": {"other": {}}, "required": ["other"]})
    update_needs(now=timezone.now())

    for user, path in [
        (prompt.listing.seller.user, f"/studio/listings/{prompt.pk}/"),
        (prompt.listing.seller.user, "/studio/"),
        (buyer, "/library/letters/"),
        (buyer, "/library/"),
        (buyer, "/prompts/letters/"),
    ]:
        sign_in(phone, user)
        phone.goto(path)
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        check_accessibility(phone)
