"""Writes that may be lost in a power cut, such as counters: they do not wait until the disk has them."""

from collections.abc import Sequence
from typing import Any

from django.db import connection


def write_hastily(sql: str, params: Sequence[Any]) -> int:
    """Carries out an UPDATE that ends with its conditions; returns how many rows it changed.

    Everybody sees the outcome at once, and it survives a crash of the process but not of the machine. SQLite, in WAL:
    the next write of anybody else brings it to the disk. PostgreSQL: within less than a second. Inside a transaction
    there is nothing to gain, because that commits as a whole.
    """
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            cursor.execute(sql, params)
        elif connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous=NORMAL")
            try:
                cursor.execute(sql, params)
            finally:
                connection.cursor().execute("PRAGMA synchronous=FULL")
        else:  # true for every row, and holds until this statement has committed
            cursor.execute(f"{sql} AND set_config('synchronous_commit', 'off', true) = 'off'", params)
        return cursor.rowcount
