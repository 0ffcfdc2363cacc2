"""Prompts from files: each becomes a row of `prompts` with its listing, version and place in the search index."""

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db import DatabaseError, transaction

from catalog.listings import create_listing, guess_language
from catalog.models import MAX_PRICE_KRW, Listing, Prompt
from catalog.prompt_files import Record
from marketplace import reading
from marketplace.reading import Unreadable
from sellers.models import Seller

BATCH_SIZE = 100
NAMESPACE = uuid.UUID("0d6b7a52-7a55-4f0f-8f6e-2f4d6a6b9c10")

TABLE_COLUMNS = (
    "id",
    "created_at",
    "title",
    "description",
    "price",
    "prompt_text",
    "image_urls",
    "tags",
    "rating",
    "review_count",
    "download_count",
    "view_count",
    "file_url",
    "is_published",
)
LISTING_COLUMNS = ("model", "output_kind", "language")
COLUMNS = TABLE_COLUMNS + LISTING_COLUMNS


class UnknownColumn(Exception):
    """A column was named that the table or the file does not have; the message says which."""


@dataclass(frozen=True)
class Refused:
    """A record that was not taken. `column` is empty when it is about the whole record."""

    line: int
    column: str
    reason: str


@dataclass
class ImportResult:
    added: int = 0
    there_already: int = 0
    refused: list[Refused] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Refusal(Exception):
    def __init__(self, column: str, reason: str):
        self.column, self.reason = column, reason
        super().__init__(reason)


def match_columns(*, file_columns: list[str], mapping: dict[str, str], defaults: dict[str, str]) -> dict[str, str]:
    """Which column of the file gives each of ours. `mapping` comes before equal names; names differ by case at most.

    Raises UnknownColumn for a name that does not exist on its side, and when title or text would come from nowhere.
    """
    by_name = {column.casefold(): column for column in file_columns}
    for ours in [*mapping, *defaults]:
        if ours not in COLUMNS:
            raise UnknownColumn(f"there is no column “{ours}” in prompts; known are {', '.join(COLUMNS)}")
    sources = {column: by_name[column] for column in COLUMNS if column in by_name}
    for ours, theirs in mapping.items():
        if theirs.casefold() not in by_name:
            raise UnknownColumn(f"the file has no column “{theirs}”; it has {', '.join(file_columns)}")
        sources[ours] = by_name[theirs.casefold()]
    for ours in ("title", "prompt_text"):
        if ours not in sources:
            raise UnknownColumn(
                f"no column of the file gives “{ours}”; it has {', '.join(file_columns)}. "
                f"Name one with --map {ours}=COLUMN"
            )
    return sources


def import_prompts(
    *,
    records: Iterable[Record],
    sources: dict[str, str],
    defaults: dict[str, str],
    seller: Seller | None,
    now: datetime,
    is_dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda count: None,
) -> ImportResult:
    """Take records in batches, each in a transaction of its own. A second run finds every prompt there and adds none.

    sources: from `match_columns`. defaults: texts for columns that the file lacks or leaves blank.
    A record without an id gets one made from its title and text, and its number among equal ones.
    """
    result = ImportResult()
    occurrences, lines_by_id = Counter(), {}
    records = iter(records)
    while batch := list(islice(records, BATCH_SIZE)):
        wanted = []
        for record in batch:
            try:
                fields = _read_record(record, sources=sources, defaults=defaults, now=now)
                fields["id"] = _find_id(fields, occurrences)
                if fields["id"] in lines_by_id:
                    raise _Refusal("id", f"{fields['id']} was there before, at {lines_by_id[fields['id']]}")
                lines_by_id[fields["id"]] = record.line
                wanted.append((record.line, fields))
            except _Refusal as refusal:
                result.refused.append(Refused(record.line, refusal.column, refusal.reason))
        _add_batch(wanted, result=result, seller=seller, now=now, is_dry_run=is_dry_run)
        on_progress(len(batch))
    return result


