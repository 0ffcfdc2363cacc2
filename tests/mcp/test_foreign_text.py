"""Texts of foreign servers before they are stored and shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp.foreign_text import clean_line, clean_text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Weather\r\nby  city", "Weather by city"),
        ("a\u202eb\u2066c\u2069d\u200fe", "abcde"),  # bidirectional overrides, isolates and marks
        ("nul\x00 bell\x07 escape\x1b[31m", "nul bell escape[31m"),
        ("line\u2028paragraph\u2029end", "line paragraph end"),
        ("tag\U000e0041 characters", "tag characters"),
        ("half \ud83d of a pair", "half of a pair"),
        ("가\u3164나", "가나"),
        ("👩\u200d💻", "👩\u200d💻"),
        (None, ""),
        (["a list"], ""),
    ],
)
def test_a_line_holds_nothing_that_cannot_be_seen(text, line):
    assert clean_line(text, 100) == line


def test_what_is_too_long_ends_with_an_ellipsis():
    assert clean_line("abcdef", 6) == "abcdef"
    assert clean_line("abcdefg", 6) == "abcde…"
    assert clean_text("ab \ncdefg", 4) == "ab…"


def test_a_text_keeps_its_lines_and_one_blank_line():
    assert clean_text("one\r\ntwo\r\r\rthree\n \n\n\nfour\n", 100) == "one\ntwo\n\nthree\n\nfour"


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200), st.integers(1, 50))
def test_whatever_came_fits_and_can_be_written(text, length):
    line = clean_line(text, length)

    assert len(line) <= length
    categories = {unicodedata.category(character) for character in line if character not in "\u200c\u200d"}
    assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    line.encode()
