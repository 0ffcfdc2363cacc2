"""Several processes at the return address of one order in the same moment, on a real database."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
ORDERS, PROCESSES = 12, 3


@pytest.fixture
def database_url(tmp_path):
    """A fresh database of the kind that the other tests run on: a file, or one on the same PostgreSQL server."""
    database = settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        yield f"sqlite:///{tmp_path}/prompt_management.db"
        return
    import psycopg

    name = f"test_at_once_{uuid.uuid4().hex[:12]}"
    password = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    server = f"postgres://{database['USER']}{password}@{database['HOST']}:{database['PORT'] or 5432}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def start(database_url: str, *arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.checkout.returning", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, given: str = ""):
    out, problems = process.communicate(given, timeout=120)
    assert process.returncode == 0, problems
    assert "database is locked" not in problems
    return json.loads(out)


@pytest.mark.slow
def test_processes_that_return_at_once_charge_and_deliver_each_order_once(database_url):
    addresses = finish(start(database_url, "prepare", ORDERS))

    visitors = [start(database_url, "visit", time.time() + 6) for _ in range(PROCESSES)]
    for visitor in visitors:
        visitor.stdin.write(json.dumps(addresses))
        visitor.stdin.close()
        visitor.stdin = None
    statuses = [status for visitor in visitors for status in finish(visitor)]

    assert set(statuses) == {302}
    assert len(statuses) == ORDERS * PROCESSES * 2
    assert finish(start(database_url, "report")) == {
        "orders": {"paid": ORDERS},
        "payments": {"paid": ORDERS},
        "purchases": ORDERS * 2,
        "entitlements": ORDERS * 2,
        "twice": 0,
        "charges": ORDERS,
        "given_back": 0,
        "sales": ORDERS * 2,
    }
