"""The list of the registry: search, filters, order, pages and parts for htmx."""

import re
import unicodedata
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from mcp.models import McpServer, Tool
from mcp.registry.registration import refresh_search_text
from mcp.registry.server_list import mark_words
from tests.catalog.pages import canonical, chips, plain
from tests.factories import NOON, make_server

pytestmark = pytest.mark.django_db


def get_list(client, address="/mcp-servers/", **headers):
    return client.get(address, headers={"accept-language": "en", **headers})


def names(response) -> list[str]:
    found = re.findall(r'<a class="server__link" href="[^"]*"><bdi>(.*?)</bdi>', response.text)
    return [unescape(name) for name in found]


def row_of(response, name: str) -> str:
    """The text of one row."""
    (row,) = [
        each for each in re.findall(r'<article class="server">.*?</article>', response.text, re.DOTALL) if name in each
    ]
    return plain(row)


def add_tools(server: McpServer, *names: str) -> None:
    for position, name in enumerate(names):
        Tool.objects.create(server=server, name=name, position=position)
    refresh_search_text(server)


def choices(response, name: str) -> dict[str, int | None]:
    """Words of each choice of a filter, and the number beside them."""
    labels = re.findall(rf'<input type="radio" name="{name}".*?</label>', response.text, re.DOTALL)
    split = [re.fullmatch(r"(.*?)(?: (\d+))?", plain(label)) for label in labels]
    return {match[1]: match[2] and int(match[2]) for match in split}


# --- What is listed


def test_only_accepted_servers_are_listed_whatever_their_health(client):
    make_server(name="Working", entry={"health": "working"})
    make_server(name="Down", entry={"health": "down"})
    make_server(name="Switched off", entry={"mode": "off"})
    make_server(name="Waiting", entry={"state": "submitted"})
    make_server(name="Declined", entry={"state": "declined"})

    assert names(get_list(client)) == ["Down", "Switched off", "Working"]


def test_a_row_says_what_was_seen_and_when(client):
    make_server(
        name="Weather",
        description="Forecasts\nby city",
        last_health_check=timezone.now() - timedelta(minutes=3),
        entry={
            "health": "working",
            "uptime_30d_bp": 9_987,
            "tool_count": 4,
            "transport": "streamable-http",
            "required_settings": [{"name": "Authorization"}],
        },
    )

    assert row_of(get_list(client), "Weather") == (
        "Weather Forecasts by city Working checked 3 minutes ago Uptime, 30 days 99.87% Tools 4 "
        "Transport Streamable HTTP Access Sign-in or key"
    )


def test_what_nobody_knows_is_not_made_up(client):
    make_server(name="New", description=None)

    assert row_of(get_list(client), "New") == ("New Not checked yet Uptime, 30 days Not known yet Tools Not known yet")


def test_an_old_check_is_called_old(client):
    make_server(name="Old", entry={"health": "working"}, last_health_check=timezone.now() - timedelta(hours=9))

    assert "Working Old information checked 9 hours ago" in row_of(get_list(client), "Old")


def test_foreign_texts_are_escaped_cut_and_cannot_turn_the_line_around(client):
    make_server(name="<b>Bold</b>\u202e", description="x" * 500 + "<script>")

    page = get_list(client)

    assert names(page) == ["<b>Bold</b>"]
    assert "<b>Bold" not in page.text
    assert "\u202e" not in page.text
    assert "x" * 159 + "…" in page.text


# --- Search and filters


def test_each_word_must_be_in_the_name_the_description_or_a_tool(client):
    weather = make_server(name="Korea Weather", description="Forecasts")
    add_tools(weather, "get_forecast", "알림_보내기")
    refresh_search_text(make_server(name="Files", description="weather archives"))

    assert names(get_list(client, "/mcp-servers/?q=WEATHER")) == ["Files", "Korea Weather"]
    assert names(get_list(client, "/mcp-servers/?q=weather+get_fore")) == ["Korea Weather"]
    assert names(get_list(client, "/mcp-servers/?q=알림")) == ["Korea Weather"]
    assert names(get_list(client, f"/mcp-servers/?q={unicodedata.normalize('NFD', '알림')}")) == ["Korea Weather"]
    assert names(get_list(client, "/mcp-servers/?q=100%25")) == []  # no wildcard


