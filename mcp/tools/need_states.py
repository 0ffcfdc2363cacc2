"""How the tools that prompts need are: judged from what checks saw, written to needs and listings, told to sellers.

What a server last listed counts before how it is now: a tool that was seen to be gone stays gone while its server is
down. A state that checks contradict at each turn changes on pages each time, because pages tell what is true now; the
seller gets a mail only of what two checks agree on, and of the same thing once a month.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from catalog.models import Listing
from catalog.ratings import lock_prompts
from catalog.tool_states import set_tool_states
from mcp.client.sightings import MAX_TOOLS
from mcp.models import Entry, Tool, ToolNeed
from mcp.states import Badge, badge_of
from mcp.tools.need_mails import queue_need_mails
from mcp.tools.schema_breaks import find_breaks
from mcp.verdicts import Verdict

State = ToolNeed.State
TOLD_AGAIN_AFTER = timedelta(days=30)
BATCH_SIZE = 200
TROUBLED = frozenset({State.MISSING, State.CHANGED})  # what sellers are told of
JUDGED_COLUMNS = ("input_schema", "description", "state", "state_since", "breaks", "is_described_anew", "told")


@dataclass(frozen=True, slots=True)
class Judgement:
    """breaks: of a changed one, as stored."""

    state: str
    breaks: list[dict]


def find_entry(need: ToolNeed) -> Entry | None:
    """Of the server as visitors see it; None where its row is gone, also by another program's hand."""
    entry = getattr(need.server, "entry", None)
    return entry if entry and entry.state == Entry.State.ACCEPTED else None


def judge_need(*, entry: Entry | None, tool: Tool | None, base_schema: dict, now: datetime) -> Judgement:
    """entry: of a public server, None for one that is not there. tool: its row, whether it is offered or not."""
    if entry is None or (tool and tool.removed_at):
        return Judgement(State.MISSING, [])
    breaks = find_breaks(base_schema, tool.input_schema) if tool else []
    if breaks:
        return Judgement(State.CHANGED, [found.as_dict() for found in breaks])
    state = read_badge(badge_of(entry, now=now))
    if state == State.WORKING and tool is None:
        state = State.UNKNOWN if is_list_unknown(entry) else State.MISSING
    return Judgement(state, [])


def read_badge(badge: Badge) -> str:
    """What the server's own state means for a tool that it is known to offer."""
    if badge.key == "off":
        return State.DOWN
    if badge.is_stale:
        return State.UNKNOWN
    return {"working": State.WORKING, "slow": State.WORKING, "down": State.DOWN}.get(badge.key, State.UNKNOWN)


def is_list_unknown(entry: Entry) -> bool:
    """Whether a server may offer tools that we have not seen: none was ever listed, one signs in first, or too many."""
    if entry.health not in (Entry.Health.WORKING, Entry.Health.SLOW, Entry.Health.DOWN):
        return True
    return entry.tool_count is None or entry.tool_count >= MAX_TOOLS


def sum_states(states: Iterable[str]) -> str:
    """What the listing says of all its needs together."""
    found = set(states)
    if not found:
        return Listing.ToolState.NONE
    if found & {State.MISSING, State.CHANGED, State.DOWN}:
        return Listing.ToolState.BROKEN
    return Listing.ToolState.UNKNOWN if State.UNKNOWN in found else Listing.ToolState.WORKING


def update_needs(*, server_ids: Iterable[UUID] | None = None, now: datetime) -> int:
    """Judge the needs of these servers anew, or all; the number of prompts where something changed.

    Belongs behind each check, in its transaction: mails are queued, nothing goes out. One query where no prompt needs
    the server. Without `server_ids` it also finds servers whose rows another program deleted, and checks that stopped.
    """
    needs = ToolNeed.objects.all() if server_ids is None else ToolNeed.objects.filter(server_id__in=list(server_ids))
    prompt_ids = list(needs.order_by("prompt_id").values_list("prompt_id", flat=True).distinct())
    changed_count = 0
    for start in range(0, len(prompt_ids), BATCH_SIZE):
        outdated = {
            need.prompt_id for need, is_changed in _judge(prompt_ids[start : start + BATCH_SIZE], now=now) if is_changed
        }
        if outdated:
            write_states(outdated, now=now)
        changed_count += len(outdated)
    return changed_count


