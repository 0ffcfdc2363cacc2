"""What buyers pay for stays on the server: every address is asked by a visitor, a stranger, a person with a cart and a
buyer who was refunded, and every method and tool of MCP by whoever has a token.

Behind its first 300 characters the text holds a mark in any twelve characters in a row, variables and all, and that
mark stands nowhere else. So an answer without the mark, in any of its spellings, holds no twelve characters of the
hidden text.
"""

import html
import re
from urllib.parse import unquote

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from django.urls import URLPattern, URLResolver

from accounts.models import User
from catalog.masking import public_preview
from catalog.models import Prompt
from checkout.library import revoke_entitlement
from marketplace.urls import urlpatterns
from mcp.models import ToolNeed
from sellers.application_links import sign_link
from tests.catalog.pages import card_titles
from tests.factories import (
    NOON,
    make_application,
    make_order,
    make_payment,
    make_prompt,
    make_purchase,
    make_review,
    make_sandbox_payment,
    make_seller,
    make_server,
    make_user,
)
from tests.mcp.shop_calls import Caller

pytestmark = pytest.mark.django_db

MARK = "뷁"
HIDDEN = "".join(f"{MARK}{number:03d}x " for number in range(300))
ASKED = f"{{{{{MARK} name|{MARK} usual}}}} ${{{MARK}_of:{MARK}}} [{MARK} NAME {MARK}: {MARK}] {{{MARK}name}}{MARK} "
TEXT = f"{'Act as {{guest}}. Keep it warm. ' * 10}\n{HIDDEN[:600]}{ASKED}{HIDDEN[600:]}"
FILE_NAME = "zzqq-letters-pack"
SECRETS = [MARK, FILE_NAME]
ENGLISH = {"Accept-Language": "en"}
PARTS = [{}, *({"hx-request": "true", "hx-target": target} for target in ("results", "more", "reviews"))]


@pytest.fixture
def stand_ins():
    """One of everything around prompts with a hidden text, and what to write for the variables of addresses."""
    storages["private"].save(f"{FILE_NAME}.zip", ContentFile(MARK.encode()))
    seller = make_seller(slug="spring")
    texts = {"prompt_text": TEXT, "file_url": f"private://{FILE_NAME}.zip", "tags": ["mail"], "seller": seller}
    prompt = make_prompt(slug="letters", rating=5, review_count=1, image_urls=["/media/a.webp"], **texts)
    for state in ("draft", "withdrawn", "removed"):
        make_prompt(slug=state, state=state, **texts)
    server = make_server(slug="letters", entry={"health": "working"})  # a page of its own under the same last part
    ToolNeed.objects.create(prompt=prompt, server=server, server_slug="letters", tool_name="send")
    review = make_review(prompt=prompt)
    entitlement = make_purchase(prompt=prompt, is_open=True)
    order = make_order(prompts=[prompt])
    payment = make_payment(order=order)
    make_sandbox_payment(payment=payment, status="ready")
    return {
        "slug": ["letters", "draft", "withdrawn", "removed", "spring"],
        "number": [order.number, entitlement.order_line.order.number, "0"],
        "reference": [payment.reference],
        "extension": ["md", "txt"],
        "handle": [seller.user.handle, entitlement.user.handle],
        "name": [f"{FILE_NAME}.zip", f"../private/{FILE_NAME}.zip"],
        "token": [sign_link(make_application()), "forged"],
        "prompt_id": [str(prompt.pk)],
        "review_id": [str(review.pk)],
        "month": ["2026-11"],
        "version": ["latest"],
        "rest": ["nothing"],
    }


def list_addresses(stand_ins: dict[str, list[str]]) -> list[str]:
    """Every address of our own pages. A variable without a stand-in is an error: a new page cannot be forgotten here.

    allauth's pages and the admin show prompts to staff at most; their doors are tested with them.
    """
    found = []
    for pattern in urlpatterns:
        if str(pattern.pattern) not in ("admin/", "accounts/"):
            found += _expand(pattern, [""], stand_ins)
    return [f"/{address}" for address in found]


