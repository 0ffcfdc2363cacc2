"""Which servers a round looks at, and the lease that keeps two rounds from the same one."""

import ipaddress
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Q, QuerySet, Value, When

from marketplace.web_addresses import Blocked, parse_networks, split_url
from mcp.models import Entry
from mcp.verdicts import Verdict

LEASE = timedelta(minutes=2)  # longer than any look; after it another round takes what a killed one held


@dataclass(frozen=True)
class Target:
    """A server to look at. spacing_s: how long its host is left alone before the next server there is asked."""

    server_id: uuid.UUID
    slug: str
    host: str
    spacing_s: float


class UnknownServer(Exception):
    """The message is what was asked for."""


def find_due(*, now: datetime) -> QuerySet[Entry]:
    return find_checked().filter(next_check_at__lte=now)


def find_checked() -> QuerySet[Entry]:
    """Accepted, and neither paused nor switched off."""
    return Entry.objects.filter(state=Entry.State.ACCEPTED, mode=Entry.Mode.CHECKED)


def find_named(names: Iterable[str]) -> QuerySet[Entry]:
    """By slug or name, also what is paused or waits for staff. Raises UnknownServer for what is off or not there."""
    wanted = Q()
    on = Entry.objects.exclude(mode=Entry.Mode.OFF)
    for name in names:
        named = Q(slug=name) | Q(server__name=name)
        if not on.filter(named).exists():
            raise UnknownServer(name)
        wanted |= named
    return on.filter(wanted)


def list_targets(entries: QuerySet[Entry]) -> list[Target]:
    """Longest due first, but what did not answer in time at its last look comes last: it would hold up the others."""
    hangs = Case(When(verdict=Verdict.TIMEOUT, then=Value(1)), default=Value(0))
    rows = entries.order_by(hangs, "next_check_at", "pk").values_list("pk", "slug", "server__endpoint")
    networks = parse_networks(settings.MCP_ALLOW_ADDRESSES)
    return [_make_target(server_id, slug, endpoint, networks) for server_id, slug, endpoint in rows]


def claim(target: Target, *, now: datetime, is_due_only: bool) -> datetime | None:
    """Take the lease of a server and return until when; None when another round has it, or it needs no look now."""
    entries = Entry.objects.filter(pk=target.server_id)
    if is_due_only:
        entries = entries.filter(state=Entry.State.ACCEPTED, mode=Entry.Mode.CHECKED, next_check_at__lte=now)
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    return now + LEASE if entries.filter(free).update(claimed_until=now + LEASE) else None


def release(target: Target, *, until: datetime) -> None:
    """Give the lease back, unless it ended and another round has it."""
    Entry.objects.filter(pk=target.server_id, claimed_until=until).update(claimed_until=None)


def _make_target(server_id: uuid.UUID, slug: str, endpoint: str, networks: tuple) -> Target:
    """Addresses inside networks of our own need no rest between two requests."""
    try:
        host = split_url(endpoint).host
    except Blocked:  # nobody will be asked
        return Target(server_id, slug, endpoint, spacing_s=0)
    try:
        is_ours = any(ipaddress.ip_address(host) in network for network in networks)
    except ValueError:
        is_ours = False
    return Target(server_id, slug, host, spacing_s=0 if is_ours else settings.MCP_HOST_SPACING_S)
