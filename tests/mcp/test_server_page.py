"""The page of one server: who sees it, what it says, and that nothing foreign does more than stand there."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from mcp.models import HealthCheck, Incident, McpServer, ServerDay, Tool, ToolChange, ToolNeed
from mcp.uptime import seoul_day
from tests.catalog.pages import canonical, card_titles, meta, plain
from tests.factories import NOON, make_prompt, make_server, make_staff, make_user

pytestmark = pytest.mark.django_db


def get_page(client, slug="weather", query="", **headers):
    return client.get(f"/mcp-servers/{slug}/{query}", headers={"accept-language": "en", **headers})


def make_weather(**fields) -> McpServer:
    """Checked three minutes ago and found working, unless told otherwise."""
    entry = {"health": "working", "verdict": "ok", "latency_ms": 184, "transport": "streamable-http"}
    entry |= {"protocol_version": "2026-07-28", "tool_count": 0, **fields.pop("entry", {})}
    checked_at = timezone.now() - timedelta(minutes=3)
    return make_server(
        **{"slug": "weather", "name": "Weather", "last_health_check": checked_at, "entry": entry, **fields}
    )


def section(response, key: str) -> str:
    """The text of a section of the page."""
    found = re.search(rf'<section id="{key}".*?(?=<section id="|</main>)', response.text, re.DOTALL)
    return plain(found[0])


# --- Who sees it


@pytest.mark.parametrize("state", ["submitted", "declined"])
def test_what_is_not_accepted_is_there_for_its_submitter_and_for_staff_of_the_registry_only(client, state):
    submitter = make_user()
    make_weather(entry={"state": state, "submitted_by": submitter, "decline_reason": "It is a web page."})
    people = [submitter, make_staff("catalogue staff"), make_staff("finance"), make_user(), None]

    answers = {}
    for number, person in enumerate(people):
        client.logout()
        if person:
            client.force_login(person)
        answers[number] = get_page(client).status_code

    assert answers == {0: 200, 1: 200, 2: 404, 3: 404, 4: 404}


def test_the_submitter_reads_why_and_search_engines_read_nothing(client):
    submitter = make_user()
    make_weather(entry={"state": "declined", "submitted_by": submitter, "decline_reason": "It is a web page."})
    client.force_login(submitter)

    page = get_page(client)

    assert "We did not list it. Only you and we see this page. It is a web page." in plain(page.text)
    assert meta(page, "robots") == "noindex, follow"
    assert canonical(page) == ""
    assert "ld+json" not in page.text


def test_what_is_switched_off_stays_and_says_so(client):
    make_weather(entry={"mode": "off"})

    page = get_page(client)

    assert page.status_code == 200
    assert "We no longer check this server." in page.text
    assert "state--slate" in page.text


def test_there_is_no_page_without_a_server(client):
    assert get_page(client, "nothing").status_code == 404


# --- State and uptime


def test_the_state_has_its_reason_its_latency_and_its_time(client):
    make_weather(entry={"health": "down", "verdict": "server_error", "verdict_reason": "HTTP 503"})

    text = plain(get_page(client).text)

    assert "Down It answered with an error of its own. Detail: HTTP 503 Last checked 3 minutes ago" in text
    assert "First answer after 184 ms Transport Streamable HTTP Revision of MCP 2026-07-28" in text


def test_an_old_state_is_marked_as_old(client):
    make_weather(last_health_check=timezone.now() - timedelta(hours=2))

    page = get_page(client)

    assert "The last check was longer ago than it should be" in page.text
    assert "Working Old information" in plain(page.text)
    assert "seal--pine" not in page.text


def test_a_server_nobody_checked_has_no_numbers(client):
    make_server(slug="weather")

    page = get_page(client)

    assert section(page, "uptime").count("Not known yet") == 3 + 30  # the three figures, and each day of the table
    assert "No check has told anything yet." in section(page, "uptime")
    assert "100%" not in page.text.replace('width="100%"', "").replace('height="100%"', "")
    assert "No check has seen its tools yet." in section(page, "tools")


def test_uptime_is_told_in_numbers_in_bars_and_in_a_table(client):
    now = timezone.now()
    server = make_weather()
    for hours in (1, 2, 3):
        HealthCheck.objects.create(
            server=server, checked_at=now - timedelta(hours=hours), verdict="ok", health="working"
        )
    verdict = {"verdict": "timeout", "health": "down"}
    HealthCheck.objects.create(server=server, checked_at=now - timedelta(hours=4), **verdict)
    today = seoul_day(now)
    ServerDay.objects.create(server=server, day=today, check_count=4, up_count=3, down_count=1)
    ServerDay.objects.create(server=server, day=today - timedelta(days=10), check_count=4, up_count=4)
    ServerDay.objects.create(server=server, day=today - timedelta(days=40), check_count=4, down_count=4)

    page = get_page(client)

    assert "24 hours 75% 7 days 75% 30 days 87.5%" in section(page, "uptime")
    assert "1 day with an outage. Nothing is known of 28 days." in section(page, "uptime")
    assert page.text.count('class="uptime__up"') == 2
    assert page.text.count('class="uptime__down"') == 1
    assert page.text.count('class="uptime__unknown"') == 28
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', page.text, re.DOTALL)
    assert plain(rows[0]).endswith("75% 4 3 0 1")


def test_outages_say_when_they_began_how_long_they_took_and_why(client):
    server = make_weather()
    Incident.objects.create(server=server, started_at=NOON, ended_at=NOON + timedelta(minutes=65), verdict="timeout")
    Incident.objects.create(server=server, started_at=NOON + timedelta(days=1), verdict="tls_error")

    text = section(get_page(client), "uptime")

    assert "still down Its certificate could not be trusted." in text
    assert "Nov. 22, 2026, 9 p.m. 1 hour, 5 minutes It did not answer in time." in text  # Seoul


# --- Tools


def test_tools_have_a_table_of_parameters_and_hints_as_the_servers_own_words(client):
    server = make_weather(entry={"tool_count": 1})
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which city"},
            "unit": {"enum": ["C", "F"], "default": "C"},
        },
        "required": ["city"],
    }
    Tool.objects.create(
        server=server,
        name="get_weather",
        description="Returns it.",
        input_schema=schema,
        annotations={"readOnlyHint": True, "destructiveHint": True, "openWorldHint": "yes"},
    )
    Tool.objects.create(server=server, name="gone", removed_at=NOON)

    text = section(get_page(client), "tools")

    assert "get_weather Returns it." in text
    assert "The server says so itself; nobody has proven it: only reads Parameter" in text
    assert "city string yes Which city unit string no One of: C , F If left out: C" in text
    assert "gone" not in text


def test_many_tools_come_in_pages(client):
    server = make_weather(entry={"tool_count": 41})
    Tool.objects.bulk_create(Tool(server=server, name=f"tool_{n:02}", position=n) for n in range(41))

    first, last = get_page(client), get_page(client, query="?tools=2")

    assert first.text.count('class="accordion tool"') == 40
    assert 'href="?tools=2#tools"' in first.text
    assert "tool_40" in section(last, "tools")
    assert get_page(client, query="?tools=nonsense").text.count('class="accordion tool"') == 40


@pytest.mark.parametrize("schema", [[], "text", 7, {"properties": []}, {"properties": {"x": None}}])
def test_whatever_a_schema_is_the_page_stands(client, schema):
    Tool.objects.create(server=make_weather(entry={"tool_count": 1}), name="odd", input_schema=schema, annotations=[1])

    assert "odd" in section(get_page(client), "tools")


def test_a_server_that_asks_to_sign_in_keeps_its_tools_to_itself(client):
    make_weather(entry={"health": "sign_in", "verdict": "auth_required", "tool_count": None})

    page = get_page(client)

    assert "One must sign in to see its tools, so we do not know them." in section(page, "tools")
    assert "Your client opens its sign-in page when you connect." in section(page, "connect")


# --- Connecting


def snippet(response, key: str) -> str:
    return unescape(re.search(rf'<code id="snippet-{key}">(.*?)</code>', response.text, re.DOTALL)[1])


def test_how_to_connect_is_there_to_copy_for_each_client(client):
    make_weather(endpoint="https://weather.example/mcp")

    page = get_page(client)

    assert re.findall(r'name="client" value="([^"]*)"', page.text) == [
        "claude-code",
        "claude-desktop",
        "cursor",
        "vs-code",
        "gemini-cli",
    ]
    assert snippet(page, "claude-code-command") == (
        "claude mcp add --transport http weather https://weather.example/mcp"
    )
    assert json.loads(snippet(page, "vs-code-file"))["servers"]["weather"]["url"] == "https://weather.example/mcp"


def test_settings_it_needs_are_named_before_the_commands_that_hold_their_places(client):
    make_weather(
        entry={
            "required_settings": [
                {"name": "Authorization", "description": "Key of the provider", "isRequired": True, "isSecret": True},
                {"name": "X-Region", "isRequired": False, "isSecret": False, "value": "hidden-value"},
                "nonsense",
            ]
        }
    )

    page = get_page(client)

    assert "Authorization Key of the provider yes yes: share it with nobody X-Region – no no" in section(
        page, "connect"
    )
    assert '--header "Authorization: Bearer YOUR_TOKEN"' in snippet(page, "claude-code-command")
    assert "X-Region" not in snippet(page, "claude-code-command")
    assert "hidden-value" not in page.text


def test_an_address_that_holds_a_secret_is_not_shown_nor_anything_made_of_it(client):
    make_weather(endpoint="https://weather.example/mcp?api_key=hush-hush")

    page = get_page(client)

    assert "hush-hush" not in page.text
    assert "Its address cannot be shown here." in section(page, "connect")


def test_no_value_of_config_is_on_the_page(client):
    server = make_weather(config={"token": "hush-hush"}, metadata={"private": "hush-hush"})

    assert "hush-hush" not in get_page(client, server.entry.slug).text


# --- Changes and prompts


def test_changes_say_what_changed_when_and_which_were_silent(client):
    server = make_weather()
    fields = {"server": server, "tool_name": "get_weather", "server_version": "1.2.0"}
    ToolChange.objects.create(
        kind="description",
        before="Returns it.",
        after="Returns <b>everything</b>.",
        is_silent=True,
        seen_at=NOON,
        **fields,
    )
    ToolChange.objects.create(kind="schema", before='{"a": 1}', after='{"a": 2}', seen_at=NOON, **fields)
    ToolChange.objects.create(kind="removed", seen_at=NOON, **fields)

    page = get_page(client)

    text = section(page, "changes")
    assert "get_weather description changed Silent: the version stayed the same" in text
    assert "Returns Before: it. After: <b>everything</b>." in text
    assert 'Before: "a": 1 After: "a": 2' in text
    assert "removed version 1.2.0" in text
    assert "<b>everything" not in page.text


def test_prompts_on_sale_that_need_its_tools_are_shown_once_each(client):
    server, other = make_weather(), make_server(slug="other")
    needing, draft = make_prompt(title="Needs both"), make_prompt(title="Draft", state="draft")
    for prompt, where, tool in [(needing, server, "a"), (needing, server, "b"), (draft, server, "a")]:
        ToolNeed.objects.create(prompt=prompt, server=where, server_slug=where.entry.slug, tool_name=tool)
    elsewhere = make_prompt(title="Needs another")
    ToolNeed.objects.create(prompt=elsewhere, server=other, server_slug="other", tool_name="a")

    assert card_titles(get_page(client)) == ["Needs both"]


# --- Foreign texts, heads, queries

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e{{ x }}</code></pre>"


def test_nothing_foreign_becomes_markup_or_turns_the_text_around(client):
    server = make_weather(
        name=HOSTILE,
        description=HOSTILE,
        endpoint="https://weather.example/<script>alert(1)</script>",
        entry={
            "tool_count": 1,
            "verdict_reason": HOSTILE,
            "website_url": "javascript:alert(1)",
            "required_settings": [{"name": HOSTILE[:60], "description": HOSTILE}],
            "protocol_version": "<script>alert(1)</script>",
        },
    )
    schema = {"properties": {HOSTILE: {"type": HOSTILE, "description": HOSTILE, "default": HOSTILE, "enum": [HOSTILE]}}}
    Tool.objects.create(server=server, name=HOSTILE, title=HOSTILE, description=HOSTILE, input_schema=schema)
    ToolChange.objects.create(server=server, tool_name=HOSTILE, kind="description", before="x", after=HOSTILE)
    Incident.objects.create(server=server, started_at=NOON, verdict="timeout", reason=HOSTILE)

    page = get_page(client)

    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "javascript:" not in page.text
    assert "\u202e" not in page.text
    assert json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page.text)[1])["@graph"]


def test_other_sites_learn_what_it_is(client):
    make_weather(description="Forecasts by city", entry={"website_url": "https://weather.example/about"})

    page = get_page(client)

    assert meta(page, "og:title") == "Weather"
    assert meta(page, "description") == "Forecasts by city"
    assert canonical(page) == "http://localhost:8000/mcp-servers/weather/"
    service, trail = json.loads(re.search(r'ld\+json">(.*?)</script>', page.text)[1])["@graph"]
    assert (service["@type"], service["name"]) == ("WebAPI", "Weather")
    assert [step["name"] for step in trail["itemListElement"]] == ["Home", "MCP servers", "Weather"]


@pytest.mark.parametrize("rows", [1, 30])
def test_the_page_costs_nine_queries_however_much_there_is(client, django_assert_num_queries, rows):
    server = make_weather(entry={"tool_count": rows})
    for number in range(rows):
        Tool.objects.create(server=server, name=f"tool_{number}", position=number)
        ToolChange.objects.create(server=server, tool_name="x", kind="added", seen_at=NOON)
        started_at = NOON - timedelta(days=number)
        Incident.objects.create(server=server, started_at=started_at, ended_at=NOON, verdict="timeout")
        ServerDay.objects.create(server=server, day=seoul_day(timezone.now() - timedelta(days=number)))
        ToolNeed.objects.create(prompt=make_prompt(), server=server, server_slug="weather", tool_name="x")

    with django_assert_num_queries(9):
        get_page(client)
