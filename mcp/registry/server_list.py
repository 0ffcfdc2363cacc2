"""What the list of the registry shows: rows, filters with their counts, chips, and what to do when nothing is found."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.keyboards import swap_keyboard
from catalog.list_page import Chip, Choice
from marketplace.templatetags.marketplace_tags import count
from mcp.foreign_text import clean_line
from mcp.models import Entry, Tool
from mcp.registry.search_text import fold, split_words
from mcp.registry.server_search import (
    ORDERS,
    SIGN_INS,
    SORTS,
    STATES,
    TRANSPORTS,
    USUAL_SORT,
    Groups,
    ServerQuery,
    count_groups,
    filter_entries,
    search_entries,
)
from mcp.states import Badge, badge_of

PAGE_SIZE = 24
LINE_LENGTH = 160  # characters of a description
TOOLS_SHOWN = 3  # that match the search, in one row
MAX_SUGGESTIONS = 5


class CountedPaginator(Paginator):
    """Of a list whose length is known already."""

    def __init__(self, *args, total: int, **kwargs):
        super().__init__(*args, **kwargs)
        self.count = total


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a tool's name; `is_match` where the search found it."""

    text: str
    is_match: bool


@dataclass(frozen=True)
class Row:
    """One server in the list. Texts are somebody else's, in one line; numbers are None where nothing is known."""

    address: str
    name: str
    line: str
    badge: Badge
    uptime_bp: int | None
    tool_count: int | None
    transport: str
    needs_sign_in: bool
    is_paused: bool
    tools: list[list[Part]] = field(default_factory=list)
    more_tool_count: int = 0


@dataclass(frozen=True)
class ServerListPage:
    path: str
    query: ServerQuery
    rows: list[Row]
    page: Page
    heading: str
    total_label: str
    show_label: str
    chips: list[Chip]
    clear_address: str
    address: str
    previous_address: str
    next_address: str
    state_choices: list[Choice]
    transport_choices: list[Choice]
    sign_in_choices: list[Choice]
    sort_choices: list[Choice]
    suggestions: list[Chip]


def describe_servers(*, path: str, query: ServerQuery, now: datetime) -> ServerListPage:
    """The list at `path`. Two queries, a third for the tools that a text matches; two more where nothing is found."""
    entries = search_entries(query.text)
    groups = count_groups(entries)
    filters = {"state": query.state, "transport": query.transport, "sign_in": query.sign_in}
    total = groups.count(**filters)
    found = filter_entries(entries, query).for_rows().order_by(*ORDERS[query.effective_sort])
    page = CountedPaginator(found, PAGE_SIZE, total=total).get_page(query.page)
    query = replace(query, page=page.number)
    return ServerListPage(
        path=path,
        query=query,
        rows=_make_rows(list(page) if total else [], text=query.text, now=now),
        page=page,
        heading=_("Servers for “%(text)s”") % {"text": query.text} if query.text else _("MCP servers"),
        total_label=ngettext("%(count)s server", "%(count)s servers", total) % {"count": count(total)},
        show_label=ngettext("Show %(count)s server", "Show %(count)s servers", total) % {"count": count(total)},
        chips=_list_chips(path, query),
        clear_address=ServerQuery(sort=query.sort).to_address(path),
        address=query.to_address(path, page=page.number),
        previous_address=query.to_address(path, page=page.number - 1) if page.has_previous() else "",
        next_address=query.to_address(path, page=page.number + 1) if page.has_next() else "",
        state_choices=_list_choices(STATES, groups, "state", filters),
        transport_choices=_list_choices(TRANSPORTS, groups, "transport", filters),
        sign_in_choices=_list_choices(SIGN_INS, groups, "sign_in", filters),
        sort_choices=[
            Choice(key, "" if key == USUAL_SORT else key, str(label), None, key == query.effective_sort)
            for key, label in SORTS.items()
        ],
        suggestions=[] if total else _suggest(path, query, groups),
    )


def _list_choices(labels: dict, groups: Groups, name: str, filters: dict[str, str]) -> list[Choice]:
    """Each value with how many servers it would leave; one that leaves none stays out unless it is chosen."""
    counts = groups.count_each(name, **{**filters, name: ""})
    return [
        Choice(key, key, capfirst(label), counts[key], key == filters[name])
        for key, label in labels.items()
        if counts[key] or key == filters[name]
    ]


