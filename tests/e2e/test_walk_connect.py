"""From the page “Connect” into a client: a token is made, its line copied, and a program reads what its owner owns."""

import json
import re
import shlex
from contextlib import suppress

import pytest
import requests
from playwright.sync_api import Error, Page, expect

from accounts.models import User
from tests.factories import make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "비밀 지시문: {{주제}}에 대해 {{어조}}로 쓰세요."
COPY = '[data-copy="#snippet-claude-code-command"]'
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture
def owner(settings, base_url) -> User:
    """Owns one opened prompt and a sealed one, in a shop whose address is that of the live server."""
    settings.SITE_URL = base_url
    user = make_user(email="owner@example.com")
    opened = make_prompt(title="주간 보고서", slug="weekly-report", prompt_text=TEXT)
    make_purchase(buyer=user, prompt=opened, is_open=True)
    make_purchase(buyer=user, prompt=make_prompt(title="열지 않은 글", slug="sealed-letter"))
    return user


class Program:
    """What an AI client does with the line that it was given: it knows address and header, and nothing else."""

    def __init__(self, line: str):
        *_command, header, _transport, _http, _name, self.url = shlex.split(line)
        name, _colon, value = header.partition(": ")
        self.headers = {name: value, "Accept": "application/json, text/event-stream"}

    def ask(self, method: str, **params) -> requests.Response:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return requests.post(self.url, json=message, headers=self.headers, timeout=30, allow_redirects=False)


def make_token(page: Page, *, name: str) -> None:
    page.locator("#id_name").fill(name)
    page.locator("form:has(#id_name) button").click()
    expect(page.locator("#token")).to_have_text(re.compile(r"^pm_[A-Za-z0-9_-]{43}$"))


def test_a_copied_line_lets_a_program_in_until_the_token_is_revoked(owner, english_page, sign_in):
    page = english_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, owner)
    page.goto("/connect/")
    make_token(page, name="Claude Code")
    page.locator(COPY).click()
    expect(page.locator("#announcer")).to_have_text("Copied")

    program = Program(page.evaluate("navigator.clipboard.readText()"))
    prompts = {each["title"]: each for each in program.ask("prompts/list").json()["result"]["prompts"]}
    assert set(prompts) == {"열지 않은 글", "주간 보고서"}
    asked = {"name": prompts["주간 보고서"]["name"], "arguments": {"주제": "비용", "어조": "짧게"}}
    got = program.ask("prompts/get", **asked).json()
    assert got["result"]["messages"][0]["content"]["text"] == "비밀 지시문: 비용에 대해 짧게로 쓰세요."

    page.goto("/account/tokens/")
    expect(page.locator(".row__sub")).to_contain_text("Last used just now")
    page.locator(".confirm > summary").click()
    page.locator(".confirm form button").click()
    expect(page.get_by_text("“Claude Code” is revoked.", exact=False)).to_be_visible()
    assert program.ask("prompts/list").status_code == 401


def test_going_back_does_not_show_the_token_again(owner, english_page, sign_in):
    page = english_page
    sign_in(page, owner)
    page.goto("/connect/")
    make_token(page, name="Claude Code")
    token = page.locator("#token").text_content()

    page.get_by_role("link", name="All tokens, and revoking them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Access tokens")
    assert token not in page.content()
    with suppress(Error):  # Chromium asks whether to send the form again, and shows a page of its own
        page.go_back()
    expect(page.locator("body")).not_to_contain_text(token)

    page.goto("/connect/")
    assert token not in page.content()


def test_leaving_takes_the_token_out_of_the_page_itself(owner, english_page, sign_in):
    page = english_page
    sign_in(page, owner)
    page.goto("/account/tokens/")
    make_token(page, name="Cursor")
    token = page.locator("#token").text_content()

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")

    assert token not in page.content()
    expect(page.get_by_text("The token was shown once and is gone from this page.")).to_be_visible()


def test_the_look_shows_what_the_program_gets(owner, english_page, sign_in, check_accessibility):
    page = english_page
    sign_in(page, owner)
    page.goto("/connect/")
    page.get_by_role("button", name="Show it").click()

    expect(page.locator("#trial h3").first).to_have_text("2 prompts")
    expect(page.locator("#trial .seen__name", has_text="열지 않은 글")).to_contain_text("Sealed")
    expect(page.locator("#trial")).to_contain_text("Arguments: 주제, 어조")
    expect(page).to_have_url("/connect/")
    check_accessibility(page)


def test_all_of_it_without_javascript(owner, plain_page, sign_in):
    page = plain_page
    sign_in(page, owner)
    page.goto("/connect/")
    page.locator("#try form button").click()
    expect(page.locator("#trial .seen__name", has_text="열지 않은 글")).to_be_visible()

    make_token(page, name="Gemini CLI")
    page.locator(".clients__tab", has_text="Gemini CLI").click()
    file = json.loads(page.locator("#snippet-gemini-file").text_content())["mcpServers"]["promptjang"]
    answer = requests.post(
        file["httpUrl"], json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=file["headers"], timeout=30
    )
    assert answer.json()["result"] == {}

    page.goto("/account/tokens/")
    page.locator(".confirm > summary").click()
    page.locator(".confirm form button").click()
    expect(page.locator(".confirm")).to_have_count(0)
    assert owner.api_tokens.live().count() == 0


@pytest.mark.parametrize("path", ["/connect/", "/account/tokens/"])
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (768, "light"), (1440, "light")])
def test_the_token_fits_and_is_accessible_with_all_of_it_open(
    owner, open_page, sign_in, check_accessibility, path, width, scheme
):
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    sign_in(page, owner)
    page.goto(path)
    make_token(page, name="이름이 아주아주긴" * 6)
    closed = page.locator("main details:not([open]) > summary")
    while closed.count():
        closed.first.click()

    check_accessibility(page)
    scrolled, seen = page.evaluate(WIDTHS)
    assert scrolled <= seen


def test_a_visitor_signs_in_and_comes_back(owner, english_page, check_accessibility):
    page = english_page
    page.goto("/connect/")
    check_accessibility(page)

    page.get_by_role("link", name="Sign in and connect").click()
    page.locator("#id_login").fill("owner@example.com")
    page.locator("#id_password").fill("long-enough-1")
    page.locator("form:has(#id_password) button[type=submit], form:has(#id_password) button").first.click()

    expect(page).to_have_url("/connect/")
    expect(page.get_by_role("button", name="Make a token")).to_be_visible()
