"""A process of its own on a real database; `test_rating_at_once.py` starts it.

python -m tests.catalog.reviewing_at_once ROUNDS WRITERS

It becomes WRITERS processes that change the reviews of two prompts, all at the same moment, ROUNDS times. After each
round the counters must be what the visible reviews add up to. Then two processes meet at further purchases: one reviews
each, the other gives its money back. Prints what was done, what failed and what was wrong.
"""

import json
import multiprocessing
import os
import random
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from catalog.listings import add_sales  # noqa: E402
from catalog.models import Prompt, Review  # noqa: E402
from catalog.moderation import hide_reviews  # noqa: E402
from catalog.ratings import find_mean, sum_stars  # noqa: E402
from catalog.recount import recount_prompts  # noqa: E402
from catalog.reviews import ReviewRefused, delete_review  # noqa: E402
from checkout.library import count_downloads, open_entitlement  # noqa: E402
from checkout.models import Entitlement, Order  # noqa: E402
from checkout.orders import count_live_sales  # noqa: E402
from checkout.provider import GatewayRefused  # noqa: E402
from checkout.refunds import begin_refund, fail_refund, find_paid_payment  # noqa: E402
from checkout.reviewing import show_reviews_again, write_review  # noqa: E402
from tests.factories import NOON, make_paid_order, make_prompt, make_purchase, make_seller, make_user  # noqa: E402

PATIENCE_S = 60  # for the slowest of the processes, before the test fails
STEPS = ["write", "write", "write", "delete", "hide", "show", "refund"]


def prepare(writer_count: int) -> list[str]:
    """One order for each writer, with both prompts, opened; every second one has them the other way round."""
    call_command("migrate", verbosity=0)
    prompts = [make_prompt(seller=make_seller()) for _ in range(2)]
    orders = []
    for number in range(writer_count):
        order = make_paid_order(buyer=make_user(), prompts=prompts if number % 2 else prompts[::-1])
        for right in Entitlement.objects.filter(order_line__order=order):
            open_entitlement(entitlement=right, wording_version="test", now=NOON)
            write_review(entitlement=right, rating=3, body="", model_used="", now=NOON)
        orders.append(str(order.pk))
    return orders


def work(position: int, orders: list[str], round_count: int, meeting, results) -> None:
    """In each round one change, together with everybody; the first writer then compares."""
    dice, done, failed, wrong = random.Random(position), [], [], 0
    order = Order.objects.get(pk=orders[position])
    try:
        for _ in range(round_count):
            step = dice.choice(STEPS)
            meeting.wait(timeout=PATIENCE_S)
            try:
                change(step, order, dice)
                done.append(step)
            except Exception as error:  # any of them is a failure of the test
                failed.append(f"{step}: {type(error).__name__}: {error}")
            meeting.wait(timeout=PATIENCE_S)
            if position == 0:
                wrong += count_wrong()
    finally:
        results.put((done, failed, wrong))


def change(step: str, order: Order, dice: random.Random) -> None:
    rights = list(Entitlement.objects.filter(order_line__order=order).select_related("user", "prompt"))
    right = dice.choice(rights)
    review = Review.objects.filter(author=right.user_id, prompt=right.prompt_id).first()
    match step:
        case "delete" if review and review.hidden_reason != "staff":
            delete_review(review=review)
        case "hide" if review:
            hide_reviews(reviews=Review.objects.filter(author=right.user_id), note="Rude.", now=NOON)
        case "show" if review:
            show_reviews_again(reviews=Review.objects.filter(author=right.user_id), now=NOON)
        case "refund":
            lines = list(order.lines.all())
            payment = find_paid_payment(order)
            refund = begin_refund(order=order, payment=payment, lines=lines, reason="staff", now=NOON)
            add_sales(prompt_ids=[line.prompt_id for line in lines], now=NOON)
            fail_refund(refund=refund, error=GatewayRefused("EXCEED_MAX_REFUND_DUE"), now=NOON)
            add_sales(prompt_ids=[line.prompt_id for line in lines], n=-1, now=NOON)
        case _:
            write_review(entitlement=right, rating=dice.randint(1, 5), body="", model_used="", now=NOON)


def count_wrong() -> int:
    """How many of the prompts have counters other than their reviews add up to."""
    sums, wrong = sum_stars(Prompt.objects.values_list("pk", flat=True)), 0
    for prompt in Prompt.objects.all():
        stars, count = sums.get(prompt.pk, (0, 0))
        wrong += (prompt.rating, prompt.review_count) != (find_mean(stars, count), count)
    return wrong


def work_at_once(orders: list[str], round_count: int) -> dict:
    """The processes are forked, so each must open its own connections."""
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    meeting, results = forks.Barrier(len(orders)), forks.Queue()
    processes = [
        forks.Process(target=work, args=[position, orders, round_count, meeting, results])
        for position in range(len(orders))
    ]
    for process in processes:
        process.start()
    told = [results.get(timeout=10 * PATIENCE_S) for _ in processes]
    for process in processes:
        process.join()
    return {
        "done": sorted(step for done, _, _ in told for step in done),
        "failed": [failure for _, failed, _ in told for failure in failed],
        "wrong": sum(wrong for _, _, wrong in told),
    }


def race_refunds(round_count: int) -> dict:
    """A review and the refund of its purchase, begun at the same moment: whoever comes second, no review is seen."""
    rights = [make_purchase(is_open=True) for _ in range(round_count)]
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    meeting, results = forks.Barrier(2), forks.Queue()
    processes = [forks.Process(target=race, args=[act, rights, meeting, results]) for act in (review_it, refund_it)]
    for process in processes:
        process.start()
    failed = [failure for _ in processes for failure in results.get(timeout=10 * PATIENCE_S)]
    for process in processes:
        process.join()
    return {
        "race_failed": failed,
        "still_seen": Review.objects.visible().filter(prompt__entitlements__in=rights).count(),
    }


def race(act, rights: list[Entitlement], meeting, results) -> None:
    failed = []
    for right in rights:
        meeting.wait(timeout=PATIENCE_S)
        try:
            act(right)
        except ReviewRefused:
            pass  # the refund was first
        except Exception as error:
            failed.append(f"{type(error).__name__}: {error}")
    results.put(failed)


def review_it(right: Entitlement) -> None:
    write_review(entitlement=right, rating=1, body="", model_used="", now=NOON)


def refund_it(right: Entitlement) -> None:
    order = right.order_line.order
    begin_refund(order=order, payment=find_paid_payment(order), lines=[right.order_line], reason="staff", now=NOON)


if __name__ == "__main__":
    round_count, writer_count = map(int, sys.argv[1:])
    told = work_at_once(prepare(writer_count), round_count)
    recount = recount_prompts(count_sales=count_live_sales, count_downloads=count_downloads, now=NOON, is_dry_run=True)
    told |= race_refunds(2 * round_count)
    print(json.dumps(told | {"recount": [recount.ratings, recount.sales]}))
