"""The registry of the demo shop: invented servers in every state, and the one that `run_demo_mcp_server` runs."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import User
from catalog.demo_catalogue import DemoFiles, demo_id
from marketplace.web_addresses import Blocked, check_url
from mcp.checking.facts import build_health
from mcp.checking.tool_changes import record_tools
from mcp.client.sightings import SeenPrompt, SeenTool, Sighting
from mcp.demo.demo_history import Look, find_run, find_status_change, list_checks, list_days, list_incidents, plan_looks
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay
from mcp.registry.search_text import make_search_text
from mcp.uptime import measure_uptimes
from mcp.verdicts import Verdict

NOTE = "load_demo가 지어낸 서버예요. 주소가 .example로 끝나 아무도 가질 수 없어서 확인을 멈춰 두었어요."


def add_servers(*, files: DemoFiles, users: dict[str, User], now: datetime) -> int:
    """Returns how many were made. What is there, or whose slug somebody took, is left as it is."""
    ids = {fields["slug"]: demo_id("server", fields["endpoint"]) for fields in files.servers}
    there = set(McpServer.objects.filter(pk__in=ids.values()).values_list("pk", flat=True))
    taken = set(Entry.objects.filter(slug__in=ids).values_list("slug", flat=True))
    new = [fields for fields in files.servers if ids[fields["slug"]] not in there and fields["slug"] not in taken]

    for fields in new:
        _add_server(fields, server_id=ids[fields["slug"]], users=users, now=now)
    return len(new)


def _add_server(fields: dict, *, server_id: uuid.UUID, users: dict[str, User], now: datetime) -> None:
    looks = plan_looks(fields=fields, now=now)
    server = _make_server(fields, looks, server_id=server_id, now=now)
    server.save(force_insert=True)
    ServerDay.objects.bulk_create(list_days(looks, server=server))
    HealthCheck.objects.bulk_create(
        list_checks(looks, server=server, fields=fields, tool_count=len(_tools_now(fields)), now=now)
    )
    incidents = list(list_incidents(looks, server=server))
    if fields.get("mode") == Entry.Mode.OFF:
        incidents[-1].ended_at = _switched_off_at(looks)
    Incident.objects.bulk_create(incidents)
    entry = _make_entry(fields, looks, server=server, users=users, now=now)
    entry.uptime_30d_bp = measure_uptimes(server_ids=[server.pk], now=now)[server.pk].days_30_bp
    entry.save(force_insert=True)
    _record_tools(fields, server=server, now=now)


def _make_server(fields: dict, looks: list[Look], *, server_id: uuid.UUID, now: datetime) -> McpServer:
    created_at = now - timedelta(days=fields["days"])
    server = McpServer(
        id=server_id,
        name=fields["name"],
        description=fields["description"],
        endpoint=fields["endpoint"],
        created_at=created_at,
        updated_at=max([created_at, *(now - timedelta(days=part["days"]) for part in fields.get("versions", ()))]),
    )
    if looks:
        is_off = fields.get("mode") == Entry.Mode.OFF
        server.status = McpServer.Status.INACTIVE if is_off else looks[-1].after.status
        server.last_health_check = looks[-1].at
        server.metadata = {"health": _describe_health(fields, looks)}
    return server


def _describe_health(fields: dict, looks: list[Look]) -> dict:
    """The last good look says what it offers, the very last one how it is."""
    known: dict = {}
    good = [look for look in looks if look.sighting.verdict == Verdict.OK]
    if good:
        known = build_health(sighting=_dress(fields, good[-1].sighting), known={}, failure_count=0, now=good[-1].at)
    last = looks[-1]
    sighting = _dress(fields, last.sighting) if last.sighting.verdict == Verdict.OK else last.sighting
    failure_count = len(find_run(looks)) if last.after.health == Entry.Health.DOWN else 0
    return build_health(sighting=sighting, known=known, failure_count=failure_count, now=last.at)


def _dress(fields: dict, sighting: Sighting) -> Sighting:
    return replace(
        sighting,
        supported_versions=(sighting.protocol_version,) if sighting.era == "modern" else (),
        server_name=fields["server_name"],
        server_version=fields["versions"][-1]["version"],
        instructions=fields.get("instructions", ""),
        tools=tuple(_tools_now(fields)),
        prompts=(SeenPrompt(name=""),) * fields["prompt_count"],  # only their number is kept
    )


def _make_entry(
    fields: dict,
    looks: list[Look],
    *,
    server: McpServer,
    users: dict[str, User],
    now: datetime,
) -> Entry:
    state = fields.get("state", Entry.State.ACCEPTED)
    is_decided = state != Entry.State.SUBMITTED
    tools = _tools_now(fields)
    entry = Entry(
        server=server,
        slug=fields["slug"],
        state=state,
        mode=_choose_mode(fields),
        required_settings=fields.get("required_settings", []),
        submitted_by=users.get(fields.get("submitted_by")),
        submitted_at=server.created_at,
        decided_by=users["staff"] if is_decided else None,
        decided_at=server.created_at if is_decided else None,
        note=fields.get("note", NOTE if fields["endpoint"].startswith("https:") else ""),
        search_text=make_search_text(
            name=server.name, description=server.description, tool_names=[tool.name for tool in tools]
        ),
        next_check_at=now,
    )
    if looks:
        _describe_looks(entry, fields, looks)
    return entry


def _describe_looks(entry: Entry, fields: dict, looks: list[Look]) -> None:
    last = looks[-1]
    entry.health, entry.miss_count = last.after.health, last.after.miss_count
    entry.health_since = find_run(looks)[0].at
    entry.status_changed_at = find_status_change(looks)
    entry.verdict, entry.verdict_reason = last.sighting.verdict, last.sighting.reason
    entry.latency_ms = last.sighting.latency_ms
    if fields["revision"]:
        entry.transport, entry.protocol_version = fields["transport"], fields["revision"]
        entry.tool_count, entry.prompt_count = len(_tools_now(fields)), fields["prompt_count"]


def _switched_off_at(looks: list[Look]) -> datetime:
    return looks[-1].at + timedelta(minutes=5)


def _choose_mode(fields: dict) -> str:
    """Real checks go to the server on this machine alone, where they may; the others have nobody to answer."""
    if fields.get("mode") != "local":
        return fields.get("mode", Entry.Mode.PAUSED)
    try:
        check_url(fields["endpoint"], allow_networks=settings.MCP_ALLOW_ADDRESSES)
    except Blocked:
        return Entry.Mode.PAUSED
    return Entry.Mode.CHECKED


# --- Tools


def _record_tools(fields: dict, *, server: McpServer, now: datetime) -> None:
    """As checks would have, on each day on which something changed."""
    if "tools" not in fields:
        return
    version = ""
    stages = sorted(_list_stages(fields), reverse=True)
    for number, days in enumerate(stages):
        previous, version = version, _version_at(fields, days)
        record_tools(
            server=server,
            seen=_list_tools(fields, days),
            is_cut=False,
            is_first=number == 0,
            server_version=version,
            is_version_same=version == previous,
            now=now - timedelta(days=days),
        )


def _list_stages(fields: dict) -> set[float]:
    stages = {fields["days"]}
    for tool in fields["tools"]:
        stages |= {tool[key] for key in ("since_days", "until_days") if key in tool}
        if "earlier" in tool:
            stages.add(tool["earlier"]["days"])
    return stages


def _version_at(fields: dict, days: float) -> str:
    return [part["version"] for part in fields["versions"] if part["days"] >= days][-1]


def _tools_now(fields: dict) -> list[SeenTool]:
    return _list_tools(fields, 0)


def _list_tools(fields: dict, days: float) -> list[SeenTool]:
    """What the server offered so many days ago."""
    tools = []
    for tool in fields.get("tools", ()):
        is_there = tool.get("until_days", -1) < days <= tool.get("since_days", fields["days"])
        if is_there:
            has_earlier = "earlier" in tool and days > tool["earlier"]["days"]
            tools.append(_make_tool({**tool, **tool["earlier"]} if has_earlier else tool))
    return tools


def _make_tool(tool: dict) -> SeenTool:
    schema = {"type": "object", "properties": tool["parameters"], "additionalProperties": False}
    return SeenTool(
        name=tool["name"],
        title=tool["title"],
        description=tool["description"],
        input_schema={**schema, "required": tool["required"]} if "required" in tool else schema,
        annotations=tool.get("hints", {}),
    )
