"""Servers that misbehave, each a function on a path of one HTTP server on loopback that writes whatever bytes it likes.

    def test_a_server_that_answers_with_html(zoo):
        sighting = zoo.probe(lambda visit: visit.answer(200, b"<h1>hello</h1>", "text/html"))

`tests/mcp/conftest.py` makes the fixture.
"""

import contextlib
import itertools
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace.outbound import Limits
from mcp.client.probe import probe
from mcp.client.sightings import Sighting

LOOPBACK = ["127.0.0.0/8"]
# Short, for those that would take for ever; all others answer at once, however busy the machine.
SHORT = Limits(deadline_s=0.5, connect_s=0.5, max_bytes=1_048_576)
PATIENT = Limits(deadline_s=300.0, connect_s=60.0, max_bytes=1_048_576)
STREAM = "text/event-stream"


@dataclass
class Visit:
    """One request and the socket to answer it on."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: socket.socket = field(repr=False)
    zoo: "Zoo" = field(repr=False)

    @property
    def message(self) -> dict:
        return json.loads(self.body) if self.body else {}

    @property
    def rpc_method(self) -> str:
        return self.message.get("method", "")

    @property
    def cursor(self) -> str | None:
        return self.message.get("params", {}).get("cursor")

    @property
    def is_modern(self) -> bool:
        return "_meta" in self.message.get("params", {})

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.zoo.bytes_sent += len(data)

    def begin(self, status: int = 200, content_type: str = STREAM, **headers: str) -> None:
        """Status and headers of an answer that lasts until the connection ends."""
        lines = [f"HTTP/1.1 {status} Whatever", "Connection: close"]
        lines += [f"Content-Type: {content_type}"] if content_type else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def answer(self, status: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> None:
        self.begin(status, content_type, Content_Length=str(len(body)), **headers)
        self.send(body)

    def result(self, result: object, **headers: str) -> None:
        self.answer(200, json.dumps({"jsonrpc": "2.0", "id": self.message["id"], "result": result}).encode(), **headers)

    def error(self, code: object, message: object = "no", *, status: int = 200, data: object = None) -> None:
        error = {"code": code, "message": message} | ({} if data is None else {"data": data})
        self.answer(status, json.dumps({"jsonrpc": "2.0", "id": self.message.get("id"), "error": error}).encode())

    def event(self, message: dict, name: str = "message") -> None:
        self.send(f"event: {name}\ndata: {json.dumps(message)}\n\n".encode())

    def repeat(self, data: bytes, *, every_s: float = 0.0) -> None:
        """Until the other side hangs up or the zoo closes."""
        while not self.zoo.is_closing.wait(every_s):
            self.send(data)

    def hang(self) -> None:
        self.zoo.is_closing.wait()


Animal = Callable[[Visit], None]


def modern(visit: Visit, *, lists: dict[str, list] | None = None, **result) -> None:
    """A server of the modern revision that does everything right. lists: {"tools": [...], "prompts": [...]}."""
    lists = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]} if lists is None else lists
    kind = visit.rpc_method.partition("/")[0]
    if visit.rpc_method == "server/discover":
        info = {"io.modelcontextprotocol/serverInfo": {"name": "zoo", "title": "The Zoo", "version": "1.2.3"}}
        found = {"supportedVersions": ["2026-07-28"], "capabilities": {kind: {} for kind in lists}, "_meta": info}
        visit.result({"resultType": "complete", "ttlMs": 0, "cacheScope": "public"} | found | result)
    elif visit.rpc_method == f"{kind}/list" and kind in lists:
        visit.result({"resultType": "complete", "ttlMs": 0, "cacheScope": "public", kind: lists[kind]})
    else:
        visit.error(-32601, status=404)


def legacy(visit: Visit, *, lists: dict[str, list] | None = None, **result) -> None:
    """A server of the handshake revisions with sessions that does everything right."""
    lists = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]} if lists is None else lists
    kind = visit.rpc_method.partition("/")[0]
    if visit.method == "DELETE":
        visit.answer(200)
    elif visit.rpc_method == "initialize":
        found = {
            "protocolVersion": "2025-11-25",
            "capabilities": {kind: {} for kind in lists},
            "instructions": "Feed me.",
        }
        visit.result(found | {"serverInfo": {"name": "zoo", "version": "1.2.3"}} | result, Mcp_Session_Id="s-1")
    elif visit.headers.get("mcp-session-id") != "s-1":
        visit.error(-32000, "no session", status=400)
    elif visit.rpc_method.startswith("notifications/"):
        visit.answer(202, content_type="")
    elif visit.rpc_method == f"{kind}/list" and kind in lists:
        visit.result({kind: lists[kind]})
    else:
        visit.error(-32601)


class OldStreams:
    """A server of HTTP+SSE; `endpoint` is what its first event says, {path} being its own."""

    def __init__(self, endpoint: str = "/{path}/messages?id=1", answer: Callable[[Visit, dict], None] | None = None):
        self.endpoint = endpoint
        self.reply = answer or self.reply_well
        self.stream: Visit | None = None

    def __call__(self, visit: Visit) -> None:
        if visit.method == "GET":
            self.stream = visit
            visit.begin(200)
            visit.send(f"event: endpoint\ndata: {self.endpoint.format(path=visit.path.split('/')[1])}\n\n".encode())
            visit.hang()
        elif "/messages" not in visit.path:
            visit.answer(404, b"<h1>Not here</h1>", "text/html")
        else:
            visit.answer(202, b"Accepted", "text/plain")
            self.reply(self.stream, visit.message)

    @staticmethod
    def reply_well(stream: Visit, message: dict) -> None:
        results = {
            "initialize": {
                "protocolVersion": "2024-11-05",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "old"},
            },
            "tools/list": {"tools": [{"name": "ancient"}]},
        }
        if message["method"] in results:
            stream.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            stream.event({"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]})


class Zoo:
    def __init__(self):
        self.animals: dict[str, Animal] = {}
        self.visits: list[Visit] = []
        self.connection_count = 0
        self.bytes_sent = 0
        self.is_closing = threading.Event()
        self._names = itertools.count(1)
        self._server = _Server(("127.0.0.1", 0), _Keeper)
        self._server.zoo = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def open(self, animal: Animal) -> str:
        name = f"animal-{next(self._names)}"
        self.animals[name] = animal
        return f"http://127.0.0.1:{self.port}/{name}"

    def probe(self, animal: Animal, *, limits: Limits = PATIENT, **options) -> Sighting:
        return probe(self.open(animal), limits=limits, allow_networks=LOOPBACK, **options)

    def close(self) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


class _Keeper(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        zoo = self.server.zoo
        zoo.connection_count += 1
        with contextlib.suppress(OSError):
            visit = self.read_visit(zoo)
            if visit is not None:
                zoo.visits.append(visit)
                zoo.animals[visit.path.split("/")[1].partition("?")[0]](visit)

    def read_visit(self, zoo: Zoo) -> Visit | None:
        method, _, rest = self.rfile.readline().decode("latin-1").partition(" ")
        if not rest.startswith("/"):
            self.wfile.write(b"HTTP/1.1 400 This is not HTTP\r\n\r\n")  # the start of TLS, for one
            return None
        headers = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Visit(method, rest.partition(" ")[0], headers, body, self.connection, zoo)
