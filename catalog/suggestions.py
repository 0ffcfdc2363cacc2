"""What to offer when nothing was found: one filter less, or the same words written another way."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils.translation import gettext

from catalog.browse import BrowseQuery, count_prompts
from catalog.facts import TOOLS
from catalog.keyboards import swap_keyboard
from catalog.tokens import fold
from marketplace.templatetags.marketplace_tags import won, won_amount

MAX_TRIED = 12  # spellings counted for one page
MAX_SUGGESTIONS = 5

# Particles that Korean glues to a noun, longest first.
_PARTICLE = re.compile(
    "(?:에서는|에게서|으로는|이라는|에서|에게|으로|까지|부터|처럼|보다|하는|해줘|하기|이나|라는|은|는|이|가|을|를|에|의|로|와|과|도|만)$"
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another query, which has `count` hits (counted up to 1,001).

    `kind`: `without` when the filter `field` was dropped, `instead` when `label` is searched for instead.
    """

    kind: str
    field: str
    label: str
    query: BrowseQuery
    count: int = 0


def suggest(query: BrowseQuery) -> list[Suggestion]:
    """Queries near this one that do find something: other spellings first, then one filter less, most hits first.

    At most 29 counts in one query, for pages that found nothing only.
    """
    candidates = [*_list_spellings(query), *_list_loosened(query)]
    counts = count_prompts([candidate.query for candidate in candidates])
    found = [replace(row, count=count) for row, count in zip(candidates, counts, strict=True) if count]
    found.sort(key=lambda suggestion: -suggestion.count)
    respelled = [suggestion for suggestion in found if suggestion.kind == "instead"]
    loosened = [suggestion for suggestion in found if suggestion.kind == "without"]
    return (respelled[:2] + loosened)[:MAX_SUGGESTIONS]


def _list_spellings(query: BrowseQuery) -> Iterator[Suggestion]:
    """Other forms of the text, not counted yet."""
    tried = {fold(query.text)}
    for text in _respell(query.text):
        if fold(text) in tried or len(tried) > MAX_TRIED:
            continue
        tried.add(fold(text))
        yield Suggestion("instead", "text", text, replace(query, text=text, after=None))


def _respell(text: str) -> Iterator[str]:
    """Likely other forms of what was typed, likeliest first."""
    if not text:
        return
    if swapped := swap_keyboard(text):
        yield swapped
    words = re.findall(r"[^\W_]+", text)
    if len(words) > 1:
        yield "".join(words)
    shortened = [_strip_particle(word) for word in words]
    yield " ".join(shortened)
    for i, word in enumerate(words):  # 블로그글쓰기 is 블로그 글쓰기 for the shop
        if re.fullmatch("[가-힣]{4,12}", word):
            for cut in sorted(range(2, len(word) - 1), key=lambda cut: abs(cut - len(word) / 2)):
                yield " ".join([*words[:i], word[:cut], word[cut:], *words[i + 1 :]])
    if len(words) > 1:
        for i in range(len(words)):
            yield " ".join([*words[:i], *words[i + 1 :]])


def _strip_particle(word: str) -> str:
    stem = _PARTICLE.sub("", unicodedata.normalize("NFC", word))
    return stem if len(stem) >= 2 else word


def _describe_prices(query: BrowseQuery) -> str:
    if query.min_price_krw is None:
        return gettext("up to %(price)s") % {"price": won_amount(query.max_price_krw)}
    if query.max_price_krw is None:
        return gettext("from %(price)s") % {"price": won_amount(query.min_price_krw)}
    return f"{won_amount(query.min_price_krw)}–{won_amount(query.max_price_krw)}"


def _list_loosened(query: BrowseQuery) -> Iterator[Suggestion]:
    """One filter less each, not counted yet."""
    drops = [("tags", tag, {"tags": tuple(t for t in query.tags if t != tag)}) for tag in query.tags]
    drops += [
        ("excluded_tags", tag, {"excluded_tags": tuple(t for t in query.excluded_tags if t != tag)})
        for tag in query.excluded_tags
    ]
    if query.min_price_krw is not None or query.max_price_krw is not None:
        drops.append(("price", _describe_prices(query), {"min_price_krw": None, "max_price_krw": None}))
    if query.free_only:
        drops.append(("free_only", won(0), {"free_only": False}))
    if query.min_rating:
        drops.append(("min_rating", f"★ {query.min_rating:g}", {"min_rating": None}))
    drops += [
        (name, value, {name: ""}) for name in ("model", "output_kind", "language") if (value := getattr(query, name))
    ]
    if query.tools:
        drops.append(("tools", str(TOOLS[query.tools]), {"tools": ""}))
    if query.text and query.is_filtered:
        drops.append(("text", query.text, {"text": ""}))
    for name, label, changes in drops:
        other = replace(query, after=None, **changes)
        if other.is_filtered:
            yield Suggestion("without", name, label, other)
