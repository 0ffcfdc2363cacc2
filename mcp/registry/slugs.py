"""The last part of a server's address: ASCII, because it is also its name in the registry's API. It never changes."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.utils.text import slugify

MAX_LENGTH = 60
RESERVED = frozenset({"submit", "submitted", "new", "search", "check", "api", "feed", "changes", "health", "latest"})

_LABELS_THAT_SAY_NOTHING = {"www", "mcp", "api", "server", "app"}
_LABELS_BELOW_A_COUNTRY = {"co", "or", "go", "ac", "ne", "re", "pe", "com", "net", "org"}


def list_slugs(*, name: str, endpoint: str) -> Iterator[str]:
    """Slugs to try, the best one first; the caller takes the first that nobody has."""
    base = _slug_of_name(name) or _slug_of_host(endpoint) or "server"
    if base not in RESERVED:
        yield base
    for number in range(2, 1_000_000):
        yield f"{base}-{number}"


def _slug_of_name(name: str) -> str:
    """Empty where letters would be lost: what is left of `날씨 MCP` names another server."""
    letters = unicodedata.normalize("NFKD", name)
    if any(character.isalpha() and not character.isascii() for character in letters):
        return ""
    return _cut(slugify(re.sub(r"[./·&+:_]", " ", name)))


def _slug_of_host(endpoint: str) -> str:
    """`https://mcp.weather.example.co.kr/mcp` is `weather-example`; an address in numbers tells nothing."""
    try:
        host = urlsplit(endpoint.strip()).hostname or ""
    except ValueError:
        return ""
    if not host.isascii() or _is_number(host):
        return ""
    labels = host.strip(".").split(".")
    labels = labels[:-1] or labels
    if len(labels) > 1 and labels[-1] in _LABELS_BELOW_A_COUNTRY:
        labels.pop()
    told = [label for label in labels if label not in _LABELS_THAT_SAY_NOTHING and not label.startswith("xn--")]
    return _cut(slugify("-".join(told or labels)))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _cut(slug: str) -> str:
    return slug[:MAX_LENGTH].strip("-_")