def _list_chips(path: str, query: ServerQuery) -> list[Chip]:
    """One chip for each filter that is on, leading to the list without it."""
    return [Chip(label, query.to_address(path, **{name: ""})) for name, label in _list_filters(query)]


def _list_filters(query: ServerQuery) -> list[tuple[str, str]]:
    named = [("state", STATES), ("transport", TRANSPORTS), ("sign_in", SIGN_INS)]
    found = [("text", f"“{query.text}”")] if query.text else []
    return found + [(name, capfirst(labels[getattr(query, name)])) for name, labels in named if getattr(query, name)]


def _make_rows(entries: list[Entry], *, text: str, now: datetime) -> list[Row]:
    words = split_words(text)
    tools = _find_tools(entries, words) if words and entries else {}
    rows = []
    for entry in entries:
        matching = tools.get(entry.pk, [])
        rows.append(
            Row(
                address=entry.get_absolute_url(),
                name=clean_line(entry.server.name, 100) or entry.slug,
                line=clean_line(entry.server.description, LINE_LENGTH),
                badge=badge_of(entry, now=now),
                uptime_bp=entry.uptime_30d_bp,
                tool_count=entry.tool_count,
                transport=str(TRANSPORTS.get(entry.transport, "")),
                needs_sign_in=entry.sign_in == "needed",
                is_paused=entry.mode == Entry.Mode.PAUSED,
                tools=[mark_words(name, words) for name in matching[:TOOLS_SHOWN]],
                more_tool_count=max(len(matching) - TOOLS_SHOWN, 0),
            )
        )
    return rows


def _find_tools(entries: list[Entry], words: list[str]) -> dict:
    """Names of the tools that hold one of the words, by server."""
    wanted = Q()
    for word in words:
        wanted |= Q(name__icontains=word)
    tools = Tool.objects.offered().filter(wanted, server__in=[entry.pk for entry in entries])
    found = {}
    for server_id, name in tools.order_by("server_id", "position", "pk").values_list("server_id", "name"):
        found.setdefault(server_id, []).append(name)
    return found


def mark_words(name: str, words: list[str]) -> list[Part]:
    """The name in pieces. Where folding changes its length, no place in it is sure, so it is one piece."""
    name = clean_line(name, 128)
    folded = fold(name)
    if len(folded) != len(name):
        return [Part(name, is_match=True)]
    marks = [False] * len(name)
    for word in words:
        start = folded.find(word)
        while start >= 0:
            marks[start : start + len(word)] = [True] * len(word)
            start = folded.find(word, start + 1)
    parts = []
    for character, is_match in zip(name, marks, strict=True):
        if parts and parts[-1].is_match == is_match:
            parts[-1] = Part(parts[-1].text + character, is_match)
        else:
            parts.append(Part(character, is_match))
    return parts


def _suggest(path: str, query: ServerQuery, groups: Groups) -> list[Chip]:
    """Queries near this one that do find something: the other keyboard layout, then one filter less."""
    filters = {"state": query.state, "transport": query.transport, "sign_in": query.sign_in}
    chips = []
    for text in _respell(query.text):
        other = replace(query, text=text)
        if amount := filter_entries(search_entries(text), other).count():
            label = _("Did you mean “%(text)s”?") % {"text": text}
            chips.append(Chip(label, other.to_address(path), count=amount))
    for name, label in _list_filters(query):
        amount = 0
        if name != "text":
            amount = groups.count(**{**filters, name: ""})
        elif any(filters.values()):
            amount = filter_entries(search_entries(""), query).count()
        if amount:
            words = _("Without “%(filter)s”") % {"filter": label.strip("“”")}
            chips.append(Chip(words, query.to_address(path, **{name: ""}), count=amount))
    return chips[:MAX_SUGGESTIONS]


def _respell(text: str) -> list[str]:
    """The text typed with the other keyboard layout."""
    swapped = swap_keyboard(text) if text else ""
    return [swapped] if swapped and fold(swapped) != fold(text) else []
