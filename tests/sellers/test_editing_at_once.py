"""Several clicks and tabs of one seller in the same moment, on a real database."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

ROUNDS, CLICKS, TABS = 8, 4, 4


@pytest.mark.slow
def test_one_form_is_one_draft_and_one_of_the_tabs_that_save_is_first(database_url):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.sellers.editing_at_once", str(ROUNDS)],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no locked database, no deadlock
    told = json.loads(ran.stdout)
    assert sorted(told["clicked"]) == [False] * ROUNDS * (CLICKS - 1) + [True] * ROUNDS
    assert told["made"] == [ROUNDS, ROUNDS, ROUNDS]
    assert sorted(told["saved"]) == ["outdated"] * ROUNDS * (TABS - 1) + ["saved"] * ROUNDS
    assert told["versions"] == ROUNDS * 2
