"""What one look at an MCP server saw: made by `probe.py`, recorded by `health.py`.

Every text in it came from somebody else's server: already cut to length and cleared of control and bidirectional
characters, but never to be trusted as markup or advice.
"""

from dataclasses import dataclass, field
from typing import Any

from mcp.verdicts import Verdict

MAX_TOOLS = MAX_PROMPTS = 500


@dataclass(frozen=True)
class SeenTool:
    """One entry of `tools/list`. input_schema: JSON Schema as sent, `{}` when it was missing or too large."""

    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, bool] = field(default_factory=dict)  # readOnlyHint, destructiveHint, idempotentHint, …


@dataclass(frozen=True)
class SeenPrompt:
    """One entry of `prompts/list`. arguments: names in order."""

    name: str
    title: str = ""
    description: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sighting:
    """tools, prompts: None where they could not be known (no answer, or it asks to sign in); `()` where it has none.

    reason: a short technical line in English (an HTTP status, an error class, a JSON-RPC code with its message cut to
    200 characters); no address inside our network, no body, no header, nothing from `config`.
    latency_ms: of the first answer that spoke MCP. retry_after_s: what a 429 asked for.
    """

    verdict: Verdict
    reason: str = ""
    http_status: int | None = None
    latency_ms: int | None = None
    era: str = ""  # "modern" or "legacy"
    transport: str = ""  # "streamable-http" or "sse"
    protocol_version: str = ""
    supported_versions: tuple[str, ...] = ()
    server_name: str = ""
    server_title: str = ""
    server_version: str = ""
    instructions: str = ""
    resource_metadata: str = ""  # where it says how to sign in; never fetched
    retry_after_s: int | None = None
    tools: tuple[SeenTool, ...] | None = None
    prompts: tuple[SeenPrompt, ...] | None = None
    is_cut: bool = False  # it offers more tools or prompts than we read
