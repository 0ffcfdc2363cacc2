"""Several processes answer for one token: together they keep its limit, to the call."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
PROCESSES, CALLS_OF_EACH, LIMIT = 3, 30, 60


def test_processes_share_the_limit_of_a_token_exactly(database_url):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings_checks",
        "DATABASE_URL": database_url,
    }

    def start(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.mcp.calling", *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    prepared = start("prepare")
    token = json.loads(prepared.communicate(timeout=PATIENCE_S)[0])
    callers = [start("call", token, CALLS_OF_EACH, LIMIT) for _ in range(PROCESSES)]
    for caller in callers:  # each says that it is ready, and then all begin
        assert caller.stdout.readline() == "ready\n"
    for caller in callers:
        caller.stdin.write("go\n")
        caller.stdin.flush()
    answers = [tuple(answer) for caller in callers for answer in json.loads(caller.communicate(timeout=PATIENCE_S)[0])]

    # The clock stands still at eighteen seconds past a minute.
    assert Counter(answers) == {(200, None): LIMIT, (429, "42"): PROCESSES * CALLS_OF_EACH - LIMIT}
