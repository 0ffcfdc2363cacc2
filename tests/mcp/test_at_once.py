"""Many looks at once: recorded by several processes, shared by two runs, beside servers that hang."""

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from mcp.checking.due import Target
from mcp.checking.host_queue import HostQueue
from mcp.checking.rounds import work_in_threads

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300


@pytest.fixture
def environment(database_url):
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings_checks",
        "DATABASE_URL": database_url,
    }


def start(environment, *arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, **options
    )


def run(environment, *arguments: str) -> str:
    """Its output; standard error is shown where it fails."""
    process = start(environment, *arguments)
    output = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, output
    return output


@pytest.fixture
def serve(environment):
    """`serve(3, hanging=1)`: a due row for each of three servers on loopback, one of which never says a word."""
    started = []

    def call(count: int, *, hanging: int = 0) -> None:
        process = start(environment, "-m", "tests.mcp.many_servers", str(count), str(hanging), stdin=subprocess.PIPE)
        started.append(process)
        ports = json.loads(process.stdout.readline())
        run(environment, "-m", "tests.mcp.recording", "rows", *map(str, ports))

    yield call
    for process in started:
        process.stdin.close()
        process.wait(timeout=PATIENCE_S)
        process.stdout.close()


def test_those_that_hang_delay_nobody_while_one_worker_is_left():
    """Fifteen of sixteen workers hang until everybody else is done: nobody else may wait for one of them."""
    targets = [Target(uuid.uuid4(), f"{number}", f"host-{number}", spacing_s=1) for number in range(60)]
    others_are_done, left = threading.Event(), {target.slug for target in targets[15:]}

    def look(target: Target) -> tuple[str, bool]:
        if int(target.slug) < 15:
            return target.slug, others_are_done.wait(timeout=PATIENCE_S)
        left.discard(target.slug)
        if not left:
            others_are_done.set()
        return target.slug, True

    looked = dict(work_in_threads(HostQueue(targets), look, 16))

    assert looked == {target.slug: True for target in targets}


@pytest.mark.slow
def test_looks_that_end_at_once_add_up_and_leave_one_open_incident(environment):
    """Broken at even looks, answering with one more tool at odd ones, and another program writing in between."""
    processes, looks = 6, 15  # the last one is broken

    told = json.loads(run(environment, "-m", "tests.mcp.recording", "looks", str(processes), str(looks)))

    assert told["errors"] == []
    up, down = processes * 7, processes * 8
    assert told["report"] == {
        "checks": up + down,
        "twice": 1,
        "verdicts": {"ok": up, "tls_error": down},
        "health": {"down": 1},
        "leases": 0,
        "days": {"checks": up + down, "up": up, "down": down},
        "incidents": 8,
        "open": 1,
        "tools": 6,
        "changes": 6,
        "written": up + down,
        "recorded": 1,
    }


@pytest.mark.slow
def test_two_runs_at_once_share_the_work(environment, serve):
    serve(40)

    runs = [start(environment, "manage.py", "check_mcp_servers", "--json") for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in runs]

    assert [process.returncode for process in runs] == [0, 0]
    assert sum(json.loads(output)["checked"] for output in outputs) == 40
    left = json.loads(run(environment, "-m", "tests.mcp.recording", "report"))
    assert (left["checks"], left["twice"], left["leases"], left["recorded"]) == (40, 0, 0, 40)
    assert (left["health"], left["verdicts"]) == ({"working": 40}, {"ok": 40})


@pytest.mark.slow
def test_of_200_servers_20_that_hang_hold_up_nobody(environment, serve):
    """The deadline is shorter here than the usual 15 s, so that most of the minute is left to a busy machine; one after
    the other, those that hang would take two."""
    deadline_s = 6
    serve(200, hanging=20)

    told = json.loads(
        run(environment | {"CHECK_DEADLINE_S": str(deadline_s)}, "manage.py", "check_mcp_servers", "--json")
    )

    assert (told["checked"], told["failed"]) == (200, 0)
    assert told["health"] == {"working": 180, "down": 20}
    assert {server["verdict"] for server in told["servers"] if server["health"] == "down"} == {"timeout"}
    assert told["seconds"] < 10 * deadline_s
