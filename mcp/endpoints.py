"""The address of a server as the public may see it, and as it may stand in a command that people paste.

Addresses are somebody else's: they may hold credentials, quotes, or `${VARIABLE}`, which clients fill in from the
reader's own environment and would then send to that server.
"""

import re
from ipaddress import IPv6Address
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from marketplace.web_addresses import Blocked, check_url

MAX_LENGTH = 500
_SECRET_WORDS = re.compile(r"key|token|secret|passw|pwd|auth|sig|credential|session|code|jwt", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_AS_IT_IS = "/:@!*+,;=()~-._%"  # besides letters and digits
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")  # `%PATH%` is a variable to some shells

# Names that lead nowhere on the public internet (RFC 6761, 6762 and 8375, and what companies use).
_INTERNAL = (".local", ".localhost", ".internal", ".home.arpa", ".lan", ".intranet", ".corp", ".home")
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z_.-]{0,23}")
# Words, small numbers and versions, alone or in a list. A password or a key looks otherwise.
_PLAIN_VALUE = re.compile(r"(?:[a-z]{1,16}|\d{1,4}|v?\d{1,3}(?:\.\d{1,3}){0,2})(?:[,_-](?:[a-z]{1,16}|\d{1,4})){0,4}")


def public_endpoint(endpoint: object) -> str:
    """The address in ASCII, with nothing in it that a shell, JSON or a client takes for more than a letter.

    Empty for what may not be shown: another scheme than http and https, a user name or password, a query that seems to
    hold a secret, characters that cannot be seen, and what is no address.
    """
    if not isinstance(endpoint, str) or len(endpoint) > MAX_LENGTH or not endpoint.isprintable() or " " in endpoint:
        return ""
    try:
        parts = urlsplit(endpoint)
        host, port = _write_host(parts.hostname or ""), parts.port
    except (ValueError, UnicodeError):
        return ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or _has_secret(parts.query):
        return ""
    place = f"{host}:{port}" if port else host
    return urlunsplit((parts.scheme, place, _write(parts.path), _write(parts.query, "?&"), ""))


def registry_url(url: object) -> str:
    """What `public_endpoint` shows, where other registries may be told of it too: https, a public host, and no query
    but one of plain words. They copy what they read, so a secret that slips through could not be taken back. A query is
    never cut off: what remains would be another address.
    """
    try:
        split = check_url(public_endpoint(url))
    except Blocked:
        return ""
    return "" if is_internal(split.host) or not _is_plain(urlsplit(split.url).query) else split.url


def is_internal(host: str) -> bool:
    """Whether the name itself says that it leads nowhere on the public internet. host: as in `SplitUrl`."""
    return host.endswith(_INTERNAL) or not re.search("[.:]", host)


def _is_plain(query: str) -> bool:
    return not query or all(
        _PLAIN_NAME.fullmatch(name) and _PLAIN_VALUE.fullmatch(value)
        for name, value in parse_qsl(query, keep_blank_values=True)
    )


def _write(text: str, also_safe: str = "") -> str:
    return quote(_LONE_PERCENT.sub("%25", text), safe=_AS_IT_IS + also_safe)


def _write_host(host: str) -> str:
    if ":" in host:
        return f"[{IPv6Address(host)}]"
    ascii_host = host if host.isascii() else host.encode("idna").decode()
    return ascii_host if _HOST.fullmatch(ascii_host) else ""


def _has_secret(query: str) -> bool:
    return any(_SECRET_WORDS.search(name) for name, _value in parse_qsl(query, keep_blank_values=True))
