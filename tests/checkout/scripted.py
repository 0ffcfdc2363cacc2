"""A server that says exactly what a test wrote, byte by byte, over TCP."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> dict:
        return json.loads(self.body)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)


class ScriptedServer:
    """Follows one step for each request: a function that gets the connection and writes what it likes.

    A connection lives as long as its steps leave it open and say `keep-alive`; `connections` counts them.
    """

    def __init__(self):
        self.steps: list[Callable[[socket.socket], bool]] = []
        self.asked: list[Asked] = []
        self.connections = 0
        self._open: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._open is not None:
            with contextlib.suppress(OSError):
                self._open.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open = connection
            with connection:
                connection.settimeout(5)
                try:
                    while self._follow_one(connection):
                        pass
                except OSError:
                    continue  # the other side left

    def _follow_one(self, connection) -> bool:
        asked = _read_request(connection)
        if asked is None:
            return False
        self.asked.append(asked)
        return self.steps.pop(0)(connection)


def _read_request(connection) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body)


def http(body: bytes, *, status: int = 200, length: int | None = None, more: str = "") -> bytes:
    length = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n".encode()
        + body
    )


# --- Steps: each says whether the connection stays open


def answer(body, *, status: int = 200, more: str = "", keep: bool = False):
    """JSON of `body`, or the bytes themselves."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(connection):
        connection.sendall(http(content, status=status, more=more + ("" if keep else "Connection: close\r\n")))
        return keep

    return step


def refuse(status: int, code: str, message: str = "카드사에서 거절했습니다."):
    return answer({"code": code, "message": message}, status=status)


def raw(data: bytes):
    """Bytes, then the end."""

    def step(connection):
        connection.sendall(data)
        return False

    return step


def reset(data: bytes = b""):
    """RST instead of an orderly end."""

    def step(connection):
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return step


def silence(until: threading.Event, data: bytes = b""):
    """Nothing (more) until the test is over."""

    def step(connection):
        connection.sendall(data)
        until.wait(5)
        return False

    return step


def trickle(until: threading.Event, head: bytes, *, every_s: float):
    """A byte now and then, for five seconds at most."""

    def step(connection):
        connection.sendall(head)
        for _ in range(round(5 / every_s)):
            if until.wait(every_s):
                break
            connection.sendall(b" ")
        return False

    return step
