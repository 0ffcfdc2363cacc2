"""Writes that may be lost in a power cut, such as counters: they do not wait until the disk has them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper


@contextmanager
def hasty_writes() -> Iterator[CursorWrapper]:
    """What is written inside is seen by everybody at once, and survives a crash of the process but not of the machine.

    Inside a transaction it changes nothing: that commits as a whole. SQLite, in WAL: the next write of anybody else
    brings it to the disk. PostgreSQL: within less than a second.
    """
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            yield cursor
        elif connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous=NORMAL")
            try:
                yield cursor
            finally:
                cursor.execute("PRAGMA synchronous=FULL")
        else:
            with transaction.atomic():
                cursor.execute("SET LOCAL synchronous_commit TO off")
                yield cursor
