"""`manage.py check_mcp_servers`, with looks of our own instead of the network."""

import json
import re
from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from mcp.checking.health import record_sighting
from mcp.checking.rounds import run_round
from mcp.client.sightings import SeenTool, Sighting
from mcp.management.commands import check_mcp_servers
from mcp.models import Entry, HealthCheck, McpServer
from mcp.verdicts import Verdict
from tests.factories import NOON, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def seen():
    """What looks will see, by slug; else a good answer. An exception is raised."""
    return {}


@pytest.fixture
def run(seen, monkeypatch, time_machine):
    """`run("--all")`: exit status and output without the seconds it took. Looks at a slug are in `run.looked`."""
    time_machine.move_to(NOON, tick=False)

    def check(server, *, now, trigger):
        call.looked.append(server.entry.slug)
        sighting = seen.get(server.entry.slug, Sighting(verdict=Verdict.OK, latency_ms=80, tools=()))
        if isinstance(sighting, Exception):
            raise sighting
        return record_sighting(server=server, sighting=sighting, now=now, trigger=trigger)

    def call(*options) -> tuple[int, str]:
        out = StringIO()
        try:
            call_command("check_mcp_servers", "--workers", "1", *options, stdout=out)
        except CommandError as error:
            return error.returncode, without_seconds(out.getvalue()) + str(error)
        return 0, without_seconds(out.getvalue())

    call.looked = []
    monkeypatch.setattr(check_mcp_servers, "run_round", partial(run_round, check=check))
    return call


def without_seconds(text: str) -> str:
    return re.sub(r"(checked in |\"seconds\": )[0-9.]+", r"\g<1>0", text)


def test_what_is_due_is_looked_at_once(run):
    make_server(slug="files")
    make_server(slug="later", entry={"next_check_at": NOON + timedelta(minutes=1)})

    status, text = run()
    assert (status, run.looked) == (0, ["files"])
    assert text == "1 server checked in 0 s: 1 working; 0 worse than before, 0 left to others, 0 failed\n"
    assert run()[1].startswith("0 servers checked in 0 s: none;")
    assert run.looked == ["files"]


def test_a_row_of_another_program_is_listed_and_looked_at(run):
    McpServer.objects.create(name="Weather", endpoint="https://weather.example.com/")

    run()

    assert Entry.objects.get().health == "working"


def test_all_takes_what_is_not_due_and_leaves_what_is_not_checked(run):
    make_server(slug="later", entry={"next_check_at": NOON + timedelta(hours=1)})
    make_server(slug="paused", entry={"mode": "paused"})

    assert run("--all")[0] == 0
    assert run.looked == ["later"]
    assert HealthCheck.objects.get().trigger == "staff"


def test_servers_can_be_named(run):
    make_server(slug="files", entry={"next_check_at": NOON + timedelta(hours=1)})
    make_server(slug="weather", name="Weather", entry={"mode": "paused"})
    make_server(slug="mail")

    run("files", "Weather")

    assert sorted(run.looked) == ["files", "weather"]


def test_of_servers_that_were_named_each_is_told(run, seen):
    make_server(slug="files", entry={"health": "working"}, status="active")
    make_server(slug="mail")
    seen["files"] = Sighting(verdict=Verdict.UNREACHABLE, reason="the connection was refused")

    status, text = run("files", "mail")

    assert status == 0  # the first miss of a server that was up
    assert "files: working, unreachable (the connection was refused)\n" in text
    assert "mail: working, ok\n" in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nobody"], "no server “nobody”, or it is switched off"),
        (["files", "--all"], "exclude each other"),
        (["--workers", "0"], "from 1 to 128"),
        (["--workers", "129"], "from 1 to 128"),
    ],
)
def test_wrong_use_looks_at_nothing(run, options, told):
    make_server(slug="files")

    status, text = run(*options)

    assert (status, run.looked) == (2, [])
    assert told in text


def test_a_server_that_is_worse_than_before_is_named_once(run, seen, time_machine):
    make_server(slug="files", entry={"health": "working", "miss_count": 1}, status="active")
    make_server(slug="mail", entry={"health": "down"})
    seen |= {slug: Sighting(verdict=Verdict.TIMEOUT) for slug in ("files", "mail")}

    status, text = run()
    assert status == 1
    assert "worse: files: working -> down, timeout\n" in text
    assert "worse: mail" not in text
    assert text.endswith("2 down; 1 worse than before, 0 left to others, 0 failed\n1 to look at")

    time_machine.move_to(NOON + timedelta(minutes=20), tick=False)
    assert run()[0] == 0


def test_the_result_as_json(run, seen):
    make_server(slug="files", entry={"tool_count": 0})
    seen["files"] = Sighting(
        verdict=Verdict.OK, latency_ms=80, protocol_version="2026-07-28", tools=(SeenTool(name="read"),)
    )

    status, text = run("--json")

    assert status == 0
    assert json.loads(text) == {
        "seconds": 0,
        **{"checked": 1, "skipped": 0, "worse": 0, "failed": 0, "failed_servers": [], "health": {"working": 1}},
        "servers": [
            {
                "slug": "files",
                "previous_health": "unchecked",
                "health": "working",
                "is_worse": False,
                "verdict": "ok",
                "reason": "",
                "latency_ms": 80,
                "tool_count": 1,
                "changes": [{"tool": "read", "kind": "added"}],
            }
        ],
    }


def test_a_dry_run_looks_at_nothing_and_writes_nothing(run):
    make_server(slug="files")
    McpServer.objects.create(name="Weather", endpoint="https://weather.example.com/")

    assert run("--dry-run") == (0, "files\nwould check 1 server\n")
    assert json.loads(run("--dry-run", "--json")[1]) == {"dry_run": True, "would_check": ["files"]}
    assert (run.looked, Entry.objects.count()) == ([], 1)


def test_one_that_cannot_be_recorded_keeps_no_other_from_it_and_gives_its_lease_back(run, seen, caplog):
    make_server(slug="broken", entry={"next_check_at": NOON - timedelta(minutes=1)})
    make_server(slug="files")
    seen["broken"] = RuntimeError()

    status, text = run("--json")

    assert (status, run.looked) == (1, ["broken", "files"])
    result, _end = json.JSONDecoder().raw_decode(text)
    assert (result["failed"], result["failed_servers"]) == (1, ["broken"])
    assert [record.message for record in caplog.records] == ["check failed server=broken"]
    assert set(Entry.objects.values_list("claimed_until", flat=True)) == {None}


def test_what_another_run_has_is_left_to_it(run):
    make_server(slug="files", entry={"claimed_until": NOON + timedelta(minutes=1)})

    status, text = run("--all")

    assert (status, run.looked) == (0, [])
    assert "1 left to others" in text


def test_what_another_run_has_just_looked_at_is_left_out_of_all(run):
    make_server(slug="files", last_health_check=NOON)

    assert "1 left to others" in run("--all")[1]
    assert Entry.objects.get().claimed_until is None


def test_a_server_that_is_deleted_meanwhile_is_no_failure(run, seen):
    make_server(slug="files")
    seen["files"] = McpServer.DoesNotExist()

    assert run()[0] == 0
