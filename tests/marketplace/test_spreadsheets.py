"""CSV that spreadsheets open as text and numbers: no cell of anybody's writing becomes a formula."""

import csv
import io
import itertools
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.spreadsheets import BOM, CHUNK_LENGTH, csv_response, format_cell, make_safe, write_csv

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫−"
NASTY = st.text(alphabet=st.sampled_from([*SIGNS, *";,\t\r\n\"'|“ \u00a0\u200b\ufeff\u3164a1가"]), max_size=12)
CELLS = st.one_of(NASTY, st.text(max_size=12), st.integers(-(10**9), 10**9), st.none())


def read_back(rows, *, delimiter=",") -> list[list[str]]:
    text = "".join(write_csv(rows))
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text.removeprefix(BOM), newline=""), delimiter=delimiter))


def is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return text.isascii()


def could_be_formula(cell: str) -> bool:
    seen = cell.lstrip(' \u00a0\u200b\ufeff\u3164\t\r\n"“')
    return seen[:1] != "" and seen[0] in SIGNS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+82 10", "'+82 10"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1＋1", "'＝1＋1"),
        ("－1", "'－1"),
        ("−1", "'−1"),
        ("  =1", "  '=1"),
        ('"=1', "\"'=1"),
        ('""""=1', '""""\'=1'),
        ("“=1", "“'=1"),
        ("\u200b=1", "\u200b'=1"),
        ("\ufeff=1", "\ufeff'=1"),
        ("\u3164=1", "\u3164'=1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("a\t @x", "a\t '@x"),
        ("\t=1", "'\t'=1"),
    ],
)
def test_what_could_begin_a_formula_gets_an_apostrophe(text, expected):
    assert make_safe(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a", "가-나", "1+1=2", "a, -b", "a@example.com", "'=1", "“인용”", "5 − 3", "한 줄\n두 줄"]
)
def test_other_texts_stay_as_they_are(text):
    assert make_safe(text) == text


@given(NASTY)
def test_a_second_call_changes_nothing(text):
    assert make_safe(make_safe(text)) == make_safe(text)


@given(NASTY)
def test_only_apostrophes_are_added(text):
    assert make_safe(text).replace("'", "") == text.replace("'", "")


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from(",;\t"))
def test_no_cell_becomes_a_formula_whatever_the_spreadsheet_splits_at(rows, delimiter):
    text = "".join(write_csv(rows)).removeprefix(BOM)
    splits = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for cell in itertools.chain.from_iterable(splits):
        first = cell.split(",")[0] if delimiter != "," else cell  # a number of ours begins the line
        assert is_number(first) or not could_be_formula(cell), (rows, cell)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4))
def test_a_reader_of_commas_gets_the_cells_back(rows):
    assert read_back(rows) == [[format_cell(cell) for cell in row] for row in rows]


def test_numbers_days_and_moments_stay_what_they_are():
    moment = datetime(2026, 11, 30, 15, 30, tzinfo=UTC)

    row = [-5, 0, Decimal("-1.50"), 1.5, None, True, date(2026, 11, 30), moment]

    assert read_back([row]) == [["-5", "0", "-1.50", "1.5", "", "1", "2026-11-30", "2026-12-01 00:30:00"]]


def test_lines_end_and_quotes_double_as_the_standard_says():
    assert "".join(write_csv([["a", 'say "yes"', "x,y"], ["한글", "two\nlines", 1]])) == (
        '\ufeffa,"say ""yes""","x,y"\r\n한글,"two\nlines",1\r\n'
    )


def test_no_rows_make_an_empty_file():
    assert "".join(write_csv([])) == BOM


def test_rows_are_read_as_the_download_goes_on():
    read = []

    def rows():
        for number in range(10_000):
            read.append(number)
            yield [number, "x" * 100]

    chunks = write_csv(rows())
    first = next(chunks)

    assert len(first) < 2 * CHUNK_LENGTH
    assert len(read) < 1_000
    assert len((first + "".join(chunks)).splitlines()) == 10_000


def test_the_download_bears_a_korean_name():
    response = csv_response([["날짜", 1]], filename="판매.csv")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''%ED%8C%90%EB%A7%A4.csv"
    assert response.getvalue() == "\ufeff날짜,1\r\n".encode()
