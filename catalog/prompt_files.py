"""Files of prompts as records: CSV from spreadsheets and scripts, JSON arrays, and JSON with a line for each prompt."""

import codecs
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

MAX_FIELD_LENGTH = 64 * 1024 * 1024  # characters of one CSV field; Python's own limit of 131,072 is less than a prompt
PART_BYTES = 1 << 20
ENCODINGS = ("utf-8-sig", "cp949")  # the second is what spreadsheets on Korean Windows write
DELIMITERS = ",;\t"


class FileUnreadable(Exception):
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True)
class Record:
    """One prompt of the file. `line` is where it begins, in JSON arrays its number. `problem` is set in place of values
    when it cannot be read."""

    line: int
    values: dict
    problem: str = ""


class PromptFile:
    """A file opened for one pass. `columns` are known before the first record; `position` of `size` bytes is read.

    Raises FileUnreadable on opening.
    """

    def __init__(self, path: Path):
        try:
            self.size = path.stat().st_size
            self._bytes = path.open("rb")
        except OSError as error:
            raise FileUnreadable(f"{path}: {error.strerror or error}") from error
        try:
            self.encoding = _find_encoding(path)
            start = self._text().read(4_096).lstrip()
            self._is_json = start[:1] in ("[", "{")
            self.columns, self._records = self._open_json() if self._is_json else self._open_csv()
        except FileUnreadable:
            self._bytes.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bytes.close()

    @property
    def position(self) -> int:
        return self._bytes.tell() if not self._bytes.closed else self.size

    @property
    def unit(self) -> str:
        """What `Record.line` counts."""
        return "prompt" if self._is_json else "line"

    def records(self) -> Iterator[Record]:
        return self._records

    def _text(self) -> TextIO:
        self._bytes.seek(0)
        return codecs.getreader(self.encoding)(self._bytes)

    def _open_csv(self) -> tuple[list[str], Iterator[Record]]:
        csv.field_size_limit(MAX_FIELD_LENGTH)
        lines = _split_lines(self._text())
        first = next(lines, "")
        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(_chain(first, lines), delimiter=delimiter, strict=True)
        try:
            columns = [column.strip() for column in next(reader, [])]
        except csv.Error as error:
            raise FileUnreadable(f"the header cannot be read: {error}") from error
        if not any(columns):
            raise FileUnreadable("the file is empty")
        named = [column for column in columns if column]
        if len(set(named)) < len(named):
            twice = next(column for column in named if named.count(column) > 1)
            raise FileUnreadable(f"the header names the column “{twice}” twice")
        return named, _read_rows(reader, columns)

    def _open_json(self) -> tuple[list[str], Iterator[Record]]:
        text = self._text().read()
        try:
            parsed = json.loads(text)
        except RecursionError as error:
            raise FileUnreadable("the JSON is nested too deeply") from error
        except ValueError as error:
            items = [_parse_line(line) for line in text.splitlines() if line.strip()]
            if not items or not isinstance(items[0], dict):
                raise FileUnreadable(f"this is no JSON: {error}") from error
        else:
            items = parsed if isinstance(parsed, list) else parsed.get("prompts", [parsed])
        if not isinstance(items, list):
            raise FileUnreadable("a list of prompts is needed: an array, or an object whose “prompts” is one")
        columns = list(dict.fromkeys(key for item in items if isinstance(item, dict) for key in item))
        return columns, (_make_record(number, item) for number, item in enumerate(items, 1))


def _find_encoding(path: Path) -> str:
    """The first encoding in which the whole file reads. UTF-16 says so with its first two bytes."""
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        with path.open("rb") as file:
            try:
                while part := file.read(PART_BYTES):
                    decoder.decode(part)
                decoder.decode(b"", final=True)
                return encoding
            except UnicodeDecodeError:
                continue
    raise FileUnreadable("the text is neither UTF-8 nor CP949; save it as UTF-8")


def _split_lines(text: TextIO) -> Iterator[str]:
    r"""Lines ending in \n, \r\n or \r alone, and at nothing else: a prompt may hold other line separators."""
    rest = ""
    while part := text.read(PART_BYTES):
        rest += part
        if rest.endswith("\r"):  # its \n may come with the next part
            following = text.read(1)
            rest += following
        lines = rest.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest = lines.pop()
        for line in lines:
            yield line + "\n"
    if rest:
        yield rest


def _chain(first: str, others: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from others


def _read_rows(reader, columns: list[str]) -> Iterator[Record]:
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, {}, f"is no CSV: {error}")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > len(columns):
            yield Record(line, {}, f"has {len(row)} cells, the header has {len(columns)}; is a comma not quoted?")
            continue
        yield Record(line, {column: cell for column, cell in zip(columns, row, strict=False) if column})


def _parse_line(line: str):
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is no JSON: {error}"


def _make_record(number: int, item) -> Record:
    if isinstance(item, dict):
        return Record(number, item)
    return Record(number, {}, item if isinstance(item, str) and item.startswith("is no JSON") else "is no object")
