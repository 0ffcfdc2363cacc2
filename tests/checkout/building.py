"""A process of its own on a real database; `test_build_statements.py` starts it.

python -m tests.checkout.building SELLERS PROCESSES

It sells something of each seller's in two months, becomes PROCESSES processes that all build the statements at the same
moment, while one more goes on selling into the months that are being built, and prints what the database holds.
"""

import json
import multiprocessing
import os
import sys
from datetime import UTC, datetime, timedelta

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models import Count  # noqa: E402

from checkout.balances import find_untied  # noqa: E402
from checkout.models import Statement, StatementEntry  # noqa: E402
from checkout.statements import build_finished_months, entries_of_sellers, unstated_entries  # noqa: E402
from sellers.models import Seller  # noqa: E402
from tests.factories import make_paid_order, make_prompt, make_seller  # noqa: E402

MONTHS = [datetime(2026, 10, 20, 3, 0, tzinfo=UTC), datetime(2026, 11, 20, 3, 0, tzinfo=UTC)]
NOW = datetime(2026, 12, 8, 3, 0, tzinfo=UTC)
LATE_SALES = 20
PATIENCE_S = 60


def sell_something(seller: Seller, now: datetime) -> None:
    make_paid_order(prompts=[make_prompt(price=9_999, seller=seller)], now=now)


def build(meeting, results) -> None:
    meeting.wait(timeout=PATIENCE_S)
    results.put([sum(each.statement_count for each in build_finished_months(now=NOW)), ""])


def go_on_selling(meeting, results) -> None:
    sellers = list(Seller.objects.order_by("pk"))
    meeting.wait(timeout=PATIENCE_S)
    for number in range(LATE_SALES):
        sell_something(sellers[number % len(sellers)], MONTHS[number % 2] + timedelta(minutes=number))
    results.put([0, ""])


def attempt(call, meeting, results) -> None:
    try:
        call(meeting, results)
    except BaseException as error:
        meeting.abort()
        results.put([0, repr(error)])
        raise


def run_at_once(process_count: int) -> list:
    """What each process said. They are forked, so each must open its own connections."""
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    meeting, results = forks.Barrier(process_count + 1), forks.Queue()
    calls = [build] * process_count + [go_on_selling]
    processes = [forks.Process(target=attempt, args=[call, meeting, results]) for call in calls]
    for process in processes:
        process.start()
    said = [results.get(timeout=5 * PATIENCE_S) for _ in processes]
    for process in processes:
        process.join()
    return said


if __name__ == "__main__":
    seller_count, process_count = map(int, sys.argv[1:])
    call_command("migrate", verbosity=0)
    for _ in range(seller_count):
        seller = make_seller()
        for month in MONTHS:
            sell_something(seller, month)
    said = run_at_once(process_count)
    statement_count = Statement.objects.count()
    build_finished_months(now=datetime(2027, 1, 8, 3, 0, tzinfo=UTC))  # December takes in what came late
    twice = StatementEntry.objects.values("entry").annotate(n=Count("pk")).filter(n__gt=1)
    report = {
        "errors": [error for _, error in said if error],
        "built": sum(count for count, _ in said),
        "statements": statement_count,
        "twice": twice.count(),
        "placed": StatementEntry.objects.count() == entries_of_sellers().count(),
        "entries": entries_of_sellers().count(),
        "left": unstated_entries(before=datetime(2027, 1, 1, tzinfo=UTC).date()).count(),
        "untied": [str(each) for each in find_untied()],
    }
    print(json.dumps(report))
