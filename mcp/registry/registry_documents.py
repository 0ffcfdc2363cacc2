"""One listed server as other registries and clients read it: a server.json with what the registry knows beside it.

Sources: server.json, schema 2025-12-11; the registry's OpenAPI of 2025-12-01. Nothing here reads `config`, and nothing
is told that the server's page does not show.
"""

import html
import re
from datetime import UTC, datetime

import nh3
from django.conf import settings

from mcp.checking.facts import read_health, read_version
from mcp.endpoints import registry_url
from mcp.foreign_text import clean_line, clean_text
from mcp.models import Entry, McpServer
from mcp.names import registry_namespace
from mcp.registry.registration import registry_name
from mcp.states import OFF, Badge, badge_of

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
OFFICIAL_KEY = "io.modelcontextprotocol.registry/official"
MAX_TITLE = MAX_DESCRIPTION = 100  # characters, as server.json has it
MAX_MARKED_UP = 1_000  # of a text before its markup is taken out
STRIP_ROUNDS = 4
MAX_SETTINGS = 20
MAX_SETTING_DESCRIPTION = 200
NO_VERSION = "0.0.0"

# No ranges (^1, 1.x, >=1), and nothing that would need escaping in a path.
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,254}")
_ANY_PART = re.compile(r"(?:^|[.+_-])[xX](?:$|[.+_-])")
_REVISION = re.compile(r"\d{4}-\d{2}-\d{2}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, section 5.1
_MARKDOWN_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKDOWN = re.compile(r"^\s*(?:#{1,6}|>|[*+-])\s+|`+|\*{1,3}(?=\S)|(?<=\S)\*{1,3}|__|~~", re.MULTILINE)


def make_document(entry: Entry, *, now: datetime) -> dict:
    """A ServerResponse. Reads `entry.server` as well: take it along with `select_related("server")`."""
    badge = badge_of(entry, now=now)
    return {
        "server": _describe_server(entry),
        "_meta": {
            OFFICIAL_KEY: _describe_listing(entry, badge),
            f"{registry_namespace()}/health": _describe_health(entry, badge),
        },
    }


def is_withdrawn(entry: Entry) -> bool:
    """Whether the registry lists it as deleted: switched off, or not reachable when it was last checked."""
    return entry.mode == Entry.Mode.OFF or entry.server.status == McpServer.Status.INACTIVE


def choose_version(server: McpServer) -> str:
    """What its own metadata says, else what the last check saw, else 0.0.0: the first that is one exact version."""
    said = _as_dict(server.metadata).get("version")
    seen = read_version(read_health(server.metadata))
    return next((version for version in (said, seen) if is_version(version)), NO_VERSION)


def is_version(value: object) -> bool:
    return (
        isinstance(value, str)
        and bool(_VERSION.fullmatch(value))
        and value.casefold() != "latest"
        and not _ANY_PART.search(value)
    )


def write_time(moment: datetime) -> str:
    """RFC 3339 in UTC, with milliseconds cut off as they are in the database."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _describe_server(entry: Entry) -> dict:
    server = entry.server
    title = clean_line(_strip_markup(server.name), MAX_TITLE) or entry.slug
    document = {
        "$schema": SCHEMA,
        "name": registry_name(entry),
        "title": title,
        "description": clean_line(_strip_markup(server.description), MAX_DESCRIPTION) or title,
        "version": choose_version(server),
        "websiteUrl": registry_url(entry.website_url) or f"{settings.SITE_URL}{entry.get_absolute_url()}",
    }
    url = registry_url(server.endpoint)
    if url:
        remote = {"type": "sse" if entry.transport == "sse" else "streamable-http", "url": url}
        headers = _describe_settings(entry.required_settings)
        document["remotes"] = [remote | ({"headers": headers} if headers else {})]
    return document


def _describe_settings(wanted: object) -> list[dict]:
    """Name and meaning of each header that a client must send; never a value."""
    described = []
    for setting in wanted[:MAX_SETTINGS] if isinstance(wanted, list) else []:
        name = _as_dict(setting).get("name")
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            continue
        header = {
            "name": name,
            "isRequired": setting.get("isRequired") is not False,
            "isSecret": setting.get("isSecret") is not False,
        }
        description = clean_line(_strip_markup(setting.get("description")), MAX_SETTING_DESCRIPTION)
        described.append(header | ({"description": description} if description else {}))
    return described


def _describe_listing(entry: Entry, badge: Badge) -> dict:
    server = entry.server
    published_at = server.created_at or entry.submitted_at
    updated_at = server.updated_at or published_at
    listing = {
        "status": "deleted" if is_withdrawn(entry) else "active",
        "statusChangedAt": write_time(entry.status_changed_at or published_at),
        "publishedAt": write_time(published_at),
        "updatedAt": write_time(updated_at),
        "isLatest": True,
    }
    if is_withdrawn(entry):
        listing["statusMessage"] = _explain_withdrawal(badge)
    return listing


def _explain_withdrawal(badge: Badge) -> str:
    if badge.key == OFF:
        return "Switched off by the registry."
    if badge.key == Entry.Health.UNCHECKED:
        return "Not checked yet."
    return "Not reachable when it was last checked."


def _describe_health(entry: Entry, badge: Badge) -> dict:
    """What the badge on its page says. What is not known is left out."""
    is_up = badge.key in (Entry.Health.WORKING, Entry.Health.SLOW)
    health = {
        "status": badge.key,
        "isStale": badge.is_stale,
        "checkedAt": write_time(badge.checked_at) if badge.checked_at else None,
        "latencyMs": badge.latency_ms if is_up else None,
        "protocolVersion": entry.protocol_version if _REVISION.fullmatch(entry.protocol_version) else None,
        "toolCount": entry.tool_count,
        "uptime30d": None if entry.uptime_30d_bp is None else entry.uptime_30d_bp / 100,
    }
    return {name: value for name, value in health.items() if value is not None}


def _strip_markup(text: object) -> str:
    """The words of a text that may hold HTML or Markdown. What is no text gives none."""
    plain = clean_text(text, MAX_MARKED_UP)
    for _round in range(STRIP_ROUNDS):  # what is taken out of the middle may leave new markup behind
        stripped = clean_text(_MARKDOWN.sub("", _MARKDOWN_LINK.sub(r"\1", _strip_tags(plain))), MAX_MARKED_UP)
        if stripped == plain:
            return plain
        plain = stripped
    return plain.replace("<", " ").replace(">", " ")


def _strip_tags(text: str) -> str:
    return html.unescape(nh3.clean(text, tags=set()))


def _as_dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}
