"""Tests in this folder drive a Chromium of the machine against the site, which runs in the same process.

Every page that a test opens is watched: a console error, a script error, a breach of the Content-Security-Policy, a
missing file, an answer of 5xx or a request that leaves the site makes the test fail.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core import mail
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User

HERE = Path(__file__).parent
NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]
INSTALL = "no Chromium found. Install one: apt-get install chromium (or set CHROMIUM=/path/to/it)"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet = ["--disable-background-networking", "--disable-component-update"]
    return browser_type_launch_args | {"executable_path": chromium, "args": switches + quiet}


@pytest.fixture(scope="session")
def base_url(live_server):
    """`page.goto("/prompts/")` goes to the site of this test process."""
    return live_server.url


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return browser_context_args | {"timezone_id": "Asia/Seoul"}


@pytest.fixture
def other_hosts() -> set[str]:
    """Hosts and ports besides the site's own that pages may ask. None, unless a test module says otherwise."""
    return set()


@pytest.fixture
def open_page(new_context, base_url, other_hosts) -> Callable[..., Page]:
    """`open_page(locale="en-US", color_scheme="dark")`: a watched page of a new visitor, who reads Korean by default.

    The options are those of Playwright's `browser.new_context`.
    """
    problems: list[str] = []

    def open_one(**options) -> Page:
        page = new_context(**({"locale": "ko-KR", "viewport": DESKTOP} | options)).new_page()
        page.set_default_timeout(10_000)
        _watch(page, {urlsplit(base_url).netloc, *other_hosts}, problems)
        return page

    yield open_one
    assert problems == []


@pytest.fixture
def page(open_page) -> Page:
    """A desktop, light, in Korean."""
    return open_page()


@pytest.fixture
def dark_page(open_page) -> Page:
    return open_page(color_scheme="dark")


@pytest.fixture
def english_page(open_page) -> Page:
    return open_page(locale="en-US")


@pytest.fixture
def phone(open_page) -> Page:
    """The narrowest phone, touched, in the dark."""
    return open_page(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2, color_scheme="dark")


@pytest.fixture
def plain_page(open_page) -> Page:
    """A browser without JavaScript."""
    return open_page(java_script_enabled=False)


@pytest.fixture
def read_code() -> Callable[[str], str]:
    """`read_code("mina@example.com")`: the code in the newest mail to that address."""

    def read(address: str) -> str:
        texts = [message.body for message in mail.outbox if address in message.to]
        assert texts, f"no mail to {address}; there are mails to {[message.to for message in mail.outbox]}"
        codes = re.findall(r"^\s*([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", texts[-1], re.MULTILINE)
        assert codes, f"no code in the mail: {texts[-1]}"
        return codes[0]

    return read


@pytest.fixture
def sign_in(base_url) -> Callable[[Page, User], None]:
    """`sign_in(page, user)`: the browser of that page belongs to the user from now on; no form is filled."""

    def do(page: Page, user: User) -> None:
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": base_url}])

    return do


@pytest.fixture
def check_accessibility() -> Callable[[Page], None]:
    """`check_accessibility(page)`: axe finds nothing on the page as it stands. Needs a page with JavaScript."""

    def check(page: Page) -> None:
        page.evaluate(SETTLE)
        found = Axe().run(page).response["violations"]
        assert [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]] == []

    return check


# What is half faded in has other colours for a moment. An animation without an end, as a spinner's, is not waited for.
SETTLE = """async () => {
    const passing = document.getAnimations().filter((each) => each.effect.getComputedTiming().iterations !== Infinity);
    await Promise.allSettled(passing.map((each) => each.finished));
}"""


def _watch(page: Page, hosts: set[str], problems: list[str]) -> None:
    def on_console(message):
        # A refused form answers 422, a stranger's page 404: Chromium calls that an error, and on_response knows better.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            problems.append(f"console on {page.url}: {message.text}")

    def on_response(response):
        part = response.request.resource_type not in ("document", "xhr", "fetch")
        if response.status >= 500 or (part and response.status >= 400):
            problems.append(f"{response.status} for {response.url} on {page.url}")

    def on_request(request):
        url = urlsplit(request.url)
        if url.scheme in ("http", "https") and url.netloc not in hosts:
            problems.append(f"request to another host, {request.url}, on {page.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"script error on {page.url}: {error}"))
    page.on("response", on_response)
    page.on("request", on_request)


@pytest.fixture
def open_tab(base_url, other_hosts) -> Callable[[Page], Page]:
    """`open_tab(page)`: another tab of the same visitor, watched like the first."""
    problems: list[str] = []

    def open_one(page: Page) -> Page:
        tab = page.context.new_page()
        tab.set_default_timeout(10_000)
        _watch(tab, {urlsplit(base_url).netloc, *other_hosts}, problems)
        return tab

    yield open_one
    assert problems == []


@pytest.fixture(autouse=True, scope="session")
def _patience():
    """What a page comes to show may take as long as an action: a busy machine is no failure."""
    expect.set_options(timeout=10_000)
