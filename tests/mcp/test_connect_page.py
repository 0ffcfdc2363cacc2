"""The page that connects an AI client: the lines to paste, and the look at what a client gets."""

import json
import re
import shlex
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import ApiToken, User
from checkout.library import revoke_entitlement
from checkout.models import AccessEvent, Entitlement
from mcp.serving.service import Service
from mcp.serving.shop_clients import list_shop_clients
from mcp.serving.trial import Trial, try_as_client
from tests.factories import NOON, make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db

TEXT = "비밀 지시문: {{주제}}에 대해 {{어조}}로 쓰세요."
TOKEN = "pm_" + "aB3_-" * 8 + "xyz"
URL = "https://shop.example/mcp"


@pytest.fixture
def owner() -> User:
    return make_user()


@pytest.fixture
def browser(owner) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(owner)
    return client


def own(user, *, title: str, is_open: bool = True) -> Entitlement:
    return make_purchase(buyer=user, prompt=make_prompt(title=title, slug=title, prompt_text=TEXT), is_open=is_open)


def name_of(right: Entitlement) -> str:
    digits = right.prompt_id.hex
    return f"{right.prompt.listing.slug}-{digits[:6]}{digits[-6:]}"


def try_it(client: Client, **headers) -> str:
    return unescape(client.post("/connect/try/", headers=headers).content.decode())


def snippet(answer, key: str) -> str:
    return unescape(re.search(rf'<code id="snippet-{key}">(.*?)</code>', answer.content.decode(), re.DOTALL)[1])


# --- The lines


@pytest.fixture
def snippets(settings) -> dict[str, str]:
    """With a token that was just made."""
    settings.SITE_URL = "https://shop.example"
    return {each.key: each.text for client in list_shop_clients(token=TOKEN) for each in client.snippets}


def test_a_command_holds_address_and_token(snippets):
    assert snippets["claude-code-command"] == (
        f'claude mcp add --header "Authorization: Bearer {TOKEN}" --transport http promptjang {URL}'
    )
    assert snippets["gemini-command"] == (
        f'gemini mcp add --header "Authorization: Bearer {TOKEN}" --scope user --transport http promptjang {URL}'
    )


def test_files_of_a_person_hold_the_token_and_files_of_a_project_ask_for_it(snippets):
    files = {key: json.loads(text) for key, text in snippets.items() if key.endswith("-file")}

    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert files == {
        "claude-code-file": {
            "mcpServers": {
                "promptjang": {
                    "type": "http",
                    "url": URL,
                    "headers": {"Authorization": "Bearer ${PROMPTJANG_TOKEN}"},
                }
            }
        },
        "claude-desktop-file": {
            "mcpServers": {
                "promptjang": {
                    "command": "npx",
                    "args": [
                        *["-y", "mcp-remote", URL, "--transport", "http-only"],
                        *["--header", "Authorization:${PROMPTJANG_AUTHORIZATION}"],
                    ],
                    "env": {"PROMPTJANG_AUTHORIZATION": f"Bearer {TOKEN}"},
                }
            }
        },
        "cursor-file": {"mcpServers": {"promptjang": {"url": URL, "headers": bearer}}},
        "vs-code-file": {
            "inputs": [
                {"type": "promptString", "id": "promptjang_token", "description": "promptjang: token", "password": True}
            ],
            "servers": {
                "promptjang": {
                    "type": "http",
                    "url": URL,
                    "headers": {"Authorization": "Bearer ${input:promptjang_token}"},
                }
            },
        },
        "gemini-file": {"mcpServers": {"promptjang": {"httpUrl": URL, "headers": bearer}}},
        "other-file": {"mcpServers": {"promptjang": {"type": "http", "url": URL, "headers": bearer}}},
    }


