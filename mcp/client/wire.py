"""MCP on the wire, read as a client: JSON-RPC messages, event streams, revisions. No network and no Django in here.

Source: the Model Context Protocol, revisions 2024-11-05 to 2026-07-28; WHATWG HTML, "Server-sent events"; RFC 8259.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MODERN_VERSION = "2026-07-28"
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
LATEST_HANDSHAKE_VERSION = HANDSHAKE_VERSIONS[-1]
SSE_VERSION = HANDSHAKE_VERSIONS[0]  # the only one with the HTTP+SSE transport
KNOWN_VERSIONS = frozenset({*HANDSHAKE_VERSIONS, MODERN_VERSION})

UNSUPPORTED_VERSION = -32022
MODERN_ERRORS = frozenset({-32020, -32021, UNSUPPORTED_VERSION})

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"
MAX_DIGITS = 18  # a longer whole number becomes a float: no database has a column for it, and reading it takes long


class InvalidJson(ValueError):
    """The bytes are not JSON, or JSON that no sane program sends (nested too deep). The message says which."""


@dataclass(frozen=True)
class RpcError:
    code: int | None
    message: Any = ""
    data: Any = None

    @property
    def supported_versions(self) -> list[str]:
        """What the error -32022 says that the server speaks."""
        supported = self.data.get("supported") if isinstance(self.data, dict) else None
        return pick_texts(supported)


@dataclass(frozen=True)
class Event:
    name: str
    data: str


def pick_texts(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def make_request(method: str, params: dict, *, request_id: int | None, is_modern: bool) -> bytes:
    """The bytes of one message; without `request_id` it is a notification."""
    if is_modern:
        params = {
            **params,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
            },
        }
    message = {"jsonrpc": "2.0", "method": method}
    if request_id is not None:
        message["id"] = request_id
    if params:
        message["params"] = params
    return json.dumps(message).encode()


CLIENT_INFO = {"name": "marketplace-registry", "version": "1"}


def parse_json(body: bytes | str) -> Any:
    """Raises InvalidJson. Of equal keys the last one counts; numbers too large to store become floats or None."""
    try:
        text = body.decode("utf-8-sig") if isinstance(body, bytes) else body
        return json.loads(text, parse_int=_read_int, parse_float=_read_float, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidJson("nested too deep") from None
    except UnicodeDecodeError:
        raise InvalidJson("not UTF-8") from None
    except ValueError:
        raise InvalidJson("not JSON") from None


def _read_int(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= MAX_DIGITS else _read_float(digits)


def _read_float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _refuse_constant(name: str):
    raise ValueError(f"{name} is not JSON")


def find_answer(body: Any, request_id: int) -> dict | RpcError | None:
    """The result or error that answers the request, or None where the message is something else.

    An error may lack the id, or have another, when the server could not read it. A message with a `method` is the
    server's own request or notification, whatever its id.
    """
    for message in body if isinstance(body, list) else [body]:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or "method" in message:
            continue
        result, error, answers_id = message.get("result"), message.get("error"), message.get("id")
        if isinstance(error, dict) and not _is_id_of_another(answers_id, request_id):
            code = error.get("code")
            return RpcError(code if type(code) is int else None, error.get("message"), error.get("data"))
        if isinstance(result, dict) and type(answers_id) is int and answers_id == request_id:
            return result
    return None


def _is_id_of_another(answers_id: Any, request_id: int) -> bool:
    return type(answers_id) is int and answers_id != request_id


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Lines that end in \n, \r or \r\n, however the bytes were cut; what follows the last end is no line.

    Over bytes, because text has more line ends (U+2028, U+0085) that are part of a line here.
    """
    unfinished = bytearray()
    ended_in_return = False
    for chunk in chunks:
        if not chunk:
            continue
        if ended_in_return and chunk.startswith(b"\n"):
            chunk, ended_in_return = chunk[1:], False
            if not chunk:
                continue
        ended_in_return = chunk.endswith(b"\r")
        first, *others = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        unfinished += first
        for line in others:
            yield bytes(unfinished)
            unfinished = bytearray(line)


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream that carry data; an event that no blank line ended is dropped, as browsers do."""
    name, data = b"", []
    for number, line in enumerate(split_lines(chunks)):
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            text = b"\n".join(data)
            if text:
                yield Event(_decode(name) or "message", _decode(text))
            name, data = b"", []
            continue
        field, _, value = line.partition(b":")  # an empty field is a comment
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value


def _decode(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")
