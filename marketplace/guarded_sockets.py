"""The connections under `outbound.py`: what `requests` sends through them stays in time, in size, outside our network.

urllib3 does TLS and HTTP as ever, on sockets that it gets from here.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from marketplace.web_addresses import IPAddress, IPNetwork, check_address

HEADER_BYTES = 64 * 1024  # status lines and headers of one answer; `http.client` takes at most 100 headers besides
READ_BYTES = 8 * 1024
SEND_BYTES = 16 * 1024
ADDRESSES_TRIED = 4
# Names that do not answer hold a thread until the resolver of the system gives up, long after we have left.
LOOKUPS = threading.BoundedSemaphore(64)


class Failed(Exception):
    """It was asked, or tried to be, and no usable answer came.

    kind: "unreachable", "timeout", "tls_error", "redirect", "too_large" or "ended" (in the middle of an answer).
    reason: a short line without addresses of ours, bodies or headers. host: where a redirect leads, as the server says.
    """

    def __init__(self, kind: str, reason: str, *, host: str = ""):
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.host = host


@dataclass(frozen=True)
class Limits:
    """deadline_s: for all requests of one client together. max_bytes: the body of one answer, as it is sent."""

    deadline_s: float = 15.0
    connect_s: float = 5.0
    max_bytes: int = 1_048_576


_KNOWN_ERRORS = (  # exceptions, kind (None: as the moment says), reason; the first that fits
    ((TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError), "timeout", "no answer in time"),
    ((ssl.SSLCertVerificationError,), "tls_error", "its certificate could not be verified"),
    ((ssl.SSLEOFError,), None, "the encrypted connection was cut off"),
    ((ssl.SSLError, requests.exceptions.SSLError), "tls_error", "no encrypted connection could be agreed on"),
    ((urllib3.exceptions.InvalidHeader,), None, "its headers contradict each other"),
    ((requests.exceptions.InvalidHeader, UnicodeError), "unreachable", "a header of the request cannot be sent"),
    ((http.client.LineTooLong,), "too_large", "a header is too long"),
    ((http.client.RemoteDisconnected,), None, "it closed the connection without an answer"),
    ((http.client.IncompleteRead, urllib3.exceptions.IncompleteRead), None, "the answer was cut off"),
    ((http.client.BadStatusLine, http.client.UnknownProtocol), None, "what answered does not speak HTTP"),
    ((http.client.HTTPException,), "too_large", "more headers than we read"),
    ((ConnectionRefusedError,), None, "the connection was refused"),
    ((ConnectionError,), None, "the connection was broken off"),
)


def failure_of(error: BaseException | None, *, otherwise: str) -> Failed:
    """What went wrong, in our words: those of the libraries name hosts and addresses."""
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__ or error.__context__
    for kinds, kind, reason in _KNOWN_ERRORS:
        if any(isinstance(cause, kinds) for cause in causes):
            return Failed(kind or otherwise, reason)
    return Failed(otherwise, "the connection failed")


class Work:
    """What all connections of one client share: the deadline, the networks, and what is to be closed."""

    def __init__(self, *, limits: Limits, networks: tuple[IPNetwork, ...]):
        self.limits = limits
        self.networks = networks
        self._deadline = time.monotonic() + limits.deadline_s
        self._opened: list = []

    def left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise Failed("timeout", f"no full answer within {self.limits.deadline_s:g} s")
        return left_s

    def add(self, opened) -> None:
        self._opened.append(opened)

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()

    def connect(self, *, scheme: str, host: str, port: int) -> socket.socket:
        """A connection to an address that was judged; nothing has been sent yet."""
        addresses = self._resolve(host, port)
        for _family, place in addresses:
            check_address(_address_in(place), scheme=scheme, port=port, networks=self.networks)
        until = time.monotonic() + self.limits.connect_s
        tried = addresses[:ADDRESSES_TRIED]
        failure = None
        for index, (family, place) in enumerate(tried):
            share_s = max(until - time.monotonic(), 0.001) / (len(tried) - index)
            try:
                connection = _connect(family, place, timeout_s=min(share_s, self.left_s()))
            except OSError as error:
                failure = error
                continue
            try:
                check_address(_address_in(connection.getpeername()), scheme=scheme, port=port, networks=self.networks)
                connection.settimeout(self.left_s())
            except BaseException:
                connection.close()
                raise
            return connection
        raise failure_of(failure, otherwise="unreachable") from None

    def _resolve(self, host: str, port: int) -> list[tuple[int, tuple]]:
        """Every address of the host, each once."""
        try:
            found = _look_up(host, port, until=time.monotonic() + self.left_s())
        except TimeoutError:
            raise Failed("timeout", "the name of the host could not be looked up in time") from None
        except (OSError, UnicodeError):
            raise Failed("unreachable", "the name of the host is not known") from None
        return list(dict.fromkeys((family, place) for family, _type, _protocol, _name, place in found))


def _look_up(host: str, port: int, *, until: float) -> list:
    if not LOOKUPS.acquire(timeout=until - time.monotonic()):
        raise TimeoutError
    answer: Future = Future()
    try:
        threading.Thread(target=_answer_look_up, args=(answer, host, port), daemon=True).start()
    except RuntimeError:  # the system gives us no more threads
        LOOKUPS.release()
        raise OSError("no thread for the look-up") from None
    return answer.result(timeout=max(until - time.monotonic(), 0))


def _answer_look_up(answer: Future, host: str, port: int) -> None:
    try:
        answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except Exception as error:
        answer.set_exception(error)
    finally:
        LOOKUPS.release()


def _connect(family: int, place: tuple, *, timeout_s: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection


def _address_in(place: tuple) -> IPAddress:
    return ipaddress.ip_address(place[0].partition("%")[0])


class _GuardedConnection:
    """Mixed into the connections of urllib3, which do TLS and HTTP on the sockets they get from here."""

    def __init__(self, *args, work: Work, **options):
        super().__init__(*args, **options)
        self._work = work
        self.response_class = partial(_GuardedResponse, work=work)
        work.add(self)

    def _new_conn(self) -> socket.socket:
        scheme = "https" if isinstance(self, HTTPSConnection) else "http"
        return self._work.connect(scheme=scheme, host=self.host.strip("[]"), port=self.port)

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), SEND_BYTES):
            if self.sock is not None:
                self.sock.settimeout(self._work.left_s())
            super().send(data[start : start + SEND_BYTES])


class _PlainConnection(_GuardedConnection, HTTPConnection):
    pass


class _TlsConnection(_GuardedConnection, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class GuardedAdapter(HTTPAdapter):
    def __init__(self, work: Work):
        super().__init__()
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_PlainPool, work=work),
            "https": partial(_TlsPool, work=work),
        }


class _GuardedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args, work: Work, **options):
        super().__init__(sock, *args, **options)
        self._reader = _GuardedReader(self.fp.detach(), sock, work)
        self.fp = io.BufferedReader(self._reader, READ_BYTES)
        work.add(self)

    def begin(self) -> None:
        super().begin()
        self._reader.allow_body()


class _GuardedReader(io.RawIOBase):
    """Reads a socket until the deadline; a socket's own timeout would begin anew with every byte."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, work: Work):
        self._raw = raw
        self._sock = sock
        self._work = work
        self._left_bytes = HEADER_BYTES

    def allow_body(self) -> None:
        """Whole bodies are counted by Answer; this is for what surrounds their pieces, which a server may blow up."""
        self._left_bytes = HEADER_BYTES + 2 * self._work.limits.max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        self._sock.settimeout(self._work.left_s())
        count = self._raw.readinto(buffer)
        self._left_bytes -= count or 0
        if self._left_bytes < 0:
            raise Failed("too_large", "more headers or framing than we read")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
