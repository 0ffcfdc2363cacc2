"""Rows as CSV that a spreadsheet opens as text and numbers, and never as a formula.

Source: RFC 4180 for the form; OWASP, "CSV Injection", for what a spreadsheet takes for a formula.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal

from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

BOM = "\ufeff"  # without it Excel reads Korean as something else
CHUNK_LENGTH = 32_000  # characters

# Where a spreadsheet may see a cell begin besides its start: Excel splits at semicolons in half of Europe, and a reader
# that does so takes no notice of our quotes.
_SEPARATORS = frozenset(";\t\r\n")
_SIGNS = frozenset("=+-@")
_QUOTES = frozenset("\"'“”‘’„`´«»")
_MINUS = "\u2212"  # spreadsheets read the minus of typography as the plain one, Unicode does not
_HANGUL_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters that nobody sees


def make_safe(text: str) -> str:
    """The text with an apostrophe before whatever could begin a formula. A second call changes nothing.

    That is a sign, in any width, at the start of a cell; spaces, quotes and invisible characters may stand before it.
    """
    safe = []
    is_start = True
    if text.startswith(("\t", "\r", "\n")):  # some readers drop these and look at what follows
        safe.append("'")
    for character in text:
        if character in _SEPARATORS:
            is_start = True
        elif is_start and _is_sign(character):
            if safe[-1:] != ["'"]:
                safe.append("'")
            is_start = False
        elif is_start:
            is_start = _is_skipped(character)
        safe.append(character)
    return "".join(safe)


def _is_sign(character: str) -> bool:
    return character == _MINUS or unicodedata.normalize("NFKC", character) in _SIGNS


def _is_skipped(character: str) -> bool:
    """Spaces, marks, what is invisible, and quotes."""
    return unicodedata.category(character)[0] in "CMZ" or character in _QUOTES or character in _HANGUL_FILLERS


def format_cell(value) -> str:
    """One cell as text. Numbers stay numbers, times are those of Seoul; everything else is made safe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return make_safe(str(value))


def write_csv(rows: Iterable[Iterable]) -> Iterator[str]:
    """The rows in chunks, the first of which begins with the byte order mark. Reads no more rows than a chunk holds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(BOM)
    for row in rows:
        writer.writerow([format_cell(value) for value in row])
        if buffer.tell() >= CHUNK_LENGTH:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def csv_response(rows: Iterable[Iterable], *, filename: str) -> StreamingHttpResponse:
    """A download that is written while it is read. Translate headings before: no language is certain by then.

    filename: with its ending; Korean is fine.
    """
    response = StreamingHttpResponse(write_csv(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response
