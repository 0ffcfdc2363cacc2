"""What a check must send so that a server answers it: headers such as a key, for one origin and no other.

They stand sealed in `mcp_servers.config`, together with the server and the origin they were entered for: whoever moves
them to another row, or changes an endpoint behind our back, gets nothing sent. A `config` that another program wrote is
never sent and never shown.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from marketplace.sealing import seal, unseal
from marketplace.web_addresses import Blocked, origin_of
from mcp.models import McpServer

MAX_HEADERS, MAX_NAME_LENGTH, MAX_VALUE_LENGTH, MAX_LENGTH = 8, 64, 4_096, 8_192

_PURPOSE = "mcp.credentials"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NOT_OURS_TO_SET = re.compile(
    r"host|content-.*|accept|accept-.*|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|origin"
    r"|referer|user-agent|mcp-protocol-version|mcp-method|mcp-name|mcp-session-id|last-event-id",
    re.IGNORECASE,
)


class CredentialsRefused(Exception):
    """The message is written for staff and repeats no value."""


class Standing(StrEnum):
    NONE = "none"
    STORED = "stored"
    ELSEWHERE = "elsewhere"  # entered for another origin than the server has now
    UNREADABLE = "unreadable"  # sealed with a key that we no longer have
    FOREIGN = "foreign"  # another program wrote it


@dataclass(frozen=True)
class Credentials:
    """origin: what they were entered for, if that can be known. headers: only where they may be sent."""

    standing: Standing
    origin: str = ""
    headers: Mapping[str, str] | None = None

    def __repr__(self):  # in no traceback either
        return f"Credentials({self.standing}, {self.origin})"


def store_credentials(*, server: McpServer, headers: Mapping[str, str]) -> str:
    """Replace what is stored by these headers, for the origin of the server's endpoint, which is returned.

    Raises CredentialsRefused.
    """
    check_headers(headers)
    origin = _find_origin(server.endpoint)
    if not origin:
        raise CredentialsRefused(_("The server has no usable address, so there is nothing to enter credentials for."))
    sealed = seal(json.dumps({"server": str(server.pk), "origin": origin, "headers": dict(headers)}), purpose=_PURPOSE)
    McpServer.objects.filter(pk=server.pk).update(config={"sealed": sealed, "origin": origin})
    return origin


def clear_credentials(*, server: McpServer) -> bool:
    """Whether there was anything, ours or another program's."""
    was_there = inspect_credentials(server).standing != Standing.NONE
    McpServer.objects.filter(pk=server.pk).update(config={})
    return was_there


def read_credentials(server: McpServer) -> dict[str, str]:
    """The headers for a request to `server.endpoint`; `{}` where there are none for that origin. One query."""
    return dict(inspect_credentials(server).headers or {})


def inspect_credentials(server: McpServer) -> Credentials:
    """How it stands with them. One query; the row is read as text, because another program may have written no JSON."""
    stored = McpServer.objects.filter(pk=server.pk).values_list(Cast("config", TextField()), flat=True).first()
    if stored in (None, "", "null", "{}"):
        return Credentials(Standing.NONE)
    token = _find_token(stored)
    if token is None:
        return Credentials(Standing.FOREIGN)
    opened = unseal(token, purpose=_PURPOSE)
    if opened is None:
        return Credentials(Standing.UNREADABLE)
    content = json.loads(opened)
    if content["server"] != str(server.pk):
        return Credentials(Standing.FOREIGN)
    if content["origin"] != _find_origin(server.endpoint):
        return Credentials(Standing.ELSEWHERE, content["origin"])
    return Credentials(Standing.STORED, content["origin"], content["headers"])


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises CredentialsRefused."""
    if not headers:
        raise CredentialsRefused(_("Please enter at least one header."))
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers.items()) > MAX_LENGTH:
        raise CredentialsRefused(_("That is more than a server needs."))
    if len({name.casefold() for name in headers}) < len(headers):
        raise CredentialsRefused(_("A header is named twice."))
    for name, value in headers.items():
        check_header_name(name)
        if len(value) > MAX_VALUE_LENGTH or not _VALUE.fullmatch(value):
            text = _("The value of %(name)s must be printable ASCII in one line, without spaces around it.")
            raise CredentialsRefused(text % {"name": name})


def check_header_name(name: str) -> None:
    """Raises CredentialsRefused for what is no header, and for headers that belong to the request itself."""
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        raise CredentialsRefused(_("That is no name of a header. An example: Authorization."))
    if _NOT_OURS_TO_SET.fullmatch(name):
        raise CredentialsRefused(_("%(name)s is set by the request itself.") % {"name": name})


def _find_token(stored: str) -> str | None:
    try:
        config = json.loads(stored)
    except (ValueError, RecursionError):  # both databases take only JSON, and not all that they take can be read
        return None
    token = config.get("sealed") if isinstance(config, dict) and set(config) == {"sealed", "origin"} else None
    return token if isinstance(token, str) else None


def _find_origin(endpoint: str) -> str:
    try:
        return origin_of(endpoint)
    except Blocked:
        return ""
