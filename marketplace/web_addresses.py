"""Which addresses that somebody else gave may be asked at all: the text of a URL, and the IP address it leads to.

Nothing here touches the network. `outbound.py` asks again with every address it is about to connect to, because a name
leads wherever its owner wants, and somewhere else the next second.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import idna

MAX_LENGTH = 2048  # characters
DEFAULT_PORTS = {"https": 443, "http": 80}
OPEN_PORTS = frozenset({443, 8443})  # any other port of a stranger's host is no business of ours

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\#\ud800-\udfff]")  # what parsers read differently, and fragments
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")

# `is_global` calls these public, in one release of Python or another.
_IPV4_REFUSED = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "168.63.129.16/32",  # looks public, and is the platform itself in one of the large clouds
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # relays to 6to4
        ),
    )
)
# Everything public lies in 2000::/3. Outside are loopback, private, link-local and multicast, and the addresses that
# hold an IPv4 one: ::ffff:0:0/96 and ::ffff:0:0:0/96 (mapped, translated), ::/96 (compatible), 64:ff9b::/32 (NAT64).
_IPV6_PUBLIC = ipaddress.IPv6Network("2000::/3")
_IPV6_REFUSED = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # Teredo, which holds an IPv4 address, benchmarks, ORCHID and other registers of the protocol
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which holds an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Blocked(Exception):
    """We do not ask this address. kind: "invalid_url" or "blocked_address"; reason: a short line without it."""

    def __init__(self, kind: str, reason: str):
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True)
class SplitUrl:
    """A URL in its one spelling. host: lower-case ASCII, an IPv6 address without brackets; target: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self._bracketed_host}:{self.port}"

    @property
    def url(self) -> str:
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self._bracketed_host}{port}{self.target}"

    @property
    def _bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def check_url(url: str, *, allow_networks: Iterable[str | IPNetwork] = ()) -> SplitUrl:
    """The URL in parts, if it may be asked as far as its text tells; raises Blocked.

    allow_networks: opened besides the public internet, for plain http and every port too. Whether a name leads there is
    known only when it is connected to.
    """
    split = split_url(url)
    networks = parse_networks(allow_networks)
    address = _as_address(split.host)
    if address is not None:
        check_address(address, scheme=split.scheme, port=split.port, networks=networks)
    elif not networks:
        _check_scheme_and_port(split.scheme, split.port)
    return split


def check_address(address: IPAddress, *, scheme: str, port: int, networks: Iterable[IPNetwork]) -> None:
    """Raise Blocked unless a connection to this address may be made."""
    if any(address in network for network in networks):
        return
    if not is_public(address):
        raise Blocked("blocked_address", "the address does not lead to the public internet")
    _check_scheme_and_port(scheme, port)


def is_public(address: IPAddress) -> bool:
    """Whether it belongs to one machine on the public internet and hides no other address in it."""
    if address.version == 6:
        return address in _IPV6_PUBLIC and not any(address in network for network in _IPV6_REFUSED)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _IPV4_REFUSED)
    )


def parse_networks(networks: Iterable[str | IPNetwork]) -> tuple[IPNetwork, ...]:
    """Raises ValueError for what is no network: `10.0.0.0/8`, `fd00::/8` or one address."""
    return tuple(ipaddress.ip_network(network, strict=False) for network in networks)


def origin_of(url: str) -> str:
    """`https://host:port`, the same for every spelling of the URL. Raises Blocked("invalid_url")."""
    return split_url(url).origin


def is_same_origin(url: str, other: str) -> bool:
    """Whether both lead to the same scheme, host and port; what is no usable URL is never the same."""
    try:
        return origin_of(url) == origin_of(other)
    except Blocked:
        return False


def split_url(url: str) -> SplitUrl:
    """Read http and https addresses strictly, so that no two programs can understand one differently."""
    if not url or len(url) > MAX_LENGTH:
        raise Blocked("invalid_url", f"the address is empty or longer than {MAX_LENGTH} characters")
    if _UNSAFE.search(url):
        raise Blocked("invalid_url", "the address has a fragment, a space, a backslash or a control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Blocked("invalid_url", "the address cannot be read") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise Blocked("invalid_url", "the address must begin with https://")
    if "@" in parts.netloc:
        raise Blocked("invalid_url", "the address holds a user name or password")
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (
        f"?{_quote_query(parts.query)}" if parts.query else ""
    )
    return SplitUrl(
        parts.scheme, _read_host(parts.netloc), DEFAULT_PORTS[parts.scheme] if port is None else port, target
    )


def _quote_query(query: str) -> str:
    return quote(query, safe="/%:@!$&'()*+,;=~?")


def _read_host(netloc: str) -> str:
    in_brackets = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](:[0-9]*)?", netloc)
    try:
        if in_brackets:
            return str(ipaddress.IPv6Address(in_brackets[1]))
        host = netloc.partition(":")[0]
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode("ascii")
    except (ValueError, UnicodeError):
        raise Blocked("invalid_url", "the address names no host") from None
    host = host.lower().removesuffix(".")
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise Blocked("invalid_url", "the address names no host")
    if _ENDS_IN_A_NUMBER.fullmatch(host) and _as_address(host) is None:
        # 127.1, 0x7f.1, 0177.0.0.1 and 2130706433 are all 127.0.0.1 to the system, and something else to other readers.
        raise Blocked("invalid_url", "the numeric address must be written as four plain numbers")
    return host


def _as_address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_scheme_and_port(scheme: str, port: int) -> None:
    if scheme != "https":
        raise Blocked("invalid_url", "the address must begin with https://")
    if port not in OPEN_PORTS:
        raise Blocked("invalid_url", "the port must be 443 or 8443")
