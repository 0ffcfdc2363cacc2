"""The page of one server: who may see it and what it shows.

Names, descriptions, schemas and reasons are somebody else's: cleaned here, escaped and isolated in the templates.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.paginator import Page, Paginator
from django.http import Http404
from django.utils.safestring import SafeString

from catalog.cards import make_cards, render_cards
from catalog.models import Prompt
from mcp.endpoints import public_endpoint
from mcp.foreign_text import clean_line, clean_text
from mcp.models import Entry, Incident, Tool, ToolChange, ToolNeed
from mcp.registry.connecting import Client, list_clients, make_remote
from mcp.registry.server_search import TRANSPORTS
from mcp.registry.text_diffs import Piece, diff_schemas, diff_texts
from mcp.registry.tool_schemas import Parameter, list_parameters
from mcp.registry.uptime_chart import DAYS, UptimeChart, draw_uptime
from mcp.states import Badge, badge_of
from mcp.uptime import Uptime, measure_uptimes, seoul_day

DESCRIPTION_LENGTH = 2_000
REASON_LENGTH = 300
TOOLS_PER_PAGE = 40
INCIDENTS_SHOWN = 10
CHANGES_SHOWN = 20
PROMPTS_SHOWN = 8
SETTINGS_SHOWN = 20


# --- Who may see it


def find_entry(slug: str, *, user) -> Entry:
    """The entry with its server. What staff did not accept is there for whoever submitted it and for staff only."""
    entry = Entry.objects.for_rows().filter(slug=slug).first()
    if entry is None or not may_see(entry, user):
        raise Http404
    return entry


def may_see(entry: Entry, user) -> bool:
    if entry.state == Entry.State.ACCEPTED:
        return True
    return user.is_authenticated and (entry.submitted_by_id == user.pk or is_keeper(user))


def is_keeper(user) -> bool:
    """Somebody of staff who looks after the registry."""
    return user.is_staff and user.has_perm("mcp.view_entry")


# --- What it shows


@dataclass(frozen=True)
class Setting:
    name: str
    description: str
    is_required: bool
    is_secret: bool


@dataclass(frozen=True)
class ToolRow:
    """hints: what the server itself says of it, as keys of `HINTS` that hold."""

    name: str
    title: str
    description: str
    parameters: list[Parameter]
    is_cut: bool
    hints: list[str]


@dataclass(frozen=True)
class ChangeRow:
    tool_name: str
    kind: str
    word: str
    seen_at: datetime
    version: str
    is_silent: bool
    pieces: list[Piece]
    is_code: bool


@dataclass(frozen=True)
class ServerPage:
    """endpoint: empty where it may not be shown; then there are no clients either. tools: None while nobody knows."""

    name: str
    description: str
    endpoint: str
    website_url: str
    badge: Badge
    reason: str
    transport: str
    protocol_version: str
    tool_count: int | None
    prompt_count: int | None
    uptime: Uptime
    chart: UptimeChart
    incidents: list[Incident]
    settings: list[Setting]
    clients: list[Client]
    tools: list[ToolRow] | None
    tools_page: Page
    changes: list[ChangeRow]


def describe_server(entry: Entry, *, tools_page: str, now: datetime) -> ServerPage:
    """Everything but the prompts. Seven queries, however much there is.

    tools_page: which part of the tools, as the address says it; anything else is the first.
    """
    server = entry.server
    endpoint, settings = public_endpoint(server.endpoint), list_settings(entry.required_settings)
    tools = Paginator(Tool.objects.offered().filter(server=server).order_by("position", "pk"), TOOLS_PER_PAGE)
    page = tools.get_page(tools_page)
    return ServerPage(
        name=clean_line(server.name, 100) or entry.slug,
        description=clean_text(server.description, DESCRIPTION_LENGTH),
        endpoint=endpoint,
        website_url=public_endpoint(entry.website_url),
        badge=badge_of(entry, now=now),
        reason=clean_line(entry.verdict_reason, REASON_LENGTH),
        transport=str(TRANSPORTS.get(entry.transport, "")),
        protocol_version=clean_line(entry.protocol_version, 32),
        tool_count=entry.tool_count,
        prompt_count=entry.prompt_count,
        uptime=measure_uptimes(server_ids=[server.pk], now=now)[server.pk],
        chart=_draw_month(entry, now=now),
        incidents=list(server.incidents.order_by("-started_at", "pk")[:INCIDENTS_SHOWN]),
        settings=settings,
        clients=_list_clients(entry, endpoint, settings),
        tools=[_describe_tool(tool) for tool in page] if page or entry.tool_count == 0 else None,
        tools_page=page,
        changes=[_describe_change(row) for row in server.tool_changes.order_by("-seen_at", "-pk")[:CHANGES_SHOWN]],
    )


def _draw_month(entry: Entry, *, now: datetime) -> UptimeChart:
    today = seoul_day(now)
    days = entry.server.days.filter(day__gt=today - timedelta(days=DAYS), day__lte=today)
    return draw_uptime(days, today=today)


def list_settings(stored: object) -> list[Setting]:
    """What a client must set before it connects. Never a value, whatever was stored."""
    rows = [row for row in stored if isinstance(row, dict)] if isinstance(stored, list) else []
    settings = [
        Setting(
            name=clean_line(row.get("name"), 64),
            description=clean_line(row.get("description"), 300),
            is_required=row.get("isRequired") is not False,
            is_secret=row.get("isSecret") is not False,
        )
        for row in rows[:SETTINGS_SHOWN]
    ]
    return [setting for setting in settings if setting.name]


def _list_clients(entry: Entry, endpoint: str, settings: list[Setting]) -> list[Client]:
    if not endpoint:
        return []
    names = [setting.name for setting in settings if setting.is_required]
    return list_clients(make_remote(name=entry.slug, url=endpoint, transport=entry.transport, header_names=names))


def _describe_tool(tool: Tool) -> ToolRow:
    parameters, is_cut = list_parameters(tool.input_schema)
    return ToolRow(
        name=clean_line(tool.name, 128),
        title=clean_line(tool.title, 100),
        description=clean_text(tool.description, DESCRIPTION_LENGTH),
        parameters=parameters,
        is_cut=is_cut,
        hints=_list_hints(tool.annotations),
    )


def _list_hints(annotations: object) -> list[str]:
    """Of what the server says itself, what a reader should know. Source: `ToolAnnotations` of the protocol."""
    said = annotations if isinstance(annotations, dict) else {}
    hints = [("read_only", "readOnlyHint", True), ("writes", "readOnlyHint", False)]
    hints += [("destructive", "destructiveHint", True), ("additive", "destructiveHint", False)]
    hints += [("repeatable", "idempotentHint", True), ("open_world", "openWorldHint", True)]
    found = [hint for hint, name, value in hints if said.get(name) is value]
    if "read_only" in found:  # the protocol gives the other two a meaning only for what writes
        found = [hint for hint in found if hint not in ("destructive", "additive", "repeatable")]
    return found


def _describe_change(change: ToolChange) -> ChangeRow:
    is_text = change.kind in (ToolChange.Kind.DESCRIPTION, ToolChange.Kind.ADDED, ToolChange.Kind.REMOVED)
    pieces = []
    if change.kind not in (ToolChange.Kind.ADDED, ToolChange.Kind.REMOVED):
        pieces = (diff_texts if is_text else diff_schemas)(change.before, change.after)
    return ChangeRow(
        tool_name=clean_line(change.tool_name, 128),
        kind=change.kind,
        word=change.get_kind_display(),
        seen_at=change.seen_at,
        version=clean_line(change.server_version, 100),
        is_silent=change.is_silent,
        pieces=pieces,
        is_code=not is_text,
    )


# --- Prompts that need it


def list_prompts(entry: Entry, *, owned_ids_of) -> list[SafeString]:
    """Cards of prompts on sale that need a tool of the server, the most bought first. One query, and one of the other.

    owned_ids_of: asked which of these keys the reader has bought.
    """
    needing = ToolNeed.objects.filter(server=entry.server_id).values("prompt_id")
    prompts = Prompt.objects.on_sale().for_cards().filter(pk__in=needing)
    shown = list(prompts.order_by("-listing__popularity", "-listing__id")[:PROMPTS_SHOWN])
    owned_ids: Collection = owned_ids_of([prompt.pk for prompt in shown])
    return render_cards(make_cards(shown, owned_ids=owned_ids))
