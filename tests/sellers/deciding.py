"""Staff in processes of their own, on a real database; `test_application_admin.py` starts it.

python -m tests.sellers.deciding APPLICATIONS

Four of staff decide each application in the same moment, two this way and two that. It prints what they were answered
and what the database holds in the end.
"""

import json
import multiprocessing
import sys

import django

django.setup()

from django.contrib.admin.models import LogEntry  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client  # noqa: E402

from accounts.models import User  # noqa: E402
from sellers.models import ApplicationEvent, SellerApplication, SellerMail  # noqa: E402
from tests.factories import make_application, make_staff  # noqa: E402

ACTS = ["accept", "decline", "accept", "decline"]
PATIENCE_S = 60  # for the slowest of the processes, before the test fails


def decide(person: str, act: str, keys: list[str], barrier, answers) -> None:
    connections.close_all()
    client = Client()
    client.force_login(User.objects.get(pk=person))
    for key in keys:
        barrier.wait(PATIENCE_S)
        data = {"confirm": "1", "text": "We could not see how well your prompts work."}
        answers.put(client.post(f"/admin/sellers/sellerapplication/{key}/act/{act}/", data).status_code)


def main(count: int) -> None:
    call_command("migrate", verbosity=0)
    keys = [str(make_application().pk) for _ in range(count)]
    people = [str(make_staff("waitlist staff").pk) for _ in ACTS]
    connections.close_all()
    barrier, answers = multiprocessing.Barrier(len(ACTS)), multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=decide, args=(person, act, keys, barrier, answers))
        for person, act in zip(people, ACTS, strict=True)
    ]
    for process in processes:
        process.start()
    statuses = [answers.get(timeout=PATIENCE_S) for _ in range(count * len(ACTS))]
    for process in processes:
        process.join(PATIENCE_S)
    rows = SellerApplication.objects.filter(processed=True).select_related("case").order_by("pk")
    decisions = ApplicationEvent.objects.filter(kind__in=["accepted", "declined"])
    mails = SellerMail.objects.filter(kind__in=["application_accepted", "application_declined"])
    told = {
        "answers": statuses,
        "decisions": [decisions.filter(application=row).count() for row in rows],
        "mails": [mails.filter(application=row).count() for row in rows],
        "mails_that_say_otherwise": sum(mail.kind != f"application_{mail.application.case.status}" for mail in mails),
        "logged": LogEntry.objects.count(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]))
