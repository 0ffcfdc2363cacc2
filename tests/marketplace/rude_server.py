"""A server on this machine that behaves as a test says, byte by byte, and a listener that nobody may connect to."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable

BEHAVIOUR_S = 30  # longer than any test waits; a behaviour that is still running then has lost its test


class RudeServer:
    """Runs `behave(connection, server)` for each connection it gets, in a thread of its own.

    stopped: set when the test is over; what behaves endlessly looks at it. heads: each request's head, as it came.
    """

    def __init__(self, behave: Callable, *, tls=None):
        self.stopped = threading.Event()
        self.heads: list[str] = []
        self.connection_count = 0
        self._behave = behave
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "RudeServer":
        self._start(self._accept)
        return self

    def __exit__(self, *_exception) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake a waiting accept
        self._listener.close()
        for thread in self._threads:
            thread.join(BEHAVIOUR_S)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/"

    def read_request(self, connection: socket.socket) -> str:
        """One request; returns its head, "" when the client has gone. Unread bytes turn a close into a reset."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return ""
            head += byte
        self.heads.append(head.decode("latin-1"))
        left = int(dict(fields_of(self.heads[-1])).get("content-length", 0))
        while left > 0 and (data := connection.recv(left)):
            left -= len(data)
        return self.heads[-1]

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.connection_count += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(BEHAVIOUR_S)
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self._behave(connection, self)

    def _start(self, function: Callable, *args) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()


class Canary:
    """Listens on loopback and must never be connected to: a connection waits in its queue until somebody looks."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(BEHAVIOUR_S)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "Canary":
        return self

    def __exit__(self, *_exception) -> None:
        self._listener.close()

    def is_silent(self) -> bool:
        return not select.select([self._listener], [], [], 0)[0]

    def wait(self) -> socket.socket:
        """The connection that must come after all."""
        connection, _address = self._listener.accept()
        connection.settimeout(BEHAVIOUR_S)
        return connection


def fields_of(head: str) -> list[list[str]]:
    return [line.lower().split(": ", 1) for line in head.splitlines()[1:] if line]


def answer(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body
