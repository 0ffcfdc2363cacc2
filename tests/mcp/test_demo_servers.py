"""The registry of the demo shop: every state to be seen, invented and saying so, and agreeing with itself."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import transaction

from catalog.demo_catalogue import DemoFiles
from mcp.demo.demo_server import ENDPOINT
from mcp.demo.demo_servers import add_servers
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay, Tool, ToolChange
from mcp.registry.registration import ensure_entries
from mcp.states import badge_of
from mcp.uptime import measure_uptimes
from tests.factories import NOON, make_server, make_staff, make_user

FILES = DemoFiles()
TABLES = [McpServer, Entry, ServerDay, HealthCheck, Incident, Tool, ToolChange]


@pytest.fixture(scope="module")
def loaded(django_db_setup, django_db_blocker):
    """The demo's servers, loaded once for all tests here and rolled back after them."""
    with django_db_blocker.unblock(), transaction.atomic():
        users = {"staff": make_staff(), "devkim": make_user()}
        add_servers(files=FILES, users=users, now=NOON)
        yield users
        transaction.set_rollback(True)


@pytest.fixture
def users(loaded, db):
    """Whatever the test writes is undone after it."""
    return loaded


@pytest.fixture
def entries(users) -> dict[str, Entry]:
    return {entry.slug: entry for entry in Entry.objects.select_related("server")}


def load_again(users, *, now=NOON) -> int:
    """As into an empty registry."""
    McpServer.objects.all().delete()
    return add_servers(files=FILES, users=users, now=now)


def dump() -> list:
    return [list(table.objects.order_by("pk").values()) for table in TABLES]


def test_there_is_one_in_every_state(entries):
    badges = {slug: badge_of(entry, now=NOON) for slug, entry in entries.items()}

    assert {slug: (badge.key, badge.is_stale) for slug, badge in badges.items()} == {
        "order-desk": ("working", False),
        "dictionary": ("working", False),
        "sheets": ("sign_in", False),
        "holiday-calendar": ("slow", False),
        "parcel-tracker": ("down", False),
        "exchange-rates": ("configuration", False),
        "news-clips": ("working", True),
        "old-board": ("off", False),
        "image-notes": ("unchecked", False),
        "subway-times": ("unchecked", False),
        "demo-tools": ("unchecked", False),
    }
    assert [slug for slug, entry in entries.items() if entry.state == "submitted"] == ["subway-times"]


def test_a_second_load_changes_nothing(entries, users):
    before = dump()

    assert add_servers(files=FILES, users=users, now=NOON + timedelta(days=3)) == 0
    assert ensure_entries(now=NOON) == 0
    assert dump() == before


def test_every_load_invents_the_same(entries, users):
    before = {str(check.server_id) + str(check.checked_at): check.latency_ms for check in HealthCheck.objects.all()}

    load_again(users)

    assert before == {
        str(check.server_id) + str(check.checked_at): check.latency_ms for check in HealthCheck.objects.all()
    }


def test_what_was_there_before_is_left_as_it_is(users):
    McpServer.objects.all().delete()
    mine = make_server(slug="dictionary", name="Mine")

    assert add_servers(files=FILES, users=users, now=NOON) == len(FILES.servers) - 1
    assert Entry.objects.get(slug="dictionary").server == mine


@pytest.mark.parametrize("fields", FILES.servers, ids=lambda fields: fields["slug"])
def test_it_says_that_it_is_invented_and_lies_where_nobody_can_be(fields):
    if fields["endpoint"] == ENDPOINT:
        return
    assert "Invented for the demo" in fields["description"] or "데모용으로" in fields["description"]
    assert urlsplit(fields["endpoint"]).hostname.endswith(".example")


def test_no_check_is_due_but_of_the_server_on_this_machine(users, settings):
    settings.MCP_ALLOW_ADDRESSES = ["127.0.0.1/32"]
    load_again(users)

    checked = Entry.objects.public().filter(mode=Entry.Mode.CHECKED, next_check_at__lte=NOON)
    assert [entry.server.endpoint for entry in checked.select_related("server")] == [ENDPOINT]


def test_where_this_machine_may_not_be_reached_no_check_is_due_at_all(entries):
    assert not Entry.objects.public().filter(mode=Entry.Mode.CHECKED).exists()


def test_days_checks_and_uptime_agree(entries):
    uptimes = measure_uptimes(server_ids=[entry.pk for entry in entries.values()], now=NOON)
    for entry in entries.values():
        assert entry.uptime_30d_bp == uptimes[entry.pk].days_30_bp
    assert not HealthCheck.objects.filter(checked_at__gt=NOON).exists()
    assert 9_500 < entries["parcel-tracker"].uptime_30d_bp < 9_900
    assert entries["holiday-calendar"].uptime_30d_bp == 10_000
    assert entries["exchange-rates"].uptime_30d_bp is None


def test_the_newest_check_of_a_server_is_what_its_row_says(entries):
    for entry in entries.values():
        newest = entry.server.checks.order_by("-checked_at").first()
        if newest is None:
            assert entry.server.last_health_check is None
            continue
        health = entry.server.metadata["health"]
        assert entry.server.last_health_check == newest.checked_at
        assert (entry.health, entry.verdict, entry.latency_ms) == (newest.health, newest.verdict, newest.latency_ms)
        assert (health["result"], health["latency_ms"]) == (newest.verdict, newest.latency_ms)


def test_what_is_down_has_an_open_incident_and_nothing_else_has(entries):
    incident = Incident.objects.get(ended_at__isnull=True)

    assert incident.server == entries["parcel-tracker"].server
    assert incident.started_at == entries["parcel-tracker"].health_since


def test_tools_have_schemas_and_one_of_their_texts_changed_silently(entries):
    for entry in entries.values():
        tools = list(entry.server.tools.offered())
        assert len(tools) == (entry.tool_count or 0)
        assert all(tool.input_schema["type"] == "object" for tool in tools)
        assert all(tool.name in entry.search_text for tool in tools)
    silent = ToolChange.objects.get(is_silent=True)
    assert (silent.server.entry.slug, silent.tool_name, silent.kind) == ("dictionary", "check_spelling", "description")
    assert set(ToolChange.objects.values_list("kind", flat=True)) == {"added", "removed", "schema", "description"}


def test_the_slow_one_is_as_slow_as_the_settings_call_slow(users, settings):
    settings.MCP_SLOW_MS = 9_000
    load_again(users)

    assert Entry.objects.get(slug="holiday-calendar").health == Entry.Health.SLOW


@pytest.mark.parametrize("hour", [0, 9, 15, 23])
def test_it_holds_at_any_hour_of_the_day(users, hour):
    load_again(users, now=NOON.replace(hour=hour, minute=1))

    for day in ServerDay.objects.all():
        assert day.check_count >= day.up_count + day.down_count
    assert Incident.objects.filter(ended_at__isnull=True).count() == 1
