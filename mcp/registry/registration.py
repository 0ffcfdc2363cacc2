"""How a server comes into the registry, and what staff decide about it: one entry for each row of `mcp_servers`.

What staff do is done once: each call says whether it changed anything, and a second one changes nothing.
"""

import uuid
from datetime import datetime
from itertools import islice

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import User
from mcp.credentials import clear_credentials
from mcp.models import Entry, Incident, McpServer, SubmissionMail
from mcp.names import registry_namespace
from mcp.registry.search_text import make_search_text
from mcp.registry.slugs import list_slugs
from mcp.registry.submission_mails import queue_mail
from mcp.tools.need_states import update_needs

BATCH_SIZE = 500
SLUGS_AT_ONCE = 20

State, Mode, Health = Entry.State, Entry.Mode, Entry.Health


# --- Entries


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
    missing = McpServer.objects.filter(entry__isnull=True).defer("config", "metadata").order_by("created_at", "pk")
    while servers := list(missing[:BATCH_SIZE]):
        with transaction.atomic():
            for server in servers:
                submitted_at = server.created_at or now
                make_entry(server=server, state=State.ACCEPTED, now=now, submitted_at=submitted_at)
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


# --- Decisions


def accept_submission(*, server: McpServer, staff: User, now: datetime) -> bool:
    """List it and have it checked at once; whoever submitted it is told. A declined one may be accepted after all."""
    return _decide(server, Q(state__in=[State.SUBMITTED, State.DECLINED]), State.ACCEPTED, staff=staff, now=now)


def decline_submission(*, server: McpServer, staff: User, reason: str, now: datetime) -> bool:
    """reason: for whoever submitted it, who is told. What is listed already is switched off instead."""
    return _decide(server, Q(state=State.SUBMITTED), State.DECLINED, staff=staff, now=now, reason=reason)


def _decide(server: McpServer, undecided: Q, state: str, *, staff: User, now: datetime, reason: str = "") -> bool:
    with transaction.atomic():
        hold_server(server.pk)
        rows = Entry.objects.filter(undecided, server=server)
        became = rows.update(
            state=state, decided_by=staff, decided_at=now, decline_reason=reason.strip(), next_check_at=now
        )
        if became:
            _touch(server, now, status=McpServer.Status.INACTIVE)  # until it was looked at since
            kind = SubmissionMail.Kind.ACCEPTED if state == State.ACCEPTED else SubmissionMail.Kind.DECLINED
            queue_mail(kind=kind, entry=Entry.objects.select_related("submitted_by").get(server=server), now=now)
    return bool(became)


# --- Checks, and being listed


def pause(*, server: McpServer) -> bool:
    """It stays listed with what the last check said, which grows stale."""
    return _change_mode(server, [Mode.CHECKED], mode=Mode.PAUSED)


def resume(*, server: McpServer, now: datetime) -> bool:
    return _change_mode(server, [Mode.PAUSED], mode=Mode.CHECKED, next_check_at=now)


def switch_off(*, server: McpServer, now: datetime) -> bool:
    """It stays listed as switched off, is not checked, and counts as inactive."""
    with transaction.atomic():
        hold_server(server.pk)
        is_changed = _change_mode(server, [Mode.CHECKED, Mode.PAUSED], mode=Mode.OFF, status_changed_at=now)
        if is_changed:
            _touch(server, now, status=McpServer.Status.INACTIVE)
            _close_incident(server, now)
            update_needs(server_ids=[server.pk], now=now)
    return is_changed


def switch_on(*, server: McpServer, now: datetime) -> bool:
    """What was known from before is too old to show: it counts as not checked until the next check, which is due."""
    with transaction.atomic():
        hold_server(server.pk)
        is_changed = _change_mode(server, [Mode.OFF], mode=Mode.CHECKED, **_nothing_known(now))
        if is_changed:
            _touch(server, now)
            update_needs(server_ids=[server.pk], now=now)
    return is_changed


def change_endpoint(*, server: McpServer, endpoint: str, now: datetime) -> bool:
    """Another address: credentials go, and so does what checks of the old one said. Whether there were credentials.

    Tools stay until a check of the new address says otherwise, so that what prompts need is not lost meanwhile.
    """
    with transaction.atomic():
        server.endpoint = endpoint
        _touch(server, now, endpoint=endpoint, status=McpServer.Status.INACTIVE)
        had_credentials = clear_credentials(server=server)
        Entry.objects.filter(server=server).update(status_changed_at=now, **_nothing_known(now))
        _close_incident(server, now)
        update_needs(server_ids=[server.pk], now=now)
    return had_credentials


def hold_server(server_id: uuid.UUID) -> None:
    """The row first and its entry after it, as checks do: the other way round, each could wait for the other."""
    McpServer.objects.select_for_update().filter(pk=server_id).values_list("pk").first()


def _change_mode(server: McpServer, modes: list[str], **changes) -> bool:
    return bool(Entry.objects.filter(server=server, mode__in=modes).update(**changes))


def _nothing_known(now: datetime) -> dict:
    return {
        "health": Health.UNCHECKED,
        "health_since": now,
        "verdict": "",
        "verdict_reason": "",
        "latency_ms": None,
        "miss_count": 0,
        "limited_since": None,
        "next_check_at": now,
    }


def _touch(server: McpServer, now: datetime, **changes) -> None:
    """The registry's API lists what changed by `updated_at`, and what checks find is no change."""
    McpServer.objects.filter(pk=server.pk).update(updated_at=now, **changes)


def _close_incident(server: McpServer, now: datetime) -> None:
    """Nobody measures it any longer, so nobody knows when it ended."""
    Incident.objects.filter(server=server, ended_at__isnull=True).update(ended_at=now)
