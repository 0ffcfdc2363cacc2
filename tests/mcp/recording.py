"""Processes of their own on a real database; `test_at_once.py` starts them.

python -m tests.mcp.recording rows PORT…     makes the tables and a due server for each port on loopback
python -m tests.mcp.recording looks P N      P processes record N looks each at one server, each in the same moment
python -m tests.mcp.recording report         what the database holds
"""

import json
import multiprocessing
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings_checks"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.utils import timezone  # noqa: E402

from mcp.checking.health import record_sighting  # noqa: E402
from mcp.client.sightings import SeenTool, Sighting  # noqa: E402
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay, Tool, ToolChange  # noqa: E402
from mcp.verdicts import Verdict  # noqa: E402
from tests.factories import make_server  # noqa: E402

PATIENCE_S = 60  # for the slowest of the processes, before the test fails


def make_rows(ports: list[str]) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    for port in ports:
        make_server(slug=f"port-{port}", endpoint=f"http://127.0.0.1:{port}/mcp", metadata={"written": 0})


def see(look: int) -> Sighting:
    """Broken at even looks; at odd ones it answers, with one tool more than before."""
    if look % 2 == 0:
        return Sighting(verdict=Verdict.TLS_ERROR, reason="expired")
    tools = tuple(SeenTool(name=f"tool-{number}") for number in range(look // 2))
    return Sighting(verdict=Verdict.OK, latency_ms=20, protocol_version="2026-07-28", tools=tools)


def record(look_count: int, meeting, results) -> None:
    """Record each look when all have come to it, and between two be another program that writes into `metadata`."""
    server, errors = McpServer.objects.get(), []
    for look in range(look_count):
        meeting.wait(timeout=PATIENCE_S)
        try:
            record_sighting(server=server, sighting=see(look), now=timezone.now(), trigger="schedule")
            with transaction.atomic():
                row = McpServer.objects.select_for_update().get()
                row.metadata["written"] += 1
                row.save(update_fields=["metadata"])
        except Exception as error:
            errors.append(repr(error))
        meeting.wait(timeout=PATIENCE_S)
    results.put(errors)


def record_at_once(process_count: int, look_count: int) -> list[str]:
    """What went wrong. The processes are forked, so each opens its own connection."""
    make_rows(["1"])
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    meeting, results = forks.Barrier(process_count), forks.Queue()
    processes = [forks.Process(target=record, args=[look_count, meeting, results]) for _ in range(process_count)]
    for process in processes:
        process.start()
    errors = [error for _ in processes for error in results.get(timeout=10 * PATIENCE_S)]
    for process in processes:
        process.join()
    return errors


def report() -> dict:
    days = ServerDay.objects.aggregate(checks=Sum("check_count"), up=Sum("up_count"), down=Sum("down_count"))
    twice = HealthCheck.objects.values("server").annotate(n=Count("pk")).filter(n__gt=1)
    return {
        "checks": HealthCheck.objects.count(),
        "twice": twice.count(),
        "verdicts": dict(HealthCheck.objects.values_list("verdict").annotate(n=Count("pk"))),
        "health": dict(Entry.objects.values_list("health").annotate(n=Count("pk"))),
        "leases": Entry.objects.filter(claimed_until__isnull=False).count(),
        "days": days,
        "incidents": Incident.objects.count(),
        "open": Incident.objects.filter(ended_at=None).count(),
        "tools": Tool.objects.offered().count(),
        "changes": ToolChange.objects.count(),
        "written": sum(metadata["written"] for metadata in McpServer.objects.values_list("metadata", flat=True)),
        "recorded": McpServer.objects.filter(metadata__has_key="health").count(),
    }


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "rows":
        make_rows(arguments)
    elif what == "looks":
        print(json.dumps({"errors": record_at_once(*map(int, arguments)), "report": report()}))
    else:
        print(json.dumps(report()))
