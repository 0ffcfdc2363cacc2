"""JSON-RPC 2.0 as MCP uses it: bytes in, one call; one result or error, bytes out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022

META = "io.modelcontextprotocol/"
CLAIM = f"{META}protocolVersion"

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}

Id = str | int | float


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class RpcError(Exception):
    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None):
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True)
class Call:
    id: Id
    method: str
    params: dict[str, Any]

    @property
    def claim(self) -> Any:
        """The revision that a modern request names in its body, or None."""
        meta = self.params.get("_meta")
        return meta.get(CLAIM) if isinstance(meta, dict) else None

    @property
    def has_claim(self) -> bool:
        meta = self.params.get("_meta")
        return isinstance(meta, dict) and CLAIM in meta


def read_call(message: Any) -> Call | None:
    """The request in a message; None for a notification, or an answer to a question that we never asked."""
    if isinstance(message, list):
        raise RpcError(INVALID_REQUEST, "batches are not taken: send each message by itself")
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'a message is one object with "jsonrpc": "2.0"')
    if "method" not in message:
        return None
    if not isinstance(message["method"], str):
        raise RpcError(INVALID_REQUEST, "method must be a string")
    if "id" not in message:
        return None
    if not _is_id(message["id"]):
        raise RpcError(INVALID_REQUEST, "id must be a string or an integer")
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(INVALID_REQUEST, "params must be an object")
    return Call(message["id"], message["method"], params)


def _is_id(value: Any) -> bool:
    """1.0 is an integer in JSON, and is echoed as it came."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, str | int) and not isinstance(value, bool)


def read_id(message: Any) -> Id | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if _is_id(found) else None


def answer_error(status: int, call_id: Id | None, error: RpcError) -> Answer:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data:
        body["data"] = error.data
    return answer_json(status, {"jsonrpc": "2.0", "id": call_id, "error": body})


def answer_json(status: int, message: dict[str, Any]) -> Answer:
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Answer(status, dict(_HEADERS), text.encode("utf-8", "replace"))


def refuse(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer to a request whose message is not looked at: foreign origin, no token, too many."""
    answer = answer_error(status, None, RpcError(INVALID_REQUEST, message))
    return Answer(status, {**answer.headers, **(headers or {})}, answer.body)


def refuse_method() -> Answer:
    """For everything but POST, with or without a token: there are no streams to GET and no sessions to DELETE."""
    return refuse(405, "this address takes POST only", {"Allow": "POST"})
