"""What prompts of the demo shop need of its servers: the names stand as `tools` in the prompt's file."""

import json
from collections.abc import Iterable
from datetime import datetime

from catalog.demo_catalogue import DemoFiles, demo_id
from marketplace import mail_queue
from mcp.models import Tool, ToolChange, ToolNeed
from mcp.tools.need_states import write_states


def add_needs(*, files: DemoFiles, names: Iterable[str], now: datetime) -> int:
    """Of the prompts that were made just now; returns how many tools they need.

    Sellers named them when each server was new, so what changed since shows as it does in a real shop.
    """
    needs = [
        need
        for name in names
        for tool_name in files.prompts[name].get("tools", ())
        if (need := _make_need(name, tool_name, now=now))
    ]
    ToolNeed.objects.bulk_create(needs)
    with mail_queue.muted():
        write_states({need.prompt_id for need in needs}, now=now)
    return len(needs)


def _make_need(name: str, tool_name: str, *, now: datetime) -> ToolNeed | None:
    """None where the server is not there: somebody may have another under its slug."""
    slug, _stroke, tool_name = tool_name.partition("/")
    tool = Tool.objects.filter(server__entry__slug=slug, name=tool_name).first()
    if tool is None:
        return None
    return ToolNeed(
        prompt_id=demo_id("prompt", name),
        server_id=tool.server_id,
        server_slug=slug,
        tool_name=tool_name,
        input_schema=json.loads(_find_first(tool, ToolChange.Kind.SCHEMA) or json.dumps(tool.input_schema)),
        description=_find_first(tool, ToolChange.Kind.DESCRIPTION) or tool.description,
        state_since=now,
        created_at=now,
    )


def _find_first(tool: Tool, kind: str) -> str:
    changes = ToolChange.objects.filter(server=tool.server_id, tool_name=tool.name, kind=kind)
    return changes.order_by("seen_at", "pk").values_list("before", flat=True).first() or ""
