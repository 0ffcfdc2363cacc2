"""The index of prompts on sale: what is written into it. `hits.py` asks it.

Every filter of the shop is a term of the same index as the words, so a search with filters is one intersection that
comes out by popularity and stops after a page. `docs/decisions/0007-search-index.md` tells why.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from django.db import DatabaseError, connection, transaction

from catalog.models import MAX_PRICE_KRW, FacetTotal, Listing, SearchDocument
from catalog.tags import normalize_tags
from catalog.tokens import tokenize
from sellers.models import Seller

BUCKET_SHIFT = 40  # bits of a listing's number
LISTING_MASK = (1 << BUCKET_SHIFT) - 1
MAX_BUCKET = 255
PRIOR_RATING, PRIOR_COUNT = 3.5, 5  # a prompt counts as if it had five more reviews of 3.5 stars
PRICE_LEVELS = 7  # a price is a term at each power of ten up to a million, so that any range is a few terms
MAX_INDEXED_LENGTH = 4_000  # characters of a description
BATCH_SIZE = 200

_LINKS = re.compile(r"\]\([^)\s]*\)|https?://\S+")


# --- Filter values as terms

FACET_MARK = "\ue000"  # begins every facet and no token of a text
_ENCODED = {code: 0xE100 + code for code in range(128) if not (chr(code).islower() or chr(code).isdigit())}
_DECODED = {value: key for key, value in _ENCODED.items()}


def make_facet(kind: str, value: str = "") -> str:
    """A filter value as one term. Kinds: t tag, m model, k output kind, l language, s seller, f free, r rating in half
    stars or more, n tools by their state and all of them together, a all, p price."""
    return FACET_MARK + kind + value.translate(_ENCODED)


def read_facet(facet: str) -> tuple[str, str]:
    return facet[1], facet[2:].translate(_DECODED)


def list_facets(listing: Listing) -> list[str]:
    """Every filter that finds this prompt; prices stand last. Needs `prompt` loaded."""
    prompt = listing.prompt
    facets = [make_facet("a"), make_facet("k", listing.output_kind)]
    facets += [make_facet("t", tag) for tag in normalize_tags(prompt.tags)]
    facets += [make_facet("r", str(half)) for half in range(2, min(int((prompt.rating or 0) * 2), 10) + 1)]
    if listing.language:
        facets.append(make_facet("l", listing.language))
    if listing.model:
        facets.append(make_facet("m", listing.model))
    if listing.seller_id:
        facets.append(make_facet("s", listing.seller_id.hex))
    if prompt.price == 0:
        facets.append(make_facet("f"))
    if listing.needs_tools:
        facets += [make_facet("n"), make_facet("n", listing.tool_state)]
    price_krw = min(prompt.price, MAX_PRICE_KRW)
    return facets + [_make_price_term(level, price_krw // 10**level) for level in range(PRICE_LEVELS)]


def count_facets(texts: Iterable[str]) -> Counter:
    """How many of these `facets` carry each kind and value, prices aside."""
    counts = Counter()
    for text in texts:
        counts.update(text.partition(f" {FACET_MARK}p")[0].split(" "))
    return Counter({read_facet(facet): count for facet, count in counts.items()})


def list_price_terms(low_krw: int, high_krw: int) -> tuple[str, ...]:
    """The fewest terms that together mean "from low to high", both included: 3,000 to 5,999 is three of a thousand."""
    low, high = max(low_krw, 0), min(high_krw, MAX_PRICE_KRW)
    terms = []
    for level in range(PRICE_LEVELS):
        is_top = level == PRICE_LEVELS - 1
        while low <= high and (is_top or low % 10):
            terms.append(_make_price_term(level, low))
            low += 1
        while low <= high and high % 10 != 9:
            terms.append(_make_price_term(level, high))
            high -= 1
        if low > high:
            break
        low, high = low // 10, high // 10
    return tuple(terms)


def _make_price_term(level: int, step: int) -> str:
    return make_facet("p", f"{level}{step}")


# --- Places in the orders


def find_popularity(listing: Listing) -> int:
    """The place in the order "popular": buckets grow with the logarithm of sales, the newest first in each."""
    bucket = min(MAX_BUCKET, int(12 * math.log2(1 + max(listing.sales_count, 0))))
    return bucket << BUCKET_SHIFT | listing.pk


def rank_rating(rating: float | None, review_count: int | None) -> float:
    """A Bayesian mean: the stars pulled towards 3.5 where reviews are few; 0 without reviews.

    Between 1 and 5; a star more in any review never lowers it, and more reviews of the same mean lead away from 3.5.
    """
    if not review_count or not rating:
        return 0.0
    return round((rating * review_count + PRIOR_RATING * PRIOR_COUNT) / (review_count + PRIOR_COUNT), 4)


# --- Writing


def index_prompt(prompt) -> None:
    """Bring documents, facet totals and places of one prompt up to date. A second call changes nothing."""
    index_prompts([prompt.pk])


def remove_from_index(prompt) -> None:
    """Take a prompt out of every list, whatever its state; `index_prompt` brings it back."""
    with transaction.atomic():
        documents = SearchDocument.objects.filter(listing__prompt_id=prompt.pk)
        _replace_documents(old=list(documents), new=[])


def index_prompts(
    prompt_ids: Iterable, *, only_moved: bool = False, is_forced: bool = False, is_dry_run: bool = False
) -> set:
    """Bring the index of these prompts up to date in one transaction. Returns the keys of those that needed it.

    only_moved: only places (sales, rating) may have changed, so words are not split again.
    is_forced: write every document again, even where nothing changed.
    is_dry_run: change nothing.
    """
    with transaction.atomic():
        listings = Listing.objects.filter(prompt_id__in=list(prompt_ids)).select_related("prompt", "seller")
        # By prompt, as `add_sales` and whoever locks prompts go: two of them never wait for each other.
        listings = listings.defer("prompt__prompt_text", "description_html").order_by("prompt_id")
        if not is_dry_run:
            listings = listings.select_for_update(of=("self",), no_key=True)
        listings = list(listings)
        documents = {d.listing_id: d for d in SearchDocument.objects.filter(listing__in=[row.pk for row in listings])}
        old, new, touched = [], [], set()
        for listing in listings:
            present = documents.get(listing.pk)
            if _place_listing(listing, is_dry_run=is_dry_run):
                touched.add(listing.prompt_id)
            wanted = _make_document(listing, words_of=present if only_moved else None)
            is_stale = _tell(present) != _tell(wanted)
            if is_stale:
                touched.add(listing.prompt_id)
            if is_stale or is_forced:
                old += [present] if present else []
                new += [wanted] if wanted else []
        if not is_dry_run:
            _replace_documents(old=old, new=new)
    return touched


def _place_listing(listing: Listing, *, is_dry_run: bool) -> bool:
    places = (find_popularity(listing), rank_rating(listing.prompt.rating, listing.prompt.review_count))
    if places == (listing.popularity, listing.rating_rank):
        return False
    listing.popularity, listing.rating_rank = places
    if not is_dry_run:
        Listing.objects.filter(pk=listing.pk).update(popularity=places[0], rating_rank=places[1])
    return True


def _make_document(listing: Listing, *, words_of: SearchDocument | None) -> SearchDocument | None:
    """What the index should hold of this listing; None for what is not on sale."""
    prompt = listing.prompt
    if not prompt.is_published or (listing.seller and listing.seller.status == Seller.Status.SUSPENDED):
        return None
    document = SearchDocument(
        id=listing.popularity,
        listing_id=listing.pk,
        price=prompt.price,
        rating_rank=listing.rating_rank,
        facets=" ".join(list_facets(listing)),
    )
    if words_of:
        document.title, document.tags, document.description = words_of.title, words_of.tags, words_of.description
    else:
        description = _LINKS.sub(" ", (prompt.description or "")[:MAX_INDEXED_LENGTH])
        document.title = " ".join(tokenize(prompt.title[:MAX_INDEXED_LENGTH]))
        document.tags = " ".join(token for tag in normalize_tags(prompt.tags) for token in tokenize(tag))
        document.description = " ".join(tokenize(description))
    return document


def _tell(document: SearchDocument | None) -> tuple:
    if document is None:
        return ()
    d = document
    return (d.pk, d.listing_id, d.price, d.rating_rank, d.facets, d.title, d.tags, d.description)


def _replace_documents(*, old: list[SearchDocument], new: list[SearchDocument]) -> None:
    """Triggers and generated columns carry it on into the full-text index."""
    if old:
        SearchDocument.objects.filter(pk__in=[document.pk for document in old]).delete()
    SearchDocument.objects.bulk_create(new, batch_size=BATCH_SIZE)
    changes = count_facets(document.facets for document in new)
    changes.subtract(count_facets(document.facets for document in old))
    _add_to_totals({key: change for key, change in changes.items() if change})


def _add_to_totals(changes: dict[tuple[str, str], int]) -> None:
    if not changes:
        return
    rows = [(kind, value, change) for (kind, value), change in sorted(changes.items())]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO facet_totals (kind, value, prompt_count) VALUES (%s, %s, %s) ON CONFLICT (kind, value) "
            "DO UPDATE SET prompt_count = facet_totals.prompt_count + excluded.prompt_count",
            rows,
        )


def rebuild_search(*, is_sound: bool = True) -> Iterator[tuple[int, int]]:
    """Write every document again while the site runs; yields after each batch how many listings it held and how many
    of them were stale.

    Each batch is a short transaction. Ends with the documents of listings that are gone, the totals, and a merge.
    is_sound: False throws the full-text index away first, which a damaged one needs.
    """
    if not is_sound:
        rebuild_from_documents()
    for batch in _list_batches():
        yield len(batch), len(index_prompts(batch, is_forced=True))
    remove_orphans()
    recount_facets()
    merge_index()


def find_stale() -> Iterator[tuple[int, int]]:
    """As `rebuild_search`, changing nothing."""
    for batch in _list_batches():
        yield len(batch), len(index_prompts(batch, is_dry_run=True))


def _list_batches() -> Iterator[list]:
    last = 0
    while batch := list(Listing.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "prompt_id")[:BATCH_SIZE]):
        last = batch[-1][0]
        yield [prompt_id for _, prompt_id in batch]


def remove_orphans(*, is_dry_run: bool = False) -> int:
    """Documents whose listing another program deleted. They are in no list, because lists join the listing."""
    orphans = SearchDocument.objects.exclude(listing_id__in=Listing.objects.values("pk"))
    found = orphans.count()
    while found and not is_dry_run:
        with transaction.atomic():
            batch = list(orphans[:BATCH_SIZE])
            if not batch:
                break
            _replace_documents(old=batch, new=[])
    return found


def recount_facets(*, is_dry_run: bool = False) -> int:
    """Prove the stored totals against the documents and repair them. Returns how many were wrong."""
    with transaction.atomic():
        truth = count_facets(SearchDocument.objects.values_list("facets", flat=True).iterator(chunk_size=2_000))
        stored = {(row.kind, row.value): row.prompt_count for row in FacetTotal.objects.all()}
        wrong = {key for key in truth.keys() | stored.keys() if truth[key] != stored.get(key, 0)}
        if not is_dry_run:
            _add_to_totals({key: truth[key] - stored.get(key, 0) for key in wrong})
            FacetTotal.objects.filter(prompt_count=0).delete()
    return len(wrong)


def is_index_sound() -> bool:
    """Whether the full-text index says what the documents say. On PostgreSQL the database keeps it so by itself."""
    if connection.vendor != "sqlite":
        return True
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO prompt_search (prompt_search, rank) VALUES ('integrity-check', 1)")
    except DatabaseError:
        return False
    return True


def rebuild_from_documents() -> None:
    """Throw the full-text index away and make it from the documents, in one transaction: for a damaged one."""
    if connection.vendor == "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO prompt_search (prompt_search) VALUES ('rebuild')")


def merge_index(*, pages: int = 500) -> None:
    """Join the index's segments in steps, each a short transaction. Source: SQLite FTS5, "The 'merge' Command"."""
    if connection.vendor != "sqlite":
        return
    step = -pages  # a negative number begins a merge of everything, positive ones carry it on
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT total_changes()")
            before = cursor.fetchone()[0]
            cursor.execute("INSERT INTO prompt_search (prompt_search, rank) VALUES ('merge', %s)", [step])
            cursor.execute("SELECT total_changes()")
            if cursor.fetchone()[0] - before < 2:
                return
        step = pages
