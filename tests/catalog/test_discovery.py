"""What search engines, feed readers, other sites and language models get."""

import json
import re
from io import BytesIO
from xml.etree import ElementTree

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from catalog import discovery
from catalog.images import is_showable, list_pictures, load_cover
from catalog.models import Prompt
from tests.catalog.pages import canonical, meta, read
from tests.factories import NOON, make_prompt, make_seller, make_server

pytestmark = pytest.mark.django_db

SITEMAP = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
ATOM = {"a": "http://www.w3.org/2005/Atom"}
SITE = "http://localhost:8000"


def locations(response) -> list[str]:
    return [element.text for element in ElementTree.fromstring(read(response)).iterfind(".//s:loc", SITEMAP)]


# --- Heads of pages


@pytest.mark.parametrize(
    ("address", "indexed", "address_of_record"),
    [
        ("/", True, "/"),
        ("/prompts/", True, "/prompts/"),
        ("/prompts/?sort=newest", True, "/prompts/"),
        ("/prompts/?tag=mail", True, "/prompts/?tag=mail"),
        ("/prompts/?tag=mail&sort=newest", True, "/prompts/?tag=mail"),
        ("/prompts/?q=mail", False, ""),
        ("/prompts/?tag=mail&tag=data", False, ""),
        ("/prompts/?tag=mail&free=1", False, ""),
        ("/prompts/?not=mail", False, ""),
    ],
)
def test_only_lists_that_are_pages_of_their_own_are_indexed(client, address, indexed, address_of_record):
    make_prompt(tags=["mail"])

    page = client.get(address)

    assert meta(page, "robots") == ("" if indexed else "noindex, follow")
    assert canonical(page) == (SITE + address_of_record if address_of_record else "")


def test_other_sites_get_title_price_card_and_address_of_a_prompt(client):
    make_prompt(slug="letters", title='Letters "to" guests', listing={"summary": "One warm page."})

    page = client.get("/prompts/letters/", headers={"accept-language": "en"})

    assert {name: meta(page, name) for name in ("og:type", "og:title", "og:description", "og:url", "og:image")} == {
        "og:type": "product",
        "og:title": 'Letters "to" guests',
        "og:description": "One warm page.",
        "og:url": f"{SITE}/prompts/letters/",
        "og:image": f"{SITE}/prompts/letters/card.png",
    }
    assert meta(page, "description") == "One warm page."
    assert re.search(r"<title>([^<]*)</title>", page.text)[1] == "Letters &quot;to&quot; guests · Promptjang"


# --- Pictures


def test_the_card_is_drawn_once_and_known_by_its_etag(client, monkeypatch):
    prompt = make_prompt(slug="letters", title="Letters", price=9_900)

    first = client.get("/prompts/letters/card.png")
    monkeypatch.setattr("catalog.images.draw_card", None)  # drawing again would fail
    second = client.get("/prompts/letters/card.png", headers={"if-none-match": first["ETag"]})

    assert Image.open(BytesIO(first.content)).size == (1200, 630)
    assert (first["Content-Type"], second.status_code, second.content) == ("image/png", 304, b"")

    monkeypatch.undo()
    Prompt.objects.filter(pk=prompt.pk).update(price=1_000)
    assert client.get("/prompts/letters/card.png")["ETag"] != first["ETag"]


@pytest.mark.parametrize("state", ["draft", "withdrawn", "removed"])
def test_there_is_no_card_of_what_is_not_on_sale(client, state):
    make_prompt(slug="letters", state=state)

    assert client.get("/prompts/letters/card.png").status_code == 404


@pytest.mark.parametrize(("query", "size"), [("?w=480", (480, 360)), ("", (960, 720)), ("?w=100000", (960, 720))])
def test_covers_are_drawn_in_two_widths_once(client, monkeypatch, query, size):
    make_prompt(slug="letters", tags=["mail"])

    first = client.get(f"/covers/letters.webp{query}")
    monkeypatch.setattr("catalog.images.draw_cover", None)
    second = client.get(f"/covers/letters.webp{query}")

    picture = Image.open(BytesIO(first.content))
    assert (picture.format, picture.size) == ("WEBP", size)
    assert "immutable" in first["Cache-Control"]
    assert second.content == first.content


@pytest.mark.parametrize("state", ["draft", "withdrawn", "removed"])
def test_the_cover_of_what_is_not_on_sale_shows_to_whoever_was_given_its_address(client, state):
    prompt = make_prompt(slug="letters", state=state)

    assert client.get("/covers/letters.webp").status_code == 404
    assert client.get("/covers/letters.webp?v=000000000000").status_code == 404
    assert client.get(list_pictures(prompt)[0].url).status_code == 200


