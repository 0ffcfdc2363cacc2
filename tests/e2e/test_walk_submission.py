"""A server on its way into the registry: submitted, accepted by staff, really checked, found with its tools, copied."""

import threading

import pytest
from playwright.sync_api import expect

from marketplace.roles import CATALOGUE
from mcp.demo.demo_server import DemoServer
from mcp.models import Entry, HealthCheck
from tests.factories import make_server, make_staff, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def endpoint(settings):
    """A server that really answers, on this machine."""
    settings.MCP_ALLOW_ADDRESSES = ["127.0.0.1/32"]
    settings.MCP_SLOW_MS, settings.MCP_CHECK_DEADLINE_S = 600_000, 60  # a busy machine is no fault of the server
    with DemoServer(port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/mcp"
        server.shutdown()
        thread.join()


def test_a_server_is_submitted_accepted_checked_and_copied(endpoint, open_page, sign_in):
    page, staff_page = open_page(locale="en-US"), open_page(locale="en-US")
    sign_in(page, make_user(email="submitter@example.com"))
    sign_in(staff_page, make_staff(CATALOGUE))

    page.goto("/mcp-servers/submit/")
    page.get_by_label("Name").first.fill("Desk tools")
    page.get_by_label("What it does, in one line").fill("Small tools for a desk.")
    page.get_by_label("Endpoint").fill(endpoint)
    page.get_by_role("button", name="Submit the server").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your submissions")
    expect(page.locator("main .state")).to_have_text("Received")

    staff_page.goto("/admin/")
    staff_page.locator("#servers-down").get_by_role("link", name="waiting for a decision").click()
    staff_page.get_by_role("link", name="Desk tools").click()
    staff_page.get_by_role("button", name="Accept").click()
    expect(staff_page.locator(".messagelist")).to_contain_text("1 server accepted: Desk tools")

    page.reload()
    expect(page.locator("main .state")).to_have_text("Accepted")
    page.get_by_role("link", name="Its page").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#check-now")).to_contain_text("Checked just now.", timeout=60_000)
    page.get_by_role("link", name="Show what was found").click()

    expect(page.locator(".server-page__state")).to_contain_text("Working")
    tools = list(Entry.objects.get().server.tools.values_list("name", flat=True))
    assert tools
    for name in tools:
        expect(page.locator("#tools")).to_contain_text(name)
    assert HealthCheck.objects.get().trigger == "person"

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator('[data-copy="#snippet-claude-code-command"]').click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert endpoint in page.evaluate("navigator.clipboard.readText()")


def test_everything_about_a_submission_works_without_javascript(plain_page, sign_in, base_url):
    page = plain_page
    sign_in(page, make_user(email="submitter@example.com"))

    page.goto("/mcp-servers/submit/")
    page.locator("#id_name").fill("날씨")
    page.locator("#id_settings-2-name").fill("X-Key")
    page.locator("button[name=more]").click()
    expect(page.locator("#id_settings-2-name")).to_have_value("X-Key")
    expect(page.locator("#id_name")).to_have_value("날씨")
    page.locator("#id_description").fill("도시의 날씨")
    page.locator("#id_endpoint").fill("https://weather.example/mcp")
    page.locator("#id_endpoint").press("Enter")
    expect(page).to_have_url(f"{base_url}/mcp-servers/submitted/")

    page.locator(".confirm summary").click()
    page.locator(".confirm button").click()
    expect(page.locator(".confirm")).to_have_count(0)
    assert not Entry.objects.exists()


@pytest.mark.parametrize("kind", ["phone", "page"])
def test_pages_for_submitters_and_staff_fit(request, kind, sign_in, check_accessibility):
    page = request.getfixturevalue(kind)
    staff = make_staff(CATALOGUE)
    waiting = make_server(
        name="이름이 아주 길어서 한 줄에 다 들어가지 않는 서버" * 3,
        endpoint=f"https://{'long.' * 20}example.com/{'a' * 200}",
        entry={"state": "submitted", "submitted_by": staff},
    )
    waiting.tools.create(name="a" * 128, description="b" * 300)
    waiting.checks.create(verdict="timeout", health="down", reason="c" * 200)
    sign_in(page, staff)

    for path in ("/mcp-servers/submit/", "/mcp-servers/submitted/"):
        page.goto(path)
        check_accessibility(page)
        assert fits(page), path
    servers = "/admin/mcp/mcpserver/"
    for path in (servers, f"{servers}{waiting.pk}/change/", f"{servers}{waiting.pk}/credentials/"):
        assert page.goto(path).status == 200
        assert fits(page), path


def fits(page) -> bool:
    width, view = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return width <= view
