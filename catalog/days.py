"""`prompt_days`: how often a prompt was seen and put into a cart, by day in Seoul. Only here are its rows written."""

import logging
from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

logger = logging.getLogger(__name__)

ROWS_IN_STATEMENT = 200


def add_views(counts: Mapping[tuple[UUID, date], int]) -> None:
    """Add views by (prompt, day), in the transaction that raises `view_count` by the same number."""
    _add({key: (count, 0) for key, count in counts.items()})


def count_put_into_cart(*, prompt_id: UUID, now: datetime) -> None:
    """Count that somebody put the prompt into their cart just now.

    Outside any transaction that holds other rows, so that nobody waits in a circle. A count that fails is only logged,
    because it must not cost anybody their cart.
    """
    try:
        with transaction.atomic():
            _add({(prompt_id, timezone.localdate(now)): (0, 1)})
    except DatabaseError:
        logger.exception("a cart was not counted")


def _add(counts: Mapping[tuple[UUID, date], tuple[int, int]]) -> None:
    """Upserts that add (views, carts), so that nothing is lost between processes. Always in the same order of rows, so
    that two of them never wait for each other.
    """
    rows = sorted(counts.items(), key=lambda row: (str(row[0][0]), row[0][1]))
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_IN_STATEMENT):
            batch = rows[start : start + ROWS_IN_STATEMENT]
            places = ", ".join(["(%s, %s, %s, %s)"] * len(batch))
            values = [value for (key, day), (views, carts) in batch for value in (key, day.isoformat(), views, carts)]
            cursor.execute(
                f"INSERT INTO prompt_days (prompt_id, day, view_count, cart_count) VALUES {places} "  # noqa: S608
                "ON CONFLICT (prompt_id, day) DO UPDATE SET view_count = prompt_days.view_count + excluded.view_count, "
                "cart_count = prompt_days.cart_count + excluded.cart_count",
                values,
            )
