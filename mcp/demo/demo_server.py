"""A small MCP server for one's own machine, on the standard library: what `protocol.py` answers, over real HTTP."""

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from mcp.demo.demo_tools import DemoService
from mcp.serving.messages import Answer, refuse
from mcp.serving.protocol import answer_request

HOST, PORT, PATH = "127.0.0.1", 8765, "/mcp"
ENDPOINT = f"http://{HOST}:{PORT}{PATH}"
SLUG = "demo-tools"  # under which the demo registry lists it

_QUIET_S = 30  # a client that sends nothing for so long is left
_MOST_THROWN_AWAY = 16 * 1024 * 1024  # of a body that nobody reads, so that its sender gets to the answer


class DemoServer(ThreadingHTTPServer):
    """Listens as soon as it is made. Raises OSError when the port is taken."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *, host: str = HOST, port: int = PORT):
        super().__init__((host, port), _Handler)
        self.service = DemoService()
        self.hosts = {f"{name}:{self.server_port}" for name in (host, "localhost")}

    def server_bind(self):
        """Without the look-up of its own name, which may take seconds where there is no network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    @property
    def endpoint(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_port}{PATH}"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # whoever hangs up is no error of ours
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: DemoServer
    protocol_version = "HTTP/1.1"
    timeout = _QUIET_S

    def answer(self) -> None:
        self.unread = self._read_length()
        answer = self._find_answer()
        self._throw_away()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.unread:  # the rest of the body would be taken for the next request
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def _find_answer(self) -> Answer:
        """Host and Origin keep out pages of other sites, which may reach this machine through somebody's browser."""
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in self.server.hosts:
            return refuse(HTTPStatus.FORBIDDEN, "this server answers under its own address only")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            return refuse(HTTPStatus.FORBIDDEN, "pages of other sites may not ask here")
        if self.path != PATH:
            return refuse(HTTPStatus.NOT_FOUND, f"the address is {PATH}")
        if "Transfer-Encoding" in self.headers:
            self.unread = -1
            return refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length must say how long the body is")
        headers = {name: ", ".join(self.headers.get_all(name)) for name in self.headers}
        return answer_request(method=self.command, headers=headers, read=self._read, service=self.server.service)

    def _read_length(self) -> int:
        length = self.headers.get("Content-Length", "0")
        return int(length) if length.isdecimal() and len(length) < 20 else -1

    def _read(self, count: int) -> bytes:
        part = self.rfile.read(min(count, self.unread)) if self.unread > 0 else b""
        self.unread -= len(part)
        return part

    def _throw_away(self) -> None:
        if 0 < self.unread <= _MOST_THROWN_AWAY:
            while self._read(65_536):
                pass

    def log_message(self, *args) -> None:
        """One line when the server starts is all that it prints."""
