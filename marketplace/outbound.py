"""Asks addresses that somebody else gave, from inside our network, and comes back in time whatever answers there.

`requests` makes the request and checks the certificate; the connections are our own: they resolve in a thread that can
be left behind, judge every address a name leads to, connect to what was judged, and count time and bytes at each read
of the socket. `Session` is left out on purpose: it takes proxies and passwords from the environment, keeps cookies, and
reads and unpacks the whole body of a redirect before it hands it over.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from marketplace.web_addresses import (
    Blocked,
    IPNetwork,
    SplitUrl,
    check_address,
    check_url,
    is_same_origin,
    origin_of,
    parse_networks,
    split_url,
)

__all__ = [
    "Answer",
    "Blocked",
    "Failed",
    "Limits",
    "OutboundClient",
    "SplitUrl",
    "check_url",
    "is_same_origin",
    "origin_of",
]

HEADER_BYTES = 64 * 1024  # status lines and headers of one answer; `http.client` takes at most 100 headers besides
READ_BYTES = 8 * 1024
SEND_BYTES = 16 * 1024
ADDRESSES_TRIED = 4
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOLLOWED_REDIRECTS = frozenset({307, 308})  # the ones that keep method and body
# Names that do not answer hold a thread until the resolver of the system gives up, long after we have left.
LOOKUPS = threading.BoundedSemaphore(64)

# Headers that say how a message is sent, and to whom: never a caller's, who may pass on what a stranger typed.
_OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "proxy-authorization", "proxy-connection"}
)


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


class OutboundClient:
    """One piece of work on one stranger's server: the deadline runs from here and covers everything asked through it.

    allow_networks: opened besides the public internet, for plain http and every port too.
    Leaving the context closes every connection, whatever is still unread.
    """

    def __init__(self, *, limits: Limits | None = None, allow_networks: Iterable[str | IPNetwork] = ()):
        self._work = _Work(limits=limits or Limits(), networks=parse_networks(allow_networks))
        self._adapter = _GuardedAdapter(self._work)

    def __enter__(self) -> "OutboundClient":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def close(self) -> None:
        self._adapter.close()
        self._work.close()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> "Answer":
        """Ask once. The answer is there as soon as its headers are; raises Blocked or Failed.

        A 307 or 308 to the same origin is followed once; every other redirect is Failed("redirect").
        """
        target = check_url(url, allow_networks=self._work.networks)
        answer = self._send(method, target, headers or {}, body)
        if answer.status not in REDIRECTS:
            return answer
        with answer:
            target = self._read_redirect(answer, target)
        answer = self._send(method, target, headers or {}, body)
        if answer.status in REDIRECTS:
            answer.close()
            raise Failed("redirect", "redirected more than once", host=target.host)
        return answer

    def _read_redirect(self, answer: "Answer", source: SplitUrl) -> SplitUrl:
        try:
            location = urljoin(source.url, answer.headers.get("Location", "").partition("#")[0])
            target = split_url(location)
        except (ValueError, Blocked):
            raise Failed("redirect", f"HTTP {answer.status} to no usable address") from None
        if answer.status not in FOLLOWED_REDIRECTS or target.origin != source.origin:
            raise Failed("redirect", f"HTTP {answer.status}", host=target.host)
        return check_url(target.url, allow_networks=self._work.networks)

    def _send(self, method: str, target: SplitUrl, headers: Mapping[str, str], body: bytes | None) -> "Answer":
        left_s = self._work.left_s()
        try:
            request = requests.Request(method, target.url, headers=_sendable(headers), data=body).prepare()
            response = self._adapter.send(request, stream=True, timeout=left_s, verify=True)
        except (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            raise _failure(error, otherwise="unreachable") from None
        return Answer(response, url=target.url, max_bytes=self._work.limits.max_bytes)


class Answer:
    """Status and headers of an answer, whose body is still coming. Bodies are never unpacked, whatever they say."""

    def __init__(self, response: requests.Response, *, url: str, max_bytes: int):
        self.status: int = response.status_code
        self.headers: CaseInsensitiveDict = response.headers
        self.url = url
        self._response = response
        self._max_bytes = max_bytes
        self._size = 0

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def close(self) -> None:
        """What is unread is not read: the connection goes with it."""
        self._response.close()

    def read(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The body in the pieces in which it arrives; raises Failed when it is too much, too late or cut off."""
        if (self._response.raw.length_remaining or 0) > self._max_bytes - self._size:
            self._give_up("too_large", f"more than {self._max_bytes} bytes")
        while data := self._read_some():
            self._size += len(data)
            if self._size > self._max_bytes:
                self._give_up("too_large", f"more than {self._max_bytes} bytes")
            yield data

    def _read_some(self) -> bytes:
        try:
            return self._response.raw.read1(READ_BYTES, decode_content=False)
        except Failed:
            self.close()
            raise
        except (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            self.close()
            raise _failure(error, otherwise="ended") from None

    def _give_up(self, kind: str, reason: str):
        self.close()
        raise Failed(kind, reason)


class _Work:
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
        raise _failure(failure, otherwise="unreachable") from None

    def _resolve(self, host: str, port: int) -> list[tuple[int, tuple]]:
        """Every address of the host, each once."""
        try:
            found = _look_up(host, port, until=time.monotonic() + self.left_s())
        except TimeoutError:
            raise Failed("timeout", "the name of the host could not be looked up in time") from None
        except (OSError, UnicodeError):
            raise Failed("unreachable", "the name of the host is not known") from None
        places = {(family, place) for family, _type, _protocol, _name, place in found}
        ordered = [(family, place) for family, _type, _protocol, _name, place in found]
        return sorted(places, key=ordered.index)


def _look_up(host: str, port: int, *, until: float) -> list:
    if not LOOKUPS.acquire(timeout=until - time.monotonic()):
        raise TimeoutError
    answer: Future = Future()
    threading.Thread(target=_answer_look_up, args=(answer, host, port), daemon=True).start()
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


def _address_in(place: tuple) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(place[0].partition("%")[0])


class _GuardedConnection:
    """Mixed into the connections of urllib3, which do TLS and HTTP on the sockets they get from here."""

    def __init__(self, *args, work: _Work, **options):
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


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, work: _Work):
        super().__init__()
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_PlainPool, work=work),
            "https": partial(_TlsPool, work=work),
        }


