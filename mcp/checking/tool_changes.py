"""The tools that a server offers, as rows, and what changed in them between two checks."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mcp.client.sightings import SeenTool
from mcp.models import McpServer, Tool, ToolChange

Kind = ToolChange.Kind

# A server that says something else each time fills neither table.
MAX_TOOL_ROWS = 1_000  # of one server; those that vanished first go first
MAX_CHANGES_A_DAY = 200  # of one server; what comes on top changes its tools and is not written down
MAX_CHANGE_TEXT = 20_000
_FACTS = ["title", "description", "input_schema", "annotations", "position", "changed_at", "removed_at"]


@dataclass
class _Difference:
    added: list[Tool] = field(default_factory=list)
    kept: list[Tool] = field(default_factory=list)  # rows with something new in them
    changes: list[ToolChange] = field(default_factory=list)


def record_tools(
    *,
    server: McpServer,
    seen: Iterable[SeenTool],
    is_cut: bool,
    is_first: bool,
    server_version: str,
    is_version_same: bool,
    now: datetime,
) -> list[ToolChange]:
    """Bring the rows up to what was seen; what changed. Belongs into a transaction that holds the server's row.

    is_cut: there are more than these, so one that is not among them may still be offered.
    is_first: nobody had seen its tools before, so finding them changes nothing.
    is_version_same: what says something else now does so silently.
    """
    rows = {tool.name: tool for tool in server.tools.all()}
    by_name = {}
    for tool in seen:
        by_name.setdefault(tool.name, tool)
    difference = _compare(server=server, rows=rows, seen=by_name, is_cut=is_cut, now=now)
    Tool.objects.bulk_create(difference.added)
    Tool.objects.bulk_update(difference.kept, _FACTS, batch_size=100)
    _drop_oldest(server=server, count=len(rows) + len(difference.added) - MAX_TOOL_ROWS)

    changes = [] if is_first else difference.changes
    for change in changes:
        change.server_version, change.seen_at = server_version, now
        change.is_silent = is_version_same and change.kind in (Kind.DESCRIPTION, Kind.SCHEMA, Kind.HINTS)
    _write_down(server=server, changes=changes, now=now)
    return changes


def _compare(*, server: McpServer, rows: dict, seen: dict, is_cut: bool, now: datetime) -> _Difference:
    difference = _Difference()
    for position, (name, tool) in enumerate(seen.items()):
        row = rows.get(name)
        if row is None:
            row = Tool(server=server, name=name, first_seen_at=now, changed_at=now)
            _take_over(row, tool, position)
            difference.added.append(row)
            difference.changes.append(_change(row, Kind.ADDED, after=tool.description))
            continue
        if row.removed_at:
            changes = [_change(row, Kind.ADDED, after=tool.description)]
        else:
            changes = _find_changes(row, tool)
        if changes or row.position != position:
            _take_over(row, tool, position)
            row.removed_at = None
            row.changed_at = now if changes else row.changed_at
            difference.kept.append(row)
        difference.changes += changes
    if not is_cut:
        for row in rows.values():
            if row.name not in seen and not row.removed_at:
                row.removed_at = row.changed_at = now
                difference.kept.append(row)
                difference.changes.append(_change(row, Kind.REMOVED, before=row.description))
    return difference


def _find_changes(row: Tool, tool: SeenTool) -> list[ToolChange]:
    changes = []
    if (row.title, row.description) != (tool.title, tool.description):
        before, after = row.description, tool.description
        if row.title != tool.title:
            before, after = _with_title(row), _with_title(tool)
        changes.append(_change(row, Kind.DESCRIPTION, before=before, after=after))
    if not _is_same(row.input_schema, tool.input_schema):
        before, after = _as_json(row.input_schema), _as_json(tool.input_schema)
        changes.append(_change(row, Kind.SCHEMA, before=before, after=after))
    if row.annotations != tool.annotations:
        before, after = _as_json(row.annotations), _as_json(tool.annotations)
        changes.append(_change(row, Kind.HINTS, before=before, after=after))
    return changes


def _take_over(row: Tool, tool: SeenTool, position: int) -> None:
    row.title, row.description, row.position = tool.title, tool.description, position
    row.input_schema, row.annotations = tool.input_schema, tool.annotations


def _change(row: Tool, kind: str, *, before: str = "", after: str = "") -> ToolChange:
    return ToolChange(
        server_id=row.server_id,
        tool_name=row.name,
        kind=kind,
        before=before[:MAX_CHANGE_TEXT],
        after=after[:MAX_CHANGE_TEXT],
    )


def _with_title(tool: Tool | SeenTool) -> str:
    return "\n\n".join(text for text in (tool.title, tool.description) if text)


def _is_same(stored: dict, seen: dict) -> bool:
    """PostgreSQL gives 1e308 back as a whole number of 309 digits, which Python takes for another one."""
    return stored == seen or _with_floats(stored) == _with_floats(seen)


def _with_floats(value: dict) -> dict:
    return json.loads(json.dumps(value), parse_int=float)


def _as_json(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def _drop_oldest(*, server: McpServer, count: int) -> None:
    if count > 0:
        gone = server.tools.filter(removed_at__isnull=False).order_by("removed_at", "pk")
        server.tools.filter(pk__in=list(gone.values_list("pk", flat=True)[:count])).delete()


def _write_down(*, server: McpServer, changes: list[ToolChange], now: datetime) -> None:
    if changes:
        today = server.tool_changes.filter(seen_at__gt=now - timedelta(days=1)).count()
        ToolChange.objects.bulk_create(changes[: max(0, MAX_CHANGES_A_DAY - today)])
