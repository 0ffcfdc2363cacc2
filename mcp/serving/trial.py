"""What a client of this person would see, asked as a client asks: messages of the protocol, answered in this process.

It shows what the shop answers. Whether a client reaches the shop, and with which token, only that client can show.
"""

import io
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.models import User
from mcp.serving.protocol import answer_request
from mcp.serving.service import Service
from mcp.serving.shop_service import ShopService


@dataclass(frozen=True)
class SeenPrompt:
    """url: of its page in the library, where a sealed one is opened."""

    name: str
    title: str
    description: str
    arguments: list[str]
    is_sealed: bool
    url: str


@dataclass(frozen=True)
class SeenTool:
    name: str
    title: str
    description: str


@dataclass(frozen=True)
class Trial:
    """problem: what the shop said instead, as a client would be told; then there is nothing else.

    is_refused: the person looked too often, and nothing was asked.
    """

    prompts: list[SeenPrompt] = field(default_factory=list)
    tools: list[SeenTool] = field(default_factory=list)
    has_more: bool = False
    problem: str = ""
    is_refused: bool = False


class TrialFailed(Exception):
    """The message is the protocol's, in English, for whoever looks into it."""


def try_as_client(*, user: User, now: datetime, service: Service | None = None) -> Trial:
    """The first page of prompts, and the tools. Nothing is opened, and no text of a prompt is read out."""
    service = service or ShopService(user=user, now=now)
    try:
        listed = _ask(service, "prompts/list")
        owned = _ask(service, "tools/call", name="list_my_prompts", arguments={})["structuredContent"]["prompts"]
        tools = _ask(service, "tools/list")["tools"]
    except TrialFailed as failed:
        return Trial(problem=str(failed))
    more = {each["name"]: each for each in owned}
    return Trial(
        prompts=[_describe(prompt, more.get(prompt["name"], {})) for prompt in listed["prompts"]],
        tools=[SeenTool(tool["name"], tool.get("title", ""), tool.get("description", "")) for tool in tools],
        has_more="nextCursor" in listed,
    )


def _describe(prompt: dict[str, Any], more: dict[str, Any]) -> SeenPrompt:
    return SeenPrompt(
        name=prompt["name"],
        title=prompt.get("title", ""),
        description=prompt.get("description", ""),
        arguments=[argument["name"] for argument in prompt.get("arguments", [])],
        is_sealed=more.get("is_opened") is False,
        url=more.get("url", ""),
    )


def _ask(service: Service, method: str, **params: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    body = io.BytesIO(json.dumps(message).encode())
    answer = answer_request(
        method="POST", headers={"Content-Type": "application/json"}, read=body.read, service=service
    )
    told = json.loads(answer.body)
    if "result" not in told:
        raise TrialFailed(f"{method}: {told['error']['message']} ({told['error']['code']})")
    if told["result"].get("isError"):
        raise TrialFailed(f"{method}: {told['result']['content'][0]['text']}")
    return told["result"]
