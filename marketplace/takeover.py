"""Taking over a database that another program made after the schema document: the source, and the report.

Each app takes its own tables in its `takeover.py`; `manage.py import_database` calls them in order. The rules are the
same for all: an id stays what it is; a row that is there already is left as it is; a value that cannot be read is
reported with its row, and the row is taken without it where it can stand without it.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from django.db import DatabaseError, models, transaction

from marketplace import reading
from marketplace.reading import Unreadable

BATCH_SIZE = 500
EXAMPLES = 5
TABLES = {
    "profiles": ("id", "nickname", "avatar_url", "updated_at"),
    "prompts": (
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
    ),
    "carts": ("id", "created_at", "user_id", "prompt_id"),
    "purchases": ("id", "created_at", "buyer_id", "prompt_id", "payment_order_id"),
    "seller_waitlist": ("id", "created_at", "name", "email", "portfolio_url", "categories", "message", "processed"),
    "mcp_servers": (
        "id",
        "created_at",
        "updated_at",
        "name",
        "description",
        "endpoint",
        "status",
        "last_health_check",
        "config",
        "metadata",
    ),
}

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SourceUnreadable(Exception):
    """The file as a whole cannot be taken over; the message says why."""


class RowRefused(Exception):
    """This row cannot be taken."""

    def __init__(self, column: str, reason: str):
        self.column, self.reason = column, reason
        super().__init__(reason)


# --- The source


class OldDatabase:
    """The other program's file, opened for reading only. Names of tables and columns count in any case."""

    def __init__(self, path: Path):
        if not path.is_file():
            raise SourceUnreadable(f"{path} is no file")
        with path.open("rb") as file:
            header = file.read(20)
        if header[:16] != b"SQLite format 3\0":
            raise SourceUnreadable(f"{path} is no SQLite database")
        mode = "mode=ro"
        log = path.with_name(f"{path.name}-wal")
        if header[18:20] == b"\2\2" and not (log.exists() and log.stat().st_size):
            # In WAL mode even a reader leaves files beside the database; nobody has it open, so there need be none.
            mode += "&immutable=1"
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.resolve()))}?{mode}", uri=True, timeout=20, isolation_level=None
            )
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            self._connection.execute("BEGIN")  # one state of the file, whatever is written to it meanwhile
            self.tables = self._list_tables()
        except sqlite3.Error as error:
            raise SourceUnreadable(f"{path} cannot be read: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._connection.close()

    def _list_tables(self) -> dict[str, dict[str, str]]:
        """{table: {column: its name as written}}, tables and columns in lower case."""
        names = self._connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        tables = {}
        for (name,) in names:
            columns = self._connection.execute("SELECT name FROM pragma_table_info(?)", [name]).fetchall()
            tables[name.lower()] = {column.lower(): column for (column,) in columns}
        return tables

    def count(self, table: str) -> int:
        if table not in self.tables:
            return 0
        return next(self._ask(f'SELECT COUNT(*) FROM "{table}"'))[0]  # noqa: S608  # a name from TABLES

    def rows(self, table: str) -> Iterator[dict]:
        """Each row with the document's columns; one that the source lacks is not in it. Nothing without the table."""
        there = self.tables.get(table, {})
        columns = [column for column in TABLES[table] if column in there]
        if not columns:
            return
        listed = ", ".join(f'"{column}"' for column in columns)
        for row in self._ask(f'SELECT {listed} FROM "{table}"'):  # noqa: S608  # names from TABLES
            yield dict(zip(columns, row, strict=True))

    def distinct(self, pairs: Iterable[tuple[str, str]]) -> Iterator:
        """Every value of these (table, column) once, where they exist."""
        parts = [
            f'SELECT "{column}" FROM "{table}"'  # noqa: S608  # names from TABLES
            for table, column in pairs
            if column in self.tables.get(table, {})
        ]
        if parts:
            for (value,) in self._ask(" UNION ".join(parts)):
                yield value

    def _ask(self, sql: str) -> Iterator[tuple]:
        try:
            yield from self._connection.execute(sql)
        except sqlite3.Error as error:
            raise SourceUnreadable(f"the database cannot be read: {error}") from error


# --- The report


@dataclass(frozen=True)
class Refusal:
    """What was not taken and why. `is_row`: the whole row; otherwise the row came without this value."""

    table: str
    id: str
    column: str
    reason: str
    is_row: bool


@dataclass
class Note:
    """Something that was taken and is worth knowing. `examples` name at most five rows."""

    table: str
    column: str
    text: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Report:
    taken: Counter = field(default_factory=Counter)
    there_already: Counter = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    _notes: dict[tuple, Note] = field(default_factory=dict)

    @property
    def notes(self) -> list[Note]:
        return list(self._notes.values())

    def refuse(self, table: str, key: str, column: str, reason: str, *, is_row: bool) -> None:
        self.refusals.append(Refusal(table, key, column, reason, is_row))

    def note(self, table: str, column: str, text: str, example: str = "") -> None:
        note = self._notes.setdefault((table, column, text), Note(table, column, text))
        note.count += 1
        if example and len(note.examples) < EXAMPLES:
            note.examples.append(example)


class OldRow:
    """One row of the source on its way to a model. Reads its columns and reports what is odd about them."""

    def __init__(self, table: str, values: dict, report: Report):
        self.table, self.values, self.report = table, values, report
        key = values.get("id", "")
        self.key = key.hex() if isinstance(key, bytes) else str(key).encode("utf-8", "backslashreplace").decode()

    def need(self, column: str, read: Callable, *, may_be_empty: bool = False):
        """The value; without it there is no row. Raises RowRefused."""
        value = self.values.get(column)
        if value is None or (reading.is_blank(value) and not may_be_empty):
            raise RowRefused(column, "the column is missing" if column not in self.values else "is empty")
        try:
            return self._read(column, value, read)
        except Unreadable as error:
            raise RowRefused(column, str(error)) from error

    def take(self, column: str, read: Callable, default=None):
        """The value; `default` in place of NULL and of what cannot be read, which is reported."""
        value = self.values.get(column)
        if value is None:
            if column in self.values and default is not None:
                self.report.note(self.table, column, f"NULL, taken as {default!r}", self.key)
            return default
        try:
            return self._read(column, value, read)
        except Unreadable as error:
            self.report.refuse(self.table, self.key, column, str(error), is_row=False)
            return default

    def _read(self, column: str, value, read: Callable):
        result = read(value)
        if read is reading.read_time and not (isinstance(value, str) and _ISO_TIME.fullmatch(value)):
            text = "time in another form, taken as ISO 8601 in UTC with milliseconds"
            self.report.note(self.table, column, text, f"{self.key}: {reading.describe(value)} is {result.isoformat()}")
        elif read is reading.read_uuid and not (isinstance(value, str) and _UUID.fullmatch(value)):
            self.report.note(self.table, column, "UUID in another form", f"{reading.describe(value)} is {result}")
        elif read in _NUMBER_READERS and isinstance(value, str):
            self.report.note(self.table, column, "number as text", f"{self.key}: {reading.describe(value)}")
        return result


def read_count(value) -> int:
    return reading.read_integer(value, minimum=0)


_NUMBER_READERS = (reading.read_boolean, reading.read_price, reading.read_number, reading.read_integer, read_count)


# --- Taking rows


def take_table(
    *,
    source: OldDatabase,
    table: str,
    read_row: Callable[[OldRow], models.Model],
    add_batch: Callable[[list[tuple[str, models.Model]]], None],
    report: Report,
    on_progress: Callable[[int], None],
) -> None:
    """Read a table in batches into unsaved models and hand each to `add_batch` with its id as the source has it."""
    note_shape(source=source, table=table, report=report)
    rows = source.rows(table)
    while batch := list(islice(rows, BATCH_SIZE)):
        wanted = []
        for values in batch:
            row = OldRow(table, values, report)
            try:
                wanted.append((row.key, read_row(row)))
            except RowRefused as refusal:
                report.refuse(table, row.key, refusal.column, refusal.reason, is_row=True)
        add_batch(wanted)
        on_progress(len(batch))


def note_shape(*, source: OldDatabase, table: str, report: Report) -> None:
    if table not in source.tables:
        report.note(table, "", "the source has no such table")
        return
    there = source.tables[table]
    for column in TABLES[table]:
        if column not in there:
            report.note(table, column, "the source has no such column")
    for column in there:
        if column not in TABLES[table]:
            report.note(table, column, "not a column of the document; what it holds stays in the old file")


def note_other_tables(*, source: OldDatabase, report: Report) -> None:
    for table in source.tables:
        if table not in TABLES and not table.startswith("sqlite_"):
            report.note(table, "", "not a table of the document; what it holds stays in the old file")


def add_rows(
    *, model: type[models.Model], table: str, wanted: list[tuple[str, models.Model]], report: Report
) -> list[models.Model]:
    """Insert what is not there by its key: all at once, or one by one where the database refuses. Returns them."""
    there = set(model.objects.filter(pk__in=[row.pk for _, row in wanted]).values_list("pk", flat=True))
    new, keys = [], set()
    for key, row in wanted:
        if row.pk in there:
            report.there_already[table] += 1
        elif row.pk in keys:
            report.refuse(table, key, "id", "another row has the same id", is_row=True)
        else:
            keys.add(row.pk)
            new.append((key, row))
    try:
        with transaction.atomic():
            model.objects.bulk_create([row for _, row in new])
    except DatabaseError:
        new = [(key, row) for key, row in new if _add_one(model, table, key, row, report)]
    report.taken[table] += len(new)
    return [row for _, row in new]


def _add_one(model: type[models.Model], table: str, key: str, row: models.Model, report: Report) -> bool:
    try:
        with transaction.atomic():
            model.objects.bulk_create([row])
    except DatabaseError as error:
        report.refuse(table, key, "", f"the database refused it: {error}", is_row=True)
        return False
    return True
