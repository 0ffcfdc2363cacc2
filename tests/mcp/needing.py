"""Servers with tools, and checks of them, for tests of what prompts need."""

from datetime import datetime, timedelta

from mcp.models import Entry, McpServer, Tool
from mcp.tools.need_states import update_needs
from tests.factories import NOON, make_server

SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
OTHER_SCHEMA = {"type": "object", "properties": {"question": {"type": "string"}}}
INTERVAL = timedelta(minutes=15)


def make_tool_server(*tool_names: str, slug: str = "search", health: str = "working", **entry) -> McpServer:
    """Checked at NOON; a tool for each name, each taking a `query`."""
    server = make_server(
        slug=slug,
        name=slug.title(),
        last_health_check=NOON,
        entry={"health": health, "verdict": "ok", "tool_count": len(tool_names), **entry},
    )
    for position, name in enumerate(tool_names):
        Tool.objects.create(
            server=server, name=name, description="Finds.", input_schema=SCHEMA, position=position, first_seen_at=NOON
        )
    return server


def check(server: McpServer, *, at: datetime, gone: tuple = (), health: str = "working", verdict: str = "ok", **tools):
    """What a check writes: tools by name with their new schema, `None` for an unchanged one that came back."""
    McpServer.objects.filter(pk=server.pk).update(last_health_check=at)
    Entry.objects.filter(pk=server.pk).update(health=health, verdict=verdict)
    Tool.objects.filter(server=server, name__in=gone).update(removed_at=at)
    for name, schema in tools.items():
        changes = {} if schema is None else {"input_schema": schema}
        Tool.objects.filter(server=server, name=name).update(removed_at=None, **changes)
    update_needs(server_ids=[server.pk], now=at)
