"""A check that somebody asks for: one at a time for each server, in the background, and not more often than allowed.

The lease is that of `due.py`, so a person, staff and a round never look at one server at the same time.
"""

import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from accounts.models import User
from marketplace.background import run_soon
from mcp.checking.due import Target, claim, list_targets, release
from mcp.checking.health import check_server
from mcp.checking.rounds import run_round
from mcp.models import Entry, HealthCheck, McpServer

COOL_DOWN = timedelta(minutes=1)  # of a server, since its last check, whoever asked for that
PERSON_COOL_DOWN = timedelta(seconds=20)
STAFF_WORKERS = 8

# Of the background threads; mails and charges need the others. A check may take as long as a server likes to hang.
_places = threading.BoundedSemaphore(2)


class Standing(StrEnum):
    READY = "ready"
    RUNNING = "running"
    COOLING = "cooling"  # the server was checked, or the person asked, a moment ago
    BUSY = "busy"  # as many checks run as may at once
    OFF = "off"


@dataclass(frozen=True)
class CheckStanding:
    """again_at: from when a check is possible, where that is known."""

    standing: Standing
    again_at: datetime | None = None
    is_person: bool = False  # it is the person who has to wait, not the server


def find_check_standing(entry: Entry, *, user: User | None = None, now: datetime) -> CheckStanding:
    """Whether a check could begin. Reads `entry.server` and, for a person, the cache."""
    if entry.state != Entry.State.ACCEPTED or entry.mode != Entry.Mode.CHECKED:
        return CheckStanding(Standing.OFF)
    if entry.claimed_until and entry.claimed_until > now:
        return CheckStanding(Standing.RUNNING)
    checked_at = entry.server.last_health_check
    if checked_at and now < checked_at + COOL_DOWN:
        return CheckStanding(Standing.COOLING, again_at=checked_at + COOL_DOWN)
    asked_until = cache.get(_person_key(user)) if user else None
    if asked_until and now < asked_until:
        return CheckStanding(Standing.COOLING, again_at=asked_until, is_person=True)
    return CheckStanding(Standing.READY)


def begin_check(*, entry: Entry, user: User, now: datetime) -> CheckStanding:
    """Let one check begin where it may; how it stands then. Two who ask at once get one check between them."""
    standing = find_check_standing(entry, user=user, now=now)
    if standing.standing != Standing.READY:
        return standing
    if not _places.acquire(blocking=False):
        return CheckStanding(Standing.BUSY)
    until = claim(_make_target(entry), now=now, is_due_only=False)
    if until is None or _was_checked_since(entry, now - COOL_DOWN):
        _places.release()
        if until:
            release(_make_target(entry), until=until)
        return CheckStanding(Standing.RUNNING)
    cache.set(_person_key(user), now + PERSON_COOL_DOWN, timeout=PERSON_COOL_DOWN.total_seconds())
    run_soon(_check_one, server_id=entry.pk, until=until)
    return CheckStanding(Standing.RUNNING)


def begin_staff_checks(*, server_ids: Iterable[uuid.UUID], now: datetime) -> int:
    """Check these in the background, whatever was checked when; how many. What is switched off is left out."""
    entries = Entry.objects.filter(pk__in=list(server_ids)).exclude(mode=Entry.Mode.OFF)
    targets = list_targets(entries)
    if targets:
        run_soon(_check_many, targets=targets, started_at=now)
    return len(targets)


def _check_one(*, server_id: uuid.UUID, until: datetime) -> None:
    target = Target(server_id, slug="", host="", spacing_s=0)
    try:
        now = timezone.now()
        if now < until:  # otherwise it waited so long for a thread that somebody else may have it
            server = McpServer.objects.defer("config", "metadata").get(pk=server_id)
            check_server(server, now=now, trigger=HealthCheck.Trigger.PERSON)
    finally:
        release(target, until=until)
        _places.release()


def _check_many(*, targets: list[Target], started_at: datetime) -> None:
    workers = min(STAFF_WORKERS, len(targets)) if settings.BACKGROUND_THREADS else 1
    for _looked in run_round(
        targets, workers=workers, trigger=HealthCheck.Trigger.STAFF, is_due_only=False, started_at=started_at
    ):
        pass


def _make_target(entry: Entry) -> Target:
    return Target(entry.pk, slug=entry.slug, host="", spacing_s=0)


def _was_checked_since(entry: Entry, moment: datetime) -> bool:
    """Between looking and taking the lease somebody else may have checked it whole."""
    return McpServer.objects.filter(pk=entry.pk, last_health_check__gt=moment).exists()


def _person_key(user: User) -> str:
    return f"mcp-check:{user.pk}"
