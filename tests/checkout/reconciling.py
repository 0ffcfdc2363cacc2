"""A process of its own that reconciles a real database; `test_reconcile.py` starts two at the same moment.

python -m tests.checkout.reconciling prepare N   N orders in doubt, N that nobody paid in time, N refunds without answer
python -m tests.checkout.reconciling run TIME    reconciles from TIME on; prints what it counted
python -m tests.checkout.reconciling report      what the database holds in the end
"""

import json
import os
import sys
import time
from datetime import timedelta

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.utils import timezone  # noqa: E402

from checkout.models import Order, Payment, Purchase, Refund, SandboxPayment  # noqa: E402
from checkout.payments import confirm_payment  # noqa: E402
from checkout.provider import GatewayUnknown  # noqa: E402
from checkout.reconcile import reconcile_payments  # noqa: E402
from checkout.refunds import cancel_sealed_lines  # noqa: E402
from tests.checkout.gateways import ScriptedGateway, afterwards, authorise  # noqa: E402
from tests.factories import make_order, make_paid_order, make_payment  # noqa: E402

AGO = timedelta(minutes=70)
LOST = afterwards(GatewayUnknown("connection_lost"))


def prepare(count: int) -> int:
    call_command("migrate", verbosity=0)
    now = timezone.now()
    placed = {"created_at": now - AGO, "expires_at": now + AGO}
    for _ in range(count):
        payment, returned = authorise(make_order(**placed), now=now)
        confirm_payment(payment=payment, **returned, now=now, gateway=ScriptedGateway(confirm=[LOST]))
        make_payment(order=make_order(**placed | {"expires_at": now - timedelta(minutes=1)}))
        order = make_paid_order(now=now)
        gateway = ScriptedGateway(cancel=[LOST])
        cancel_sealed_lines(order=order, lines=order.lines.all(), now=now, gateway=gateway)
    Refund.objects.update(asked_at=now - AGO)
    Payment.objects.update(looked_up_at=None)
    return count


def run(start: float) -> dict:
    time.sleep(max(0.0, start - time.time()))
    report = reconcile_payments(since=timezone.now() - AGO, until=timezone.now())
    assert (report.differences, report.problems) == ([], []), (report.differences, report.problems)
    return {name: count for name, count in report.counts.items() if count and name != "mails"}


def report() -> dict:
    left = reconcile_payments(since=timezone.now() - AGO, until=timezone.now())
    return {
        "orders": dict(Order.objects.values_list("status").annotate(n=Count("pk"))),
        "purchases": Purchase.objects.count(),
        "charges": list(SandboxPayment.objects.values_list("charge_count", flat=True)),
        "cancels": sum(len(payment.cancels) for payment in SandboxPayment.objects.all()),
        "differences": len(left.differences) + len(left.problems),
    }


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    print(
        json.dumps(
            {"prepare": lambda: prepare(int(rest[0])), "run": lambda: run(float(rest[0])), "report": report}[mode]()
        )
    )