def test_the_line_that_tries_it_is_one_that_a_shell_reads(snippets):
    words = shlex.split(snippets["other-command"])

    assert words[:5] == ["curl", "-sS", URL, "-H", f"Authorization: Bearer {TOKEN}"]
    assert json.loads(words[-1]) == {"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}


def test_without_a_token_a_placeholder_stands_in_its_place():
    texts = [each.text for client in list_shop_clients() for each in client.snippets]

    assert [text for text in texts if "pm_" in text] == []
    assert sum("YOUR_TOKEN" in text for text in texts) == 6  # two files and Cursor's name a variable or ask


def test_no_client_is_offered_a_link_that_would_lack_the_token():
    assert [client.install_url for client in list_shop_clients(token=TOKEN) if client.install_url] == []


# --- The page


def test_visitors_read_how_it_works_and_may_sign_in(client):
    answer = client.get("/connect/", headers={"accept-language": "en"})

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "/accounts/login/?next=/connect/" in page
    assert "YOUR_TOKEN" in snippet(answer, "claude-code-command")
    assert "Make an access token" not in page
    assert "/connect/try/" not in page


def test_a_member_makes_a_token_there_and_the_lines_hold_it(browser, owner):
    answer = browser.post("/connect/", {"name": "Claude Code", "key": uuid4()})

    token = re.search(r'<code[^>]* id="token"[^>]*>(pm_[^<]+)</code>', answer.content.decode())[1]
    assert token[-4:] == owner.api_tokens.get().ending
    for key in ("claude-code-command", "claude-desktop-file", "cursor-file", "gemini-command", "other-command"):
        assert f"Bearer {token}" in snippet(answer, key)
    assert "YOUR" not in snippet(answer, "other-command")
    assert token not in browser.get("/connect/").content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_however_much_there_is(browser, owner, count, django_assert_num_queries):
    for number in range(count):
        owner.api_tokens.create(name=str(number), digest=str(number), ending="abcd", created_at=NOON)
    browser.get("/connect/")

    with django_assert_num_queries(4):  # session, person, tokens, cart
        browser.get("/connect/")


@pytest.mark.parametrize(
    ("path", "place"),
    [("/account/", "main"), ("/library/", "main"), ("/", "footer"), ("/", "menu"), ("/account/tokens/", "main")],
)
def test_ways_lead_there(browser, path, place):
    page = browser.get(path).content.decode()
    parts = {
        "main": page[page.index("<main") : page.index("</main>")],
        "footer": page[page.index("<footer") :],
        "menu": page[: page.index("<main")],
    }

    assert 'href="/connect/"' in parts[place]


# --- Looking at what a client gets


@pytest.mark.parametrize("headers", [{}, {"hx-request": "true", "hx-target": "trial"}])
def test_it_shows_names_titles_arguments_seals_and_tools(browser, owner, headers):
    opened, sealed = own(owner, title="weekly-report"), own(owner, title="sealed-letter", is_open=False)
    own(make_user(), title="of-a-stranger")

    page = try_it(browser, **headers)

    assert re.findall(r">((?:weekly-report|sealed-letter)-[0-9a-f]{12})</code>", page) == [
        name_of(right) for right in sorted([opened, sealed], key=lambda right: (right.granted_at, right.pk))[::-1]
    ]
    assert re.findall(r"<code>(주제|어조)</code>", page) == ["주제", "어조"]
    assert page.count("badge--seal") == 1
    assert "/library/sealed-letter/" in page
    assert "of-a-stranger" not in page
    for tool in ["list_my_prompts", "get_my_prompt", "search_catalog", "get_listing", "find_mcp_servers"]:
        assert f">{tool}</code>" in page
    assert ("<html" in page) == (not headers)
    assert "비밀 지시문" not in page


def test_looking_opens_nothing_and_leaves_no_trace(browser, owner):
    right = own(owner, title="sealed-letter", is_open=False)

    try_it(browser)

    right.refresh_from_db()
    assert right.is_sealed
    assert AccessEvent.objects.count() == 0
    assert ApiToken.objects.count() == 0


def test_what_is_refunded_is_gone_at_the_next_look(browser, owner):
    right = own(owner, title="weekly-report")
    assert "weekly-report" in try_it(browser)

    revoke_entitlement(entitlement_id=right.pk, reason="refunded", now=NOON)

    assert "weekly-report" not in try_it(browser)
    assert "You own no prompt yet" in try_it(browser)


def test_it_says_that_there_are_more_than_one_page(owner):
    for number in range(51):
        own(owner, title=f"report-{number}")

    trial = try_as_client(user=owner, now=NOON)

    assert (len(trial.prompts), trial.has_more, trial.problem) == (50, True, "")
    assert all(prompt.url and not prompt.is_sealed for prompt in trial.prompts)


class Broken(Service):
    def list_prompts(self, after):
        raise RuntimeError("a secret of the shop")


def test_a_failure_is_shown_as_a_client_is_told_it(owner, caplog):
    trial = try_as_client(user=owner, now=NOON, service=Broken())

    assert trial == Trial(problem="prompts/list: internal error (-32603)")


def test_the_page_shows_the_failure_too(browser, monkeypatch):
    failed = Trial(problem="prompts/list: internal error")
    monkeypatch.setattr("mcp.serving.connect_views.try_as_client", lambda **_: failed)

    page = try_it(browser)

    assert "The shop did not answer as it should" in page
    assert "prompts/list: internal error" in page


def test_looking_is_limited(browser, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"mcp_try": "1/h/user"}
    try_it(browser)

    answer = browser.post("/connect/try/")

    assert answer.status_code == 429
    assert "You have looked many times within an hour." in answer.content.decode()


def test_whoever_comes_back_to_the_address_of_the_button_finds_the_page(browser):
    answer = browser.get("/connect/try/")

    assert (answer.status_code, answer["Location"]) == (302, "/connect/")
