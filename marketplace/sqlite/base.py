"""SQLite as `prompt_management.db` is specified: TEXT, INTEGER and REAL columns that any other program can read.

Stock Django stores UUIDs as `char(32)` without hyphens, times as `2026-11-22 12:00:00.123456` and booleans as `bool`.
The schema document wants 36-character UUIDs, ISO 8601 times and 0/1. Doing that in the database backend, and not in
field classes, covers every table alike, and with it all that Django builds in SQL: `__date`, `__year`, `TruncMonth`,
`date_hierarchy`, timezone conversion. See `docs/decisions/`.
"""

import sqlite3
import uuid
from datetime import UTC, datetime

from django.db.backends.sqlite3 import _functions, base, features, operations
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

# UUIDField hands over a `uuid.UUID` to a database that has the type; the driver then writes its 36 characters.
sqlite3.register_adapter(uuid.UUID, str)


def format_iso(value: datetime) -> str:
    """`2026-11-22T12:00:00.123Z`: UTC, milliseconds cut off, what JavaScript's `toISOString` writes too."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_iso(value: str) -> datetime | None:
    """A time in UTC from any ISO 8601 form another program may have written; without an offset it is UTC.

    None for text that is no time at all: a row with a broken date must still open.
    """
    try:
        parsed = parse_datetime(value)
        if parsed is None:
            return None
        return parsed.replace(tzinfo=UTC) if timezone.is_naive(parsed) else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_django_text(value):
    """A stored time as the text Django's own SQL functions expect: a space, UTC, no zone.

    None for text that is no time, which those functions answer with NULL; what is no text is handed on.
    """
    if not isinstance(value, str):
        return value
    if len(value) == 24 and value[10] == "T" and value[23] == "Z":  # our own form, nearly every row
        return f"{value[:10]} {value[11:23]}"
    parsed = parse_iso(value)
    return parsed.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds") if parsed else None


def register_iso_functions(connection) -> None:
    """Put a reader of ISO texts in front of each SQL function of Django that takes a time."""
    create = connection.create_function

    def on_argument(function, *positions):
        def wrapped(*args):
            return function(*(as_django_text(arg) if i in positions else arg for i, arg in enumerate(args)))

        return wrapped

    def time_trunc(lookup, value, *zones):
        return _functions._sqlite_time_trunc(lookup, as_django_text(value) or value, *zones)  # `12:00:00` stays

    def delta_operand(value):
        is_date = isinstance(value, str) and len(value) == 10  # a date plus a delta stays a date
        return value if is_date else as_django_text(value)

    def format_dtdelta(connector, lhs, rhs):
        result = _functions._sqlite_format_dtdelta(connector, delta_operand(lhs), delta_operand(rhs))
        is_time = isinstance(result, str) and len(result) > 10 and result[4:5] == result[7:8] == "-"
        return format_iso(parse_iso(result)) if is_time else result

    first, second, both = (0,), (1,), (0, 1)
    for name, arguments, function, positions in [
        ("django_date_extract", 2, _functions._sqlite_datetime_extract, second),
        ("django_date_trunc", 4, _functions._sqlite_date_trunc, second),
        ("django_datetime_cast_date", 3, _functions._sqlite_datetime_cast_date, first),
        ("django_datetime_cast_time", 3, _functions._sqlite_datetime_cast_time, first),
        ("django_datetime_extract", 4, _functions._sqlite_datetime_extract, second),
        ("django_datetime_trunc", 4, _functions._sqlite_datetime_trunc, second),
        ("django_timestamp_diff", 2, _functions._sqlite_timestamp_diff, both),
    ]:
        create(name, arguments, on_argument(function, *positions), deterministic=True)
    create("django_time_trunc", 4, time_trunc, deterministic=True)
    create("django_format_dtdelta", 3, format_dtdelta, deterministic=True)


def now_as_iso(self, compiler, connection, **context):
    """`Now()` as the columns hold it: texts with a space sort before every text of the same day with a `T`."""
    return self.as_sql(compiler, connection, template="STRFTIME('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'NOW')", **context)


Now.as_sqlite = now_as_iso  # looked up by the name of the database's kind: a backend has no other way in


class DatabaseFeatures(features.DatabaseFeatures):
    has_native_uuid_field = True  # so that fields hand over `uuid.UUID`, written with hyphens by the adapter above


class DatabaseOperations(operations.DatabaseOperations):
    def adapt_datetimefield_value(self, value):
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if timezone.is_naive(value):
            value = timezone.make_aware(value, self.connection.timezone)
        return format_iso(value)

    def convert_datetimefield_value(self, value, expression, connection):
        if isinstance(value, str):
            value = parse_iso(value)
        if value is not None and timezone.is_naive(value):
            value = timezone.make_aware(value, self.connection.timezone)
        return value


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
    data_types = {
        **base.DatabaseWrapper.data_types,
        "AutoField": "INTEGER",
        "BigAutoField": "INTEGER",
        "BigIntegerField": "INTEGER",
        "BooleanField": "INTEGER",
        "DateTimeField": "TEXT",
        "FloatField": "REAL",
        "IntegerField": "INTEGER",
        "JSONField": "TEXT",
        "TextField": "TEXT",
        "UUIDField": "TEXT",
    }

    def get_new_connection(self, conn_params):
        connection = super().get_new_connection(conn_params)
        register_iso_functions(connection)
        return connection
