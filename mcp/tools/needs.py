"""The tools that a prompt needs, as its seller names them: lines `server/tool`. `need_states.py` says how they are."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog.models import Prompt
from catalog.ratings import lock_prompts
from catalog.tokens import fold
from mcp.foreign_text import clean_line
from mcp.models import Entry, Tool, ToolNeed
from mcp.tools.need_states import State, fingerprint, is_list_unknown, load_needs, write_states

MAX_NEEDS = 20  # of one prompt
MAX_LINES = 100  # that are read; more than twenty are refused anyway
TOOLS_NAMED = 5  # of a server, to whoever named one that it lacks


class NeedsRefused(Exception):
    """`problems` are sentences for the seller, one for each line that cannot stay."""

    def __init__(self, problems: list[str]):
        self.problems = problems
        super().__init__(" ".join(problems))


class NeedsOutdated(Exception):
    """The names were changed since the page was drawn."""


def read_names(text: str) -> list[str]:
    """The lines of a text, each once, without blanks around; judged by `check_names`."""
    lines = (" ".join(line.split()).strip("`").removesuffix("/") for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))[:MAX_LINES]


def list_names(prompt: Prompt) -> list[str]:
    """As the editor shows them. One query."""
    rows = prompt.tool_needs.order_by("pk").values_list("server_slug", "tool_name")
    return [f"{slug}/{tool_name}" for slug, tool_name in rows]


def digest_names(names: list[str]) -> str:
    """What the editor's form carries, so that no other tab's names are overwritten unseen."""
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


def check_names(names: list[str], *, known: Collection[str] = ()) -> list[str]:
    """What is wrong with the names for a prompt: a sentence for each that cannot be. Two queries.

    known: those that it has already, which may stay whatever became of them.
    A server that shows its tools to nobody may be named with any tool: whether it has it is not known.
    """
    if len(names) > MAX_NEEDS:
        return [_("A prompt names at most %(count)d tools.") % {"count": MAX_NEEDS}]
    pairs = {name: _split(name) for name in names if name not in known}
    slugs = {slug for slug, _tool in filter(None, pairs.values())}
    entries = {entry.slug: entry for entry in Entry.objects.public().filter(slug__in=slugs)}
    offered: dict[str, list[str]] = {}
    rows = Tool.objects.offered().filter(server__entry__in=entries.values()).order_by("position", "pk")
    for slug, tool_name in rows.values_list("server__entry__slug", "name"):
        offered.setdefault(slug, []).append(tool_name)
    return [problem for name, pair in pairs.items() if (problem := _find_problem(name, pair, entries, offered))]


def _find_problem(
    name: str, pair: tuple[str, str] | None, entries: dict[str, Entry], offered: dict[str, list[str]]
) -> str:
    """Empty where nothing is wrong."""
    if pair is None:
        return _("“%(name)s” is not written as server/tool.") % {"name": clean_line(name, 80)}
    slug, tool_name = pair
    entry, tools = entries.get(slug), offered.get(slug, [])
    if entry is None:
        return _("There is no server “%(slug)s” in the registry.") % {"slug": slug}
    if tool_name in tools or is_list_unknown(entry):
        return ""
    if not tools:
        return _("“%(slug)s” offers no tools.") % {"slug": slug}
    return _("“%(slug)s” has no tool “%(tool)s”. Among what it offers: %(tools)s.") % {
        "slug": slug,
        "tool": tool_name,
        "tools": ", ".join(tools[:TOOLS_NAMED]),
    }


def _split(name: str) -> tuple[str, str] | None:
    """(slug, tool); None for what cannot be a name."""
    slug, _stroke, tool_name = name.partition("/")
    slug, tool_name = slug.strip().casefold(), tool_name.strip()
    is_plain = clean_line(tool_name, 128) == tool_name and slug.isascii()
    return (slug, tool_name) if slug and tool_name and is_plain and len(slug) <= 100 else None


def suggest_tools(text: str, *, limit: int) -> list[str]:
    """Names whose tool or server holds what somebody types; the first ones of the registry for nothing. One query."""
    slug, stroke, tool_name = text.strip().partition("/")
    tools = Tool.objects.offered().filter(server__entry__state=Entry.State.ACCEPTED)
    if stroke:
        tools = tools.filter(server__entry__slug__icontains=slug.strip(), name__icontains=tool_name.strip())
    elif slug:
        is_server = Q(server__entry__slug__icontains=slug) | Q(server__entry__search_text__contains=fold(slug))
        tools = tools.filter(Q(name__icontains=slug) | is_server)
    rows = tools.order_by("server__entry__slug", "position", "pk").values_list("server__entry__slug", "name")
    return [f"{found}/{name}" for found, name in rows[:limit]]


def set_needs(*, prompt: Prompt, names: list[str], now: datetime, seen: str | None = None) -> bool:
    """Make these the tools that the prompt needs, in this order; False when they are already.

    What stays keeps the parameters it was named with. What is new must exist, see `check_names`.
    seen: `digest_names` of what the seller's page showed; None overwrites whatever is there.
    Raises NeedsRefused, NeedsOutdated; nothing is written then.
    """
    with transaction.atomic():
        lock_prompts([prompt.pk])
        present = {str(need): need for need in load_needs([prompt.pk])}
        if seen is not None and seen != digest_names(list(present)):
            raise NeedsOutdated
        pairs = {name: _split(name) for name in names}
        wanted = list(dict.fromkeys("/".join(pair) if pair else name for name, pair in pairs.items()))
        if wanted == list(present):
            return False
        if problems := check_names(wanted, known=present):
            raise NeedsRefused(problems)
        ToolNeed.objects.filter(pk__in=[need.pk for need in present.values()]).delete()
        _add_needs(prompt, wanted, present, now=now)
        write_states([prompt.pk], now=now)
    if Prompt.listing.is_cached(prompt):
        prompt.listing.refresh_from_db(fields=["tool_state"])
    return True


def _add_needs(prompt: Prompt, wanted: list[str], present: dict[str, ToolNeed], *, now: datetime) -> None:
    """All of them anew, because their keys are their order."""
    slugs = {name.partition("/")[0] for name in wanted}
    server_ids = dict(Entry.objects.public().filter(slug__in=slugs).values_list("slug", "server_id"))
    for name in wanted:
        need = present.get(name)
        if need is None:
            slug, _stroke, tool_name = name.partition("/")
            need = ToolNeed(prompt=prompt, server_slug=slug, tool_name=tool_name, state_since=now, created_at=now)
            need.server_id = server_ids[slug]
        need.pk = None
        need.save(force_insert=True)


def accept_change(*, prompt: Prompt, need_id: int, seen: str, now: datetime) -> bool:
    """The seller has adapted the prompt: what the tool takes and says now is what later changes are measured by.

    seen: `fingerprint` of what the seller read. False, and nothing written, when it is another by now, or no change.
    """
    with transaction.atomic():
        lock_prompts([prompt.pk])
        need = ToolNeed.objects.filter(pk=need_id, prompt=prompt).first()
        if need is None or fingerprint(need) != seen or not (need.state == State.CHANGED or need.is_described_anew):
            return False
        tool = Tool.objects.offered().filter(server_id=need.server_id, name=need.tool_name).first()
        if tool is None:
            return False
        need.input_schema, need.description = tool.input_schema, tool.description
        need.save(update_fields=["input_schema", "description"])
        write_states([prompt.pk], now=now)
    return True
