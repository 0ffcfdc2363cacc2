"""What a check leaves behind: the server's row, its entry, its history."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from marketplace.outbound import Limits
from mcp.checking.health import check_server, prune_checks, record_sighting, refresh_old_uptimes
from mcp.client.sightings import SeenPrompt, SeenTool, Sighting
from mcp.credentials import store_credentials
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay
from mcp.states import badge_of
from mcp.verdicts import Verdict
from tests.factories import NOON, make_server

pytestmark = pytest.mark.django_db

SEEN = Sighting(
    verdict=Verdict.OK,
    http_status=200,
    latency_ms=84,
    era="modern",
    transport="streamable-http",
    protocol_version="2026-07-28",
    supported_versions=("2026-07-28",),
    server_name="files",
    server_title="Files",
    server_version="1.2.0",
    instructions="Ask for a path.",
    tools=(SeenTool(name="read", title="Read", description="Reads a file."),),
    prompts=(SeenPrompt(name="sum-up"),),
)
ASKS = Sighting(verdict=Verdict.AUTH_REQUIRED, http_status=401, latency_ms=20, resource_metadata="https://a.example/")
MISS = Sighting(verdict=Verdict.TIMEOUT, reason="no answer within 15 s")


def look(server: McpServer, sighting: Sighting | str = SEEN, *, minutes: float = 0, trigger: str = "schedule"):
    """Record a look that began some minutes after NOON; a verdict alone stands for one that saw nothing else."""
    if isinstance(sighting, str):
        sighting = Sighting(verdict=Verdict(sighting))
    return record_sighting(server=server, sighting=sighting, now=NOON + timedelta(minutes=minutes), trigger=trigger)


def test_a_good_look_makes_the_row_active_and_tells_what_the_server_said():
    server = make_server(metadata={"region": "kr"})

    recorded = look(server)

    server.refresh_from_db()
    assert (recorded.previous_health, recorded.health, recorded.is_worse) == ("unchecked", "working", False)
    assert (server.status, server.last_health_check) == ("active", NOON)
    assert server.metadata == {
        "region": "kr",
        "health": {
            "result": "ok",
            "error": "",
            "http_status": 200,
            "latency_ms": 84,
            "consecutive_failures": 0,
            "checked_at": "2026-11-22T12:00:00Z",
            "era": "modern",
            "transport": "streamable-http",
            "protocol_version": "2026-07-28",
            "supported_versions": ["2026-07-28"],
            "server_info": {"name": "files", "title": "Files", "version": "1.2.0"},
            "instructions": "Ask for a path.",
            "tools": [{"name": "read", "title": "Read", "description": "Reads a file."}],
            "tool_count": 1,
            "prompt_count": 1,
        },
    }


def test_the_entry_says_the_same_so_that_lists_can_sort():
    server = make_server()

    look(server)

    entry = Entry.objects.get(server=server)
    assert (entry.health, entry.health_since, entry.verdict, entry.latency_ms) == ("working", NOON, "ok", 84)
    assert (entry.transport, entry.protocol_version) == ("streamable-http", "2026-07-28")
    assert (entry.tool_count, entry.prompt_count, entry.uptime_30d_bp) == (1, 1, 10_000)
    assert "read" in entry.search_text


def test_each_look_leaves_one_row():
    server = make_server()

    recorded = look(server, trigger="staff")

    check = HealthCheck.objects.get()
    assert check == recorded.check
    assert (check.server_id, check.checked_at, check.trigger) == (server.pk, NOON, "staff")
    assert (check.verdict, check.health, check.reason, check.http_status) == ("ok", "working", "", 200)
    assert (check.latency_ms, check.era, check.transport) == (84, "modern", "streamable-http")
    assert (check.protocol_version, check.tool_count, check.prompt_count) == ("2026-07-28", 1, 1)


@pytest.mark.parametrize("sighting", ["timeout", "tls_error", "rate_limited", "forbidden", ASKS])
def test_what_a_look_could_not_see_stays_as_it_was_known(sighting):
    server = make_server()
    look(server)

    look(server, sighting, minutes=15)

    server.refresh_from_db()
    entry, health = server.entry, server.metadata["health"]
    assert health["server_info"]["version"] == "1.2.0"
    assert (health["tool_count"], health["transport"], health["checked_at"]) == (
        1,
        "streamable-http",
        "2026-11-22T12:15:00Z",
    )
    assert (entry.tool_count, entry.prompt_count, entry.transport) == (1, 1, "streamable-http")
    assert list(server.tools.offered().values_list("name", flat=True)) == ["read"]
    assert server.last_health_check == NOON + timedelta(minutes=15)


@pytest.mark.parametrize("sighting", [SEEN, "timeout", "tls_error", "rate_limited", ASKS])
def test_how_a_server_is_does_not_make_its_row_newer(sighting):
    server = make_server()
    look(server)
    McpServer.objects.update(updated_at=NOON)

    look(server, sighting, minutes=15)

    server.refresh_from_db()
    assert server.updated_at == NOON


@pytest.mark.parametrize("change", [{"server_version": "1.3.0"}, {"transport": "sse"}])
def test_what_the_registry_publishes_of_a_server_makes_its_row_newer(change):
    server = make_server()
    look(server)

    look(server, Sighting(**{**vars(SEEN), **change}), minutes=15)

    server.refresh_from_db()
    assert server.updated_at == NOON + timedelta(minutes=15)


def test_what_other_programs_wrote_meanwhile_is_kept():
    server = make_server(metadata={"region": "kr"}, config={"token": "t"})
    McpServer.objects.update(metadata={"region": "jp", "tier": 2, "health": "?"}, name="Renamed", config={"token": "u"})

    look(server)

    server.refresh_from_db()
    assert (server.name, server.config) == ("Renamed", {"token": "u"})
    assert {key: value for key, value in server.metadata.items() if key != "health"} == {"region": "jp", "tier": 2}
    assert server.metadata["health"]["result"] == "ok"


@pytest.mark.parametrize(("metadata", "left"), [(None, None), ({}, None), (["a"], ["a"]), ("text", "text")])
def test_metadata_without_keys_is_left_to_whoever_wrote_it(metadata, left):
    server = make_server(metadata=metadata)

    look(server)

    server.refresh_from_db()
    assert server.status == "active"
    assert server.metadata == left if left else list(server.metadata) == ["health"]


def test_a_look_at_an_address_that_has_changed_meanwhile_is_forgotten():
    server = make_server()
    McpServer.objects.update(endpoint="https://elsewhere.example/mcp")

    recorded = look(server)

    assert (recorded.check, recorded.health) == (None, "unchecked")
    assert HealthCheck.objects.count() == 0
    assert McpServer.objects.get().last_health_check is None


def test_a_server_that_was_deleted_meanwhile_is_not_made_again():
    server = make_server()
    McpServer.objects.all().delete()

    with pytest.raises(McpServer.DoesNotExist):
        look(server)

    assert McpServer.objects.count() == 0


def test_a_look_that_began_earlier_and_ends_later_counts_and_changes_no_state():
    server = make_server()
    look(server, minutes=0.2)

    recorded = look(server, "tls_error", minutes=0)

    server.refresh_from_db()
    assert (recorded.health, recorded.is_worse) == ("working", False)
    assert (server.status, server.metadata["health"]["result"], server.entry.verdict) == ("active", "ok", "ok")
    assert ServerDay.objects.get().down_count == 1


def test_a_date_of_another_program_in_the_far_future_stops_no_check():
    server = make_server(last_health_check=NOON + timedelta(days=900))

    assert look(server).health == "working"


def test_a_server_that_is_switched_off_stays_inactive_whatever_is_seen():
    server = make_server(entry={"mode": "off"})

    look(server)

    server.refresh_from_db()
    assert (server.status, server.entry.health) == ("inactive", "working")


@pytest.mark.parametrize("state", ["submitted", "declined"])
def test_a_server_that_staff_did_not_accept_is_active_to_no_program(state):
    server = make_server(entry={"state": state})

    look(server)

    server.refresh_from_db()
    assert (server.status, server.entry.health) == ("inactive", "working")


# --- Misses and incidents


def test_the_second_miss_makes_an_active_server_inactive():
    server = make_server()
    statuses, worse = [], []

    for minutes, sighting in [(0, SEEN), (15, MISS), (30, MISS), (45, MISS)]:
        worse.append(look(server, sighting, minutes=minutes).is_worse)
        server.refresh_from_db()
        statuses.append((server.status, server.metadata["health"]["consecutive_failures"]))

    assert statuses == [("active", 0), ("active", 1), ("inactive", 2), ("inactive", 3)]
    assert worse == [False, False, True, False]


def test_an_incident_lasts_from_the_first_miss_to_the_first_good_answer():
    server = make_server()
    looks = [(0, SEEN), (15, MISS), (20, "rate_limited"), (30, "unreachable"), (45, "rate_limited"), (60, MISS)]
    for minutes, sighting in [*looks, (75, SEEN)]:
        look(server, sighting, minutes=minutes)

    incident = Incident.objects.get()
    assert (incident.started_at, incident.ended_at) == (NOON + timedelta(minutes=15), NOON + timedelta(minutes=75))
    assert (incident.verdict, incident.reason, incident.check_count) == ("timeout", "no answer within 15 s", 3)


def test_down_since_is_the_first_miss():
    server = make_server()
    for minutes, sighting in [(0, SEEN), (15, MISS), (30, MISS)]:
        look(server, sighting, minutes=minutes)

    assert Entry.objects.get().health_since == NOON + timedelta(minutes=15)


def test_one_miss_is_no_incident():
    server = make_server()
    for minutes, sighting in [(0, SEEN), (15, MISS), (30, SEEN)]:
        look(server, sighting, minutes=minutes)

    assert Incident.objects.count() == 0


def test_a_server_that_is_broken_has_an_incident_at_once_until_it_answers_again():
    server = make_server()
    look(server)
    look(server, "tls_error", minutes=15)
    assert Incident.objects.filter(ended_at=None).count() == 1

    look(server, "auth_rejected", minutes=30)

    assert Incident.objects.get().ended_at == NOON + timedelta(minutes=30)


def test_a_request_to_come_later_opens_no_incident():
    server = make_server(entry={"health": "down"})

    look(server, "rate_limited")

    assert Incident.objects.count() == 0


# --- Days


def test_days_are_those_of_seoul():
    server = make_server()
    before_midnight = datetime(2026, 11, 22, 14, 59, 59, tzinfo=UTC)
    for now in (before_midnight, before_midnight + timedelta(seconds=2)):
        record_sighting(server=server, sighting=SEEN, now=now, trigger="schedule")

    assert sorted(ServerDay.objects.values_list("day", "check_count")) == [
        (date(2026, 11, 22), 1),
        (date(2026, 11, 23), 1),
    ]


def test_a_day_counts_what_was_up_slow_and_down(settings):
    settings.MCP_SLOW_MS = 2_000
    server = make_server()
    slow = Sighting(verdict=Verdict.OK, latency_ms=2_000)
    for minutes, sighting in enumerate([SEEN, slow, ASKS, MISS, "tls_error", "rate_limited", "forbidden"]):
        look(server, sighting, minutes=minutes)

    day = ServerDay.objects.get()
    assert (day.check_count, day.up_count, day.slow_count, day.down_count) == (7, 3, 1, 2)
    assert Entry.objects.get().uptime_30d_bp == 6_000


# --- When it is looked at next


@pytest.mark.parametrize(
    ("due_minutes", "next_minutes"),
    [
        (0, 15),
        (-1, 14),  # the run began a minute late: in step all the same
        (-60, 15),  # far behind: from now on
        (5, 5),  # somebody asked in between
    ],
)
def test_looks_keep_in_step(due_minutes, next_minutes, settings):
    settings.MCP_CHECK_INTERVAL_S = 15 * 60
    server = make_server(entry={"next_check_at": NOON + timedelta(minutes=due_minutes)})

    look(server)

    assert Entry.objects.get().next_check_at == NOON + timedelta(minutes=next_minutes)


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"), [(None, 900), (60, 900), (3_600, 3_600), (10_000_000, 24 * 3_600)]
)
def test_a_server_is_not_asked_before_the_time_it_named_nor_forgotten(retry_after_s, wait_s, settings):
    settings.MCP_CHECK_INTERVAL_S = 15 * 60
    server = make_server()

    look(server, Sighting(verdict=Verdict.RATE_LIMITED, http_status=429, retry_after_s=retry_after_s))

    assert Entry.objects.get().next_check_at == NOON + timedelta(seconds=wait_s)


# --- Keeping


def test_checks_are_deleted_after_35_days_and_days_and_incidents_stay():
    server = make_server()
    for days in (36, 35, 0):
        record_sighting(server=server, sighting=MISS, now=NOON - timedelta(days=days), trigger="schedule")

    assert prune_checks(now=NOON, is_dry_run=True) == 1
    assert HealthCheck.objects.count() == 3

    assert prune_checks(now=NOON) == 1
    assert prune_checks(now=NOON) == 0
    assert (HealthCheck.objects.count(), ServerDay.objects.count(), Incident.objects.count()) == (2, 3, 1)
    assert timezone.is_aware(HealthCheck.objects.earliest("checked_at").checked_at)


# --- Looking


def test_a_look_takes_the_credentials_of_the_server_and_the_limits_of_the_settings(settings):
    settings.MCP_CHECK_DEADLINE_S, settings.MCP_ALLOW_ADDRESSES = 7.5, ["10.0.0.0/8"]
    server = make_server(endpoint="https://mcp.example.com/")
    store_credentials(server=server, headers={"Authorization": "Bearer hush-hush"})
    asked = []

    def probe(endpoint, **options) -> Sighting:
        asked.append((endpoint, options))
        return SEEN

    recorded = check_server(McpServer.objects.get(), now=NOON, trigger="staff", probe=probe)

    assert (recorded.health, recorded.check.trigger) == ("working", "staff")
    assert asked == [
        (
            "https://mcp.example.com/",
            {
                "headers": {"Authorization": "Bearer hush-hush"},
                "limits": Limits(deadline_s=7.5),
                "allow_networks": ["10.0.0.0/8"],
            },
        )
    ]


def test_a_look_with_credentials_of_another_origin_takes_none():
    server = make_server(endpoint="https://mcp.example.com/")
    store_credentials(server=server, headers={"Authorization": "Bearer hush-hush"})
    McpServer.objects.update(endpoint="https://elsewhere.example/")
    sent = []

    def probe(_endpoint, *, headers, **_options) -> Sighting:
        sent.append(headers)
        return SEEN

    check_server(McpServer.objects.get(), now=NOON, trigger="staff", probe=probe)

    assert sent == [{}]


# --- What is no longer sure


def test_a_server_that_only_asks_to_come_back_later_grows_stale(settings):
    settings.MCP_CHECK_INTERVAL_S = 900
    server = make_server()
    look(server)
    for minutes in (15, 30, 45, 60):
        look(server, "rate_limited", minutes=minutes)

    def is_stale(minutes):
        entry = Entry.objects.select_related("server").get(server=server)
        return badge_of(entry, now=NOON + timedelta(minutes=minutes)).is_stale

    assert (is_stale(60), is_stale(61)) == (False, True)

    look(server, minutes=75)
    assert not is_stale(75)


def test_a_server_that_was_switched_off_during_its_look_has_no_incident_that_nobody_would_end():
    server = make_server()
    look(server)
    Entry.objects.filter(server=server).update(mode="off")

    look(server, "tls_error", minutes=15)

    assert not Incident.objects.exists()


def test_uptime_without_checks_is_what_is_left_of_the_month():
    quiet, checked = make_server(), make_server()
    for server, minutes in [(quiet, 0), (checked, 0), (checked, 29 * 24 * 60)]:
        look(server, minutes=minutes)

    assert refresh_old_uptimes(now=NOON + timedelta(hours=23)) == 0
    assert refresh_old_uptimes(now=NOON + timedelta(days=30)) == 1
    assert refresh_old_uptimes(now=NOON + timedelta(days=30)) == 0

    known = dict(Entry.objects.values_list("server_id", "uptime_30d_bp"))
    assert known == {quiet.pk: None, checked.pk: 10_000}
