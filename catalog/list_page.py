"""What a page with a list of prompts says about its query: chips, choices, totals and addresses.

Only what to offer when nothing was found queries the database.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from django.http import QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from catalog.browse import BrowseQuery, BrowseResult, RatingCount, TagCount, ToolCount, popular_tags
from catalog.cards import make_cards, render_cards
from catalog.facts import LANGUAGES, TOOLS, name_language, name_model
from catalog.models import Listing
from catalog.suggestions import suggest
from marketplace.templatetags.marketplace_tags import count, won_amount

CHOICES_SHOWN = 5  # the rest stands behind "more"
POPULAR_SHOWN = 8
EAGER_CARDS = 4  # the first row of a wide grid

SORTS = {
    "relevance": pgettext_lazy("order of a list", "Best match"),
    "popular": pgettext_lazy("order of a list", "Popular"),
    "newest": pgettext_lazy("order of a list", "Newest"),
    "rating": pgettext_lazy("order of a list", "Best rated"),
    "price_low": pgettext_lazy("order of a list", "Lowest price"),
    "price_high": pgettext_lazy("order of a list", "Highest price"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, or one that could be. `address` is the list with the change."""

    label: str
    address: str
    is_excluded: bool = False
    count: int | None = None
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a filter. `key` names it among its kind in the page; `count` is None where nothing was counted."""

    key: str
    value: str
    label: str
    count: int | None = None
    is_selected: bool = False
    is_excluded: bool = False


@dataclass(frozen=True)
class ListPage:
    """Everything the templates of a list show. Prices stand as the person typed them."""

    path: str
    query: BrowseQuery
    cards: list[SafeString]
    heading: str
    total_label: str
    show_label: str
    chips: list[Chip]
    clear_address: str
    first_address: str
    next_address: str
    is_first: bool
    min_text: str
    max_text: str
    price_errors: list[str]
    sort_choices: list[Choice]
    tag_choices: list[Choice] = field(default_factory=list)
    more_tag_choices: list[Choice] = field(default_factory=list)
    model_choices: list[Choice] = field(default_factory=list)
    more_model_choices: list[Choice] = field(default_factory=list)
    rating_choices: list[Choice] = field(default_factory=list)
    kind_choices: list[Choice] = field(default_factory=list)
    language_choices: list[Choice] = field(default_factory=list)
    tool_choices: list[Choice] = field(default_factory=list)
    suggestions: list[Chip] = field(default_factory=list)
    popular: list[Chip] = field(default_factory=list)


def describe_list(
    *,
    path: str,
    query: BrowseQuery,
    result: BrowseResult,
    owned_ids: Collection,
    errors: dict[str, str],
    params: QueryDict,
) -> ListPage:
    """The list at `path`. An empty result costs the queries of `suggest` and `popular_tags`.

    owned_ids: keys of the prompts on it that the person who looks has bought.
    errors: sentences by parameter, from `BrowseQuery.from_params`.
    params: the address as it came; prices that were refused are shown again as they were typed.
    """
    is_empty = not result.prompts
    tags, more_tags = _split_choices([_tag_choice(tag) for tag in _add_absent_tags(query, result.tag_counts)])
    models = [
        Choice(_key(row.model), row.model, name_model(row.model), row.count, row.is_selected)
        for row in result.model_counts
    ]
    if query.model and not any(choice.is_selected for choice in models):
        models.append(Choice(_key(query.model), query.model, name_model(query.model), 0, is_selected=True))
    models, more_models = _split_choices(models)
    return ListPage(
        path=path,
        query=query,
        cards=render_cards(
            make_cards(result.prompts, owned_ids=owned_ids, eager_count=0 if query.after else EAGER_CARDS)
        ),
        heading=describe_heading(query),
        total_label=_count_label(result),
        show_label=_show_label(result),
        chips=list_chips(path, query),
        clear_address=list_address(path, BrowseQuery(sort=query.sort)),
        first_address=list_address(path, query),
        next_address=list_address(path, query, after=result.next_after) if result.next_after else "",
        is_first=not query.after,
        min_text=params.get("min", "")[:12],
        max_text=params.get("max", "")[:12],
        price_errors=[text for name, text in errors.items() if name in ("min", "max")],
        sort_choices=_list_sorts(query),
        tag_choices=tags,
        more_tag_choices=more_tags,
        model_choices=models,
        more_model_choices=more_models,
        rating_choices=[_rating_choice(row) for row in result.rating_counts],
        kind_choices=[
            Choice(value, value, str(label), None, value == query.output_kind)
            for value, label in Listing.OutputKind.choices
        ],
        language_choices=[
            Choice(code, code, str(name), None, code == query.language) for code, name in LANGUAGES.items()
        ],
        tool_choices=[_tool_choice(row) for row in result.tool_counts],
        suggestions=[
            Chip(_suggestion_label(row), list_address(path, row.query), count=row.count) for row in suggest(query)
        ]
        if is_empty and query.is_filtered
        else [],
        popular=[tag_chip(path, row) for row in popular_tags(POPULAR_SHOWN)] if is_empty and query.is_filtered else [],
    )


def list_address(path: str, query: BrowseQuery, *, after: str = "", **changes) -> str:
    """The list at `path` with these changes, from its beginning or from `after` on."""
    params = query.to_params(**changes)
    if after:
        params["after"] = after
    return f"{path}?{params.urlencode()}" if params else path


def tag_chip(path: str, row: TagCount) -> Chip:
    """A link to everything with this tag."""
    return Chip(row.tag, list_address(path, BrowseQuery(tags=(row.tag,))), count=row.count)


def describe_heading(query: BrowseQuery) -> str:
    if query.text:
        return _("Results for “%(text)s”") % {"text": query.text}
    if len(query.tags) == 1:
        return _("Prompts tagged %(tag)s") % {"tag": query.tags[0]}
    return _("All prompts")


def list_chips(path: str, query: BrowseQuery) -> list[Chip]:
    """One chip for each filter that is on, leading to the list without it."""

    def without(**changes) -> str:
        return list_address(path, query, **changes)

    chips = [Chip(f"“{query.text}”", without(text=""))] if query.text else []
    for tag in query.tags:
        chips.append(Chip(tag, without(tags=tuple(other for other in query.tags if other != tag))))
    for tag in query.excluded_tags:
        rest = tuple(other for other in query.excluded_tags if other != tag)
        chips.append(Chip(tag, without(excluded_tags=rest), is_excluded=True))
    if query.model:
        chips.append(Chip(name_model(query.model), without(model="")))
    if query.output_kind:
        chips.append(Chip(str(Listing.OutputKind(query.output_kind).label), without(output_kind="")))
    if query.language:
        chips.append(Chip(name_language(query.language), without(language="")))
    if query.tools:
        chips.append(Chip(str(TOOLS[query.tools]), without(tools="")))
    if query.free_only:
        chips.append(Chip(_("Free only"), without(free_only=False)))
    if query.min_price_krw is not None or query.max_price_krw is not None:
        chips.append(Chip(_price_range(query), without(min_price_krw=None, max_price_krw=None)))
    if query.min_rating:
        chips.append(Chip(_at_least(query.min_rating), without(min_rating=None)))
    return chips


def _price_range(query: BrowseQuery) -> str:
    low, high = query.min_price_krw, query.max_price_krw
    if low is None:
        return _("up to %(price)s") % {"price": won_amount(high)}
    if high is None:
        return _("from %(price)s") % {"price": won_amount(low)}
    return f"{won_amount(low)}–{won_amount(high)}"


def _at_least(rating: float) -> str:
    return _("%(rating)s stars and more") % {"rating": f"{rating:g}"}


def _suggestion_label(suggestion) -> str:
    if suggestion.kind == "without":
        return _("Without “%(filter)s”") % {"filter": suggestion.label}
    return _("Did you mean “%(text)s”?") % {"text": suggestion.label}


def _count_label(result: BrowseResult) -> str:
    if not result.total_is_exact:
        return _("%(count)s+ results") % {"count": count(result.total)}
    return ngettext("%(count)s result", "%(count)s results", result.total) % {"count": count(result.total)}


def _show_label(result: BrowseResult) -> str:
    """Words of the button that closes the filters on a phone."""
    if not result.total_is_exact:
        return _("Show %(count)s+ results") % {"count": count(result.total)}
    return ngettext("Show %(count)s result", "Show %(count)s results", result.total) % {"count": count(result.total)}


def _key(value: str) -> str:
    """The value as a part of an element's id."""
    return quote(value, safe="").replace("%", "_").replace(".", "-")


