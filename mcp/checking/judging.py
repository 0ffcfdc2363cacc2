"""What a verdict makes of a server: its health, and `mcp_servers.status`. Sums without a database.

Source: the verdict table in `docs/mcp-registry.md`.
"""

from dataclasses import dataclass

from django.conf import settings

from mcp.client.sightings import Sighting
from mcp.models import Entry, McpServer
from mcp.verdicts import BROKEN, MISSES, Verdict

Health, Status = Entry.Health, McpServer.Status

UP_HEALTH = frozenset({Health.WORKING, Health.SLOW, Health.SIGN_IN})
MISSES_ALLOWED = 1
RANKS = {Health.WORKING: 0, Health.SLOW: 1, Health.SIGN_IN: 1, Health.CONFIGURATION: 2, Health.DOWN: 3}
STATUSES = {
    Health.WORKING: Status.ACTIVE,
    Health.SLOW: Status.ACTIVE,
    Health.SIGN_IN: Status.ACTIVE,
    Health.CONFIGURATION: Status.ERROR,
}


@dataclass(frozen=True)
class Standing:
    """How a server stands. status: a value of `McpServer.Status`; health: one of `Entry.Health`."""

    status: str
    health: str
    miss_count: int


def judge_sighting(*, before: Standing, sighting: Sighting) -> Standing:
    """The first miss of a server that was up changes neither status nor health. A server that nobody has checked counts
    as up where its row says `active`, as another program may have written it.
    """
    verdict = sighting.verdict
    if verdict == Verdict.RATE_LIMITED:
        return before
    if verdict in BROKEN:
        return Standing(status=Status.ERROR, health=Health.DOWN, miss_count=0)
    if verdict in MISSES:
        miss_count = before.miss_count + 1
        if _was_up(before) and miss_count <= MISSES_ALLOWED:
            return Standing(status=before.status, health=before.health, miss_count=miss_count)
        return Standing(status=Status.INACTIVE, health=Health.DOWN, miss_count=miss_count)
    health = _health_of(sighting)
    return Standing(status=STATUSES[health], health=health, miss_count=0)


def is_worse(*, before: Standing, after: Standing) -> bool:
    """Whether somebody should look: a state below the one before. A first check has none to be compared with."""
    if before.health == Health.UNCHECKED:
        return _was_up(before) and after.health == Health.DOWN
    return RANKS[after.health] > RANKS[before.health]


def is_slow(sighting: Sighting) -> bool:
    is_late = sighting.latency_ms is not None and sighting.latency_ms >= settings.MCP_SLOW_MS
    return sighting.verdict == Verdict.OK and is_late


def _was_up(standing: Standing) -> bool:
    if standing.health == Health.UNCHECKED:
        return standing.status == Status.ACTIVE
    return standing.health in UP_HEALTH


def _health_of(sighting: Sighting) -> Health:
    """Of one that answered."""
    if sighting.verdict == Verdict.AUTH_REQUIRED:
        return Health.SIGN_IN
    if sighting.verdict in (Verdict.FORBIDDEN, Verdict.AUTH_REJECTED):
        return Health.CONFIGURATION
    return Health.SLOW if is_slow(sighting) else Health.WORKING
