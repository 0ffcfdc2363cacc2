"""Another registry copies ours while it changes: whatever is listed all the time comes exactly once."""

import random
from collections import Counter
from datetime import timedelta

import pytest

from mcp.checking.health import record_sighting
from mcp.client.sightings import Sighting
from mcp.models import Entry, McpServer
from mcp.verdicts import Verdict
from tests.factories import NOON, make_server
from tests.mcp.registry_consumer import OFFICIAL, Consumer, name_of, status_of

pytestmark = pytest.mark.django_db


def make_servers(slugs: list[str]) -> None:
    """Many at once. Their keys are random, so they are in no order that their slugs are in."""
    rows = [
        McpServer(
            name=f"Server {slug}",
            description="What it offers.",
            endpoint=f"https://example.com/{slug}/mcp",
            status="active",
            created_at=NOON,
            updated_at=NOON,
        )
        for slug in slugs
    ]
    McpServer.objects.bulk_create(rows)
    Entry.objects.bulk_create(
        Entry(server=row, slug=slug, state="accepted", submitted_at=NOON, next_check_at=NOON)
        for row, slug in zip(rows, slugs, strict=True)
    )


def disturb(chance: random.Random, *, round_number: int, passing: list[str]) -> None:
    """What goes on between two pages: checks, edits, newcomers at any place, and some that leave."""
    later = NOON + timedelta(minutes=round_number)
    everything = list(Entry.objects.values_list("pk", flat=True))
    checked = chance.sample(everything, 200)
    Entry.objects.filter(pk__in=checked).update(
        health=chance.choice(["working", "slow"]), health_since=later, latency_ms=round_number, next_check_at=later
    )
    McpServer.objects.filter(pk__in=checked).update(
        last_health_check=later, metadata={"version": f"{round_number}.0.0"}
    )
    McpServer.objects.filter(pk__in=chance.sample(everything, 100)).update(
        name=f"Renamed {round_number}", description="New words.", updated_at=later
    )
    make_servers([f"{chance.choice('abcxyz059')}{chance.getrandbits(40):x}-new-{round_number}" for _new in range(20)])
    for slug in chance.sample(passing, 5):
        McpServer.objects.filter(entry__slug=slug).delete()
    Entry.objects.filter(slug__in=chance.sample(passing, 5)).update(mode="off")
    McpServer.objects.filter(entry__slug__in=chance.sample(passing, 5)).update(status="inactive")


@pytest.mark.parametrize(("limit", "params"), [(100, {}), (73, {"updated_since": "2026-11-22T12:00:00Z"})])
def test_a_thousand_servers_are_copied_without_a_gap_or_a_double_while_rows_change(client, limit, params):
    chance = random.Random(20261122)
    slugs = [f"{chance.getrandbits(32):08x}{'-_'[number % 2]}{number}" for number in range(1_000)]
    make_servers(slugs)
    staying, passing = slugs[:900], slugs[900:]

    seen = []
    for round_number, page in enumerate(Consumer(client).list_pages(limit=limit, **params), start=1):
        seen += [name_of(server) for server in page]
        disturb(chance, round_number=round_number, passing=passing)

    counts = Counter(seen)
    assert {slug: counts[slug] for slug in staying if counts[slug] != 1} == {}
    assert [slug for slug, count in counts.items() if count > 1] == []
    assert round_number >= 1_000 // limit


def test_what_checks_take_from_the_list_or_bring_back_is_told_as_a_change(client):
    """`updated_at` stays, and a consumer that asks for changes learns of it all the same."""
    consumer = Consumer(client)
    server = make_server(slug="weather", status="inactive")

    def look(verdict: Verdict, minute: int) -> list[str]:
        now = NOON + timedelta(minutes=minute)
        sighting = Sighting(verdict=verdict, transport="streamable-http", protocol_version="2026-07-28")
        record_sighting(server=server, sighting=sighting, now=now, trigger="schedule")
        changed = consumer.list_page(updated_since=f"2026-11-22T12:{minute:02d}:00Z")["servers"]
        return [status_of(server) for server in changed]

    assert [look(Verdict.OK, 10), look(Verdict.OK, 20)] == [["active"], []]
    assert [look(Verdict.TIMEOUT, 30), look(Verdict.TIMEOUT, 40), look(Verdict.TIMEOUT, 50)] == [[], ["deleted"], []]
    assert [look(Verdict.OK, 55), look(Verdict.OK, 58)] == [["active"], []]
    (told,) = consumer.list_versions("localhost/weather")["servers"]
    assert told["_meta"][OFFICIAL]["statusChangedAt"] == "2026-11-22T12:55:00.000Z"
    assert told["_meta"][OFFICIAL]["updatedAt"] == "2026-11-22T12:10:00.000Z"  # its transport was seen then


def test_a_consumer_that_asks_for_changes_has_what_the_whole_list_says(client):
    """First everything, then only what changed since, withdrawn ones among it."""
    consumer = Consumer(client)
    make_servers([f"s{number}" for number in range(60)])
    copy = {name_of(server): server for page in consumer.list_pages(limit=25) for server in page}

    later = NOON + timedelta(hours=1)
    McpServer.objects.filter(entry__slug__in=["s1", "s2"]).update(name="Renamed", updated_at=later)
    McpServer.objects.filter(entry__slug="s3").update(status="inactive", updated_at=later)
    make_servers(["s99"])
    McpServer.objects.filter(entry__slug="s99").update(updated_at=later)
    for page in consumer.list_pages(updated_since="2026-11-22T12:00:01Z", limit=2):
        for server in page:
            copy[name_of(server)] = server
            if server["_meta"]["io.modelcontextprotocol.registry/official"]["status"] == "deleted":
                del copy[name_of(server)]

    assert copy == {name_of(server): server for page in consumer.list_pages() for server in page}
