"""What buyers pay for stays on the server: every address is asked by a visitor, a stranger and a person with a cart.

Behind its first 300 characters the text holds a mark in any seven characters in a row, and that mark stands nowhere
else. So an answer without the mark, in any of its spellings, holds no twelve characters of the hidden text.
"""

from urllib.parse import quote

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from django.urls import URLPattern, URLResolver

from catalog.masking import public_preview
from marketplace.urls import urlpatterns
from mcp.models import ToolNeed
from sellers.application_links import sign_link
from tests.catalog.pages import card_titles
from tests.factories import (
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

pytestmark = pytest.mark.django_db

MARK = "뷁"
HIDDEN = "".join(f"{MARK}{number:03d}x " for number in range(300))
TEXT = f"{'Act as {{guest}}. Keep it warm. ' * 10}\n{HIDDEN}"
FILE_NAME = "zzqq-letters-pack"
SPELLINGS = [MARK, quote(MARK), f"\\u{ord(MARK):04x}", f"&#{ord(MARK)};", f"&#x{ord(MARK):x};", FILE_NAME]
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
    """Which spellings of the mark or the file's name occur in an answer and were not in the question."""
    body = b"".join(answer) if answer.streaming else answer.content
    if answer.headers.get("Content-Type", "").startswith("image/"):
        body = b""  # the mark's three bytes stand in some picture by chance
    text = body.decode("utf-8", "replace") + str(dict(answer.headers))
    asked = answer.wsgi_request.path
    return [spelling for spelling in SPELLINGS if spelling.casefold() in text.casefold() and spelling not in asked]


def make_visitor() -> Client:
    return Client()


def make_stranger() -> Client:
    client = Client()
    client.force_login(make_user())
    return client


def make_shopper() -> Client:
    client = make_stranger()
    assert client.post("/cart/add/letters/").status_code in (200, 302)
    return client


def test_the_mark_stands_in_every_run_beyond_the_preview():
    hidden = TEXT[len(public_preview(TEXT).shown) :]

    assert MARK not in public_preview(TEXT).shown
    assert all(MARK in hidden[start : start + 12] for start in range(hidden.index(MARK), len(hidden) - 12))


def test_a_buyer_does_get_the_text_so_the_mark_is_found_where_it_is():
    entitlement = make_purchase(prompt=make_prompt(slug="letters", prompt_text=TEXT), is_open=True)
    client = Client()
    client.force_login(entitlement.user)

    assert find_leak(client.get("/library/letters/")) == [MARK]


@pytest.mark.parametrize("make_client", [make_visitor, make_stranger, make_shopper])
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
