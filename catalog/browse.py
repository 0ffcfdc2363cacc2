"""Finding prompts: the filters of the list page, the page of hits, and what to offer when there are none."""

import re
import unicodedata
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace

from django.db.models import Case, Value, When
from django.http import QueryDict
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from catalog.hits import RANKED_HITS, Hit, Match, Truth, count_hits, find_hits, list_hit_facets, rank_hits
from catalog.models import MAX_PRICE_KRW, FacetTotal, Listing, Prompt
from catalog.search import count_facets, list_price_terms, make_facet
from catalog.tags import MAX_TAG_LENGTH, normalize_tag, normalize_tags
from catalog.tokens import parse_phrases

PAGE_SIZE = 24
EXACT_TOTAL = 1_000  # totals are counted up to here; "1,000+" beyond
MAX_TEXT_LENGTH = 200  # characters
MAX_FILTER_TAGS = 8
SORTS = ("relevance", "popular", "newest", "price_low", "price_high", "rating")
RATING_STEPS = (4.5, 4.0, 3.0)
TOOL_STATES = (Listing.ToolState.NONE, Listing.ToolState.WORKING)  # that one may ask for
TAGS_SHOWN = 40
MODELS_SHOWN = 20
TOTALS_LOADED = 500
RELATED_CANDIDATES = 100


