"""The server side of MCP over Streamable HTTP: headers and bytes in; status, headers and bytes out.

Two eras at one address: revision 2026-07-28, whose requests each describe themselves, and the four before it, which
begin with `initialize`. No sessions and no streams, so any process can answer any request. Free of Django: the caller
checks Origin and token first, then hands over the headers and a way to read the body.

Source: MCP specification 2024-11-05 to 2026-07-28, transports, lifecycle and schema; JSON-RPC 2.0.
"""

import base64
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Any

from mcp.serving.messages import (
    CLAIM,
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    META,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    Answer,
    Call,
    RpcError,
    answer_error,
    answer_json,
    read_call,
    read_id,
    refuse,
    refuse_method,
)
from mcp.serving.methods import HANDSHAKE_VERSIONS, LEGACY, METHODS, MODERN, MODERN_VERSION
from mcp.serving.service import BadParams, Service
from mcp.serving.strict_json import Ambiguous, NotJson, read_json

MAX_BODY_BYTES = 4 * 1024 * 1024

_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}  # what Mcp-Name repeats

logger = logging.getLogger(__name__)


def answer_request(
    *, method: str, headers: Mapping[str, str], read: Callable[[int], bytes], service: Service
) -> Answer:
    """One HTTP request answered.

    read: gives at most so many bytes of the body, and b"" at its end; not called for what the headers already refuse,
    so whoever keeps connections open must throw the rest away.
    """
    if method != "POST":
        return refuse_method()
    headers = {name.lower(): value for name, value in headers.items()}
    refusal = _refuse_content_type(headers) or _refuse_length(headers.get("content-length", ""))
    if refusal:
        return refusal
    body = _read_body(read)
    return _refuse_size() if body is None else _answer_body(body, headers, service)


# --- The body


def _refuse_content_type(headers: Mapping[str, str]) -> Answer | None:
    content_type = headers.get("content-type", "")
    message = Message()
    message["Content-Type"] = content_type
    charset = message.get_param("charset", "utf-8")
    is_json = content_type.split(";")[0].strip().lower() == "application/json"
    is_encoded = headers.get("content-encoding", "identity").strip().lower() != "identity"
    if is_json and str(charset).lower() in ("utf-8", "utf8") and not is_encoded:
        return None
    return refuse(415, "Content-Type must be application/json, in UTF-8 and not compressed")


def _refuse_length(length: str) -> Answer | None:
    return _refuse_size() if length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES else None


def _refuse_size() -> Answer:
    return refuse(413, f"the body is larger than {MAX_BODY_BYTES} bytes")


def _read_body(read: Callable[[int], bytes]) -> bytes | None:
    """None when there is more than we take."""
    parts, room = [], MAX_BODY_BYTES + 1
    while room and (part := read(room)):
        parts.append(part)
        room -= len(part)
    return b"".join(parts) if room else None


def _answer_body(body: bytes, headers: Mapping[str, str], service: Service) -> Answer:
    message: Any = None
    try:
        message = read_json(body)
        call = read_call(message)
    except NotJson as error:
        return answer_error(400, None, RpcError(PARSE_ERROR, str(error)))
    except Ambiguous as error:
        return answer_error(400, None, RpcError(INVALID_REQUEST, str(error)))
    except RpcError as error:
        return answer_error(400, read_id(message), error)
    return Answer(202) if call is None else _answer_call(call, headers, service)


# --- The era


def _find_era(call: Call, headers: Mapping[str, str]) -> str:
    """A handshake client cannot know a version before `initialize`, so there its header decides nothing."""
    if call.has_claim:
        return MODERN
    if call.method == "initialize":
        return LEGACY
    version = headers.get("mcp-protocol-version")
    return LEGACY if version is None or version in HANDSHAKE_VERSIONS else MODERN


def _check_modern(call: Call, headers: Mapping[str, str]) -> None:
    """Version before the other headers: what a revision that we do not know asks of them cannot be judged."""
    if not isinstance(call.claim, str):
        raise RpcError(INVALID_PARAMS, f"params._meta must hold {CLAIM} as a string")
    _match_header(headers, "MCP-Protocol-Version", call.claim)
    if call.claim != MODERN_VERSION:
        raise RpcError(
            UNSUPPORTED_VERSION,
            "this revision is not supported",
            {"supported": [MODERN_VERSION], "requested": call.claim},
        )
    _match_header(headers, "Mcp-Method", call.method)
    named = call.params.get(_NAMED_BY.get(call.method, ""))
    if isinstance(named, str):  # without it the params are wrong, which is said later
        _match_header(headers, "Mcp-Name", named)
    if not isinstance(call.params["_meta"].get(f"{META}clientCapabilities"), dict):
        raise RpcError(INVALID_PARAMS, f"params._meta must hold {META}clientCapabilities as an object")
    if not isinstance(call.params["_meta"].get(f"{META}clientInfo", {}), dict):
        raise RpcError(INVALID_PARAMS, f"{META}clientInfo in params._meta must be an object")


def _match_header(headers: Mapping[str, str], name: str, expected: str) -> None:
    value = headers.get(name.lower())
    if value is None:
        raise RpcError(HEADER_MISMATCH, f"the header {name} is missing")
    if name == "Mcp-Name":
        value = _decode_name(value)
    if value != expected:
        raise RpcError(HEADER_MISMATCH, f"the header {name} differs from the body")


def _decode_name(value: str) -> str:
    marked = re.fullmatch(r"=\?base64\?(.*)\?=", value)
    if not marked:
        return value
    try:
        return base64.b64decode(marked[1], validate=True).decode()
    except ValueError:  # no Base64, no ASCII, no UTF-8
        raise RpcError(HEADER_MISMATCH, "the header Mcp-Name holds no Base64 of UTF-8") from None


# --- The answer


def _answer_call(call: Call, headers: Mapping[str, str], service: Service) -> Answer:
    era = _find_era(call, headers)
    try:
        if era == MODERN:
            _check_modern(call, headers)
        if call.method not in METHODS[era]:
            raise RpcError(METHOD_NOT_FOUND, "unknown method")
        result = _dress_result(METHODS[era][call.method](call.params, service), era, service)
        return answer_json(200, {"jsonrpc": "2.0", "id": call.id, "result": result})
    except RpcError as error:
        return answer_error(_status(error.code, era), call.id, error)
    except BadParams as error:
        return answer_error(_status(INVALID_PARAMS, era), call.id, RpcError(INVALID_PARAMS, str(error)))
    except Exception as error:  # whatever broke, the client gets an answer that it can read
        _log_failure(call.method, error)
        return answer_error(200, call.id, RpcError(INTERNAL_ERROR, "internal error"))


def _dress_result(result: dict[str, Any], era: str, service: Service) -> dict[str, Any]:
    if era == MODERN:
        return {"resultType": "complete", **result, "_meta": {f"{META}serverInfo": service.info.to_wire()}}
    return {name: value for name, value in result.items() if name not in ("ttlMs", "cacheScope")}


def _log_failure(method: str, error: Exception) -> None:
    """Where it broke, without the exception's own words: they may repeat arguments or texts that somebody paid for."""
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("mcp request failed method=%s error=%s\n%s", method, type(error).__name__, where)


def _status(code: int, era: str) -> int:
    if era == LEGACY:
        return 200
    return 404 if code == METHOD_NOT_FOUND else 400
