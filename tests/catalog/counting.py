"""A process of its own on a real database; `test_days.py` starts it.

python -m tests.catalog.counting PROCESSES TIMES

It makes three prompts and becomes PROCESSES processes. Each of them puts every prompt into a cart and flushes one view
of each, TIMES times, the prompts in an order of its own. Prints what the database holds in the end.
"""

import json
import multiprocessing
import os
import sys
from datetime import date

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from catalog import view_counts  # noqa: E402
from catalog.days import count_put_into_cart  # noqa: E402
from catalog.models import Prompt, PromptDay  # noqa: E402
from tests.factories import NOON, make_prompt  # noqa: E402

DAY = date(2026, 11, 22)


def work(process: int, times: int, keys: list, start) -> None:
    start.wait(60)
    keys = keys[process % len(keys) :] + keys[: process % len(keys)]
    for time in range(times):
        for key in keys:
            count_put_into_cart(prompt_id=key, now=NOON)
        view_counts._notes.update((key, f"visitor {process} {time}", DAY) for key in keys)
        while view_counts._notes:  # what a busy database refused is kept
            view_counts.flush_views()
    connections.close_all()


def main(process_count: int, times: int) -> None:
    call_command("migrate", verbosity=0)
    keys = [make_prompt().pk for _ in range(3)]
    connections.close_all()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(process_count)
    processes = [context.Process(target=work, args=(number, times, keys, start)) for number in range(process_count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    told = {
        "exits": [process.exitcode for process in processes],
        "days": sorted(PromptDay.objects.values_list("view_count", "cart_count")),
        "view_counts": sorted(Prompt.objects.values_list("view_count", flat=True)),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
