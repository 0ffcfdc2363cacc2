import uuid
from datetime import UTC, datetime

import pytest

from marketplace import reading
from marketplace.reading import Unreadable

ID = uuid.UUID("0f6c2d4a-1b2c-4d3e-8f90-aabbccddeeff")
MOMENT = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [str(ID), str(ID).upper(), ID.hex, f"{{{ID}}}", f" {ID}\n", ID.bytes, ID],
    ids=["plain", "upper case", "no hyphens", "braces", "blanks around", "bytes", "a UUID"],
)
def test_a_uuid_is_read_in_any_form(value):
    assert reading.read_uuid(value) == ID


@pytest.mark.parametrize(
    "value", ["", "42", 42, None, "urn:uuid:" + str(ID), str(ID)[:-1], str(ID) + "0", b"\xff", "ᄀ"]
)
def test_what_is_no_uuid_is_refused(value):
    with pytest.raises(Unreadable, match="is not a UUID"):
        reading.read_uuid(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-03-01T09:30:00.000Z", MOMENT),
        ("2025-03-01T09:30:00Z", MOMENT),
        ("2025-03-01 09:30:00", MOMENT),
        ("2025-03-01 09:30", MOMENT),
        ("2025-03-01T18:30:00+09:00", MOMENT),
        ("2025-03-01 18:30:00 +0900", MOMENT),
        ("2025-03-01 18:30:00+09", MOMENT),
        ("20250301T093000Z", MOMENT),
        ("2025-03-01T09:30:00,5Z", MOMENT.replace(microsecond=500_000)),
        ("2025-03-01T09:30:00.123456+00:00", MOMENT.replace(microsecond=123_456)),
        ("2025-03-01", MOMENT.replace(hour=0, minute=0)),
        (1740821400, MOMENT),
        ("1740821400", MOMENT),
        (1740821400000, MOMENT),
        (1740821400.5, MOMENT.replace(microsecond=500_000)),
    ],
)
def test_a_time_is_read_in_any_iso_form_and_without_an_offset_as_utc(value, expected):
    assert reading.read_time(value) == expected
    assert reading.read_time(value).tzinfo == UTC


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2025-13-01", "01/03/2025", "0001-01-01T00:00:00+14:00", 12, True, 1e30, "25"]
)
def test_what_is_no_time_is_refused(value):
    with pytest.raises(Unreadable):
        reading.read_time(value)


@pytest.mark.parametrize("value", [1, True, "1", "true", "TRUE", "t", " Yes ", 1.0])
def test_words_for_true(value):
    assert reading.read_boolean(value) is True


@pytest.mark.parametrize("value", [0, False, "0", "false", "FALSE", "n", "off"])
def test_words_for_false(value):
    assert reading.read_boolean(value) is False


@pytest.mark.parametrize("value", ["", "2", 2, "maybe", None])
def test_what_is_neither_is_refused(value):
    with pytest.raises(Unreadable):
        reading.read_boolean(value)


@pytest.mark.parametrize("value", ["9,900", "9900", 9900, 9900.0, "₩9,900", "9,900원", " 9900.00 ", "+9900"])
def test_a_price_is_read_as_people_write_it(value):
    assert reading.read_price(value) == 9_900


@pytest.mark.parametrize("value", ["-1", -1, "9,90", "1.5", 1.5, "free", "", None, True, "1e9", 2**31, "$5"])
def test_what_is_no_price_in_whole_won_is_refused(value):
    with pytest.raises(Unreadable):
        reading.read_price(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "Infinity", "1e999", 2**31])
def test_numbers_that_no_column_holds_are_refused(value):
    with pytest.raises(Unreadable):
        reading.read_integer(value)


@pytest.mark.parametrize("value", [float("nan"), "nan", "inf", "", None, True])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Unreadable):
        reading.read_number(value)


def test_text_may_be_a_number_or_bytes():
    assert reading.read_text(42) == "42"
    assert reading.read_text("한글".encode()) == "한글"


@pytest.mark.parametrize("value", [None, b"\xff\xfe", "a\0b", "\udc80", ["a"]])
def test_what_no_database_stores_as_text_is_refused(value):
    with pytest.raises(Unreadable):
        reading.read_text(value)


def test_json_is_read_from_its_text_or_taken_as_it_is():
    assert reading.read_json('["a", "b"]', list) == ["a", "b"]
    assert reading.read_json(["a"], list) == ["a"]
    assert reading.read_json('{"a": 1}', dict) == {"a": 1}


@pytest.mark.parametrize(
    "value",
    ["[a, b", '{"a": 1}', "null", "", None, "[NaN]", '["\\u0000"]', '["\\ud800"]', "[" * 100_000, b"\xff"],
    ids=["cut", "object", "null", "empty", "nothing", "NaN", "NUL", "half a pair", "too deep", "no text"],
)
def test_what_is_no_json_array_is_refused(value):
    with pytest.raises(Unreadable, match="is not a JSON array"):
        reading.read_json(value, list)


def test_a_secret_is_never_repeated_in_the_reason():
    with pytest.raises(Unreadable) as refusal:
        reading.read_json('{"token": "s3cret"', dict, is_secret=True)

    assert "s3cret" not in str(refusal.value)


def test_a_long_value_is_cut_in_the_reason():
    assert len(reading.describe("가" * 1_000)) <= reading.EXCERPT_LENGTH + 2
