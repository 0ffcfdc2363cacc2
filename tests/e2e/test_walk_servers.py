"""The registry in a browser: found as one types, filtered on a phone, read, copied, and all without JavaScript."""

import pytest
from playwright.sync_api import Page, expect

from mcp.models import McpServer
from tests.factories import make_prompt, make_server
from tests.mcp.weather import make_weather_server

pytestmark = pytest.mark.django_db(transaction=True)

COMMAND = 'claude mcp add --header "X-Api-Key: YOUR_X_API_KEY" --transport http weather https://weather.example/mcp'
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture
def weather() -> McpServer:
    make_server(name="Files", slug="files", entry={"health": "down", "verdict": "timeout", "search_text": "files"})
    return make_weather_server(needed_by=make_prompt(title="오늘 뭐 입지", slug="outfit"))


def open_everything(page: Page) -> None:
    """Each `<details>` of the page's content."""
    closed = page.locator("main details:not([open]) > summary")
    while closed.count():
        closed.first.click()


def test_servers_are_found_while_one_types_a_tool(weather, english_page):
    page = english_page
    page.goto("/mcp-servers/")
    expect(page.locator("#results-total")).to_have_text("2 servers")

    page.locator("#q").press_sequentially("get_wea")

    expect(page.locator(".server")).to_have_count(1)
    expect(page.locator(".server .hit")).to_have_text(["get_wea"])
    expect(page.locator("#announcer")).to_have_text("1 server")
    expect(page).to_have_url("/mcp-servers/?q=get_wea")
    expect(page.locator("#q")).to_be_focused()

    page.get_by_role("link", name="한국 날씨").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("한국 날씨")
    page.go_back()
    expect(page.locator(".server")).to_have_count(1)


def test_a_filter_changes_list_and_counts_and_keeps_the_focus(weather, english_page):
    page = english_page
    page.goto("/mcp-servers/")

    page.locator("#state-down").check()

    expect(page.locator(".server__name")).to_have_text(["Files"])
    expect(page).to_have_url("/mcp-servers/?state=down")
    expect(page.locator("#state-down")).to_be_focused()
    expect(page.locator("#state-down")).to_be_checked()


def test_filters_are_a_sheet_on_a_phone(weather, phone, check_accessibility):
    phone.goto("/mcp-servers/")
    phone.locator(".facets__open").tap()
    expect(phone.locator("#filters")).to_be_visible()
    check_accessibility(phone)

    phone.locator("#state-working").check()
    phone.locator(".facets__foot button.js-only").tap()

    expect(phone.locator("#filters")).to_be_hidden()
    expect(phone.locator(".server")).to_have_count(1)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (768, "light"), (1440, "light")])
def test_the_page_fits_and_is_accessible_with_all_of_it_open(weather, open_page, check_accessibility, width, scheme):
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/mcp-servers/weather/")

    open_everything(page)

    check_accessibility(page)
    scrolled, seen = page.evaluate(WIDTHS)
    assert scrolled <= seen


def test_a_command_is_copied_for_the_client_that_was_chosen(weather, english_page):
    page = english_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/mcp-servers/weather/")

    page.locator('[data-copy="#snippet-claude-code-command"]').click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == COMMAND

    page.get_by_role("radio", name="Cursor").check()
    expect(page.locator("#snippet-cursor-file")).to_be_visible()
    expect(page.locator("#snippet-claude-code-command")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#snippet-vs-code-file")).to_be_visible()


def test_everything_can_be_read_without_javascript(weather, plain_page):
    page = plain_page
    page.goto("/mcp-servers/")
    page.locator("#q").fill("날씨")
    page.locator("#q").press("Enter")
    expect(page.locator(".server")).to_have_count(1)

    page.get_by_role("link", name="한국 날씨").click()
    expect(page.locator("#snippet-claude-code-command")).to_have_text(COMMAND)
    page.locator(".clients__tab", has_text="Gemini CLI").click()
    expect(page.locator("#snippet-gemini-file")).to_be_visible()
    page.locator(".tool summary").first.click()
    expect(page.locator(".parameters").first).to_be_visible()
    page.locator(".chart-table > summary").first.click()
    expect(page.locator(".chart-table table")).to_be_visible()
    expect(page.get_by_role("link", name="오늘 뭐 입지")).to_be_visible()