def test_korean_words_are_found_however_they_are_spaced(client):
    refresh_search_text(make_server(name="택배 조회", description="송장번호로 찾아요"))

    assert names(get_list(client, "/mcp-servers/?q=택배조회")) == ["택배 조회"]
    assert names(get_list(client, "/mcp-servers/?q=송장+번호")) == ["택배 조회"]
    assert names(get_list(client, "/mcp-servers/?q=조회송장")) == []  # not across two texts


def test_a_server_is_found_by_what_listings_call_it(client):
    refresh_search_text(make_server(name="주문 창구", slug="order-desk"))

    assert names(get_list(client, "/mcp-servers/?q=order-desk")) == ["주문 창구"]


def test_the_tools_that_match_are_shown_and_marked(client):
    add_tools(make_server(name="Weather"), "get_weather", "weather_alerts", "list", "weather_a", "weather_b")

    page = get_list(client, "/mcp-servers/?q=weather")

    assert "Matching tools: get_ weather weather _alerts weather _a and 1 more" in row_of(page, "Weather")
    assert '<mark class="hit">weather</mark>_alerts' in page.text


@pytest.mark.parametrize(
    ("name", "words", "pieces"),
    [
        ("Get_Weather", ["weather"], [("Get_", False), ("Weather", True)]),
        ("aXbX", ["x", "b"], [("a", False), ("XbX", True)]),
        ("ﬁle", ["fi"], [("ﬁle", True)]),  # folding makes it longer
        ("list", ["x"], [("list", False)]),
    ],
)
def test_words_are_marked_where_they_stand(name, words, pieces):
    assert [(part.text, part.is_match) for part in mark_words(name, words)] == pieces


def test_filters_join_and_say_how_many_each_would_leave(client):
    make_server(name="Open", entry={"health": "working", "transport": "streamable-http"})
    make_server(name="Slow", entry={"health": "slow", "transport": "sse"})
    make_server(name="Key", entry={"health": "working", "transport": "sse", "required_settings": [{"name": "X-Key"}]})
    make_server(name="Sign in", entry={"health": "sign_in", "transport": "streamable-http"})
    make_server(name="Off", entry={"health": "working", "mode": "off"})

    assert names(get_list(client, "/mcp-servers/?state=working")) == ["Key", "Open"]
    assert names(get_list(client, "/mcp-servers/?state=off")) == ["Off"]
    assert names(get_list(client, "/mcp-servers/?auth=needed")) == ["Key", "Sign in"]
    assert names(get_list(client, "/mcp-servers/?auth=none")) == ["Open", "Slow"]
    page = get_list(client, "/mcp-servers/?auth=none&transport=sse")
    assert names(page) == ["Slow"]
    assert choices(page, "state") == {"Any": None, "Slow": 1}
    assert choices(page, "transport") == {"Any": None, "Streamable HTTP": 1, "HTTP with SSE": 1}
    assert choices(page, "auth") == {"Any": None, "Works without sign-in": 1, "Needs sign-in or a key": 1}
    assert chips(page) == {
        "HTTP with SSE": "/mcp-servers/?auth=none",
        "Works without sign-in": "/mcp-servers/?transport=sse",
    }


@pytest.mark.parametrize(
    "address",
    [
        "/mcp-servers/?state=nonsense&transport=x&auth=y&sort=z&page=-1",
        "/mcp-servers/?page=99999999999999999999",
        "/mcp-servers/?page=²",
        "/mcp-servers/?q=%F0%9F&state=%00",
    ],
)
def test_addresses_that_make_no_sense_show_the_list(client, address):
    make_server(name="Weather")

    answer = get_list(client, address)

    assert answer.status_code in (200, 400)  # 400: NUL characters are refused before
    assert answer.status_code == 400 or "%00" not in address


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["Steady", "Shaky", "New"]),
        ("name", ["New", "Shaky", "Steady"]),
        ("newest", ["New", "Steady", "Shaky"]),
        ("tools", ["Shaky", "Steady", "New"]),
        ("checked", ["Shaky", "Steady", "New"]),
    ],
)
def test_orders_put_what_is_not_known_last(client, sort, order):
    day = timedelta(days=1)
    make_server(
        name="Steady",
        created_at=NOON - day,
        last_health_check=NOON - day,
        entry={"uptime_30d_bp": 9_999, "tool_count": 1},
    )
    make_server(
        name="Shaky",
        created_at=NOON - 2 * day,
        last_health_check=NOON,
        entry={"uptime_30d_bp": 5_000, "tool_count": 30},
    )
    make_server(name="New", created_at=NOON)

    assert names(get_list(client, f"/mcp-servers/?sort={sort}")) == order


