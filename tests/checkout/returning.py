"""A process of its own that prepares, visits or reports on a real database; `test_at_once.py` starts several.

python -m tests.checkout.returning prepare 10      orders authorised at the provider; prints their return addresses
python -m tests.checkout.returning visit TIME      opens the addresses of standard input, two at once, from TIME on
python -m tests.checkout.returning report          what the database holds in the end
"""

import json
import os
import sys
import threading
import time

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.models import Listing  # noqa: E402
from checkout.models import Entitlement, Order, Payment, Purchase, SandboxPayment  # noqa: E402
from checkout.orders import PAYABLE_FOR  # noqa: E402
from checkout.payments import start_payment  # noqa: E402
from checkout.sandbox import SandboxGateway, choose  # noqa: E402
from tests.factories import make_order, make_prompt, make_user  # noqa: E402

STEP_S = 0.15  # between one order and the next


def prepare(count: int) -> None:
    call_command("migrate", verbosity=0)
    now = timezone.now()
    addresses = []
    shared = make_prompt(price=1_000)  # every order has it, so all of them change the same listing
    for _ in range(count):
        order = make_order(
            buyer=make_user(), prompts=[shared, make_prompt(price=2_000)], created_at=now, expires_at=now + PAYABLE_FOR
        )
        start_payment(order=order, base_url="http://testserver", now=now, gateway=SandboxGateway())
        sandbox_payment = SandboxPayment.objects.get(reference=order.payments.get().reference)
        addresses.append(choose(sandbox_payment, "approve"))
    print(json.dumps(addresses))


def visit(start: float) -> None:
    addresses = json.load(sys.stdin)
    statuses = []

    def walk():
        client = Client(raise_request_exception=False)
        for position, address in enumerate(addresses):
            time.sleep(max(0.0, start + position * STEP_S - time.time()))
            statuses.append(client.get(address).status_code)
        connection.close()

    threads = [threading.Thread(target=walk) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(statuses))


def report() -> None:
    twice = Entitlement.objects.values("user", "prompt").annotate(n=Count("pk")).filter(n__gt=1)
    print(
        json.dumps(
            {
                "orders": dict(Order.objects.values_list("status").annotate(n=Count("pk"))),
                "payments": dict(Payment.objects.values_list("status").annotate(n=Count("pk"))),
                "purchases": Purchase.objects.count(),
                "entitlements": Entitlement.objects.count(),
                "twice": twice.count(),
                "charges": SandboxPayment.objects.aggregate(n=Sum("charge_count"))["n"],
                "given_back": SandboxPayment.objects.exclude(cancels=[]).count(),
                "sales": Listing.objects.aggregate(n=Sum("sales_count"))["n"],
            }
        )
    )


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    {"prepare": lambda: prepare(int(rest[0])), "visit": lambda: visit(float(rest[0])), "report": report}[mode]()
