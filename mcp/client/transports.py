"""The two ways in which MCP travels over HTTP, as a client that trusts nothing; `probe.py` decides what to say on them.

Source: the Model Context Protocol, "Streamable HTTP" (2025-03-26 to 2026-07-28) and "HTTP with SSE" (2024-11-05).
"""

import contextlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from marketplace.outbound import Answer, Blocked, Failed, OutboundClient, origin_of
from mcp.client.connection import MAX_QUOTED, VERDICTS, CheckEnded, Connection, describe_failure, media_type
from mcp.client.wire import (
    JSON_TYPE,
    MODERN_VERSION,
    STREAM_TYPE,
    Event,
    InvalidJson,
    RpcError,
    find_answer,
    make_request,
    parse_json,
    read_events,
)
from mcp.foreign_text import clean_line
from mcp.verdicts import Verdict

MAX_ADDRESS = 2_048
_SESSION_ID = re.compile(r"[\x21-\x7e]{1,1024}")


@dataclass(frozen=True)
class Reply:
    """answer: the result, the error, or None where what came does not answer the request."""

    status: int
    content_type: str
    answer: dict | RpcError | None
    session_id: str = ""

    @property
    def description(self) -> str:
        said = f"HTTP {self.status} {self.content_type}".strip()
        return f"{said}, {describe_error(self.answer)}" if isinstance(self.answer, RpcError) else said


def describe_error(error: RpcError) -> str:
    return f"error {error.code} {clean_line(error.message, MAX_QUOTED)}".strip()


class StreamableHttp:
    name = "streamable-http"

    def __init__(self, connection: Connection, url: str, *, is_modern: bool):
        self.connection, self.url, self.is_modern = connection, url, is_modern
        self.session_id = ""
        self.version = MODERN_VERSION if is_modern else ""  # no header on `initialize` itself
        self.last_id = 0

    def ask(self, method: str, params: dict[str, Any]) -> Reply:
        self.last_id += 1
        body = make_request(method, params, request_id=self.last_id, is_modern=self.is_modern)
        with self.connection.request("POST", self.url, self._headers(method), body) as answer:
            return read_reply(answer, self.last_id)

    def notify(self, method: str) -> Reply:
        body = make_request(method, {}, request_id=None, is_modern=self.is_modern)
        with self.connection.request("POST", self.url, self._headers(method), body) as answer:
            return Reply(answer.status, media_type(answer), None)

    def begin_session(self, reply: Reply, version: str) -> None:
        self.session_id, self.version = reply.session_id, version

    def end_session(self, client: OutboundClient) -> None:
        """Nothing depends on the outcome. client: one of its own, so that a slow goodbye cannot spoil a good answer."""
        if not self.session_id:
            return
        headers = {**self.connection.credentials, **self._headers("")}
        with contextlib.suppress(Blocked, Failed), client.request("DELETE", self.url, headers=headers, body=None):
            pass

    def close(self) -> None:
        pass

    def _headers(self, method: str) -> dict[str, str]:
        headers = {"Accept": f"{JSON_TYPE}, {STREAM_TYPE}", "Content-Type": JSON_TYPE}
        if self.is_modern:
            headers["Mcp-Method"] = method
        if self.version:
            headers["MCP-Protocol-Version"] = self.version
        if self.session_id:
            headers["Mcp-Session-Id"] = self.session_id
        return headers