def write_states(prompt_ids: Iterable[UUID], *, now: datetime) -> None:
    """Judge every need of these prompts, and write needs, listings and mails. In the caller's transaction if any."""
    keys = sorted(prompt_ids)
    with transaction.atomic():
        lock_prompts(keys)  # before needs and listings: a seller may be saving one of them
        judged = _judge(keys, now=now)
        changed = [need for need, is_changed in judged if is_changed]
        due = [need for need in changed if _is_due(need, now=now)]
        for need in due:
            recent = {key: at for key, at in need.told.items() if _is_recent(at, now=now)}
            need.told = recent | {fingerprint(need): now.isoformat()}
        ToolNeed.objects.bulk_update(changed, JUDGED_COLUMNS, batch_size=BATCH_SIZE)
        states: dict[UUID, list[str]] = {key: [] for key in keys}
        for need, _ in judged:
            states[need.prompt_id].append(need.state)
        set_tool_states({key: sum_states(found) for key, found in states.items()})
        queue_need_mails(due, now=now)


def load_needs(prompt_ids: Iterable[UUID]) -> list[ToolNeed]:
    """In the order in which they were named, with server and entry, and nothing of `config`. One query."""
    needs = ToolNeed.objects.filter(prompt_id__in=list(prompt_ids)).select_related("server__entry")
    return list(needs.defer("server__config", "server__metadata").order_by("prompt_id", "pk"))


def fingerprint(need: ToolNeed) -> str:
    """A short name for what is wrong with it: the same trouble has the same."""
    text = json.dumps([need.state, need.breaks], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _judge(prompt_ids: Iterable[UUID], *, now: datetime) -> list[tuple[ToolNeed, bool]]:
    """Every need of these prompts as it should be, and whether that is to be written. Two queries."""
    needs = load_needs(prompt_ids)
    tools = Tool.objects.filter(
        server_id__in={need.server_id for need in needs if need.server_id}, name__in={need.tool_name for need in needs}
    )
    by_key = {(tool.server_id, tool.name): tool for tool in tools}
    return [(need, _refresh(need, by_key.get((need.server_id, need.tool_name)), now=now)) for need in needs]


def _refresh(need: ToolNeed, tool: Tool | None, *, now: datetime) -> bool:
    before = [getattr(need, name) for name in JUDGED_COLUMNS]
    offered = tool if tool and not tool.removed_at else None
    if offered and offered.input_schema and not need.input_schema:  # seen for the first time since it was named
        need.input_schema, need.description = offered.input_schema, offered.description
    judgement = judge_need(entry=find_entry(need), tool=tool, base_schema=need.input_schema, now=now)
    if (need.state, need.breaks) != (judgement.state, judgement.breaks):
        need.state, need.breaks, need.state_since = judgement.state, judgement.breaks, now
    if offered:
        need.is_described_anew = bool(need.input_schema) and offered.description != need.description
    return before != [getattr(need, name) for name in JUDGED_COLUMNS] or _is_due(need, now=now)


def _is_due(need: ToolNeed, *, now: datetime) -> bool:
    """Whether the seller is to be told now: a second check agrees, or the server itself is gone from the registry."""
    if need.state not in TROUBLED or _is_recent(need.told.get(fingerprint(need), ""), now=now):
        return False
    entry = find_entry(need)
    if entry is None:
        return True
    checked_at = need.server.last_health_check
    return entry.verdict == Verdict.OK and checked_at is not None and checked_at > need.state_since


def _is_recent(told_at: str, *, now: datetime) -> bool:
    return bool(told_at) and now - datetime.fromisoformat(told_at) < TOLD_AGAIN_AFTER
