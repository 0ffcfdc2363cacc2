"""How servers get their entries: under which slug, and that none stays without one."""

from importlib import import_module
from itertools import islice

import pytest
from django.apps import apps

from mcp.models import Entry, McpServer
from mcp.registry.registration import ensure_entries, make_entry, refresh_search_text, registry_name
from mcp.registry.slugs import RESERVED, list_slugs
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def make_row(**fields) -> McpServer:
    """A row as another program writes it: without an entry."""
    return McpServer.objects.create(**{"name": "Files", "endpoint": "https://files.example/mcp", **fields})


@pytest.mark.parametrize(
    ("name", "endpoint", "slug"),
    [
        ("Order Desk", "https://a.example/mcp", "order-desk"),
        ("Café & Friends", "https://a.example/", "cafe-friends"),
        ("io.github.someone/files", "https://a.example/", "io-github-someone-files"),
        ("snake_case__name", "https://a.example/", "snake-case-name"),
        ("날씨", "https://mcp.weather.example/mcp", "weather"),
        ("날씨 MCP", "https://mcp.weather.example.co.kr/mcp", "weather-example"),
        ("날씨", "https://localhost:8000/mcp", "localhost"),
        ("날씨", "https://api.example/mcp", "api-2"),
        ("날씨", "https://93.184.216.34/mcp", "server"),
        ("날씨", "https://[2606:2800::1]/mcp", "server"),
        ("날씨", "https://[broken/mcp", "server"),
        ("날씨", "no address at all", "server"),
        ("날씨", "https://날씨.example/mcp", "server"),
        ("…", "https://weather.example/mcp", "weather"),
        ("Submit", "https://a.example/", "submit-2"),
        ("a" * 300, "https://a.example/", "a" * 60),
    ],
)
def test_a_slug_is_made_of_the_name_or_else_of_the_host(name, endpoint, slug):
    assert next(list_slugs(name=name, endpoint=endpoint)) == slug


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_no_server_takes_an_address_of_the_site(word):
    assert word not in set(islice(list_slugs(name=word, endpoint="https://a.example/"), 5))


def test_servers_of_one_name_get_slugs_of_their_own():
    entries = [make_entry(server=make_row(), state="accepted", now=NOON) for _ in range(25)]

    assert [entry.slug for entry in entries] == ["files", *(f"files-{number}" for number in range(2, 26))]


def test_a_slug_taken_between_looking_and_writing_is_not_shared(monkeypatch):
    make_entry(server=make_row(), state="accepted", now=NOON)
    monkeypatch.setattr(Entry.objects, "filter", blind_once(Entry.objects.filter))

    assert make_entry(server=make_row(), state="accepted", now=NOON).slug == "files-2"


def blind_once(look):
    """The first look sees nothing, as if the row came a moment later."""
    calls = []

    def filter_rows(*args, **kwargs):
        calls.append(kwargs)
        return look(*args, **kwargs) if len(calls) > 1 else Entry.objects.none()

    return filter_rows


def test_a_server_has_one_entry_however_often_one_is_made():
    server = make_row()

    first = make_entry(server=server, state="accepted", now=NOON)
    again = make_entry(server=server, state="submitted", now=NOON)

    assert again == first
    assert Entry.objects.get().state == "accepted"


def test_rows_of_another_program_are_listed_as_not_checked_whatever_they_claim():
    server = make_row(status="active", last_health_check=NOON, created_at=NOON, metadata={"health": {"result": "ok"}})

    assert ensure_entries(now=NOON) == 1
    assert ensure_entries(now=NOON) == 0

    entry = server.entry
    assert (entry.state, entry.health, entry.mode) == ("accepted", "unchecked", "checked")
    assert (entry.next_check_at, entry.submitted_at, entry.submitted_by) == (NOON, NOON, None)


def test_the_migration_lists_what_is_there_already():
    for name in ("Files", "Files", "검색"):
        make_row(name=name)

    import_module("mcp.migrations.0004_entries").make_entries(apps, None)

    assert sorted(Entry.objects.values_list("slug", "state")) == [
        ("files", "accepted"),
        ("files-2", "accepted"),
        ("files-3", "accepted"),
    ]


def test_search_looks_through_name_description_and_tools_that_are_offered():
    server = make_row(name="Café", description="주문을 찾아요")
    entry = make_entry(server=server, state="accepted", now=NOON)
    assert entry.search_text == "cafe\n주문을 찾아요"

    server.tools.create(name="find_Order")
    server.tools.create(name="gone", removed_at=NOON)
    refresh_search_text(server)

    entry.refresh_from_db()
    assert entry.search_text == "cafe\n주문을 찾아요\nfind_order"


def test_the_name_in_the_registry_is_below_our_own_domain(settings):
    settings.SITE_URL = "https://www.market.example:8443"
    entry = make_entry(server=make_row(), state="accepted", now=NOON)

    assert registry_name(entry) == "example.market.www/files"
