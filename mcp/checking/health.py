"""Turns what one look at a server saw into rows: how it is now, its history, its tools, and what changed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from marketplace.outbound import Limits
from mcp.checking.facts import build_health, read_health, read_version
from mcp.checking.judging import Standing, is_slow, is_worse, judge_sighting
from mcp.checking.tool_changes import record_tools
from mcp.client.probe import probe as probe_server
from mcp.client.sightings import Sighting
from mcp.credentials import read_credentials
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay, ToolChange
from mcp.registry.registration import refresh_search_text
from mcp.tools.need_states import update_needs
from mcp.uptime import DOWN, measure_uptimes, seoul_day
from mcp.verdicts import MISSES, UP, Verdict

CHECKS_KEPT_FOR = timedelta(days=35)
LONGEST_CHECK = timedelta(minutes=1)  # a look that began earlier may be recorded later, by no more than this
LONGEST_WAIT = timedelta(days=1)  # whatever a server asks for
PRUNED_AT_ONCE = 1_000
UPTIME_KEPT_FOR = timedelta(days=1)  # as it was measured at the last check


@dataclass(frozen=True)
class Recorded:
    """check: the row; None where the address changed while the old one was looked at, and nothing was recorded."""

    previous_health: str
    health: str
    is_worse: bool = False
    changes: list[ToolChange] = field(default_factory=list)
    check: HealthCheck | None = None


def check_server(
    server: McpServer, *, now: datetime, trigger: str, probe: Callable[..., Sighting] = probe_server
) -> Recorded:
    """Look at a server and record what was seen. Takes up to `MCP_CHECK_DEADLINE_S`; not inside a transaction."""
    sighting = probe(
        server.endpoint,
        headers=read_credentials(server),
        limits=Limits(deadline_s=settings.MCP_CHECK_DEADLINE_S),
        allow_networks=settings.MCP_ALLOW_ADDRESSES,
    )
    return record_sighting(server=server, sighting=sighting, now=now, trigger=trigger)


def record_sighting(*, server: McpServer, sighting: Sighting, now: datetime, trigger: str) -> Recorded:
    """Record what a look that began at `now` saw at the endpoint that `server` has.

    Of `metadata` only the key `health` is replaced, and `updated_at` stays unless the registry's API says something
    else than before: another version or transport. The server's row is held meanwhile, so that looks that end at once
    and other programs come one after the other. Raises McpServer.DoesNotExist when it was deleted.
    """
    with transaction.atomic():
        row = McpServer.objects.select_for_update().defer("config").get(pk=server.pk)
        entry = Entry.objects.select_for_update().get(server=row)
        if row.endpoint != server.endpoint:
            return Recorded(previous_health=entry.health, health=entry.health)
        before = Standing(status=row.status, health=entry.health, miss_count=entry.miss_count)
        is_late = row.last_health_check is not None and timedelta(0) < row.last_health_check - now < LONGEST_CHECK
        after = before if is_late else _judge(entry, before=before, sighting=sighting)

        incident = None
        if not is_late and entry.mode != Entry.Mode.OFF:  # nobody would look when it ends
            incident = _follow_incident(row, before=before, after=after, sighting=sighting, now=now)
        check = _add_check(row, sighting=sighting, health=after.health, now=now, trigger=trigger)
        _count_day(row, sighting=sighting, now=now)
        changes = []
        if not is_late:  # somebody who began later has already said how it is
            health = build_health(
                sighting=sighting,
                known=read_health(row.metadata),
                failure_count=incident.check_count if incident else after.miss_count,
                now=now,
            )
            changes = _record_tools(row, entry, sighting=sighting, health=health, now=now)
            _write_server(row, health=health, status=after.status, now=now)
            _write_entry(entry, before=before, after=after, sighting=sighting, incident=incident, now=now)
            update_needs(server_ids=[row.pk], now=now)
    return Recorded(
        previous_health=before.health,
        health=after.health,
        is_worse=is_worse(before=before, after=after),
        changes=changes,
        check=check,
    )


def prune_checks(*, now: datetime, is_dry_run: bool = False) -> int:
    """Delete checks after 35 days; how many. What they added up to stays in `ServerDay` and `Incident`."""
    old = HealthCheck.objects.filter(checked_at__lt=now - CHECKS_KEPT_FOR)
    if is_dry_run:
        return old.count()
    count = 0
    while keys := list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        count += HealthCheck.objects.filter(pk__in=keys).delete()[0]
    return count


def refresh_old_uptimes(*, now: datetime) -> int:
    """Measure anew where no check has done so for a day, as with what is paused or switched off: what is left of the
    last 30 days; the number that changed.
    """
    old = Entry.objects.filter(uptime_30d_bp__isnull=False, server__last_health_check__lt=now - UPTIME_KEPT_FOR)
    known = dict(old.values_list("pk", "uptime_30d_bp"))
    if not known:
        return 0
    changed = {
        key: uptime.days_30_bp
        for key, uptime in measure_uptimes(server_ids=known, now=now).items()
        if uptime.days_30_bp != known[key]
    }
    for key, share_bp in changed.items():
        Entry.objects.filter(pk=key, uptime_30d_bp=known[key]).update(uptime_30d_bp=share_bp)
    return len(changed)


def _judge(entry: Entry, *, before: Standing, sighting: Sighting) -> Standing:
    after = judge_sighting(before=before, sighting=sighting)
    is_listed = entry.state == Entry.State.ACCEPTED and entry.mode != Entry.Mode.OFF
    return after if is_listed else replace(after, status=McpServer.Status.INACTIVE)


def _follow_incident(
    row: McpServer, *, before: Standing, after: Standing, sighting: Sighting, now: datetime
) -> Incident | None:
    """The one that is open after this look, if any."""
    incidents = row.incidents.filter(ended_at__isnull=True)
    if after.health != Entry.Health.DOWN:
        incidents.update(ended_at=now)
        return None
    incident = incidents.first()
    if sighting.verdict not in DOWN:  # it says nothing of whether it is still so
        return incident
    if incident is None:
        return _open_incident(row, before=before, sighting=sighting, now=now)
    incidents.update(check_count=F("check_count") + 1)
    incident.refresh_from_db(fields=["check_count"])
    return incident


def _open_incident(row: McpServer, *, before: Standing, sighting: Sighting, now: datetime) -> Incident:
    """It began with the miss that changed nothing yet, where there was one."""
    first = None
    if before.miss_count:
        first = row.checks.filter(verdict__in=MISSES, checked_at__lte=now).order_by("-checked_at", "-pk").first()
    if first is None:
        return row.incidents.create(started_at=now, verdict=sighting.verdict, reason=sighting.reason)
    return row.incidents.create(
        started_at=first.checked_at, verdict=first.verdict, reason=first.reason, check_count=before.miss_count + 1
    )


def _add_check(row: McpServer, *, sighting: Sighting, health: str, now: datetime, trigger: str) -> HealthCheck:
    return row.checks.create(
        checked_at=now,
        trigger=trigger,
        verdict=sighting.verdict,
        health=health,
        reason=sighting.reason,
        http_status=sighting.http_status,
        latency_ms=sighting.latency_ms,
        era=sighting.era,
        transport=sighting.transport,
        protocol_version=sighting.protocol_version,
        tool_count=None if sighting.tools is None else len(sighting.tools),
        prompt_count=None if sighting.prompts is None else len(sighting.prompts),
    )


def _count_day(row: McpServer, *, sighting: Sighting, now: datetime) -> None:
    day, _is_new = ServerDay.objects.get_or_create(server=row, day=seoul_day(now))
    ServerDay.objects.filter(pk=day.pk).update(
        check_count=F("check_count") + 1,
        up_count=F("up_count") + int(sighting.verdict in UP),
        slow_count=F("slow_count") + int(is_slow(sighting)),
        down_count=F("down_count") + int(sighting.verdict in DOWN),
    )


def _record_tools(row: McpServer, entry: Entry, *, sighting: Sighting, health: dict, now: datetime) -> list[ToolChange]:
    """What is not known changes nothing."""
    changes, is_first = [], entry.tool_count is None
    if sighting.tools is not None:
        version = read_version(health)
        changes = record_tools(
            server=row,
            seen=sighting.tools,
            is_cut=sighting.is_cut,
            is_first=is_first,
            server_version=version,
            is_version_same=version == read_version(read_health(row.metadata)),
            now=now,
        )
        if changes or is_first:
            refresh_search_text(row)
    return changes


def _write_server(row: McpServer, *, health: dict, status: str, now: datetime) -> None:
    """metadata: left alone where another program keeps something in it that has no keys."""
    known, fields = read_health(row.metadata), ["status", "last_health_check"]
    row.status, row.last_health_check = status, now
    if row.metadata is None or isinstance(row.metadata, dict):
        row.metadata = {**(row.metadata or {}), "health": health}
        fields.append("metadata")
    if _published_facts(health) != _published_facts(known):
        row.updated_at = now
        fields.append("updated_at")
    row.save(update_fields=fields)


def _published_facts(health: dict) -> tuple:
    """What the registry's API says of a server by its checks, besides how it is."""
    return read_version(health), health.get("transport", "")


