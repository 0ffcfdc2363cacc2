"""A process of its own on a real database, with the stand-in as its provider; `test_at_once.py` starts it.

python -m tests.checkout.returning ORDERS PROCESSES SIGNED_IN

It makes the orders, becomes PROCESSES processes that open the return address of one order after the other, each at the
same moment, and prints what they were answered and what the database holds in the end. SIGNED_IN of them are the
buyer's and look at the order as well.
"""

import json
import multiprocessing
import os
import sys
from urllib.parse import urlencode

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings_toss"

import django
import requests

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from catalog.models import Listing  # noqa: E402
from checkout.ledger import find_unbalanced_order_ids  # noqa: E402
from checkout.models import Entitlement, LedgerEntry, Order, OrderMail, Payment, Purchase  # noqa: E402
from checkout.orders import PAYABLE_FOR  # noqa: E402
from checkout.payments import return_addresses, start_payment  # noqa: E402
from tests.factories import make_order, make_prompt, make_user  # noqa: E402

PATIENCE_S = 60  # for the slowest of the processes, before the test fails


def tell_stand_in(call: str, **arguments):
    """One of the stand-in's control endpoints."""
    answer = requests.post(f"{settings.TOSS_API_URL}/control/{call}", json=arguments, timeout=PATIENCE_S)
    answer.raise_for_status()
    return answer.json()["result"]


def prepare(count: int) -> list[dict]:
    """Orders whose buyers have just authorised: where each returns to, and who the buyer is."""
    call_command("migrate", verbosity=0)
    now = timezone.now()
    shared = make_prompt(price=1_000)  # every order has it, so all of them change the same listing
    visits = []
    for number in range(count):
        order = make_order(
            buyer=make_user(), prompts=[shared, make_prompt(price=2_000)], created_at=now, expires_at=now + PAYABLE_FOR
        )
        payment = start_payment(order=order, now=now)
        payment_key = tell_stand_in("authorise", order_id=payment.provider_order_id, amount=payment.amount_krw)
        if number % 2:  # so that the others come while the first waits, not only before and after
            tell_stand_in("fault", kind="slow", on="confirm", payment_key=payment_key, seconds=0.1)
        query = {"orderId": payment.provider_order_id, "paymentKey": payment_key, "amount": payment.amount_krw}
        address = return_addresses(payment=payment, base_url="")["success_url"]
        visits.append({"address": f"{address}?{urlencode(query)}", "buyer": str(order.buyer_id)})
    return visits


def visit(position: int, visits: list[dict], signed_in_count: int, meeting, results) -> None:
    """Open each address when all have come to it. The first `signed_in_count` processes follow to the order's page."""
    statuses = []
    try:
        for each in visits:
            client = Client(raise_request_exception=False)
            if position < signed_in_count:
                client.force_login(User.objects.get(pk=each["buyer"]))
            meeting.wait(timeout=PATIENCE_S)
            answer = client.get(each["address"])
            statuses.append(answer.status_code)
            if position < signed_in_count:
                statuses.append(client.get(answer["Location"]).status_code)
    finally:
        results.put(statuses)


def visit_at_once(visits: list[dict], process_count: int, signed_in_count: int) -> list[int]:
    """What all processes were answered. They are forked, so each must open its own connections."""
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    meeting, results = forks.Barrier(process_count), forks.Queue()
    processes = [
        forks.Process(target=visit, args=[position, visits, signed_in_count, meeting, results])
        for position in range(process_count)
    ]
    for process in processes:
        process.start()
    statuses = [status for _ in processes for status in results.get(timeout=10 * PATIENCE_S)]
    for process in processes:
        process.join()
    return statuses


def report() -> dict:
    twice = Entitlement.objects.values("user", "prompt").annotate(n=Count("pk")).filter(n__gt=1)
    return {
        "orders": dict(Order.objects.values_list("status").annotate(n=Count("pk"))),
        "payments": dict(Payment.objects.values_list("status").annotate(n=Count("pk"))),
        "purchases": Purchase.objects.count(),
        "entitlements": Entitlement.objects.count(),
        "twice": twice.count(),
        "sales": Listing.objects.aggregate(n=Sum("sales_count"))["n"],
        "charged_krw": LedgerEntry.objects.filter(account="provider").aggregate(n=Sum("amount_krw"))["n"],
        "unbalanced": len(find_unbalanced_order_ids()),
        "mails": dict(OrderMail.objects.values_list("status").annotate(n=Count("pk"))),
    }


if __name__ == "__main__":
    order_count, *counts = map(int, sys.argv[1:])
    statuses = visit_at_once(prepare(order_count), *counts)
    print(json.dumps({"statuses": statuses, "report": report()}))
