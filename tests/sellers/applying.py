"""Applicants in processes of their own, on a real database; `test_at_once.py` starts it.

python -m tests.sellers.applying ROUNDS

Each round six people send the form with one address at the same moment, each in a case of their own; then one of staff
accepts while the account's address is verified and while it signs in. It prints what they were answered and what the
database holds in the end.
"""

import json
import multiprocessing
import sys
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from sellers.models import ApplicationCase, ApplicationEvent, Seller, SellerApplication, SellerMail  # noqa: E402
from sellers.onboarding import accept_application  # noqa: E402
from sellers.openings import claim_acceptance  # noqa: E402
from tests.factories import make_user  # noqa: E402

APPLICANTS = 6
PATIENCE_S = 60  # for the slowest of the processes, before the test fails


def write_address(number: int, position: int = 0) -> str:
    name = f"mina{number}"
    return f"{name[:position].upper()}{name[position:]}@example.com"


def apply(number: int, position: int):
    typed = {"name": f"Mina {position}", "email": write_address(number, position), "categories": ["writing"]}
    return Client().post("/sell/", {**typed, "message": "I write.", "consent": "on"}).status_code


def accept(number: int, position: int):
    application = SellerApplication.objects.get(case__email_key=write_address(number))
    return accept_application(application=application, staff=User.objects.get(is_staff=True), now=timezone.now())


def verify(number: int, position: int):
    user = User.objects.get(email=write_address(number))
    user.emailaddress_set.update(verified=True)
    claim_acceptance(user=user, now=timezone.now())
    return True


def sign_in(number: int, position: int):
    claim_acceptance(user=User.objects.get(email=write_address(number)), now=timezone.now())
    return True


def act(call: Callable, position: int, rounds: int, meeting, answers) -> None:
    try:
        for number in range(rounds):
            meeting.wait(timeout=PATIENCE_S)
            answers.put(call(number, position))
    except BaseException as error:
        meeting.abort()
        answers.put(repr(error))
        raise


def act_at_once(calls: list[Callable], rounds: int) -> list:
    """What all were answered. They are forked, so each opens its own connections."""
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    meeting, answers = forks.Barrier(len(calls)), forks.Queue()
    processes = [
        forks.Process(target=act, args=[call, position, rounds, meeting, answers])
        for position, call in enumerate(calls)
    ]
    for process in processes:
        process.start()
    given = [answers.get(timeout=PATIENCE_S) for _ in range(rounds * len(calls))]
    for process in processes:
        process.join(timeout=PATIENCE_S)
    return given


def main(rounds: int) -> None:
    call_command("migrate", verbosity=0)
    applied = act_at_once([apply] * APPLICANTS, rounds)
    rows = SellerApplication.objects.count()
    make_user(is_staff=True)
    for number in range(rounds):
        make_user(email=write_address(number)).emailaddress_set.update(verified=False)
    decided = act_at_once([accept, verify, sign_in], rounds)
    report = {
        "applied": applied,
        "rows": rows,
        "cases": ApplicationCase.objects.count(),
        "received_mails": SellerMail.objects.filter(kind="application_received").count(),
        "events": dict(ApplicationEvent.objects.order_by("kind").values_list("kind").annotate(Count("pk"))),
        "decided": decided,
        "sellers": Seller.objects.count(),
        "accepted_mails": SellerMail.objects.filter(kind="application_accepted").count(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]))
