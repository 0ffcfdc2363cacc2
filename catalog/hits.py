"""Asking the index of prompts on sale (`search.py` writes it): terms in, places in an order out.

Every list costs what its page costs, not what the catalogue holds: hits come by popularity and stop after the page. The
other orders sort few hits, and walk the order itself when there are many.
"""

# ruff: noqa: S608 (the SQL is put together from constants of this module; what people typed is always a parameter)

import re
from dataclasses import dataclass
from functools import cached_property

from django.db import connection

from catalog.search import LISTING_MASK, make_facet
from catalog.tokens import Phrase
from sellers.models import Seller

RANKED_HITS = 500  # relevance is told among so many of the most popular hits
SORTED_HITS = 5_000  # up to so many hits are sorted; where there are more, walking the order soon meets a page of them
WALKED_ROWS = 5_000
TITLE_SCORE, WHOLE_TITLE_SCORE, DESCRIPTION_SCORE, TAG_SCORE = 8, 4, 3, 1


@dataclass(frozen=True)
class Match:
    """Phrases that must be there, groups of facets of which one must be there, and facets that must not be there.

    `prices` is one more such group, of price terms.
    """

    phrases: tuple[Phrase, ...] = ()
    all_of: tuple[tuple[str, ...], ...] = ()
    none_of: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.phrases or self.all_of or self.none_of or self.prices)

    @cached_property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """All groups, and what every document has where nothing else is asked for: there is no bare "not"."""
        groups = (*self.all_of, self.prices) if self.prices else self.all_of
        return groups if self.phrases or groups else ((make_facet("a"),),)

    @cached_property
    def fts5(self) -> str:
        """Source: SQLite FTS5, "Full-text Query Syntax". No token holds a quote, so quoting is enough."""
        parts = [f'"{" ".join(phrase.tokens)}"{" *" if phrase.is_prefix else ""}' for phrase in self.phrases]
        parts += ["(" + " OR ".join(f'"{facet}"' for facet in group) + ")" for group in self._groups]
        found = " AND ".join(parts)
        unwanted = " OR ".join(f'"{facet}"' for facet in self.none_of)
        return f"({found}) NOT ({unwanted})" if unwanted else found

    @cached_property
    def tsquery(self) -> str:
        """Source: PostgreSQL, "tsquery". No token holds a quote or a backslash, so quoting is enough."""
        parts = []
        for phrase in self.phrases:
            tokens = " <-> ".join(f"'{token}'" for token in phrase.tokens)
            parts.append(f"({tokens}{':*' if phrase.is_prefix else ''})")
        parts += ["(" + " | ".join(f"'{facet}'" for facet in group) + ")" for group in self._groups]
        parts += [f"!'{facet}'" for facet in self.none_of]
        return " & ".join(parts)

    def as_row_sql(self) -> tuple[str, list]:
        """The same, prices aside, as conditions on one document (`d`): for looking at rows in an order of their own."""
        conditions, values = [], []
        for group in self.all_of:
            conditions.append("(" + " OR ".join(["instr(' ' || d.facets || ' ', %s)"] * len(group)) + ")")
            values += [f" {facet} " for facet in group]
        for facet in self.none_of:
            conditions.append("NOT instr(' ' || d.facets || ' ', %s)")
            values.append(f" {facet} ")
        for phrase in self.phrases:
            columns = [f"instr(' ' || d.{column} || ' ', %s)" for column in ("title", "tags", "description")]
            conditions.append(f"({' OR '.join(columns)})")
            values += [phrase.needle] * len(columns)
        return " AND ".join(conditions) or "1 = 1", values