def _tag_choice(row: TagCount) -> Choice:
    shown = None if row.is_excluded else row.count
    return Choice(_key(row.tag), row.tag, row.tag, shown, row.is_selected, row.is_excluded)


def _rating_choice(row: RatingCount) -> Choice:
    value = f"{row.rating:g}"
    return Choice(_key(value), value, _at_least(row.rating), row.count, row.is_selected)


def _tool_choice(row: ToolCount) -> Choice:
    return Choice(str(row.state), str(row.state), str(TOOLS[row.state]), row.count, row.is_selected)


def _add_absent_tags(query: BrowseQuery, rows: Iterable[TagCount]) -> list[TagCount]:
    """A chosen tag stays to be switched off, also where no hit has it any more."""
    rows = list(rows)
    known = {row.tag for row in rows}
    rows += [TagCount(tag, 0, is_selected=True) for tag in query.tags if tag not in known]
    rows += [TagCount(tag, 0, is_excluded=True) for tag in query.excluded_tags if tag not in known]
    return rows


def _list_sorts(query: BrowseQuery) -> list[Choice]:
    """The usual order has no value, so that it changes by itself when a text to search for comes or goes."""
    usual = "relevance" if query.text else "popular"
    return [
        Choice(name, "" if name == usual else name, str(label), None, name == query.effective_sort)
        for name, label in SORTS.items()
        if name != "relevance" or query.text
    ]


def _split_choices(choices: list[Choice]) -> tuple[list[Choice], list[Choice]]:
    """What is always in sight, and what stands behind "more". What is switched on is in sight."""
    shown = [c for n, c in enumerate(choices) if n < CHOICES_SHOWN or c.is_selected or c.is_excluded]
    return shown, [choice for choice in choices if choice not in shown]


def list_orders(path: str, query: BrowseQuery) -> list[Chip]:
    """The orders of a short list as links."""
    return [
        Chip(choice.label, list_address(path, query, sort=choice.value), is_selected=choice.is_selected)
        for choice in _list_sorts(query)
    ]


def list_toggles(path: str, query: BrowseQuery, result: BrowseResult) -> list[Chip]:
    """The filters of a short list as links: free ones, and its commonest tags. Each switches itself on or off."""
    toggles = [
        Chip(
            row.tag,
            list_address(path, query, tags=() if row.is_selected else (row.tag,)),
            count=row.count,
            is_selected=row.is_selected,
        )
        for row in _add_absent_tags(query, result.tag_counts)[:POPULAR_SHOWN]
        if not row.is_excluded
    ]
    if result.free_count or query.free_only:
        address = list_address(path, query, free_only=not query.free_only)
        toggles.insert(0, Chip(_("Free only"), address, count=result.free_count, is_selected=query.free_only))
    return toggles
