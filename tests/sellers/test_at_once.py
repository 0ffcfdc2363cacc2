"""Several processes with one address in the same moment, on a real database."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

ROUNDS, APPLICANTS = 8, 6


@pytest.mark.slow
def test_one_address_applies_once_and_becomes_one_seller_whoever_comes_first(database_url):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.sellers.applying", str(ROUNDS)],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no locked database, no deadlock
    told = json.loads(ran.stdout)
    assert told["applied"] == [302] * ROUNDS * APPLICANTS
    assert (told["rows"], told["cases"], told["received_mails"]) == (
        ROUNDS,
        ROUNDS,
        ROUNDS * 2,
    )  # the first, and “again”
    assert told["decided"] == [True] * ROUNDS * 3
    assert (told["sellers"], told["accepted_mails"]) == (ROUNDS, ROUNDS)
    assert told["events"] == {"received": ROUNDS, "sent_again": ROUNDS, "accepted": ROUNDS, "seller_made": ROUNDS}