@dataclass(frozen=True)
class Truth:
    """What the rows themselves must say, whatever the index believes: other programs write `prompts` too."""

    min_price_krw: int | None = None
    max_price_krw: int | None = None
    min_rating: float | None = None

    def as_sql(self) -> tuple[str, list]:
        sql = ["p.is_published", "(s.status IS NULL OR s.status <> %s)"]
        values: list = [Seller.Status.SUSPENDED.value]
        for condition, value in [
            ("p.price >= %s", self.min_price_krw),
            ("p.price <= %s", self.max_price_krw),
            ("p.rating >= %s", self.min_rating),
        ]:
            if value is not None:
                sql.append(condition)
                values.append(value)
        return " AND ".join(sql), values

    def as_document_sql(self) -> tuple[str, list]:
        """What of it a document says too, so that walking by price begins and ends in the right place."""
        sql = ["1 = 1"]
        sql += ["d.price >= %s"] if self.min_price_krw is not None else []
        sql += ["d.price <= %s"] if self.max_price_krw is not None else []
        return " AND ".join(sql), [end for end in (self.min_price_krw, self.max_price_krw) if end is not None]


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in a list. `rank` is what its order compares first (price, rating, score); 0 where there is nothing."""

    listing_id: int
    popularity: int
    rank: float = 0


@dataclass(frozen=True)
class _Order:
    """An order of documents (`d`), and what stands behind a hit in it.

    Behind a price is a range and an exception, because SQLite uses its index for the range alone.
    """

    rank: str
    by: str
    behind: str

    def as_sql(self, after: Hit | None) -> tuple[str, list]:
        if after is None:
            return "1 = 1", []
        values = {"rank": after.rank, "popularity": after.popularity, "listing": after.listing_id}
        names = re.findall(r"\{(\w+)\}", self.behind)
        return re.sub(r"\{\w+\}", "%s", self.behind), [values[name] for name in names]


_ORDERS = {
    "popular": _Order("0", "d.id DESC", "d.id < {popularity}"),
    "newest": _Order("0", "d.listing_id DESC", "d.listing_id < {listing}"),
    "price_low": _Order(
        "d.price", "d.price, d.id DESC", "d.price >= {rank} AND NOT (d.price = {rank} AND d.id >= {popularity})"
    ),
    "price_high": _Order(
        "d.price", "d.price DESC, d.id DESC", "d.price <= {rank} AND NOT (d.price = {rank} AND d.id >= {popularity})"
    ),
    "rating": _Order(
        "d.rating_rank",
        "d.rating_rank DESC, d.id DESC",
        "d.rating_rank <= {rank} AND NOT (d.rating_rank = {rank} AND d.id >= {popularity})",
    ),
}

# In SQLite, CROSS JOIN is an ordinary join that is not turned around: what leads decides the order and when to stop.
_ROWS = "CROSS JOIN prompts p ON p.id = l.prompt_id LEFT JOIN sellers s ON s.id = l.seller_id"
_DOCUMENT_ROWS = f"CROSS JOIN listings l ON l.id = d.listing_id {_ROWS}"
_FROM_DOCUMENTS = f"search_documents d {_DOCUMENT_ROWS}"
_FROM_FTS5 = f"prompt_search f CROSS JOIN listings l ON l.id = (f.rowid & {LISTING_MASK}) {_ROWS}"
_FROM_FTS5_DOCUMENTS = f"prompt_search f CROSS JOIN search_documents d ON d.id = f.rowid {_DOCUMENT_ROWS}"


def find_hits(
    match: Match, truth: Truth, *, sort: str, after: Hit | None, limit: int, are_few: bool = False
) -> list[Hit]:
    """The next hits in an order: `popular`, `newest`, `price_low`, `price_high`, `rating`.

    are_few: the caller has counted at most 5,000 hits, so they can be sorted. One query then, else at most three.
    """
    if not match or connection.vendor == "postgresql":
        return _sort_hits(match, truth, sort=sort, after=after, limit=limit)
    if sort == "popular":
        return _stream_hits(match, truth, after=after, limit=limit)
    if not are_few and _has_more_than(SORTED_HITS, match):
        hits, is_complete = _walk_hits(match, truth, sort=sort, after=after, limit=limit)
        if is_complete:
            return hits
    return _sort_hits(match, truth, sort=sort, after=after, limit=limit)


def _has_more_than(limit: int, match: Match) -> bool:
    sql = f"SELECT 1 FROM prompt_search WHERE prompt_search MATCH %s LIMIT 1 OFFSET {limit:d}"
    return bool(_fetch(sql, [match.fts5]))


def _stream_hits(match: Match, truth: Truth, *, after: Hit | None, limit: int) -> list[Hit]:
    """Hits as FTS5 yields them: its rowid is the popularity."""
    wanted, values = truth.as_sql()
    behind, place = ("AND f.rowid < %s", [after.popularity]) if after else ("", [])
    sql = f"""
        SELECT l.id, f.rowid, 0 FROM {_FROM_FTS5}
        WHERE prompt_search MATCH %s {behind} AND {wanted} ORDER BY f.rowid DESC LIMIT {limit:d}
    """
    return _fetch_hits(sql, [match.fts5, *place, *values])


def _sort_hits(match: Match, truth: Truth, *, sort: str, after: Hit | None, limit: int) -> list[Hit]:
    """All hits, sorted; without terms the order's own index is walked, and PostgreSQL chooses between the two."""
    order = _ORDERS[sort]
    source, condition, terms = _match_documents(match)
    behind, place = order.as_sql(after)
    between, prices = truth.as_document_sql()
    wanted, values = truth.as_sql()
    sql = f"""
        SELECT l.id, d.id, {order.rank} FROM {source}
        WHERE {condition} AND {behind} AND {between} AND {wanted} ORDER BY {order.by} LIMIT {limit:d}
    """
    return _fetch_hits(sql, [*terms, *place, *prices, *values])