def _write_entry(
    entry: Entry, *, before: Standing, after: Standing, sighting: Sighting, incident: Incident | None, now: datetime
) -> None:
    if after.health != before.health:
        entry.health_since = incident.started_at if incident else now
    if (after.status == McpServer.Status.INACTIVE) != (before.status == McpServer.Status.INACTIVE):
        entry.status_changed_at = now
    entry.health, entry.miss_count = after.health, after.miss_count
    entry.limited_since = (entry.limited_since or now) if sighting.verdict == Verdict.RATE_LIMITED else None
    entry.verdict, entry.verdict_reason = sighting.verdict, sighting.reason
    entry.latency_ms = sighting.latency_ms
    if sighting.protocol_version:
        entry.transport, entry.protocol_version = sighting.transport, sighting.protocol_version
    if sighting.tools is not None:
        entry.tool_count = len(sighting.tools)
    if sighting.prompts is not None:
        entry.prompt_count = len(sighting.prompts)
    entry.uptime_30d_bp = measure_uptimes(server_ids=[entry.pk], now=now)[entry.pk].days_30_bp
    entry.next_check_at = _next_check(entry, sighting=sighting, now=now)
    entry.save(
        update_fields=[
            *("health", "health_since", "miss_count", "verdict", "verdict_reason", "latency_ms", "transport"),
            *("protocol_version", "tool_count", "prompt_count", "uptime_30d_bp", "next_check_at", "status_changed_at"),
            "limited_since",
        ]
    )


def _next_check(entry: Entry, *, sighting: Sighting, now: datetime) -> datetime:
    """In step with the one before, so that a run that begins a moment late does not push it on and on; a look in
    between changes nothing. Not before a server asked for.
    """
    interval = timedelta(seconds=settings.MCP_CHECK_INTERVAL_S)
    at = entry.next_check_at
    if at <= now:
        at = at + interval if at + interval > now else now + interval
    if sighting.verdict == Verdict.RATE_LIMITED and sighting.retry_after_s:
        at = max(at, now + min(timedelta(seconds=sighting.retry_after_s), LONGEST_WAIT))
    return at
