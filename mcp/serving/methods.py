"""What each method of MCP answers, in both eras: params of a request in, the result out."""

import base64
import json
from collections.abc import Callable
from typing import Any

from mcp.serving.arguments import check_arguments
from mcp.serving.service import BadParams, Service, ToolAnswer, ToolFailed

MODERN_VERSION = "2026-07-28"
HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")  # newest first
MODERN, LEGACY = "modern", "legacy"


def _initialize(params: dict[str, Any], service: Service) -> dict[str, Any]:
    offered = params.get("protocolVersion")
    if not isinstance(offered, str):
        raise BadParams("protocolVersion must be a string")
    version = offered if offered in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0]
    return {"protocolVersion": version, "serverInfo": service.info.to_wire(), **_describe(service)}


def _discover(params: dict[str, Any], service: Service) -> dict[str, Any]:
    return {"supportedVersions": [MODERN_VERSION], **_describe(service), **service.discover_caching.to_wire()}


def _describe(service: Service) -> dict[str, Any]:
    """Nothing is said to change while a client watches: it would open a stream and wait for what never comes."""
    described: dict[str, Any] = {"capabilities": {"tools": {}, "prompts": {}}}
    return {**described, "instructions": service.instructions} if service.instructions else described


def _ping(params: dict[str, Any], service: Service) -> dict[str, Any]:
    return {}


def _list_tools(params: dict[str, Any], service: Service) -> dict[str, Any]:
    if "cursor" in params:  # there is one page
        raise BadParams("unknown cursor")
    return {"tools": [tool.to_wire() for tool in service.tools], **service.tools_caching.to_wire()}


def _call_tool(params: dict[str, Any], service: Service) -> dict[str, Any]:
    name, arguments = _read_target(params)
    tool = next((tool for tool in service.tools if tool.name == name), None)
    if tool is None:
        raise BadParams("unknown tool")
    checked, problems = check_arguments(tool.input_schema, arguments)
    if problems:
        return _tool_failure("; ".join(problems))
    try:
        return _tool_result(tool.call(checked))
    except ToolFailed as error:
        return _tool_failure(str(error))


def _tool_result(answer: ToolAnswer) -> dict[str, Any]:
    if answer.structured is None:
        return _content(answer.text)
    text = answer.text or json.dumps(answer.structured, ensure_ascii=False)
    return {**_content(text), "structuredContent": answer.structured}


def _tool_failure(text: str) -> dict[str, Any]:
    return {**_content(text), "isError": True}


def _content(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def _list_prompts(params: dict[str, Any], service: Service) -> dict[str, Any]:
    page = service.list_prompts(_read_cursor(params["cursor"]) if "cursor" in params else None)
    listed = {"prompts": [prompt.to_wire() for prompt in page.prompts], **service.prompts_caching.to_wire()}
    return listed if page.next_key is None else {**listed, "nextCursor": _make_cursor(page.next_key)}


def _get_prompt(params: dict[str, Any], service: Service) -> dict[str, Any]:
    name, values = _read_target(params)
    if not all(isinstance(value, str) for value in values.values()):
        raise BadParams("the values of a prompt's arguments must be strings")
    return service.get_prompt(name, values).to_wire()


def _read_target(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name, arguments = params.get("name"), params.get("arguments", {})
    if not isinstance(name, str):
        raise BadParams("name must be a string")
    if not isinstance(arguments, dict):
        raise BadParams("arguments must be an object")
    return name, arguments


def _make_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(cursor: Any) -> str:
    """The key inside. Whoever makes up a cursor reads no more than their own list, so it is not signed."""
    try:
        key = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True).decode()
    except (TypeError, ValueError):  # not a string, not Base64, not UTF-8
        raise BadParams("unknown cursor") from None
    if not key.isprintable() or not key or _make_cursor(key) != cursor:
        raise BadParams("unknown cursor")
    return key


_Method = Callable[[dict[str, Any], Service], dict[str, Any]]
_BOTH: dict[str, _Method] = {
    "tools/list": _list_tools,
    "tools/call": _call_tool,
    "prompts/list": _list_prompts,
    "prompts/get": _get_prompt,
}
METHODS: dict[str, dict[str, _Method]] = {
    LEGACY: {"initialize": _initialize, "ping": _ping, **_BOTH},
    MODERN: {"server/discover": _discover, **_BOTH},
}
