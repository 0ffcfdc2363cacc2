"""The whole story of a tool: its server is submitted, listed and measured, a listing needs the tool, and it goes."""

import threading

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from marketplace.roles import CATALOGUE
from mcp.demo.demo_server import DemoServer
from mcp.models import Entry
from sellers.models import SellerMail
from tests.factories import make_prompt, make_purchase, make_seller, make_staff, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TOOL = "split_vat"
WARNING = "A tool that this prompt needs is gone, changed or down"


@pytest.fixture
def desk_tools(settings):
    """A server that really answers, on this machine; what it offers may change."""
    settings.MCP_ALLOW_ADDRESSES = ["127.0.0.1/32"]
    settings.MCP_SLOW_MS, settings.MCP_CHECK_DEADLINE_S = 600_000, 60  # a busy machine is no fault of the server
    with DemoServer(port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run_check(entry: Entry) -> None:
    call_command("check_mcp_servers", entry.slug, "--workers", "1", "--json")


def test_a_tool_is_listed_needed_and_then_gone(desk_tools, open_page, sign_in):
    seller = make_seller(language="en")
    prompt = make_prompt(title="Quotation", slug="quotation", seller=seller)
    buyer = make_purchase(prompt=prompt, is_open=True).user
    submitter_page, staff_page, seller_page, page = [open_page(locale="en-US") for _ in range(4)]
    sign_in(submitter_page, make_user(email="submitter@example.com"))
    sign_in(staff_page, make_staff(CATALOGUE))
    sign_in(seller_page, seller.user)
    sign_in(page, buyer)

    # Somebody submits the server, and nobody else sees it.
    submitter_page.goto("/mcp-servers/submit/")
    submitter_page.get_by_label("Name").first.fill("Desk tools")
    submitter_page.get_by_label("What it does, in one line").fill("Small tools for a desk.")
    submitter_page.get_by_label("Endpoint").fill(desk_tools.endpoint)
    submitter_page.get_by_role("button", name="Submit the server").last.click()
    expect(submitter_page.locator("main .state")).to_have_text("Received")
    page.goto("/mcp-servers/")
    expect(page.locator("main")).not_to_contain_text("Desk tools")

    # Staff accept it, and the next round looks at it.
    entry = Entry.objects.get()
    staff_page.goto(f"/admin/mcp/mcpserver/{entry.pk}/change/")
    staff_page.get_by_role("button", name="Accept").click()
    expect(staff_page.locator(".messagelist")).to_contain_text("1 server accepted: Desk tools")
    run_check(entry)
    page.goto(f"/mcp-servers/?q={TOOL}")
    expect(page.locator(".server .state").first).to_have_text("Working")
    page.get_by_role("link", name="Desk tools").click()
    expect(page.locator("#tools")).to_contain_text(TOOL)

    # A seller names one of its tools.
    seller_page.goto(f"/studio/listings/{prompt.pk}/")
    seller_page.get_by_label("Tools of MCP servers that it needs").fill(f"{entry.slug}/{TOOL}")
    seller_page.get_by_role("button", name="Save, for buyers at once").click()
    expect(seller_page.locator("#messages")).to_contain_text("Your changes are saved.")
    page.goto("/prompts/quotation/")
    expect(page.locator("#tools .state").first).to_have_text("Works")
    page.goto("/library/quotation/")
    expect(page.locator("main")).not_to_contain_text(WARNING)

    # The tool vanishes, and the next check sees it.
    desk_tools.service.tools = tuple(tool for tool in desk_tools.service.tools if tool.name != TOOL)
    run_check(entry)
    page.goto("/prompts/quotation/")
    expect(page.locator("#tools .state").first).to_have_text("No longer offered")
    page.goto("/library/quotation/")
    expect(page.locator("main .notice--amber")).to_contain_text(WARNING)
    page.goto("/library/")
    expect(page.locator(".card__badges")).to_have_text("A tool does not work")
    page.goto(f"/mcp-servers/{entry.slug}/")
    expect(page.locator("#changes")).to_contain_text(TOOL)
    assert not SellerMail.objects.filter(kind="tools_changed").exists()

    # A second check agrees, so the seller is told.
    run_check(entry)
    assert SellerMail.objects.get(kind="tools_changed").seller == seller
