"""Single values that other programs wrote into files and databases, read as ours.

They come as text, numbers, bytes or nothing, in the forms that CSV files, JSON and SQLite allow. Each function returns
the value, or raises Unreadable with a reason that stands alone in a report. Limits are those of every database we run
on: PostgreSQL stores neither NUL characters nor numbers of more than its width.
"""

import json
import math
import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

MAX_INTEGER = 2**31 - 1
TRUE_WORDS = {"1", "true", "t", "yes", "y", "on"}
FALSE_WORDS = {"0", "false", "f", "no", "n", "off"}
EPOCH_RANGE = (-62_135_596_800, 253_402_300_799)  # seconds: years 1 to 9999
EXCERPT_LENGTH = 60


class Unreadable(ValueError):
    """The message says what stands there and what is wrong with it."""


def describe(value) -> str:
    """The value as a report shows it, cut where it is long."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return f"“{text[: EXCERPT_LENGTH - 1]}…”" if len(text) > EXCERPT_LENGTH else f"“{text}”"


def is_blank(value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def read_text(value) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise Unreadable("is not UTF-8 text") from error
    if isinstance(value, bool | int | float):
        value = str(value)
    if not isinstance(value, str):
        raise Unreadable(f"{describe(value)} is no text")
    if "\0" in value:
        raise Unreadable("holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("is not UTF-8 text") from error
    return value


def read_uuid(value) -> uuid.UUID:
    """36 characters in any case, with or without hyphens and braces; or the 16 bytes."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        if isinstance(value, bytes) and len(value) == 16:
            return uuid.UUID(bytes=value)
        text = read_text(value).strip()
        if re.fullmatch(r"\{?[0-9A-Fa-f]{8}-?([0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?", text):
            return uuid.UUID(text)
    except ValueError:
        pass
    raise Unreadable(f"{describe(value)} is not a UUID")


def read_time(value) -> datetime:
    """An aware time from any ISO 8601 form: `T` or a space, any precision, a date alone, with an offset or without one,
    which is UTC then; or seconds or milliseconds since 1970 as a number."""
    if isinstance(value, bool):
        raise Unreadable(f"{describe(value)} is no time")
    if isinstance(value, int | float):
        return _read_epoch(value)
    text = read_text(value).strip()
    if re.fullmatch(r"-?\d{9,13}(\.\d+)?", text):
        return _read_epoch(float(text))
    if not re.match(r"\d{4}-?(\d|W)", text):
        raise Unreadable(f"{describe(value)} is no ISO 8601 time")
    try:
        # SQLite and others write `+00`, `+0000` and ` +00:00` too.
        parsed = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d|Z$)", "", text))
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{describe(value)} is no ISO 8601 time") from error


def _read_epoch(number: float) -> datetime:
    seconds = number / 1000 if abs(number) >= 100_000_000_000 else number
    if not math.isfinite(number) or not EPOCH_RANGE[0] <= seconds <= EPOCH_RANGE[1] or abs(number) < 100_000_000:
        raise Unreadable(f"{describe(number)} is no time")
    return datetime.fromtimestamp(seconds, UTC)


def read_boolean(value) -> bool:
    """0 and 1 as numbers or text, and the usual words."""
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    word = read_text(value).strip().casefold()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise Unreadable(f"{describe(value)} is neither 0 nor 1")


def read_integer(value, *, minimum: int | None = None, maximum: int = MAX_INTEGER) -> int:
    """A whole number; `3.0` and `"3"` are 3, `3.5` is refused."""
    if isinstance(value, bool):
        raise Unreadable(f"{describe(value)} is no whole number")
    try:
        number = Decimal(value if isinstance(value, int) else read_text(value).strip())
    except InvalidOperation as error:
        raise Unreadable(f"{describe(value)} is no whole number") from error
    if not number.is_finite() or number != number.to_integral_value():
        raise Unreadable(f"{describe(value)} is no whole number")
    if minimum is not None and number < minimum:
        raise Unreadable(f"{describe(value)} is below {minimum}")
    if abs(number) > maximum:
        raise Unreadable(f"{describe(value)} is above {maximum:,}")
    return int(number)


def read_price(value) -> int:
    """Whole won, also written as `9,900`, `₩9,900` or `9,900원`."""
    if isinstance(value, str):
        amount = re.fullmatch(r"[₩￦]?\s*([+-]?\d{1,3}(?:,\d{3})+|[+-]?\d+)(\.0+)?\s*원?", value.strip())
        if amount is None:
            raise Unreadable(f"{describe(value)} is no price in whole won")
        value = amount[1].replace(",", "")
    return read_integer(value, minimum=0)


def read_number(value) -> float:
    try:
        number = float(value if isinstance(value, int | float) else read_text(value).strip())
    except ValueError as error:
        raise Unreadable(f"{describe(value)} is no number") from error
    if isinstance(value, bool) or not math.isfinite(number):
        raise Unreadable(f"{describe(value)} is no number")
    return number


def read_json(value, kind: type, *, is_secret: bool = False):
    """A JSON array (`kind` list) or object (`kind` dict) from its text; one that is a Python value is checked only.

    is_secret: the reason never repeats the value.
    """
    name = "array" if kind is list else "object"
    shown = "its text" if is_secret else describe(value)
    try:
        parsed = (
            value if isinstance(value, list | dict) else json.loads(read_text(value), parse_constant=_refuse_constant)
        )
        if isinstance(parsed, kind):
            _check_storable(parsed)
            return parsed
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{shown} is not a JSON {name}") from error
    raise Unreadable(f"{shown} is not a JSON {name}")


def _refuse_constant(name: str):
    raise ValueError(f"{name} is not JSON")


def _check_storable(parsed) -> None:
    text = json.dumps(parsed, ensure_ascii=False, allow_nan=False)
    text.encode()  # fails for half of a surrogate pair
    if "\\u0000" in text:
        raise ValueError("holds a NUL character")
