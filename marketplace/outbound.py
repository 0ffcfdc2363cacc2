"""Asks addresses that somebody else gave, from inside our network, and comes back in time whatever answers there.

`requests` makes the request and checks the certificate; the connections are our own: they resolve in a thread that can
be left behind, judge every address a name leads to, connect to what was judged, and count time and bytes at each read
of the socket. `Session` is left out on purpose: it takes proxies and passwords from the environment, keeps cookies, and
reads and unpacks the whole body of a redirect before it hands it over.
"""

import http.client
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urljoin

import requests
import urllib3
from django.conf import settings
from requests.structures import CaseInsensitiveDict

from marketplace.guarded_sockets import READ_BYTES, Failed, GuardedAdapter, Limits, Work, failure_of
from marketplace.web_addresses import (
    Blocked,
    IPNetwork,
    SplitUrl,
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

REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOLLOWED_REDIRECTS = frozenset({307, 308})  # the ones that keep method and body

# Headers that say how a message is sent, and to whom: never a caller's, who may pass on what a stranger typed.
_OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "proxy-authorization", "proxy-connection"}
)


class OutboundClient:
    """One piece of work on one stranger's server: the deadline runs from here and covers everything asked through it.

    allow_networks: opened besides the public internet, for plain http and every port too.
    Leaving the context closes every connection, whatever is still unread.
    """

    def __init__(self, *, limits: Limits | None = None, allow_networks: Iterable[str | IPNetwork] = ()):
        self._work = Work(limits=limits or Limits(), networks=parse_networks(allow_networks))
        self._adapter = GuardedAdapter(self._work)

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
            target = split_url(urljoin(source.url, answer.headers["Location"].partition("#")[0]))
        except (KeyError, ValueError, Blocked):
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
            raise failure_of(error, otherwise="unreachable") from None
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
            raise failure_of(error, otherwise="ended") from None

    def _give_up(self, kind: str, reason: str):
        self.close()
        raise Failed(kind, reason)


def _sendable(headers: Mapping[str, str]) -> CaseInsensitiveDict:
    """Values as bytes: a stranger's text may hold what Latin-1 has no letter for."""
    sendable = CaseInsensitiveDict({"User-Agent": f"marketplace (+{settings.SITE_URL})", "Accept": "*/*"})
    for name, value in headers.items():
        if name.lower() not in _OUR_HEADERS:
            sendable[name] = value.encode()
    sendable["Accept-Encoding"] = "identity"
    return sendable