def _expand(pattern: URLPattern | URLResolver, prefixes: list[str], stand_ins: dict[str, list[str]]) -> list[str]:
    addresses = [prefix + str(pattern.pattern) for prefix in prefixes]
    for name in pattern.pattern.converters:
        addresses = [_fill(address, name, value) for address in addresses for value in stand_ins[name]]
    if isinstance(pattern, URLResolver):
        return [address for child in pattern.url_patterns for address in _expand(child, addresses, stand_ins)]
    return addresses


def _fill(address: str, name: str, value: str) -> str:
    before, _, rest = address.partition("<")
    variable, _, after = rest.partition(">")
    if variable.rpartition(":")[2] != name:
        return f"{before}<{variable}>{_fill(after, name, value)}"
    return f"{before}{value}{after}"


def find_leak(answer) -> list[str]:
    """Whether the mark or the file's name occurs in an answer and was not in the question."""
    body = b"".join(answer) if answer.streaming else answer.content
    if answer.headers.get("Content-Type", "").startswith("image/"):
        body = b""  # the mark's three bytes stand in some picture by chance
    text = spell_out(body.decode("utf-8", "replace") + str(dict(answer.headers)))
    asked = spell_out(answer.wsgi_request.get_full_path())
    return [secret for secret in SECRETS if secret in text and secret not in asked]


def spell_out(text: str) -> str:
    """Without the escapes of HTML, JSON, JavaScript and addresses, also one inside the other."""
    for _ in range(2):
        text = re.sub(r"\\u(?:\{([0-9a-f]{1,5})\}|([0-9a-f]{4}))", _read_escape, text, flags=re.IGNORECASE)
        text = unquote(html.unescape(text))
    return text.casefold()


def _read_escape(found: re.Match) -> str:
    return chr(int(found[1] or found[2], 16))


def make_visitor() -> Client:
    return Client()


def make_stranger(user: User | None = None) -> Client:
    client = Client()
    client.force_login(user or make_user())
    return client


def make_shopper() -> Client:
    client = make_stranger()
    assert client.post("/cart/add/letters/").status_code in (200, 302)
    return client


def make_refunded_buyer() -> User:
    """Somebody who had opened each of the prompts before the money went back."""
    buyer = make_user()
    for slug in ("letters", "withdrawn", "removed"):
        right = make_purchase(buyer=buyer, prompt=Prompt.objects.get(listing__slug=slug), is_open=True)
        revoke_entitlement(entitlement_id=right.pk, reason="refunded", now=NOON)
    return buyer


def make_sealed_buyer() -> User:
    buyer = make_user()
    for slug in ("letters", "withdrawn"):
        make_purchase(buyer=buyer, prompt=Prompt.objects.get(listing__slug=slug))
    return buyer


def make_refunded() -> Client:
    return make_stranger(make_refunded_buyer())


def make_sealed() -> Client:
    return make_stranger(make_sealed_buyer())


def test_the_mark_stands_in_every_run_beyond_the_preview():
    hidden = TEXT[len(public_preview(TEXT).shown) :]

    assert MARK not in public_preview(TEXT).shown
    assert all(MARK in hidden[start : start + 12] for start in range(hidden.index(MARK), len(hidden) - 12))
    assert hidden.index(MARK) < 40


@pytest.mark.parametrize(
    "spelling", ["뷁", "&#48577;", "&#xBDC1;", "\\ubdc1", "%EB%B7%81", "&amp;#48577;", "\\\\u{BDC1}"]
)
def test_the_mark_is_found_however_it_is_written(spelling):
    assert MARK in spell_out(f"a{spelling}b")