def _add_batch(
    wanted: list[tuple[int, dict]], *, result: ImportResult, seller, now: datetime, is_dry_run: bool
) -> None:
    with transaction.atomic():
        ids = [fields["id"] for _, fields in wanted]
        there = set(Prompt.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for line, fields in wanted:
            if fields["id"] in there:
                result.there_already += 1
                continue
            try:
                _add_prompt(fields, seller=seller, now=now)
                result.added += 1
            except DatabaseError as error:
                result.refused.append(Refused(line, "", f"the database refused it: {error}"))
        if is_dry_run:
            transaction.set_rollback(True)


def _add_prompt(fields: dict, *, seller: Seller | None, now: datetime) -> None:
    columns = {column: fields[column] for column in TABLE_COLUMNS if column in fields}
    is_published = columns.pop("is_published")
    create_listing(
        prompt_fields=columns,
        seller=seller,
        state=Listing.State.PUBLISHED if is_published else Listing.State.DRAFT,
        now=now,
        model=fields.get("model", ""),
        output_kind=fields["output_kind"],
        language=fields["language"],
    )


def _find_id(fields: dict, occurrences: Counter) -> uuid.UUID:
    content = hashlib.sha256(f"{fields['title']}\0{fields['prompt_text']}".encode()).hexdigest()
    occurrences[content] += 1
    return fields.get("id") or uuid.uuid5(NAMESPACE, f"{content} {occurrences[content]}")


def _read_record(record: Record, *, sources: dict[str, str], defaults: dict[str, str], now: datetime) -> dict:
    if record.problem:
        raise _Refusal("", record.problem)
    raw = {column: record.values.get(source) for column, source in sources.items()}
    for column, value in defaults.items():
        if reading.is_blank(raw.get(column)):
            raw[column] = value
    fields = {}
    for column, read in _READERS.items():
        value = raw.get(column)
        if reading.is_blank(value) and column not in _NEEDED:
            continue
        if reading.is_blank(value) and column in raw:
            raise _Refusal(column, "is blank")
        try:
            fields[column] = read(value) if column in raw else 0  # a price that no column gives
        except Unreadable as error:
            raise _Refusal(column, str(error)) from error
    fields.setdefault("created_at", now)
    fields.setdefault("is_published", True)
    fields.setdefault("output_kind", Listing.OutputKind.TEXT)
    fields.setdefault("language", guess_language(f"{fields['title']} {fields['prompt_text'][:500]}"))
    return fields


def _read_limited_price(value) -> int:
    price_krw = reading.read_price(value)
    if price_krw > MAX_PRICE_KRW:
        raise Unreadable(f"{reading.describe(value)} is above {MAX_PRICE_KRW:,} won")
    return price_krw


def _read_list(value) -> list:
    """A JSON array, or texts between commas, bars or line breaks."""
    if isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("[")):
        return reading.read_json(value, list)
    text = reading.read_text(value)
    for separator in ("\n", "|"):
        text = text.replace(separator, ",")
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_addresses(value) -> list:
    """A JSON array, or addresses between blanks: a comma may be part of one."""
    if isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("[")):
        return reading.read_json(value, list)
    return reading.read_text(value).replace("|", " ").split()


def _read_count(value) -> int:
    return reading.read_integer(value, minimum=0)


def _read_rating(value) -> float:
    rating = reading.read_number(value)
    if not 0 <= rating <= 5:
        raise Unreadable(f"{reading.describe(value)} is no rating from 0 to 5")
    return rating


def _read_file_url(value) -> str:
    text = reading.read_text(value).strip()
    if not text.startswith(("https://", "http://", "private://")):
        raise Unreadable(f"{reading.describe(value)} is no address that begins with https:// or private://")
    return text


def _read_output_kind(value) -> str:
    kind = reading.read_text(value).strip().casefold()
    if kind not in Listing.OutputKind.values:
        raise Unreadable(f"{reading.describe(value)} is none of {', '.join(Listing.OutputKind.values)}")
    return kind


def _read_short(length: int) -> Callable:
    def read(value) -> str:
        text = " ".join(reading.read_text(value).split())
        if len(text) > length:
            raise Unreadable(f"{reading.describe(value)} is longer than {length} characters")
        return text

    return read


_NEEDED = ("title", "prompt_text", "price")
_READERS: dict[str, Callable] = {
    "id": reading.read_uuid,
    "created_at": reading.read_time,
    "title": lambda value: " ".join(reading.read_text(value).split()),
    "description": reading.read_text,
    "price": _read_limited_price,
    "prompt_text": lambda value: reading.read_text(value).replace("\r\n", "\n"),
    "image_urls": _read_addresses,
    "tags": _read_list,
    "rating": _read_rating,
    "review_count": _read_count,
    "download_count": _read_count,
    "view_count": _read_count,
    "file_url": _read_file_url,
    "is_published": reading.read_boolean,
    "model": _read_short(60),
    "output_kind": _read_output_kind,
    "language": _read_short(8),
}