def _walk_hits(match: Match, truth: Truth, *, sort: str, after: Hit | None, limit: int) -> tuple[list[Hit], bool]:
    """Rows in the order, each looked at. The second value is False when 5,000 rows held too few hits."""
    order = _ORDERS[sort]
    behind, place = order.as_sql(after)
    between, prices = truth.as_document_sql()
    wanted, values = truth.as_sql()
    is_hit, terms = match.as_row_sql()
    sql = f"""
        SELECT l.id, d.id, {order.rank}
        FROM (SELECT * FROM search_documents d
              WHERE {behind} AND {between} ORDER BY {order.by} LIMIT {WALKED_ROWS}) d {_DOCUMENT_ROWS}
        WHERE {is_hit} AND {wanted} LIMIT {limit:d}
    """
    hits = _fetch_hits(sql, [*place, *prices, *terms, *values])
    return hits, len(hits) == limit


def rank_hits(match: Match, truth: Truth) -> list[Hit]:
    """The 500 most popular hits, most relevant first, the popular first among equals. One query.

    Told from where the words stand, and not by bm25, which reads every posting of every word to know how rare it is:
    a hit in the title counts 8, and up to 4 more the more of the title it is; in the description 3, in a tag 1.
    """
    source, condition, terms = _match_documents(match)
    wanted, values = truth.as_sql()
    key = _popularity_column(source)
    sql = f"""
        SELECT l.id, {key}, d.title, d.tags, d.description FROM {source}
        WHERE {condition} AND {wanted} ORDER BY {key} DESC LIMIT {RANKED_HITS}
    """
    hits = [
        Hit(listing_id, popularity, -_score(match.phrases, *texts))
        for listing_id, popularity, *texts in _fetch(sql, [*terms, *values])
    ]
    return sorted(hits, key=lambda hit: (hit.rank, -hit.popularity))


def _score(phrases: tuple[Phrase, ...], title: str, tags: str, description: str) -> float:
    title, tags, description = f" {title} ", f" {tags} ", f" {description} "
    score, covered = 0.0, 0
    for phrase in phrases:
        needle = phrase.needle
        if needle in title:
            score += TITLE_SCORE
            covered += len(needle) - 1
        if needle in description:
            score += DESCRIPTION_SCORE
        if needle in tags:
            score += TAG_SCORE
    return round(score + WHOLE_TITLE_SCORE * min(1, covered / (len(title) - 1)), 3)


def list_hit_facets(matches: list[Match], truth: Truth, *, limit: int) -> list[list[str]]:
    """For each match the facets of its most popular hits, one text a hit: as many as there are, up to `limit`.

    One query.
    """
    wanted, values = truth.as_sql()
    parts, parameters = [], []
    for number, match in enumerate(matches):
        source, condition, terms = _match_documents(match)
        parts.append(f"""
            SELECT * FROM (
                SELECT {number:d} AS part, d.facets FROM {source}
                WHERE {condition} AND {wanted} ORDER BY {_popularity_column(source)} DESC LIMIT {limit:d}
            ) hits{number:d}
        """)
        parameters += [*terms, *values]
    found: list[list[str]] = [[] for _ in matches]
    for number, facets in _fetch(" UNION ALL ".join(parts), parameters):
        found[number].append(facets)
    return found


def count_hits(asked: list[tuple[Match, Truth]], *, limit: int) -> list[int]:
    """How many hits each has, counted up to `limit`. One query however many are asked for; none for an empty list."""
    counts, parameters = [], []
    for number, (match, truth) in enumerate(asked):
        source, condition, terms = _match_documents(match)
        if source == _FROM_FTS5_DOCUMENTS:
            source = _FROM_FTS5
        wanted, values = truth.as_sql()
        rows = f"SELECT 1 FROM {source} WHERE {condition} AND {wanted} LIMIT {limit:d}"
        counts.append(f"(SELECT COUNT(*) FROM ({rows}) hits{number:d})")
        parameters += [*terms, *values]
    return list(_fetch(f"SELECT {', '.join(counts)}", parameters)[0]) if counts else []


def _match_documents(match: Match) -> tuple[str, str, list]:
    """FROM, condition and its values for documents (`d`) that match."""
    if not match:
        return _FROM_DOCUMENTS, "1 = 1", []
    if connection.vendor == "sqlite":
        return _FROM_FTS5_DOCUMENTS, "prompt_search MATCH %s", [match.fts5]
    return _FROM_DOCUMENTS, "d.terms @@ %s::tsquery", [match.tsquery]


def _popularity_column(source: str) -> str:
    """FTS5 comes in the order of its own rowid only."""
    return "f.rowid" if source == _FROM_FTS5_DOCUMENTS else "d.id"


def _fetch_hits(sql: str, values: list) -> list[Hit]:
    return [Hit(*row) for row in _fetch(sql, values)]


def _fetch(sql: str, values: list) -> list[tuple]:
    if connection.vendor == "postgresql":
        sql = sql.replace("CROSS JOIN", "JOIN")  # it plans for itself
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
