"""A process of its own that confirms one payment of the sandbox; `test_sandbox.py` starts several at the same moment.

python -m tests.checkout.confirming prepare             makes the database and an authorised payment; prints its key
python -m tests.checkout.confirming confirm KEY TIME ID  confirms it at TIME under four idempotency keys that begin so
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

from checkout import sandbox  # noqa: E402
from checkout.gateway import make_sandbox_gateway  # noqa: E402
from checkout.models import SandboxPayment  # noqa: E402
from checkout.provider import GatewayUnknown  # noqa: E402

ORDER, AMOUNT_KRW, THREADS = "PJ261122-K7QM2F9X", 12900, 4


def prepare() -> str:
    call_command("migrate", verbosity=0)
    sandbox.open_window(
        reference="window-1",
        order_id=ORDER,
        order_name="글쓰기",
        amount_krw=AMOUNT_KRW,
        success_url="http://testserver/return/",
        fail_url="http://testserver/fail/",
    )
    payment = SandboxPayment.objects.get()
    sandbox.choose(payment, "approve")
    return payment.pk


def confirm(payment_key: str, start: float, prefix: str) -> list[str]:
    """What each thread was answered."""
    answers = []

    def confirm_once(number):
        gateway = make_sandbox_gateway(timeout_s=60)
        time.sleep(max(0.0, start - time.time()))
        try:
            answer = gateway.confirm(
                payment_key=payment_key,
                order_id=ORDER,
                amount_krw=AMOUNT_KRW,
                idempotency_key="one" if prefix == "one" else f"{prefix}-{number}",
            )
            answers.append(answer.state.value)
        except GatewayUnknown as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm_once, args=[number]) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [*answers, f"charged {SandboxPayment.objects.get().charge_count}"]


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    print(json.dumps(prepare() if mode == "prepare" else confirm(rest[0], float(rest[1]), rest[2])))