def test_two_processes_that_draw_at_once_leave_one_file(monkeypatch):
    prompt = make_prompt(slug="letters")
    load_cover(prompt, width=480)
    folder = default_storage.listdir("drawn")[1]
    exists, asked = default_storage.exists, []

    def exists_later(name):  # the second process looked before the first had stored
        asked.append(name)
        return len(asked) > 1 and exists(name)

    monkeypatch.setattr(default_storage._wrapped, "exists", exists_later)
    load_cover(prompt, width=480)

    assert len(asked) > 1
    assert sorted(default_storage.listdir("drawn")[1]) == sorted(folder)


def test_pages_show_the_own_pictures_else_the_drawn_cover(settings):
    settings.IMAGE_HOSTS = ["https://cdn.example.com", "*.pics.example"]
    pictured = make_prompt(
        image_urls=["/media/a.webp", "https://evil.example/b.png", "https://cdn.example.com/c.png", 7, None]
    )
    plain = make_prompt(slug="글-쓰기", image_urls={"not": "a list"})

    assert [picture.url for picture in list_pictures(pictured)] == ["/media/a.webp", "https://cdn.example.com/c.png"]
    assert [picture.url.partition("?")[0] for picture in list_pictures(plain)] == [
        "/covers/%EA%B8%80-%EC%93%B0%EA%B8%B0.webp"
    ]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/media/covers/a.webp", True),
        ("/media/../private/a.webp", False),
        ("//evil.example/a.png", False),
        ("https://cdn.example.com/a.png", True),
        ("https://cdn.example.com.evil.example/a.png", False),
        ("https://me@cdn.example.com/a.png", False),
        ("https://a.pics.example/a.png", True),
        ("https://pics.example/a.png", False),
        ("javascript:alert(1)", False),
        ("data:image/png;base64,AAAA", False),
        ('/media/a.webp" onerror="x', False),
        ("https://[broken", False),
    ],
)
def test_pictures_of_other_hosts_are_not_loaded(settings, address, shown):
    settings.IMAGE_HOSTS = ["https://cdn.example.com", "*.pics.example"]

    assert is_showable(address) is shown


# --- Sitemap, robots


def test_the_sitemap_lists_what_is_on_sale_who_sells_and_the_servers(client):
    make_server(slug="weather")
    make_server(slug="waiting", entry={"state": "submitted"})
    make_prompt(slug="편지", seller=make_seller(slug="spring"), listing={"updated_at": NOON})
    make_prompt(slug="gone", state="withdrawn", seller=make_seller(slug="suspended", status="suspended"))

    page = client.get("/sitemap.xml")

    assert locations(page) == [
        f"{SITE}/",
        f"{SITE}/prompts/",
        f"{SITE}/sell/",
        f"{SITE}/connect/",
        f"{SITE}/refund-policy/",
        f"{SITE}/terms/",
        f"{SITE}/sellers/spring/",
        f"{SITE}/mcp-servers/",
        f"{SITE}/mcp-servers/weather/",
        f"{SITE}/prompts/%ED%8E%B8%EC%A7%80/",
    ]
    assert page["Content-Type"] == "application/xml; charset=utf-8"


def test_an_empty_shop_has_a_sitemap_too(client):
    assert len(locations(client.get("/sitemap.xml"))) == 7


def test_a_large_sitemap_becomes_an_index_of_files_that_hold_each_prompt_once(client, monkeypatch):
    monkeypatch.setattr(discovery, "SITEMAP_STEP", 2)
    slugs = [make_prompt().listing.slug for _ in range(5)]

    files = locations(client.get("/sitemap.xml"))
    held = [location for file in files for location in locations(client.get(file.removeprefix(SITE)))]

    assert len(files) in (3, 4)  # the first number may stand anywhere in its file
    assert sorted(held) == sorted(
        [f"{SITE}{path}" for path in ("/", "/prompts/", "/sell/", "/connect/", "/refund-policy/", "/terms/")]
        + [f"{SITE}/mcp-servers/"]
        + [f"{SITE}/prompts/{slug}/" for slug in slugs]
    )
    assert client.get("/sitemap-999.xml").status_code == 404


def test_robots_keep_out_of_private_pages_and_find_the_sitemap(client):
    lines = client.get("/robots.txt").text.splitlines()

    assert lines[0] == "User-agent: *"
    assert {"Disallow: /library/", "Disallow: /checkout/", "Disallow: /orders/", "Disallow: /admin/"} <= set(lines)
    assert lines[-1] == f"Sitemap: {SITE}/sitemap.xml"


