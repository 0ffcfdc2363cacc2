"""Eight processes write, delete, hide, show and refund reviews of the same prompts at the same moments."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, WRITERS = 25, 8


@pytest.mark.slow
def test_the_rating_is_right_after_every_round_and_nobody_is_turned_away(database_url):
    run = subprocess.run(
        [sys.executable, "-m", "tests.catalog.reviewing_at_once", str(ROUNDS), str(WRITERS)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["failed"] == []  # no locked database, no circle of waiting
    assert len(told["done"]) == ROUNDS * WRITERS
    assert set(told["done"]) == {"write", "delete", "hide", "show", "refund"}
    assert (told["wrong"], told["recount"]) == (0, [0, 0])
    assert (told["race_failed"], told["still_seen"]) == ([], 0)  # no review outlives its refund