class _GuardedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args, work: _Work, **options):
        super().__init__(sock, *args, **options)
        self._reader = _GuardedReader(self.fp.detach(), sock, work)
        self.fp = io.BufferedReader(self._reader, READ_BYTES)
        work.add(self)

    def begin(self) -> None:
        super().begin()
        self._reader.allow_body()


class _GuardedReader(io.RawIOBase):
    """Reads a socket until the deadline; a socket's own timeout would begin anew with every byte."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, work: _Work):
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


def _sendable(headers: Mapping[str, str]) -> CaseInsensitiveDict:
    """Values as bytes: a stranger's text may hold what Latin-1 has no letter for."""
    sendable = CaseInsensitiveDict({"User-Agent": f"marketplace (+{settings.SITE_URL})", "Accept": "*/*"})
    for name, value in headers.items():
        if name.lower() not in _OUR_HEADERS:
            sendable[name] = value.encode()
    sendable["Accept-Encoding"] = "identity"
    return sendable


_KNOWN_ERRORS = (  # exceptions, kind (None: as the moment says), reason; the first that fits
    ((TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError), "timeout", "no answer in time"),
    ((ssl.SSLCertVerificationError,), "tls_error", "its certificate could not be verified"),
    ((ssl.SSLEOFError,), None, "the encrypted connection was cut off"),
    ((ssl.SSLError, requests.exceptions.SSLError), "tls_error", "no encrypted connection could be agreed on"),
    ((requests.exceptions.InvalidHeader, UnicodeError), "unreachable", "a header of the request cannot be sent"),
    ((http.client.LineTooLong,), "too_large", "a header is too long"),
    ((http.client.RemoteDisconnected,), None, "it closed the connection without an answer"),
    ((http.client.IncompleteRead, urllib3.exceptions.IncompleteRead), None, "the answer was cut off"),
    ((http.client.BadStatusLine, http.client.UnknownProtocol), None, "what answered does not speak HTTP"),
    ((ConnectionRefusedError,), None, "the connection was refused"),
    ((ConnectionError,), None, "the connection was broken off"),
)


def _failure(error: BaseException | None, *, otherwise: str) -> Failed:
    """What went wrong, in our words: those of the libraries name hosts and addresses."""
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__ or error.__context__
    for kinds, kind, reason in _KNOWN_ERRORS:
        if any(isinstance(cause, kinds) for cause in causes):
            return Failed(kind or otherwise, reason)
    return Failed(otherwise, "the connection failed")