# --- Pages, parts, nothing found


def test_long_lists_come_in_pages_with_real_links(client):
    for number in range(26):
        make_server(name=f"Server {number:02}")

    first = get_list(client, "/mcp-servers/?sort=name&state=unchecked")
    last = get_list(client, "/mcp-servers/?sort=name&state=unchecked&page=2")

    assert len(names(first)) == 24
    assert "26 servers" in plain(first.text)
    assert 'rel="next" href="/mcp-servers/?state=unchecked&amp;sort=name&amp;page=2"' in first.text
    assert names(last) == ["Server 24", "Server 25"]
    assert 'rel="prev" href="/mcp-servers/?state=unchecked&amp;sort=name"' in last.text
    assert names(get_list(client, "/mcp-servers/?sort=name&page=99")) == names(last)


def test_htmx_gets_the_part_the_counts_and_an_address_without_empty_fields(client):
    make_server(name="Weather")

    part = get_list(
        client, "/mcp-servers/?q=weather&state=&transport=&auth=", **{"hx-request": "true", "hx-target": "results"}
    )

    assert "<html" not in part.text
    assert names(part) == ["Weather"]
    assert '<span hx-swap-oob="innerHTML:#announcer">1 server</span>' in part.text
    assert part["HX-Push-Url"] == "/mcp-servers/?q=weather"
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in part["Vary"].split(",")}


def test_a_part_that_is_shown_already_makes_no_step_in_the_history(client):
    headers = {"hx-request": "true", "hx-target": "results", "hx-current-url": "http://testserver/mcp-servers/"}

    assert get_list(client, "/mcp-servers/?q=", **headers)["HX-Push-Url"] == "false"


def test_history_gets_the_whole_page(client):
    headers = {"hx-request": "true", "hx-history-restore-request": "true"}

    assert "<html" in get_list(client, **headers).text


def test_nothing_found_offers_ways_on(client):
    make_server(name="Weather", entry={"health": "working"})

    page = get_list(client, "/mcp-servers/?q=weather&state=down")

    assert "No server for “weather”" in page.text
    offered = re.findall(r'<a class="chip chip--on" href="([^"]*)">(.*?)</a>', page.text)
    assert {plain(words): address for address, words in offered} == {"Without “Down” 1": "/mcp-servers/?q=weather"}
    assert "0 servers" in plain(page.text)


def test_a_search_on_the_other_keyboard_is_understood(client):
    refresh_search_text(make_server(name="날씨"))

    page = get_list(client, "/mcp-servers/?q=skfTl")

    assert "Did you mean “날씨”?" in page.text


def test_an_empty_registry_says_so(client):
    assert "No server is listed yet" in get_list(client).text


def test_only_the_whole_list_is_indexed(client):
    assert canonical(get_list(client)) == "http://localhost:8000/mcp-servers/"
    assert 'content="noindex, follow"' in get_list(client, "/mcp-servers/?q=x").text


@pytest.mark.parametrize("rows", [1, 50])
def test_the_list_costs_two_queries_and_a_third_for_a_search(client, django_assert_num_queries, rows):
    for number in range(rows):
        add_tools(make_server(name=f"Weather {number}", last_health_check=NOON), "get_weather", "list_alerts")

    with django_assert_num_queries(2):
        get_list(client)
    with django_assert_num_queries(3):
        get_list(client, "/mcp-servers/?q=weather")