def test_a_buyer_does_get_the_text_so_the_mark_is_found_where_it_is():
    entitlement = make_purchase(prompt=make_prompt(slug="letters", prompt_text=TEXT), is_open=True)
    client = make_stranger(entitlement.user)

    assert find_leak(client.get("/library/letters/")) == [MARK]
    assert find_leak(Caller.of(entitlement.user).post("prompts/list")) == [MARK]  # names of variables


@pytest.mark.parametrize("make_client", [make_visitor, make_stranger, make_shopper, make_refunded, make_sealed])
def test_no_address_gives_hidden_text_away(stand_ins, make_client):
    client, addresses = make_client(), list_addresses(stand_ins)

    leaks = {
        (address, *part.values()): leak
        for address in [
            *addresses,
            "/prompts/?sort=newest",
            "/prompts/?tag=mail",
            "/checkout/?buy=letters",
            "/nothing/",
        ]
        for part in PARTS
        if (leak := find_leak(client.get(address, headers=part)))
    }

    assert len(addresses) > 60
    assert leaks == {}


@pytest.mark.parametrize("make_client", [make_visitor, make_stranger])
def test_no_form_gives_hidden_text_away(stand_ins, make_client):
    client = make_client()
    addresses = [address for address in list_addresses(stand_ins) if not address.startswith("/account/")]

    leaks = {address: leak for address in addresses if (leak := find_leak(client.post(address, {"buy": "letters"})))}

    assert leaks == {}


@pytest.mark.parametrize("word", [f"{MARK}007x", f"{MARK}0", MARK, "007x", FILE_NAME, "Keep it warm"])
def test_search_knows_nothing_of_the_text_not_even_of_its_beginning(client, stand_ins, word):
    answers = [client.get("/prompts/", {"q": word}), client.get("/sellers/spring/", {"q": word})]

    assert [card_titles(answer) for answer in answers] == [[], []]
    assert answers[0].context["listing"].suggestions == []


def list_calls() -> list[tuple[str, dict]]:
    """Every method of MCP and every tool, with what might bring out a text."""
    keys = [prompt.pk.hex for prompt in Prompt.objects.all()]
    names = [f"{words}{digits[:6]}{digits[-6:]}" for digits in keys for words in ("", "letters-", "draft-")]
    slugs = ["letters", "draft", "withdrawn", "removed"]
    values = {"guest": "me"}
    queries = ["", "letters", "warm", MARK, f"{MARK}007x", "Keep it warm", FILE_NAME]
    tools = [
        *(("list_my_prompts", {"query": query}) for query in queries),
        *(("get_my_prompt", {"name": name, "values": values}) for name in names + slugs),
        *(("search_catalog", {"query": query, "limit": 20}) for query in queries),
        ("search_catalog", {"query": 7}),
        *(("get_listing", {"listing": slug}) for slug in slugs),
        *(("find_mcp_servers", {"query": query}) for query in queries),
        ("made_up", {}),
    ]
    return [
        ("initialize", {"protocolVersion": "2025-11-25"}),
        ("tools/list", {}),
        ("prompts/list", {}),
        ("made/up", {}),
        *(("prompts/get", {"name": name, "arguments": values}) for name in names + slugs),
        *(("tools/call", {"name": tool, "arguments": arguments}) for tool, arguments in tools),
    ]


@pytest.mark.parametrize("make_caller", [make_user, make_refunded_buyer, make_sealed_buyer])
def test_no_method_and_no_tool_of_mcp_gives_hidden_text_away(stand_ins, make_caller):
    caller = Caller.of(make_caller())
    calls = list_calls()

    answers = [caller.post(method, headers=ENGLISH, **params) for method, params in calls]

    assert {answer.status_code for answer in answers} == {200}
    told = [(call, answer) for call, answer in zip(calls, answers, strict=True) if MARK not in str(call)]
    assert {str(call): leak for call, answer in told if (leak := find_leak(answer))} == {}
    asked_for_it = [answer.json()["result"] for call, answer in zip(calls, answers, strict=True) if MARK in str(call)]
    assert all(list(result["structuredContent"].values()) == [[]] for result in asked_for_it)
