"""One look at an MCP server: does it speak the protocol, which revision, and what does it offer?

The steps: `server/discover` of the modern revision; else the handshake of the older ones; else HTTP+SSE; then the lists
of tools and prompts in the way that was found. Source: `docs/mcp-registry.md`, section on checks.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from marketplace.outbound import Limits, OutboundClient
from mcp.client.connection import CheckEnded, Connection
from mcp.client.offers import NamelessItem, OfferReader
from mcp.client.sightings import MAX_PROMPTS, MAX_TOOLS, Sighting
from mcp.client.transports import HttpSse, Reply, StreamableHttp
from mcp.client.wire import (
    CLIENT_INFO,
    HANDSHAKE_VERSIONS,
    KNOWN_VERSIONS,
    LATEST_HANDSHAKE_VERSION,
    MODERN_ERRORS,
    MODERN_VERSION,
    SSE_VERSION,
    UNSUPPORTED_VERSION,
    RpcError,
    pick_texts,
)
from mcp.verdicts import Verdict

MAX_PAGES = 20
MAX_CURSOR = 4_096  # our requests stay small
MAX_VERSIONS = 20
MAX_REASON = 260  # a message of 200 characters, and what it answers
MAX_ADDRESS = 500
GOODBYE_S = 2.0
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
# What the modern request may meet at a server that knows only the older revisions.
PERHAPS_LEGACY = frozenset({Verdict.INVALID_JSON, Verdict.STREAM_ENDED})


def probe(
    endpoint: str, *, headers: Mapping[str, str] | None = None, limits: Limits | None = None, allow_networks=()
) -> Sighting:
    """Takes at most the deadline of the limits. Never raises for anything that a server does.

    headers: credentials of the server; they are in nothing that this returns, even where the server sends them back.
    """
    limits = limits or Limits()
    started = time.monotonic()
    with OutboundClient(limits=limits, allow_networks=allow_networks) as client:
        look = _Look(client, endpoint, headers or {})
        sighting = look.see()
    left_s = min(GOODBYE_S, limits.deadline_s - (time.monotonic() - started))
    if left_s > 0:
        with OutboundClient(limits=replace(limits, deadline_s=left_s), allow_networks=allow_networks) as client:
            look.transport.end_session(client)
    return sighting


class _Look:
    """facts: the fields of the sighting as they become known, so that a look that fails late still tells the rest."""

    def __init__(self, client: OutboundClient, endpoint: str, headers: Mapping[str, str]):
        self.endpoint = endpoint
        self.connection = Connection(client, headers)
        self.reader = OfferReader(headers.values())
        self.transport = StreamableHttp(self.connection, endpoint, is_modern=True)
        self.facts: dict[str, Any] = {}

    def see(self) -> Sighting:
        verdict, reason = Verdict.OK, ""
        try:
            capabilities = self._discover() or self._initialize()
            self._list_offers(capabilities)
        except CheckEnded as ended:
            verdict, reason = ended.verdict, ended.reason
            self.facts.update(ended.facts, http_status=ended.status)
            if "resource_metadata" in ended.facts:
                self.facts["resource_metadata"] = self.reader.line(ended.facts["resource_metadata"], MAX_ADDRESS)
        finally:
            self.transport.close()
        return Sighting(verdict=verdict, reason=self.reader.line(reason, MAX_REASON), **self.facts)

    def _ask(self, method: str, params: dict[str, Any]) -> Reply:
        started = time.monotonic()
        try:
            reply = self.transport.ask(method, params)
        except CheckEnded as ended:
            if ended.verdict == Verdict.AUTH_REQUIRED:
                self._note_latency(started)
            raise
        if reply.answer is not None:
            self._note_latency(started)
        self.facts["http_status"] = reply.status
        return reply

    def _note_latency(self, started: float) -> None:
        self.facts.setdefault("latency_ms", round((time.monotonic() - started) * 1000))

    def _discover(self) -> dict | None:
        """The capabilities of a modern server; None where it may speak an older revision. Raises CheckEnded."""
        try:
            reply = self._ask("server/discover", {})
        except CheckEnded as ended:
            if ended.verdict in PERHAPS_LEGACY:
                return None
            raise
        if isinstance(reply.answer, RpcError):
            if reply.answer.code == UNSUPPORTED_VERSION:
                self._note_versions(reply.answer.supported_versions, status=reply.status)
            return None
        if reply.status != 200 or reply.answer is None:
            return None
        self._note_versions(pick_texts(reply.answer.get("supportedVersions")), status=200)
        if MODERN_VERSION not in self.facts.get("supported_versions", ()):
            return None
        return self._note_server(
            reply.answer,
            server_info=_dict(reply.answer.get("_meta")).get(SERVER_INFO_KEY),
            era="modern",
            protocol_version=MODERN_VERSION,
        )

    def _note_versions(self, versions: list[str], *, status: int) -> None:
        """Raises CheckEnded when it names versions and we know none of them."""
        if not versions:
            return
        named = tuple(self.reader.line(version, 32) for version in versions[:MAX_VERSIONS])
        self.facts["supported_versions"] = named
        if not KNOWN_VERSIONS.intersection(versions):
            raise CheckEnded(Verdict.UNSUPPORTED_VERSION, f"it supports {', '.join(named)}", status=status)

    def _note_server(self, result: dict, *, server_info: Any, era: str, protocol_version: str) -> dict:
        """Keeps what the server says of itself; the capabilities it declares."""
        self.facts |= self.reader.identity(server_info, result.get("instructions"))
        self.facts |= {"era": era, "protocol_version": protocol_version, "transport": self.transport.name}
        return {"tools": False, "prompts": False} | _dict(result.get("capabilities"))

    def _initialize(self) -> dict:
        self.transport = StreamableHttp(self.connection, self.endpoint, is_modern=False)
        reply = self._ask_initialize(LATEST_HANDSHAKE_VERSION)
        code = reply.answer.code if isinstance(reply.answer, RpcError) else None
        if reply.status in (400, 404, 405) and code not in MODERN_ERRORS:
            reply = self._initialize_sse(reply)
        return self._begin_session(reply)

    def _initialize_sse(self, refusal: Reply) -> Reply:
        self.transport = HttpSse(self.connection, self.endpoint)
        try:
            self.transport.open()
        except CheckEnded as ended:
            if ended.verdict == Verdict.NOT_MCP:
                ended.reason = f"POST {refusal.description}; {ended.reason}"
            raise
        return self._ask_initialize(SSE_VERSION)

    def _ask_initialize(self, version: str) -> Reply:
        return self._ask("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO})

    def _begin_session(self, reply: Reply) -> dict:
        """The capabilities. Raises CheckEnded unless the server answered with a revision that has a handshake."""
        answer = reply.answer
        if isinstance(answer, RpcError):
            if answer.code == UNSUPPORTED_VERSION:
                self._note_versions(answer.supported_versions, status=reply.status)
            if reply.status == 200 or answer.code in MODERN_ERRORS:
                raise CheckEnded(Verdict.INITIALIZE_ERROR, f"initialize: {reply.description}", status=reply.status)
        if reply.status >= 500:
            raise CheckEnded(Verdict.SERVER_ERROR, reply.description, status=reply.status)
        if reply.status != 200 or not isinstance(answer, dict):
            raise CheckEnded(Verdict.NOT_MCP, f"POST {reply.description}", status=reply.status)
        version = answer.get("protocolVersion")
        if not isinstance(version, str):
            raise CheckEnded(Verdict.NOT_MCP, "initialize: the answer names no version", status=200)
        if version not in HANDSHAKE_VERSIONS:
            raise CheckEnded(Verdict.UNSUPPORTED_VERSION, f"it answered with {version}", status=200)
        capabilities = self._note_server(
            answer, server_info=answer.get("serverInfo"), era="legacy", protocol_version=version
        )
        self.transport.begin_session(reply, version)
        accepted = self.transport.notify("notifications/initialized")
        if not 200 <= accepted.status < 300:
            reason = f"notifications/initialized: {accepted.description}"
            raise CheckEnded(Verdict.INITIALIZE_ERROR, reason, status=accepted.status)
        return capabilities

    def _list_offers(self, capabilities: dict) -> None:
        for kind, read, most in (("tools", self.reader.tool, MAX_TOOLS), ("prompts", self.reader.prompt, MAX_PROMPTS)):
            is_declared = capabilities.get(kind) not in (None, False)
            self.facts[kind] = self._list(kind, read, most) if is_declared else ()

    def _list(self, kind: str, read: Callable[[Any], Any], most: int) -> tuple:
        found: dict[str, Any] = {}  # the first of each name
        cursors: set[str | None] = {None}
        cursor = None
        for _ in range(MAX_PAGES):
            result = self._ask_page(kind, cursor)
            for item in _read_items(result, kind):
                if len(found) == most:
                    self.facts["is_cut"] = True
                    return tuple(found.values())
                seen = self._read_item(kind, read, item)
                found.setdefault(seen.name, seen)
            cursor = result.get("nextCursor")
            if cursor is None:
                return tuple(found.values())
            if not isinstance(cursor, str):
                raise CheckEnded(Verdict.LIST_FAILED, f"{kind}/list: nextCursor is not a text", status=200)
            if cursor in cursors or len(cursor) > MAX_CURSOR:
                break
            cursors.add(cursor)
        self.facts["is_cut"] = True
        return tuple(found.values())

    def _ask_page(self, kind: str, cursor: str | None) -> dict:
        reply = self._ask(f"{kind}/list", {} if cursor is None else {"cursor": cursor})
        if reply.status != 200 or not isinstance(reply.answer, dict):
            raise CheckEnded(Verdict.LIST_FAILED, f"{kind}/list: {reply.description}", status=reply.status)
        return reply.answer

    @staticmethod
    def _read_item(kind: str, read: Callable[[Any], Any], item: Any) -> Any:
        try:
            return read(item)
        except NamelessItem:
            raise CheckEnded(Verdict.LIST_FAILED, f"{kind}/list: an entry without a name", status=200) from None


def _read_items(result: dict, kind: str) -> list:
    items = result.get(kind)
    if not isinstance(items, list):
        raise CheckEnded(Verdict.LIST_FAILED, f"{kind}/list: no list of {kind}", status=200)
    return items


def _dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}
