"""The tools that a prompt needs as pages show them: each with its state now, and what no longer fits in sentences."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from catalog.models import Prompt
from mcp.foreign_text import clean_line
from mcp.models import ToolNeed
from mcp.states import Badge, badge_of
from mcp.tools.need_states import State, find_entry, fingerprint, load_needs, read_badge


@dataclass(frozen=True, slots=True)
class StateWords:
    """`tone` colours the icon: pine, amber, rust or slate. `sentence`: what it means, where that is not plain."""

    word: str | Promise
    icon: str
    tone: str
    sentence: str | Promise = ""


WORDS = {
    State.WORKING: StateWords(pgettext_lazy("tool", "Works"), "circle-check", "pine"),
    State.UNKNOWN: StateWords(
        pgettext_lazy("tool", "Not known"),
        "circle-question-mark",
        "slate",
        gettext_lazy("We cannot see now whether its server offers it."),
    ),
    State.DOWN: StateWords(
        pgettext_lazy("tool", "Down"),
        "circle-x",
        "rust",
        gettext_lazy("Its server does not answer now, or is switched off."),
    ),
    State.MISSING: StateWords(
        gettext_lazy("No longer offered"),
        "triangle-alert",
        "rust",
        gettext_lazy("Its server no longer offers it, or is gone itself."),
    ),
    State.CHANGED: StateWords(
        gettext_lazy("Parameters changed"),
        "triangle-alert",
        "amber",
        gettext_lazy("It takes other parameters than when it was named."),
    ),
}


@dataclass(frozen=True, slots=True)
class ShownNeed:
    """A tool with its state now. server_name, badge and address are those of the server, absent where it is gone.

    state: stored at the last check, and no longer claimed where that is too old. changes: sentences, of a changed one.
    seen: what `accept_change` asks for. Names and changes hold words of somebody else's server.
    """

    pk: int
    name: str
    state: str
    server_name: str
    badge: Badge | None
    address: str
    changes: list[str]
    is_described_anew: bool
    seen: str

    @property
    def word(self) -> str:
        return WORDS[self.state].word

    @property
    def icon(self) -> str:
        return WORDS[self.state].icon

    @property
    def tone(self) -> str:
        return WORDS[self.state].tone

    @property
    def sentence(self) -> str:
        return WORDS[self.state].sentence

    @property
    def can_accept(self) -> bool:
        return self.state == State.CHANGED or self.is_described_anew

    @property
    def is_warning(self) -> bool:
        return self.state in (State.MISSING, State.CHANGED, State.DOWN)


def list_tool_needs(prompt: Prompt, *, now: datetime) -> list[ShownNeed]:
    """In the seller's order. One query."""
    return [_show(need, now=now) for need in load_needs([prompt.pk])]


def _show(need: ToolNeed, *, now: datetime) -> ShownNeed:
    entry = find_entry(need)
    badge = badge_of(entry, now=now) if entry else None
    return ShownNeed(
        pk=need.pk,
        name=str(need),
        server_name=clean_line(need.server.name, 80) if entry else "",
        state=_find_shown_state(need, badge),
        badge=badge,
        address=entry.get_absolute_url() if entry else "",
        changes=describe_breaks(need.breaks) if entry else [],
        is_described_anew=need.is_described_anew,
        seen=fingerprint(need),
    )


def _find_shown_state(need: ToolNeed, badge: Badge | None) -> str:
    """Rows may be gone, checks stop and staff switch off since the state was written."""
    if badge is None:
        return State.MISSING
    if need.state in (State.MISSING, State.CHANGED):
        return need.state
    now = read_badge(badge)
    return now if now != State.WORKING or need.state == State.WORKING else State.UNKNOWN


def describe_breaks(breaks: Iterable[dict]) -> list[str]:
    """Sentences in the active language; the names of parameters are somebody else's."""
    return [text for found in breaks if (text := _describe_break(found))]


def _describe_break(found: dict) -> str:
    words = {
        "removed": _("It no longer takes “%(name)s”."),
        "required": _("“%(name)s” is now required."),
        "type": _("“%(name)s” takes %(after)s now, and took %(before)s."),
        "values": _("“%(name)s” takes fewer values than before."),
    }
    text = words.get(found.get("kind", ""), "")
    return text % {part: clean_line(found.get(part), 80) for part in ("name", "before", "after")} if text else ""
