"""A process of its own beside a server that is killed: makes orders, cleans up and reports; `test_killed.py` asks it.

python -m tests.checkout.aftermath

Each line of standard input is a list, the name of a function below and its arguments; each line of output its result.
"""

import contextlib
import io
import json
import os
import sys
import time

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings_toss"

import django

django.setup()

from django.core.management import CommandError, call_command  # noqa: E402
from django.db.models import Sum  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.models import Listing  # noqa: E402
from checkout.ledger import find_unbalanced_order_ids  # noqa: E402
from checkout.models import Entitlement, Order, Payment, Refund  # noqa: E402
from checkout.orders import PAYABLE_FOR  # noqa: E402
from checkout.payments import return_addresses, start_payment  # noqa: E402
from checkout.refunds import ASK_AGAIN_AFTER  # noqa: E402
from tests.factories import make_order, make_prompt, make_seller, make_user  # noqa: E402

RUNS = 4


def prepare(count: int) -> list[dict]:
    """Orders of two prompts, not yet authorised: what to authorise, where to return to, and the buyer's session."""
    call_command("migrate", verbosity=0)
    now = timezone.now()
    prompts = [make_prompt(slug="letters", price=9_990, seller=make_seller()), make_prompt(slug="poems", price=1_000)]
    orders = []
    for _ in range(count):
        buyer = make_user()
        order = make_order(buyer=buyer, prompts=prompts, language="en", created_at=now, expires_at=now + PAYABLE_FOR)
        payment = start_payment(order=order, now=now)
        client = Client()
        client.force_login(buyer)
        orders.append(
            {
                "number": order.number,
                "total_krw": order.total_krw,
                "address": return_addresses(payment=payment, base_url="")["success_url"],
                "session": client.cookies["sessionid"].value,
            }
        )
    return orders


def call_off(number: str) -> None:
    """The order can no longer be delivered, whatever was charged for it."""
    Order.objects.filter(number=number).update(status=Order.Status.CANCELLED)


def count_unfinished() -> int:
    """Payments and refunds that somebody must look up."""
    in_doubt = [*Payment.IN_DOUBT, Payment.Status.RETURNING]
    return (
        Payment.objects.filter(status__in=in_doubt).count()
        + Refund.objects.filter(status=Refund.Status.REQUESTED).count()
    )


def reconcile() -> dict:
    """What the command prints when nothing is left to do; it leaves alone what somebody asked about just now."""
    for _ in range(RUNS):
        out = io.StringIO()
        with contextlib.suppress(CommandError):  # exit status 1: what is left stands in the report
            call_command("reconcile_payments", "--json", stdout=out)
        if not count_unfinished():
            break
        time.sleep(ASK_AGAIN_AFTER.total_seconds())
    return json.loads(out.getvalue())


def report() -> dict:
    """Each order as our books have it, to be compared with the provider's."""
    orders = {}
    for order in Order.objects.all():
        live = Entitlement.objects.live().filter(order_line__order=order)
        provider = order.ledger_entries.filter(account="provider")
        orders[order.number] = {
            "status": order.status,
            "balance_krw": order.balance_krw,
            "live_krw": live.aggregate(n=Sum("order_line__price_krw"))["n"] or 0,
            "ledger_krw": provider.aggregate(n=Sum("amount_krw"))["n"] or 0,
        }
    return {
        "orders": orders,
        "unbalanced": len(find_unbalanced_order_ids()),
        "unfinished": count_unfinished(),
        "sales": Listing.objects.aggregate(n=Sum("sales_count"))["n"],
        "live": Entitlement.objects.live().count(),
    }


if __name__ == "__main__":
    functions = {each.__name__: each for each in (prepare, call_off, count_unfinished, reconcile, report)}
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(functions[name](*arguments)), flush=True)
