"""What a server of ours offers over MCP: values that `protocol.py` puts on the wire, and the class to fill in.

Nothing here knows of Django, so that the demo server and the site's own address share it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class BadParams(Exception):
    """The request names something that is not there or lacks a value: JSON-RPC error -32602.

    The message goes to the client. What is unknown and what is somebody else's must give the same one.
    """


class ToolFailed(Exception):
    """A tool could not do what was asked: a result with `isError`, whose text a model can act on."""


@dataclass(frozen=True)
class ServerInfo:
    name: str
    version: str
    title: str = ""
    description: str = ""
    website_url: str = ""

    def to_wire(self) -> dict[str, Any]:
        return _present(
            name=self.name,
            version=self.version,
            title=self.title,
            description=self.description,
            websiteUrl=self.website_url,
        )


@dataclass(frozen=True)
class Caching:
    """How long a client may keep an answer, and whether for everybody (`public`) or one credential (`private`)."""

    ttl_ms: int = 0
    scope: str = "private"

    def to_wire(self) -> dict[str, Any]:
        return {"ttlMs": self.ttl_ms, "cacheScope": self.scope}


@dataclass(frozen=True)
class ToolAnswer:
    """structured: must match the tool's output schema. text: the same for a reader; empty: the JSON of `structured`."""

    structured: dict[str, Any] | None = None
    text: str = ""


@dataclass(frozen=True)
class Tool:
    """call: gets arguments that match `input_schema`, its defaults filled in; may raise ToolFailed.

    input_schema: JSON Schema of the part that `arguments.py` checks.
    annotations: readOnlyHint, destructiveHint, idempotentHint, openWorldHint.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    call: Callable[[dict[str, Any]], ToolAnswer]
    title: str = ""
    output_schema: Mapping[str, Any] | None = None
    annotations: Mapping[str, bool] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        return _present(
            name=self.name,
            title=self.title,
            description=self.description,
            inputSchema=self.input_schema,
            outputSchema=self.output_schema,
            annotations=self.annotations,
        )


@dataclass(frozen=True)
class PromptArgument:
    name: str
    title: str = ""
    description: str = ""
    is_required: bool = True

    def to_wire(self) -> dict[str, Any]:
        required = True if self.is_required else None
        return _present(name=self.name, title=self.title, description=self.description, required=required)


@dataclass(frozen=True)
class Prompt:
    """name: short ASCII and unique: it becomes a command. arguments: in order; some clients go by position."""

    name: str
    title: str = ""
    description: str = ""
    arguments: Sequence[PromptArgument] = ()

    def to_wire(self) -> dict[str, Any]:
        return _present(
            name=self.name,
            title=self.title,
            description=self.description,
            arguments=[argument.to_wire() for argument in self.arguments],
        )

    def check_values(self, values: Mapping[str, str]) -> None:
        """Raises BadParams when a required argument is missing. Values that it does not know are no mistake."""
        missing = [argument.name for argument in self.arguments if argument.is_required and argument.name not in values]
        if missing:
            raise BadParams(f"missing arguments: {', '.join(missing)}")


@dataclass(frozen=True)
class PromptPage:
    """next_key: what `list_prompts` gets to go on after this page; None on the last one."""

    prompts: Sequence[Prompt]
    next_key: str | None = None


@dataclass(frozen=True)
class PromptText:
    """A filled prompt as messages; roles are `user` and `assistant`."""

    messages: Sequence[tuple[str, str]]
    description: str = ""

    def to_wire(self) -> dict[str, Any]:
        messages = [{"role": role, "content": {"type": "text", "text": text}} for role, text in self.messages]
        return {**_present(description=self.description), "messages": messages}


class Service:
    """One server as one caller sees it; a subclass keeps who that is and answers from it on each call."""

    info: ServerInfo
    instructions: str = ""  # one or two sentences for the model
    tools: Sequence[Tool] = ()  # in a stable order
    discover_caching = Caching(ttl_ms=3_600_000, scope="public")
    tools_caching = Caching(ttl_ms=3_600_000, scope="public")
    prompts_caching = Caching()

    def list_prompts(self, after: str | None) -> PromptPage:
        """The page after the key of another page, the first one for None. Raises BadParams for a key that is none."""
        return PromptPage(())

    def get_prompt(self, name: str, values: Mapping[str, str]) -> PromptText:
        """Raises BadParams."""
        raise BadParams("unknown prompt")


def _present(**members: Any) -> dict[str, Any]:
    """Without what is empty: an absent member is left out and never null."""
    return {name: value for name, value in members.items() if value}