@dataclass(frozen=True)
class BrowseQuery:
    """What somebody looks for. Prices are whole won; `after` is the opaque place where the page before ended."""

    text: str = ""
    tags: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()
    model: str = ""
    output_kind: str = ""
    language: str = ""
    tools: str = ""
    min_price_krw: int | None = None
    max_price_krw: int | None = None
    free_only: bool = False
    min_rating: float | None = None
    seller_id: uuid.UUID | None = None
    sort: str = ""
    after: str | None = None
    page_size: int = PAGE_SIZE

    @classmethod
    def from_params(cls, params: QueryDict) -> tuple["BrowseQuery", dict[str, str]]:
        """The query in an address, and sentences by field name (`min`) for what a person should correct.

        Parameters: q, tag and not (may repeat), model, kind, lang, tools, min, max, free, rating, sort, after. What
        makes no sense is left out, because addresses are typed, cut off and made up; it never fails.
        """
        errors = {}
        tags = _read_tags(params.getlist("tag"))
        low, high = _read_price(params.get("min", "")), _read_price(params.get("max", ""))
        if low is not None and high is not None and low > high:
            errors["min"] = gettext("The lowest price is above the highest, so the prices were left out.")
            low = high = None
        sort = params.get("sort", "")
        query = cls(
            text=_clean(params.get("q", ""), MAX_TEXT_LENGTH),
            tags=tags,
            excluded_tags=tuple(tag for tag in _read_tags(params.getlist("not")) if tag not in tags),
            model=_clean(params.get("model", ""), 60),
            output_kind=params.get("kind", "") if params.get("kind", "") in Listing.OutputKind.values else "",
            language=params.get("lang", "") if re.fullmatch("[a-z]{2,3}", params.get("lang", "")) else "",
            tools=params.get("tools", "") if params.get("tools", "") in TOOL_STATES else "",
            min_price_krw=low,
            max_price_krw=high,
            free_only=params.get("free", "") in ("1", "on", "true"),
            min_rating=_read_rating(params.get("rating", "")),
            sort=sort if sort in SORTS else "",
            after=params.get("after", "")[:200] or None,
        )
        return query, errors

    def to_params(self, **changes) -> QueryDict:
        """The address parameters of this query with some fields replaced, without `after`: for links that add or remove
        a filter. `query.to_params(tags=()).urlencode()`. The seller is part of a page's path and not among them."""
        query = replace(self, **changes)
        params = QueryDict(mutable=True)
        params.setlist("tag", query.tags)
        params.setlist("not", query.excluded_tags)
        for name, value in [
            ("q", query.text),
            ("model", query.model),
            ("kind", query.output_kind),
            ("lang", query.language),
            ("tools", query.tools),
            ("min", query.min_price_krw),
            ("max", query.max_price_krw),
            ("free", "1" if query.free_only else ""),
            ("rating", f"{query.min_rating:g}" if query.min_rating else ""),
            ("sort", query.sort),
        ]:
            if value not in ("", None):
                params[name] = str(value)
        for name in [name for name, values in params.lists() if not values]:
            del params[name]
        return params

    @property
    def effective_sort(self) -> str:
        """The order that is used: by relevance with a text, by popularity without, unless another was chosen."""
        if self.sort and (self.text or self.sort != "relevance"):
            return self.sort
        return "relevance" if self.text else "popular"

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list down, sorting and paging aside."""
        return replace(self, sort="", after=None, page_size=PAGE_SIZE, seller_id=None) != BrowseQuery()


@dataclass(frozen=True, slots=True)
class TagCount:
    tag: str
    count: int
    is_selected: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class ModelCount:
    model: str
    count: int
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class RatingCount:
    rating: float
    count: int
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class ToolCount:
    state: str
    count: int
    is_selected: bool = False


@dataclass(frozen=True)
class BrowseResult:
    """One page of hits. `total` is exact up to 1,000; beyond, `total_is_exact` is false and "1,000+" is the truth.

    The counts tell how many of the hits (of the 1,000 most popular of them) each further filter would leave.
    """

    prompts: list[Prompt]
    total: int
    total_is_exact: bool
    next_after: str | None
    tag_counts: list[TagCount] = field(default_factory=list)
    model_counts: list[ModelCount] = field(default_factory=list)
    rating_counts: list[RatingCount] = field(default_factory=list)
    tool_counts: list[ToolCount] = field(default_factory=list)
    free_count: int = 0


def _clean(text: str, length: int) -> str:
    """NFC, one line, no control characters, cut off."""
    printable = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: length * 4])
    return unicodedata.normalize("NFC", " ".join(printable.split()))[:length].strip()


def _read_tags(values: list[str]) -> tuple[str, ...]:
    tags = (normalize_tag(value[: MAX_TAG_LENGTH * 4]) for value in values[: MAX_FILTER_TAGS * 2])
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:MAX_FILTER_TAGS]


def _read_price(value: str) -> int | None:
    """Whole won from what people type (`9,900`, `9900원`, `₩9,900`); None for anything else."""
    digits = re.sub(r"[\s,₩원]", "", unicodedata.normalize("NFKC", value[:40]))
    return min(int(digits), MAX_PRICE_KRW) if re.fullmatch(r"[0-9]{1,12}", digits) else None


def _read_rating(value: str) -> float | None:
    return float(value) if re.fullmatch(r"[1-4](\.[0-9])?|5(\.0)?", value) else None


# --- Lists


def find_prompts(query: BrowseQuery) -> BrowseResult:
    """One page of prompts on sale, loaded for cards, with the counts of the filter panel.

    Three queries, or four without a filter; up to five where more than 1,000 hits are sorted in an order of their own.
    """
    match = _match(query)
    if match is None:
        return BrowseResult(
            prompts=[], total=0, total_is_exact=True, next_after=None, tag_counts=_count_tags(query, Counter())
        )
    truth = _truth(query)
    if match:
        # With a model chosen, also what choosing another one instead would find.
        matches = [match, _match(replace(query, model=""))] if query.model else [match]
        facets = list_hit_facets(matches, truth, limit=EXACT_TOTAL + 1)
        total = len(facets[0])
        totals, models = count_facets(facets[0][:EXACT_TOTAL]), count_facets(facets[-1][:EXACT_TOTAL])
    else:
        (total,) = count_hits([(match, truth)], limit=EXACT_TOTAL + 1)
        totals = models = _load_totals()
    hits, next_after = _find_page(query, match, truth, are_few=total <= EXACT_TOTAL)
    return BrowseResult(
        prompts=_load_cards(hits),
        total=min(total, EXACT_TOTAL),
        total_is_exact=total <= EXACT_TOTAL,
        next_after=next_after,
        tag_counts=_count_tags(query, totals),
        model_counts=_count_models(query, models),
        rating_counts=[
            RatingCount(step, totals["r", str(int(step * 2))], step == query.min_rating) for step in RATING_STEPS
        ],
        tool_counts=_count_tools(query, totals),
        free_count=totals["f", ""],
    )


def count_prompts(queries: list[BrowseQuery]) -> list[int]:
    """How many prompts each query finds, counted up to 1,001. One query for all of them."""
    matches = [_match(query) for query in queries]
    asked = [(match, _truth(query)) for match, query in zip(matches, queries, strict=True) if match is not None]
    counts = iter(count_hits(asked, limit=EXACT_TOTAL + 1))
    return [0 if match is None else next(counts) for match in matches]


def popular_tags(limit: int) -> list[TagCount]:
    """The tags that most prompts on sale carry. One query."""
    rows = FacetTotal.objects.filter(kind="t", prompt_count__gt=0).order_by("-prompt_count", "value")[:limit]
    return [TagCount(row.value, row.prompt_count) for row in rows]


def popular_models(limit: int) -> list[str]:
    """The models that most prompts on sale are written for. One query."""
    rows = FacetTotal.objects.filter(kind="m", prompt_count__gt=0).order_by("-prompt_count", "value")
    return list(rows.values_list("value", flat=True)[:limit])


def newest(limit: int) -> list[Prompt]:
    """For cards, newest first. One query."""
    return list(Prompt.objects.on_sale().for_cards().order_by("-listing__id")[:limit])


def top_rated(limit: int) -> list[Prompt]:
    """For cards, best rated first, fair to few reviews; none without a review. One query."""
    rated = Prompt.objects.on_sale().for_cards().filter(listing__rating_rank__gt=0)
    return list(rated.order_by("-listing__rating_rank", "-listing__id")[:limit])


def related_prompts(prompt: Prompt, limit: int) -> list[Prompt]:
    """Other prompts on sale that share most tags with this one, popular first among equals; for cards.

    Told among the 100 most popular that share any. Two queries.
    """
    tags = set(normalize_tags(prompt.tags))
    if not tags:
        return []
    match = Match(all_of=(tuple(make_facet("t", tag) for tag in sorted(tags)),))
    hits = find_hits(match, Truth(), sort="popular", after=None, limit=RELATED_CANDIDATES)
    others = [other for other in _load_cards(hits) if other.pk != prompt.pk]
    others.sort(key=lambda other: -len(tags & set(normalize_tags(other.tags))))
    return others[:limit]


def _match(query: BrowseQuery) -> Match | None:
    """The query as terms of the index; None when it has a text in which nothing can be searched."""
    phrases = tuple(parse_phrases(query.text))
    if query.text and not phrases:
        return None
    groups = [(make_facet("t", tag),) for tag in query.tags]
    for kind, value in [
        ("m", query.model),
        ("k", query.output_kind),
        ("l", query.language),
        ("n", query.tools if query.tools != Listing.ToolState.NONE else ""),
        ("s", query.seller_id.hex if query.seller_id else ""),
        ("r", str(int(query.min_rating * 2)) if query.min_rating else ""),
    ]:
        if value:
            groups.append((make_facet(kind, value),))
    if query.free_only:
        groups.append((make_facet("f"),))
    prices = ()
    if query.min_price_krw or query.max_price_krw is not None:
        high = MAX_PRICE_KRW if query.max_price_krw is None else query.max_price_krw
        prices = list_price_terms(query.min_price_krw or 0, high)
    unwanted = [make_facet("t", tag) for tag in query.excluded_tags]
    if query.tools == Listing.ToolState.NONE:
        unwanted.append(make_facet("n"))
    return Match(phrases, tuple(groups), tuple(unwanted), prices)


def _truth(query: BrowseQuery) -> Truth:
    return Truth(
        min_price_krw=query.min_price_krw,
        max_price_krw=0 if query.free_only else query.max_price_krw,
        min_rating=query.min_rating,
    )


def _find_page(query: BrowseQuery, match: Match, truth: Truth, *, are_few: bool) -> tuple[list[Hit], str | None]:
    """The hits of a page and where the next one begins; None on the last."""
    sort, size = query.effective_sort, query.page_size
    place = _read_place(query)
    if sort != "relevance":
        hits = find_hits(match, truth, sort=sort, after=place, limit=size + 1, are_few=are_few)
        return hits[:size], _write_place(query, hits[size - 1]) if len(hits) > size else None
    if place and place.popularity:  # behind the ranked hits it goes on by popularity
        hits = find_hits(match, truth, sort="popular", after=place, limit=size + 1)
        return hits[:size], _write_place(query, hits[size - 1]) if len(hits) > size else None
    ranked = rank_hits(match, truth)
    start = int(place.rank) if place else 0
    hits = ranked[start : start + size]
    if start + size < len(ranked):
        return hits, _write_place(query, Hit(0, 0, start + size))
    least_popular = min(ranked, key=lambda hit: hit.popularity, default=None)
    goes_on = len(ranked) == RANKED_HITS and find_hits(match, truth, sort="popular", after=least_popular, limit=1)
    return hits, _write_place(query, least_popular) if goes_on else None


# --- Places in a list, as they stand in addresses


def _write_place(query: BrowseQuery, hit: Hit) -> str:
    place = f"{hit.listing_id}_{hit.popularity}_{hit.rank!r}"
    return f"{place}_{_seal_place(query, place)}"


def _read_place(query: BrowseQuery) -> Hit | None:
    """None, the first page, for a place that was made up or belongs to another query."""
    place, _, seal = (query.after or "").rpartition("_")
    if not place or not constant_time_compare(seal, _seal_place(query, place)):
        return None
    listing_id, popularity, rank = place.split("_")
    return Hit(int(listing_id), int(popularity), float(rank))


def _seal_place(query: BrowseQuery, place: str) -> str:
    """Binds a place to its query, so that none can be made up and none leads into another list."""
    return salted_hmac("catalog.browse", f"{place}|{replace(query, after=None)!r}", algorithm="sha256").hexdigest()[:16]


# --- Loading and counting


def _load_cards(hits: list[Hit]) -> list[Prompt]:
    """The prompts of the hits in their order: one query."""
    if not hits:
        return []
    rows = Prompt.objects.for_cards().filter(listing__in=[hit.listing_id for hit in hits])
    by_listing = {prompt.listing.pk: prompt for prompt in rows}
    return [by_listing[hit.listing_id] for hit in hits if hit.listing_id in by_listing]


def _load_totals() -> Counter:
    """The stored counts of everything on sale: all of the short filters, of tags and models the largest. One query."""
    is_long = Case(When(kind__in="tm", then=Value(1)), default=Value(0))
    rows = FacetTotal.objects.filter(prompt_count__gt=0, kind__in="tmrfna").order_by(is_long, "-prompt_count")
    return Counter(
        {(kind, value): n for kind, value, n in rows.values_list("kind", "value", "prompt_count")[:TOTALS_LOADED]}
    )


def _count_tags(query: BrowseQuery, totals: Counter) -> list[TagCount]:
    """Chosen and excluded tags first, even where nothing is left of them, then the most frequent."""
    chosen = [TagCount(tag, totals["t", tag], is_selected=True) for tag in query.tags]
    chosen += [TagCount(tag, 0, is_excluded=True) for tag in query.excluded_tags]
    named = {*query.tags, *query.excluded_tags}
    others = [TagCount(value, n) for (kind, value), n in totals.items() if kind == "t" and value not in named]
    others.sort(key=lambda counted: (-counted.count, counted.tag))
    return chosen + others[:TAGS_SHOWN]


def _count_tools(query: BrowseQuery, totals: Counter) -> list[ToolCount]:
    """What needs no tools carries no mark for it; it is what is left."""
    counts = {
        Listing.ToolState.NONE: totals["a", ""] - totals["n", ""],
        Listing.ToolState.WORKING: totals["n", Listing.ToolState.WORKING],
    }
    return [ToolCount(state, counts[state], state == query.tools) for state in TOOL_STATES]


def _count_models(query: BrowseQuery, totals: Counter) -> list[ModelCount]:
    counts = {value: count for (kind, value), count in totals.items() if kind == "m"}
    if query.model:
        counts.setdefault(query.model, 0)
    models = [ModelCount(model, count, model == query.model) for model, count in counts.items()]
    return sorted(models, key=lambda counted: (not counted.is_selected, -counted.count, counted.model))[:MODELS_SHOWN]
