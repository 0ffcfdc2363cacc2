"""Which addresses of a listed server may be told to everybody, and in which spelling."""

import re
from urllib.parse import parse_qsl, urlsplit

from marketplace.outbound import Blocked, check_url

# Names that lead nowhere on the public internet (RFC 6762, RFC 6761, RFC 8375, ICANN's reservation of .internal).
_INTERNAL = (".local", ".localhost", ".internal", ".home.arpa", ".lan", ".intranet", ".corp", ".home")
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z_.-]{0,23}")
_SECRET_NAME = re.compile("auth|key|token|secret|pass|pwd|cred|session|sid|sig|jwt|code|user|account", re.IGNORECASE)
# Words, small numbers and versions, alone or in a list. A password or a key looks otherwise.
_PLAIN_VALUE = re.compile(r"(?:[a-z]{1,16}|\d{1,4}|v?\d{1,3}(?:\.\d{1,3}){0,2})(?:[,_-](?:[a-z]{1,16}|\d{1,4})){0,4}")


def publish_url(url: str | None) -> str:
    """The URL as others may read it, or an empty text where it must not be told.

    Told are https addresses of public hosts without user name, fragment, or a query that may hold a secret. A query is
    never taken away: what remains would be another address.
    """
    try:
        split = check_url(url or "")
    except Blocked:
        return ""
    if "." not in split.host and ":" not in split.host:
        return ""
    if split.host.endswith(_INTERNAL):
        return ""
    return split.url if _is_plain_query(urlsplit(split.url).query) else ""


def _is_plain_query(query: str) -> bool:
    if not query:
        return True
    pairs = parse_qsl(query, keep_blank_values=True)
    return all(
        not _SECRET_NAME.search(name) and len(name) <= 32 and _PLAIN_VALUE.fullmatch(value) for name, value in pairs
    )
