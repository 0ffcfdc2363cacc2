"""What a consumer of the registry's API may ask of a list, and the rows that answer it.

Pages follow the slug, which never changes: whatever happens to rows between two pages, a server that was listed all the
time comes exactly once.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.core import signing
from django.db.models import CharField, F, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.http import QueryDict

from mcp.models import Entry, McpServer
from mcp.names import registry_namespace
from mcp.registry.registry_documents import NO_VERSION, choose_version, is_version, is_withdrawn

DEFAULT_LIMIT, MAX_LIMIT = 30, 100
MAX_SEARCH, MAX_CURSOR = 200, 500  # characters
LATEST = "latest"
# Other programs may have written a time in another form of ISO 8601, with a space or an offset: as texts those sort
# less than two days away from ours.
TEXT_SPREAD = timedelta(days=2)
FIRST_TIME, LAST_TIME = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
READ_AT_ONCE = 200  # rows

_signer = signing.Signer(salt="mcp.registry.cursor", sep=".")
_RFC_3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class BadQuery(Exception):
    """The message tells a developer what to send instead."""


@dataclass(frozen=True)
class ListQuery:
    """after: slug of the last server of the page before. Empty texts and None ask for nothing."""

    after: str = ""
    limit: int = DEFAULT_LIMIT
    search: str = ""
    version: str = ""
    updated_since: datetime | None = None
    include_deleted: bool = False


def parse_list_query(params: QueryDict) -> ListQuery:
    """Raises BadQuery. An empty parameter counts as none; unknown ones are ignored."""
    updated_since = _parse_time(params.get("updated_since", ""))
    include_deleted = parse_include_deleted(params)
    if updated_since and include_deleted is False:
        raise BadQuery("include_deleted cannot be false together with updated_since.")
    return ListQuery(
        after=_read_cursor(params.get("cursor", "")),
        limit=_parse_limit(params.get("limit", "")),
        search=_parse_search(params.get("search", "")),
        version=params.get("version", ""),
        updated_since=updated_since,
        include_deleted=bool(include_deleted or updated_since),
    )


def parse_include_deleted(params: QueryDict) -> bool | None:
    """None when it was not said. Raises BadQuery."""
    text = params.get("include_deleted", "")
    if not text:
        return None
    if text.lower() not in _BOOLEANS:
        raise BadQuery("include_deleted must be true or false.")
    return _BOOLEANS[text.lower()]


def list_page(query: ListQuery) -> tuple[list[Entry], str]:
    """One page of servers in one query, and the cursor of the next page or an empty text."""
    rows = _filter_rows(query).filter(slug__gt=query.after).order_by("slug")
    if query.version or query.updated_since:  # SQL only narrows these down
        exact = (entry for entry in rows.iterator(chunk_size=READ_AT_ONCE) if _is_meant(entry, query))
        entries = list(islice(exact, query.limit + 1))
    else:
        entries = list(rows[: query.limit + 1])
    page = entries[: query.limit]
    return page, _make_cursor(page[-1].slug) if len(entries) > query.limit else ""


def find_server(name: str, *, include_deleted: bool) -> Entry | None:
    """The public server of this name, as the registry gives it: `<domain>/<slug>`."""
    namespace, _, slug = name.partition("/")
    if namespace != registry_namespace():
        return None
    entry = _public_rows().filter(slug=slug).first()
    return entry if entry and (include_deleted or not is_withdrawn(entry)) else None


def _public_rows() -> QuerySet[Entry]:
    """Without whatever must never be told."""
    return (
        Entry.objects.public()
        .select_related("server")
        .defer("server__config", "note", "decline_reason", "search_text", "submitted_by", "decided_by")
    )


def _filter_rows(query: ListQuery) -> QuerySet[Entry]:
    """At least the rows that are asked for."""
    rows = _public_rows()
    if not query.include_deleted:
        rows = rows.exclude(mode=Entry.Mode.OFF).exclude(server__status=McpServer.Status.INACTIVE)
    if query.search:
        rows = rows.alias(name=Concat(Value(f"{registry_namespace()}/"), F("slug"), output_field=CharField()))
        rows = rows.filter(_contains_any_case(query.search))
    if query.updated_since:
        rows = rows.filter(
            Q(server__updated_at__gte=_clamp(query.updated_since, -TEXT_SPREAD))
            | Q(status_changed_at__gte=query.updated_since)
        )
    if query.version not in ("", LATEST):
        rows = rows.filter(_may_have_version(query.version))
    return rows


def _contains_any_case(text: str) -> Q:
    """SQLite knows no cases beyond ASCII, so the text is looked for as it is and in both cases."""
    found = Q()
    for form in {text, text.lower(), text.upper()}:
        found |= Q(name__icontains=form) | Q(server__name__icontains=form) | Q(server__description__icontains=form)
    return found


def _may_have_version(version: str) -> Q:
    if not is_version(version):
        return Q(pk__in=[])
    if version == NO_VERSION:
        return Q()  # whoever names none has this one
    return Q(
        server__in=McpServer.objects.alias(text=Cast("metadata", TextField())).filter(text__contains=f'"{version}"')
    )


def _is_meant(entry: Entry, query: ListQuery) -> bool:
    if query.version not in ("", LATEST) and choose_version(entry.server) != query.version:
        return False
    if query.updated_since is None:
        return True
    moments = (entry.server.updated_at, entry.status_changed_at)
    return any(moment is not None and moment >= query.updated_since for moment in moments)


# --- Reading parameters


def _make_cursor(slug: str) -> str:
    return _signer.sign_object({"after": slug})


def _read_cursor(text: str) -> str:
    if not text:
        return ""
    try:
        if len(text) > MAX_CURSOR:
            raise signing.BadSignature
        return _signer.unsign_object(text)["after"]
    except signing.BadSignature:
        raise BadQuery("cursor must be the nextCursor of a page of this registry.") from None


def _parse_limit(text: str) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise BadQuery(f"limit must be a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _parse_search(text: str) -> str:
    if len(text) > MAX_SEARCH:
        raise BadQuery(f"search must have at most {MAX_SEARCH} characters.")
    return unicodedata.normalize("NFC", text)


def _parse_time(text: str) -> datetime | None:
    """A time with its offset; beyond the first and last year, the end of the years that databases know."""
    if not text:
        return None
    match = _RFC_3339.fullmatch(text)
    hint = "updated_since must be a time as in RFC 3339: 2026-11-22T12:00:00Z. Write the + of an offset as %2B."
    if not match:
        raise BadQuery(hint)
    day, clock, fraction, offset = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}")
    except ValueError:
        raise BadQuery(hint) from None
    return _clamp(local.replace(tzinfo=UTC), -_read_offset(offset))


def _read_offset(offset: str) -> timedelta:
    if offset in "Zz":
        return timedelta()
    size = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    return -size if offset[0] == "-" else size


def _clamp(moment: datetime, delta: timedelta) -> datetime:
    try:
        return moment + delta
    except OverflowError:
        return LAST_TIME if delta > timedelta() else FIRST_TIME