class HttpSse:
    """Opens a stream, which says where to send messages and brings their answers. `ask` works after `open`."""

    name = "sse"

    def __init__(self, connection: Connection, url: str):
        self.connection, self.url = connection, url
        self.stack = contextlib.ExitStack()
        self.last_id = 0

    def open(self) -> None:
        """Raises CheckEnded: no event stream, another first event, or messages would go to another site."""
        answer = self.stack.enter_context(self.connection.request("GET", self.url, {"Accept": STREAM_TYPE}))
        said = f"GET HTTP {answer.status} {media_type(answer)}".strip()
        if answer.status >= 500:
            raise CheckEnded(Verdict.SERVER_ERROR, said, status=answer.status)
        if answer.status != 200 or media_type(answer) != STREAM_TYPE:
            raise CheckEnded(Verdict.NOT_MCP, said, status=answer.status)
        self.events = read_events(answer.chunks())
        first = self._next_event()
        if first is None:
            raise CheckEnded(Verdict.STREAM_ENDED, "the stream ended before its first event", status=200)
        if first.name != "endpoint":
            raise CheckEnded(Verdict.NOT_MCP, "the first event is not `endpoint`", status=200)
        self.message_url = resolve_same_origin(answer.url, first.data)

    def ask(self, method: str, params: dict[str, Any]) -> Reply:
        self.last_id += 1
        reply = self._post(make_request(method, params, request_id=self.last_id, is_modern=False))
        if not 200 <= reply.status < 300:
            return reply
        while (event := self._next_event()) is not None:
            answer = read_message(event, self.last_id)
            if answer is not None:
                return Reply(200, STREAM_TYPE, answer)
        raise CheckEnded(Verdict.STREAM_ENDED, "the stream ended before the answer", status=200)

    def notify(self, method: str) -> Reply:
        return self._post(make_request(method, {}, request_id=None, is_modern=False))

    def begin_session(self, reply: Reply, version: str) -> None:
        pass

    def end_session(self, client: OutboundClient) -> None:
        pass

    def close(self) -> None:
        self.stack.close()

    def _post(self, body: bytes) -> Reply:
        with self.connection.request("POST", self.message_url, {"Content-Type": JSON_TYPE}, body) as answer:
            if 200 <= answer.status < 300:
                return Reply(answer.status, media_type(answer), None)
            return read_reply(answer, self.last_id)

    def _next_event(self) -> Event | None:
        try:
            return next(self.events, None)
        except Failed as failure:
            raise CheckEnded(VERDICTS[failure.kind], describe_failure(failure), status=200) from None


def read_reply(answer: Answer, request_id: int) -> Reply:
    """Raises CheckEnded where a 200 breaks off or is not the JSON that it says; another status may carry anything."""
    content_type = media_type(answer)
    found = None
    if content_type == JSON_TYPE:
        found = _read_json_answer(answer, request_id)
    elif content_type == STREAM_TYPE and answer.status == 200:
        found = _read_stream_answer(answer, request_id)
    session_id = answer.headers.get("Mcp-Session-Id", "")
    return Reply(answer.status, content_type, found, session_id if _SESSION_ID.fullmatch(session_id) else "")


def _read_json_answer(answer: Answer, request_id: int) -> dict | RpcError | None:
    body = answer.read()
    try:
        return find_answer(parse_json(body), request_id)
    except InvalidJson as flaw:
        if answer.status != 200:
            return None
        raise CheckEnded(Verdict.INVALID_JSON, str(flaw), status=200) from None


def _read_stream_answer(answer: Answer, request_id: int) -> dict | RpcError:
    for event in read_events(answer.chunks()):
        found = read_message(event, request_id)
        if found is not None:
            return found
    raise CheckEnded(Verdict.STREAM_ENDED, "the stream ended before the answer", status=200)


def read_message(event: Event, request_id: int) -> dict | RpcError | None:
    if event.name != "message":
        return None
    try:
        return find_answer(parse_json(event.data), request_id)
    except InvalidJson as flaw:
        raise CheckEnded(Verdict.INVALID_JSON, f"in an event: {flaw}", status=200) from None


def resolve_same_origin(url: str, reference: str) -> str:
    """Where messages go. Raises CheckEnded unless it has the scheme, host and port of the stream."""
    try:
        if len(reference) <= MAX_ADDRESS:
            resolved = urljoin(url, reference.strip())
            if origin_of(resolved) == origin_of(url):
                return resolved
    except (Blocked, ValueError):
        pass
    raise CheckEnded(Verdict.SSE_ENDPOINT_CROSS_ORIGIN, "the `endpoint` event names another origin", status=200)