# --- Feed, llms.txt


def test_the_feed_is_atom_in_korean_newest_first(client):
    make_prompt(slug="first", title="First & foremost", price=9_900, tags=["mail"], listing={"summary": "One page."})
    make_prompt(slug="second", title="Second", seller=make_seller(name="Cafe"))
    make_prompt(title="Draft", state="draft")

    answer = client.get("/feed.atom", headers={"accept-language": "en"})
    feed = ElementTree.fromstring(answer.content)
    entries = feed.findall("a:entry", ATOM)

    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "ko"
    assert feed.findtext("a:title", namespaces=ATOM) == "프롬프트장 새 프롬프트"
    assert [link.get("href") for link in feed.findall("a:link", ATOM)] == [f"{SITE}/", f"{SITE}/feed.atom"]
    assert [entry.findtext("a:title", namespaces=ATOM) for entry in entries] == ["Second", "First & foremost"]
    assert entries[1].findtext("a:id", namespaces=ATOM) == f"{SITE}/prompts/first/"
    assert entries[1].findtext("a:summary", namespaces=ATOM) == "9,900원 · One page."
    for required in ("a:id", "a:title", "a:updated"):  # RFC 4287, 4.1.1 and 4.1.2
        assert feed.find(required, ATOM) is not None
        assert all(entry.find(required, ATOM) is not None for entry in entries)
    assert feed.find("a:author/a:name", ATOM) is not None


def test_a_reader_that_has_the_feed_gets_304_until_something_is_new(client):
    make_prompt()
    tag = client.get("/feed.atom")["ETag"]

    assert client.get("/feed.atom", headers={"if-none-match": tag}).status_code == 304
    make_prompt()
    assert client.get("/feed.atom", headers={"if-none-match": tag}).status_code == 200


def test_a_seller_has_a_feed_of_the_own_prompts(client):
    make_prompt(title="Mine", seller=make_seller(slug="spring", name="Cafe"))
    make_prompt(title="Of another")

    feed = ElementTree.fromstring(client.get("/sellers/spring/feed.atom").content)

    assert [entry.findtext("a:title", namespaces=ATOM) for entry in feed.findall("a:entry", ATOM)] == ["Mine"]


def test_characters_that_no_xml_may_hold_cost_the_feed_nothing_but_themselves(client):
    seller = make_seller(slug="spring", name="Ca\x1ffe")
    make_prompt(title="a\x08b\uffffc 😀", seller=seller, tags=["d\x0be"], listing={"summary": "f\x0cg"})

    for address in ("/feed.atom", "/sellers/spring/feed.atom"):
        entry = ElementTree.fromstring(client.get(address).content).find("a:entry", ATOM)
        assert entry.findtext("a:title", namespaces=ATOM) == "abc 😀"
        assert entry.findtext("a:author/a:name", namespaces=ATOM) == "Cafe"
        assert entry.findtext("a:summary", namespaces=ATOM) == "5,000원 · f g"
        assert entry.find("a:category", ATOM).get("term") == "d e"


def test_llms_txt_is_a_map_in_markdown(client):
    make_prompt(slug="letters", title="Letters [warm]", price=0, tags=["mail"], listing={"summary": "One page."})

    answer = client.get("/llms.txt")
    lines = answer.text.splitlines()

    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert lines[0] == "# 프롬프트장"
    assert lines[2].startswith("> ")
    assert f"- [mail]({SITE}/prompts/?tag=mail): 프롬프트 1개" in lines
    assert lines[-1] == f"- [Letters (warm)]({SITE}/prompts/letters/): 무료. One page."


def test_machines_cause_neither_sessions_nor_cookies(client):
    make_prompt(slug="letters")

    for address in (
        "/feed.atom",
        "/sitemap.xml",
        "/robots.txt",
        "/llms.txt",
        "/covers/letters.webp",
        "/prompts/letters/card.png",
    ):
        answer = client.get(address)
        assert (answer.status_code, list(answer.cookies), "public" in answer["Cache-Control"]) == (200, [], True)
        assert "Cookie" not in answer.get("Vary", "")


def test_structured_data_of_the_home_page_names_the_search(client):
    page = client.get("/")

    facts = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page.text, re.DOTALL)[1])

    assert facts["potentialAction"]["target"]["urlTemplate"] == f"{SITE}/prompts/?q={{search_term_string}}"
