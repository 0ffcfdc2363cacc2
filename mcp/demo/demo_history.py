"""Thirty days of checks that nobody made, for the invented servers of the demo: the same ones for every load.

Each look is judged by the same rules as a real one, so that days, incidents, health and badges agree.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, takewhile, zip_longest

from django.conf import settings

from mcp.checking.judging import Standing, is_slow, judge_sighting
from mcp.client.sightings import Sighting
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay
from mcp.uptime import DOWN, seoul_day
from mcp.verdicts import UP, Verdict

KEPT_DAYS = timedelta(days=30)
KEPT_CHECKS = timedelta(days=2)  # single checks; the days before stand as their sums
INTERVAL = timedelta(minutes=15)
SLOW_BY = 1.45  # of MCP_SLOW_MS


@dataclass(frozen=True)
class Look:
    at: datetime
    sighting: Sighting
    after: Standing


def plan_looks(*, fields: dict, now: datetime) -> list[Look]:
    """Oldest first; empty for a server that nobody has checked."""
    if "last_minutes" not in fields:
        return []
    looks = []
    standing = Standing(status=McpServer.Status.INACTIVE, health=Entry.Health.UNCHECKED, miss_count=0)
    dice = random.Random(f"looks {fields['slug']}")  # noqa: S311  # the same looks in every load, not a secret
    for at in _plan_times(fields, now):
        sighting = _see(fields, now - at, dice)
        standing = judge_sighting(before=standing, sighting=sighting)
        looks.append(Look(at, sighting, standing))
    return looks


def _plan_times(fields: dict, now: datetime) -> Iterator[datetime]:
    last = now - timedelta(minutes=fields["last_minutes"])
    first = now - min(KEPT_DAYS, timedelta(days=fields["days"]))
    count = (last - first) // INTERVAL
    return (last - INTERVAL * (count - number) for number in range(count + 1))


def _see(fields: dict, age: timedelta, dice: random.Random) -> Sighting:
    varied = dice.uniform(0.7, 1.35)
    for outage in fields.get("outages", ()):
        begin = timedelta(days=outage["days"])
        if begin - timedelta(hours=outage.get("hours", 10_000)) < age <= begin:
            return Sighting(
                verdict=Verdict(outage["verdict"]), reason=outage["reason"], http_status=outage.get("http_status")
            )
    is_slow_now = age <= timedelta(days=fields.get("slow_days", 0))
    latency_ms = settings.MCP_SLOW_MS * SLOW_BY if is_slow_now else fields["latency_ms"]
    revision = fields["revision"]
    return Sighting(
        verdict=Verdict(fields.get("verdict", "ok")),
        reason=fields.get("reason", ""),
        http_status=fields.get("http_status", 200),
        latency_ms=round(latency_ms * varied),
        era=("modern" if revision >= "2026" else "legacy") if revision else "",
        transport=fields["transport"] if revision else "",
        protocol_version=revision,
    )


def find_run(looks: list[Look]) -> list[Look]:
    """The last looks that make the present health; what is down has been so since the first miss."""
    health = looks[-1].after.health
    is_down = health == Entry.Health.DOWN
    run = takewhile(
        lambda look: look.sighting.verdict in DOWN if is_down else look.after.health == health, reversed(looks)
    )
    return list(run)[::-1]


def find_status_change(looks: list[Look]) -> datetime:
    """When it became active or stopped to be; what is wrong with an active one is no such change."""
    runs = groupby(looks, key=lambda look: look.after.status == McpServer.Status.INACTIVE)
    *_, first = (next(run) for _is_inactive, run in runs)
    return first.at


def list_checks(looks: list[Look], *, server: McpServer, fields: dict, tool_count: int, now: datetime):
    for look in looks:
        if look.at > now - KEPT_CHECKS or look is looks[-1]:
            is_ok = look.sighting.verdict == Verdict.OK
            yield HealthCheck(
                server=server,
                checked_at=look.at,
                verdict=look.sighting.verdict,
                health=look.after.health,
                reason=look.sighting.reason,
                http_status=look.sighting.http_status,
                latency_ms=look.sighting.latency_ms,
                era=look.sighting.era,
                transport=look.sighting.transport,
                protocol_version=look.sighting.protocol_version,
                tool_count=tool_count if is_ok else None,
                prompt_count=fields["prompt_count"] if is_ok else None,
            )


def list_days(looks: list[Look], *, server: McpServer) -> Iterator[ServerDay]:
    for day, group in groupby(looks, key=lambda look: seoul_day(look.at)):
        sightings = [look.sighting for look in group]
        yield ServerDay(
            server=server,
            day=day,
            check_count=len(sightings),
            up_count=sum(sighting.verdict in UP for sighting in sightings),
            slow_count=sum(is_slow(sighting) for sighting in sightings),
            down_count=sum(sighting.verdict in DOWN for sighting in sightings),
        )


def list_incidents(looks: list[Look], *, server: McpServer) -> Iterator[Incident]:
    """From the first miss to the first good answer; a single miss is none."""
    runs = [(is_down, list(run)) for is_down, run in groupby(looks, key=lambda look: look.sighting.verdict in DOWN)]
    for (is_down, run), following in zip_longest(runs, runs[1:]):
        if is_down and run[-1].after.health == Entry.Health.DOWN:
            yield Incident(
                server=server,
                started_at=run[0].at,
                ended_at=following[1][0].at if following else None,
                verdict=run[0].sighting.verdict,
                reason=run[0].sighting.reason,
                check_count=len(run),
            )
