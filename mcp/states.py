"""What the registry says of a server at a glance: seven states, each with its word, icon and sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from mcp.models import Entry
from mcp.verdicts import MISSES, Verdict

OFF = "off"
ICONS = {  # of the sprite
    Entry.Health.WORKING: "circle-check",
    Entry.Health.SLOW: "clock",
    Entry.Health.DOWN: "circle-x",
    Entry.Health.SIGN_IN: "lock",
    Entry.Health.CONFIGURATION: "settings",
    OFF: "circle-pause",
    Entry.Health.UNCHECKED: "circle-question-mark",
}
STALE_INTERVALS = 3


@dataclass(frozen=True)
class Badge:
    """key: working, slow, down, sign_in, configuration, off or unchecked. latency_ms: of the last answer, if any.

    is_stale: the last check is so old that the state may no longer be true. Never so where none is claimed.
    """

    key: str
    word: str
    icon: str
    sentence: str
    is_stale: bool
    checked_at: datetime | None
    latency_ms: int | None


def badge_of(entry: Entry, *, now: datetime) -> Badge:
    """Reads `entry.server` as well: take it along with `select_related("server")`. Texts are in the active language."""
    is_off = entry.mode == Entry.Mode.OFF
    key = OFF if is_off else entry.health
    is_measured = entry.health != Entry.Health.UNCHECKED or entry.verdict
    return Badge(
        key=str(key),
        word=capfirst(Entry.Mode.OFF.label if is_off else Entry.Health(entry.health).label),
        icon=ICONS[key],
        sentence=_explain(entry),
        is_stale=key not in (OFF, Entry.Health.UNCHECKED) and _is_stale(entry, now=now),
        checked_at=entry.server.last_health_check if is_measured else None,  # else another program's, or of elsewhere
        latency_ms=entry.latency_ms,
    )


def stale_before(now: datetime) -> datetime:
    """What was seen earlier is too old to be believed."""
    return now - timedelta(seconds=STALE_INTERVALS * settings.MCP_CHECK_INTERVAL_S)


def _is_stale(entry: Entry, *, now: datetime) -> bool:
    """A check that was only told to come back later is no look: the state is as old as the one before it."""
    checked_at, limit = entry.server.last_health_check, stale_before(now)
    return checked_at is None or checked_at < limit or bool(entry.limited_since and entry.limited_since < limit)


def _explain(entry: Entry) -> str:
    if entry.mode == Entry.Mode.OFF:
        return _("It is switched off here, so it is not checked.")
    if not entry.verdict:
        return _("No check has been made yet.")
    if entry.verdict in MISSES and entry.health != Entry.Health.DOWN:
        return _("The last check got no good answer. If the next gets none either, it counts as down.")
    if entry.health == Entry.Health.SLOW and entry.verdict == Verdict.OK:
        return _("It answered, but it took its time.")
    return str(Verdict(entry.verdict).label)
