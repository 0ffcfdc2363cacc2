"""Finding servers in the registry: what somebody asks of the list, and what fits.

Only what visitors may see is ever found.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import Case, CharField, Count, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Lower, Replace
from django.http import QueryDict
from django.utils.translation import gettext_lazy, pgettext_lazy

from mcp.foreign_text import clean_line
from mcp.models import Entry, EntryQuerySet
from mcp.registry.search_text import MAX_QUERY_LENGTH, has_hangul, split_words
from mcp.states import OFF

MAX_PAGE = 10_000

_SHOWN = ["working", "slow", "down", "sign_in", "configuration", OFF, "unchecked"]
STATES = {key: Entry.Mode.OFF.label if key == OFF else Entry.Health(key).label for key in _SHOWN}
TRANSPORTS = {"streamable-http": gettext_lazy("Streamable HTTP"), "sse": gettext_lazy("HTTP with SSE")}
SIGN_INS = {
    "none": gettext_lazy("Works without sign-in"),
    "needed": gettext_lazy("Needs sign-in or a key"),
}
SORTS = {
    "uptime": pgettext_lazy("order of a list", "Most reliable"),
    "name": pgettext_lazy("order of a list", "By name"),
    "newest": pgettext_lazy("order of a list", "Newest"),
    "tools": pgettext_lazy("order of a list", "Most tools"),
    "checked": pgettext_lazy("order of a list", "Checked last"),
}
USUAL_SORT = "uptime"
ORDERS = {
    "uptime": [F("uptime_30d_bp").desc(nulls_last=True), Lower("server__name"), "pk"],
    "name": [Lower("server__name"), "pk"],
    "newest": ["-server__created_at", "pk"],
    "tools": [F("tool_count").desc(nulls_last=True), Lower("server__name"), "pk"],
    "checked": [F("server__last_health_check").desc(nulls_last=True), "pk"],
}


@dataclass(frozen=True)
class ServerQuery:
    """What somebody looks for. Empty is any; of each filter one value at a time."""

    text: str = ""
    state: str = ""
    transport: str = ""
    sign_in: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def from_params(cls, params: QueryDict) -> "ServerQuery":
        """Parameters: q, state, transport, auth, sort, page. What makes no sense is left out; it never fails."""
        page = params.get("page", "")
        return cls(
            text=clean_line(params.get("q", ""), MAX_QUERY_LENGTH),
            state=_known(params.get("state", ""), STATES),
            transport=_known(params.get("transport", ""), TRANSPORTS),
            sign_in=_known(params.get("auth", ""), SIGN_INS),
            sort=_known(params.get("sort", ""), SORTS),
            page=min(int(page), MAX_PAGE) if page.isascii() and page.isdigit() and len(page) < 8 else 1,
        )

    def to_address(self, path: str, **changes) -> str:
        """The list at `path` with these changes, from its first page unless `page` is one of them."""
        query = replace(self, **{"page": 1, **changes})
        params = QueryDict(mutable=True)
        for name, value in [
            ("q", query.text),
            ("state", query.state),
            ("transport", query.transport),
            ("auth", query.sign_in),
            ("sort", query.sort if query.sort != USUAL_SORT else ""),
            ("page", str(query.page) if query.page > 1 else ""),
        ]:
            if value:
                params[name] = value
        return f"{path}?{params.urlencode()}" if params else path

    @property
    def effective_sort(self) -> str:
        return self.sort or USUAL_SORT

    @property
    def is_filtered(self) -> bool:
        return replace(self, sort="", page=1) != ServerQuery()


def _known(value: str, known: Iterable[str]) -> str:
    return value if value in known else ""


# --- What is found


class Group(NamedTuple):
    """Servers that all filters treat alike."""

    state: str
    transport: str
    sign_in: str

    def fits(self, wanted: dict[str, str]) -> bool:
        return all(getattr(self, name) == value for name, value in wanted.items() if value)


@dataclass(frozen=True)
class Groups:
    """How many servers with the text asked for are in each group."""

    counts: dict[Group, int]

    def count(self, **wanted: str) -> int:
        return sum(amount for group, amount in self.counts.items() if group.fits(wanted))

    def count_each(self, name: str, **others: str) -> Counter:
        """By the values of one filter, the others as they are."""
        found = Counter()
        for group, amount in self.counts.items():
            if group.fits(others):
                found[getattr(group, name)] += amount
        return found


def count_groups(entries: QuerySet) -> Groups:
    """One query."""
    rows = entries.order_by().values_list("shown_state", "transport", "sign_in").annotate(amount=Count("pk"))
    return Groups({Group(*values): amount for *values, amount in rows})


def search_entries(text: str) -> EntryQuerySet:
    """What visitors may see and holds every word of the text, with what the filters ask about.

    A word may also stand in the slug, which is how listings and commands call a server.
    """
    entries = Entry.objects.public().annotate(
        shown_state=Case(When(mode=Entry.Mode.OFF, then=Value(OFF)), default=F("health"), output_field=CharField()),
        # "none" only where a check saw the tools; of a server that is down or off nobody knows.
        sign_in=Case(
            When(Q(health=Entry.Health.SIGN_IN) | ~Q(required_settings=[]), then=Value("needed")),
            When(mode=Entry.Mode.OFF, then=Value("")),
            When(health__in=[Entry.Health.WORKING, Entry.Health.SLOW], then=Value("none")),
            default=Value(""),
            output_field=CharField(),
        ),
    )
    without_spaces = Replace("search_text", Value(" "), Value(""), output_field=TextField())
    entries = entries.alias(text_without_spaces=without_spaces)
    for word in split_words(text):
        found = Q(search_text__contains=word) | Q(slug__contains=word)
        if has_hangul(word):  # Korean is written with spaces or without: 택배조회 is 택배 조회
            found |= Q(text_without_spaces__contains=word)
        entries = entries.filter(found)
    return entries


def filter_entries(entries: QuerySet, query: ServerQuery) -> QuerySet:
    wanted = {"shown_state": query.state, "transport": query.transport, "sign_in": query.sign_in}
    return entries.filter(**{name: value for name, value in wanted.items() if value})
