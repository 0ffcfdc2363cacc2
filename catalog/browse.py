"""Finding prompts: the filters of the list page, the page of hits, and what to offer when there are none."""

import re
import unicodedata
import uuid
from dataclasses import dataclass, field, replace

from django.http import QueryDict
from django.utils.translation import gettext as _

from catalog.models import MAX_PRICE_KRW, Listing, Prompt
from catalog.tags import MAX_TAG_LENGTH, normalize_tag

PAGE_SIZE = 24
EXACT_TOTAL = 1_000  # totals are counted up to here; "1,000+" beyond
MAX_TEXT_LENGTH = 200  # characters
MAX_FILTER_TAGS = 8
SORTS = ("relevance", "popular", "newest", "price_low", "price_high", "rating")
RATING_STEPS = (4.5, 4.0, 3.0)


@dataclass(frozen=True)
class BrowseQuery:
    """What somebody looks for. Prices are whole won; `after` is the opaque place where the page before ended."""

    text: str = ""
    tags: tuple[str, ...] = ()
    excluded_tags: tuple[str, ...] = ()
    model: str = ""
    output_kind: str = ""
    language: str = ""
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

        Parameters: q, tag and not (may repeat), model, kind, lang, min, max, free, rating, sort, after. What makes no
        sense is left out, because addresses are typed, cut off and made up; it never fails.
        """
        errors = {}
        tags = _read_tags(params.getlist("tag"))
        low, high = _read_price(params.get("min", "")), _read_price(params.get("max", ""))
        if low is not None and high is not None and low > high:
            errors["min"] = _("The lowest price is above the highest, so the prices were left out.")
            low = high = None
        sort = params.get("sort", "")
        query = cls(
            text=_clean(params.get("q", ""), MAX_TEXT_LENGTH),
            tags=tags,
            excluded_tags=tuple(tag for tag in _read_tags(params.getlist("not")) if tag not in tags),
            model=_clean(params.get("model", ""), 60),
            output_kind=params.get("kind", "") if params.get("kind", "") in Listing.OutputKind.values else "",
            language=params.get("lang", "") if re.fullmatch("[a-z]{2,3}", params.get("lang", "")) else "",
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
    free_count: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another query that does have hits. `kind`: `without` (one filter dropped) or `instead` (another spelling).

    `label` names what would be dropped or searched for; `count` is exact up to 1,000.
    """

    kind: str
    label: str
    query: BrowseQuery
    count: int


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
    """One page of prompts on sale, loaded for cards, with the counts of the filter panel."""
    prompts = Prompt.objects.on_sale().for_cards().order_by("-listing__sales_count", "-listing__id")
    if query.text:
        prompts = prompts.filter(title__icontains=query.text)
    found = list(prompts[: query.page_size])
    return BrowseResult(prompts=found, total=len(found), total_is_exact=True, next_after=None)


def suggest(query: BrowseQuery) -> list[Suggestion]:
    """What to offer when nothing was found, best first; every suggestion has at least one hit."""
    return []


def popular_tags(limit: int) -> list[TagCount]:
    """The tags that most prompts on sale carry. One query."""
    return []


def newest(limit: int) -> list[Prompt]:
    """For cards, newest first. One query."""
    return list(Prompt.objects.on_sale().for_cards().order_by("-listing__id")[:limit])


def top_rated(limit: int) -> list[Prompt]:
    """For cards, best rated first, fair to few reviews; none without a review. One query."""
    rated = Prompt.objects.on_sale().for_cards().filter(review_count__gt=0)
    return list(rated.order_by("-rating", "-review_count", "-listing__id")[:limit])


def related_prompts(prompt: Prompt, limit: int) -> list[Prompt]:
    """Other prompts on sale that share tags with this one, for cards. One query."""
    others = Prompt.objects.on_sale().for_cards().exclude(pk=prompt.pk)
    return list(others.order_by("-listing__sales_count", "-listing__id")[:limit])
