"""How a server comes into the registry and what staff decide about it: one entry for each row of `mcp_servers`."""

from datetime import datetime
from itertools import islice

from django.db import IntegrityError, transaction

from mcp.models import Entry, McpServer
from mcp.names import registry_namespace
from mcp.search_text import make_search_text
from mcp.slugs import list_slugs

BATCH_SIZE = 500
SLUGS_AT_ONCE = 20


def make_entry(*, server: McpServer, state: str, now: datetime, **fields) -> Entry:
    """The entry of a server that has none, under a free slug. Safe beside itself: who comes second gets the first's."""
    fields = {"submitted_at": now, "next_check_at": now, "search_text": _build_search_text(server, ()), **fields}
    slugs = list_slugs(name=server.name, endpoint=server.endpoint)
    while True:
        tried = list(islice(slugs, SLUGS_AT_ONCE))
        taken = set(Entry.objects.filter(slug__in=tried).values_list("slug", flat=True))
        for slug in tried:
            if slug in taken:
                continue
            try:
                with transaction.atomic():
                    return Entry.objects.create(server=server, slug=slug, state=state, **fields)
            except IntegrityError:  # somebody took the slug since it was looked up, or made the entry
                there = Entry.objects.filter(server=server).first()
                if there:
                    return there


def ensure_entries(*, now: datetime) -> int:
    """Give rows that another program wrote into `mcp_servers` their entry; the number that had none.

    Whoever may write there is trusted as staff are, so they are accepted. What their `status` says is nobody's
    measurement: they are listed as not checked yet, and are due at once.
    """
    made_count = 0
    while servers := list(
        McpServer.objects.filter(entry__isnull=True)
        .defer("config", "metadata")
        .order_by("created_at", "pk")[:BATCH_SIZE]
    ):
        with transaction.atomic():
            for server in servers:
                make_entry(server=server, state=Entry.State.ACCEPTED, now=now, submitted_at=server.created_at or now)
        made_count += len(servers)
    return made_count


def refresh_search_text(server: McpServer) -> None:
    """What the list's search looks through: name, description and the names of tools, folded."""
    names = server.tools.offered().order_by("position", "pk").values_list("name", flat=True)
    Entry.objects.filter(server=server).update(search_text=_build_search_text(server, names))


def _build_search_text(server: McpServer, tool_names) -> str:
    return make_search_text(name=server.name, description=server.description or "", tool_names=tool_names)


def registry_name(entry: Entry) -> str:
    """The server's name in the registry's API: our domain the other way round, and the slug."""
    return f"{registry_namespace()}/{entry.slug}"
