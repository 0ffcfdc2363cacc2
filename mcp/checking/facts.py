"""What a server said of itself, as it stands in `metadata.health` for every program that reads the table.

Source: the shape in `docs/mcp-registry.md`, “What a check writes”. All texts are somebody else's, and cut.
"""

from datetime import UTC, datetime
from typing import Any

from mcp.client.sightings import SeenTool, Sighting

MAX_NAME, MAX_DESCRIPTION, MAX_INSTRUCTIONS, MAX_TOOLS = 100, 300, 1_000, 100
_ABOUT_SERVER = ["era", "transport", "protocol_version", "supported_versions", "server_info", "instructions"]


def read_health(metadata: Any) -> dict:
    """The last `metadata.health`, empty where another program left something else there."""
    health = metadata.get("health") if isinstance(metadata, dict) else None
    return health if isinstance(health, dict) else {}


def read_version(health: dict) -> str:
    """The version that the server gives itself; empty when it gave none."""
    server_info = health.get("server_info")
    version = server_info.get("version") if isinstance(server_info, dict) else None
    return version if isinstance(version, str) else ""


def build_health(*, sighting: Sighting, known: dict, failure_count: int, now: datetime) -> dict:
    """The new `metadata.health`. What this look could not see stays as it was known: a server that is down or asks to
    sign in has not lost its tools.
    """
    health = {
        "result": sighting.verdict.value,
        "error": sighting.reason,
        "http_status": sighting.http_status,
        "latency_ms": sighting.latency_ms,
        "consecutive_failures": failure_count,
        "checked_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if sighting.resource_metadata:
        health["resource_metadata"] = sighting.resource_metadata
    if sighting.retry_after_s is not None:
        health["retry_after"] = sighting.retry_after_s
    facts = {name: known[name] for name in [*_ABOUT_SERVER, "tools", "tool_count", "prompt_count"] if name in known}
    return health | facts | _facts_of(sighting)


def _facts_of(sighting: Sighting) -> dict:
    facts = {}
    if sighting.protocol_version:  # it spoke MCP
        facts = {
            "era": sighting.era,
            "transport": sighting.transport,
            "protocol_version": sighting.protocol_version,
            "supported_versions": list(sighting.supported_versions),
            "server_info": {
                "name": sighting.server_name[:MAX_NAME],
                "title": sighting.server_title[:MAX_NAME],
                "version": sighting.server_version[:MAX_NAME],
            },
            "instructions": sighting.instructions[:MAX_INSTRUCTIONS],
        }
    if sighting.tools is not None:
        facts["tools"] = [_describe_tool(tool) for tool in sighting.tools[:MAX_TOOLS]]
        facts["tool_count"] = len(sighting.tools)
    if sighting.prompts is not None:
        facts["prompt_count"] = len(sighting.prompts)
    return facts


def _describe_tool(tool: SeenTool) -> dict:
    return {
        "name": tool.name[:MAX_NAME],
        "title": tool.title[:MAX_NAME],
        "description": tool.description[:MAX_DESCRIPTION],
    }
