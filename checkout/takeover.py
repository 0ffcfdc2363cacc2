"""Taking over `carts` and `purchases` of another program. See `marketplace/takeover.py`."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from django.core.management.color import no_style
from django.db import connection, models

from catalog.listings import add_sales
from catalog.models import Prompt
from checkout.library import grant_missing_entitlements
from checkout.models import CartItem, Purchase
from marketplace import reading
from marketplace.takeover import BATCH_SIZE, OldDatabase, OldRow, Report, add_rows, take_table


def take_carts(*, source: OldDatabase, report: Report, now: datetime, on_progress: Callable[[int], None]) -> None:
    """An item whose number is taken by another of ours gets a new one; one that a cart has already is left out.

    now: stands in for a time that cannot be read.
    """

    def read_row(row: OldRow) -> CartItem:
        return CartItem(
            id=row.need("id", lambda value: reading.read_integer(value, minimum=1)),
            created_at=row.take("created_at", reading.read_time, default=now),
            user_id=row.need("user_id", reading.read_uuid),
            prompt_id=row.need("prompt_id", reading.read_uuid),
        )

    def add_batch(wanted: list[tuple[str, models.Model]]) -> None:
        wanted = _drop_orphans("carts", wanted, report)
        users = {item.user_id for _, item in wanted}
        there = set(CartItem.objects.filter(user__in=users).values_list("user_id", "prompt_id"))
        numbers = set(CartItem.objects.filter(pk__in=[item.pk for _, item in wanted]).values_list("pk", flat=True))
        with_number, without = [], []
        for key, item in wanted:
            if (item.user_id, item.prompt_id) in there:
                report.there_already["carts"] += 1
                continue
            there.add((item.user_id, item.prompt_id))
            if item.pk in numbers:
                item.pk = None
                without.append(item)
                report.note("carts", "id", "the number was taken, so the item got a new one", key)
            else:
                with_number.append((key, item))
        add_rows(model=CartItem, table="carts", wanted=with_number, report=report)
        _set_sequence(CartItem)
        CartItem.objects.bulk_create(without)
        report.taken["carts"] += len(without)

    take_table(
        source=source, table="carts", read_row=read_row, add_batch=add_batch, report=report, on_progress=on_progress
    )


def take_purchases(*, source: OldDatabase, report: Report, now: datetime, on_progress: Callable[[int], None]) -> None:
    """Purchases, then what was sold of each prompt, then the right to open each: open since it was bought.

    now: stands in for a time that cannot be read.
    """
    sold = Counter()

    def read_row(row: OldRow) -> Purchase:
        purchase_id = row.need("id", reading.read_uuid)
        return Purchase(
            id=purchase_id,
            created_at=row.take("created_at", reading.read_time, default=now),
            buyer_id=row.need("buyer_id", reading.read_uuid),
            prompt_id=row.need("prompt_id", reading.read_uuid),
            payment_order_id=row.take("payment_order_id", reading.read_text, default=f"imported-{purchase_id}"),
        )

    def add_batch(wanted: list[tuple[str, models.Model]]) -> None:
        wanted = _drop_orphans("purchases", wanted, report)
        orders = [purchase.payment_order_id for _, purchase in wanted]
        owners = dict(Purchase.objects.filter(payment_order_id__in=orders).values_list("payment_order_id", "pk"))
        unique = []
        for key, purchase in wanted:
            owner = owners.setdefault(purchase.payment_order_id, purchase.pk)
            if owner == purchase.pk:
                unique.append((key, purchase))
                continue
            reason = f"{reading.describe(purchase.payment_order_id)} belongs to purchase {owner}"
            report.refuse("purchases", key, "payment_order_id", reason, is_row=True)
        added = add_rows(model=Purchase, table="purchases", wanted=unique, report=report)
        sold.update(purchase.prompt_id for purchase in added)

    take_table(
        source=source, table="purchases", read_row=read_row, add_batch=add_batch, report=report, on_progress=on_progress
    )
    _count_sold(sold, now)
    grant_missing_entitlements(now=now)


def _drop_orphans(table: str, wanted: list[tuple[str, models.Model]], report: Report) -> list[tuple[str, models.Model]]:
    """Without those whose prompt is not there. Accounts are: every id that a row names has become one."""
    ids = {row.prompt_id for _, row in wanted}
    there = set(Prompt.objects.filter(pk__in=ids).values_list("pk", flat=True))
    for key, row in wanted:
        if row.prompt_id not in there:
            report.refuse(table, key, "prompt_id", f"there is no prompt {row.prompt_id}", is_row=True)
    return [(key, row) for key, row in wanted if row.prompt_id in there]


def _count_sold(sold: Counter, now: datetime) -> None:
    by_count = {}
    for prompt_id, count in sold.items():
        by_count.setdefault(count, []).append(prompt_id)
    for count, prompt_ids in by_count.items():
        for start in range(0, len(prompt_ids), BATCH_SIZE):
            add_sales(prompt_ids=prompt_ids[start : start + BATCH_SIZE], n=count, now=now)


def _set_sequence(model: type[models.Model]) -> None:
    """PostgreSQL counts on from its own last number, whatever was inserted; SQLite needs nothing."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(sql)
