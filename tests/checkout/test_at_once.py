"""Several processes at the return address of one order in the same moment, on a real database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toss.fixtures import toss, toss_process  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
ORDERS, PROCESSES, SIGNED_IN = 100, 8, 2


@pytest.fixture
def shop_environment(database_url, toss, tmp_path):  # noqa: F811
    """For processes under `tests.settings_toss`: a fresh database, the stand-in, and a folder for mails."""
    (tmp_path / "mail").mkdir()
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings_toss",
        "DATABASE_URL": database_url,
        "STAND_IN_URL": toss.url,
        "STAND_IN_KEYS": f"{toss.client_key} {toss.secret_key}",
        "STAND_IN_MAIL": str(tmp_path / "mail"),
    }


@pytest.mark.slow
def test_processes_that_return_at_once_charge_and_deliver_each_order_once(shop_environment, toss, tmp_path):  # noqa: F811
    visitors = subprocess.run(
        [sys.executable, "-m", "tests.checkout.returning", *map(str, (ORDERS, PROCESSES, SIGNED_IN))],
        cwd=ROOT,
        env=shop_environment,
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert visitors.returncode == 0, visitors.stderr
    # No locked database, no error: only the pages that asked for the charge while it was being made.
    logged = [line for line in visitors.stderr.splitlines() if "IDEMPOTENT_REQUEST_PROCESSING" not in line]
    assert logged == []
    told = json.loads(visitors.stdout)
    assert sorted(told["statuses"]) == [200] * ORDERS * SIGNED_IN + [302] * ORDERS * PROCESSES
    assert told["report"] == {
        "orders": {"paid": ORDERS},
        "payments": {"paid": ORDERS},
        "purchases": ORDERS * 2,
        "entitlements": ORDERS * 2,
        "twice": 0,
        "sales": ORDERS * 2,
        "charged_krw": ORDERS * 3_000,
        "unbalanced": 0,
        "mails": {"sent": ORDERS},
    }
    asked = toss.requests(route="confirm")
    assert {request["status"] for request in asked} <= {200, 409}  # pages may ask again, under the same key:
    assert len({request["idempotency_key"] for request in asked}) == ORDERS  # the first answer, or “still running”
    books = toss.books()["orders"]
    assert [(order["charges"], order["held_krw"]) for order in books.values()] == [(1, 3_000)] * ORDERS
    mails = "".join(file.read_text() for file in (tmp_path / "mail").iterdir())
    assert mails.count("\nSubject:") == ORDERS
