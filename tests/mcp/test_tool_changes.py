"""Tools of a server as rows, and what changed between two looks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mcp.checking import tool_changes
from mcp.checking.health import record_sighting
from mcp.client.sightings import SeenTool, Sighting
from mcp.models import Entry, Tool, ToolChange
from mcp.verdicts import Verdict
from tests.factories import NOON, make_server

pytestmark = pytest.mark.django_db

READ = SeenTool(
    name="read",
    title="Read",
    description="Reads a file.",
    input_schema={"type": "object", "properties": {"path": {"type": "string"}}},
    annotations={"readOnlyHint": True},
)
WRITE = SeenTool(name="write", description="Writes a file.")


def see(server, *tools: SeenTool, minutes: int = 0, version: str = "1.0", is_cut: bool = False, is_known: bool = True):
    """What changed by a good look. is_known: False where tools could not be listed."""
    sighting = Sighting(
        verdict=Verdict.OK if is_known else Verdict.AUTH_REQUIRED,
        protocol_version="2026-07-28",
        server_version=version,
        tools=tools if is_known else None,
        is_cut=is_cut,
    )
    now = NOON + timedelta(minutes=minutes)
    changes = record_sighting(server=server, sighting=sighting, now=now, trigger="schedule").changes
    return [(change.tool_name, change.kind) for change in changes]


def offered(server) -> list[str]:
    return list(server.tools.offered().order_by("position").values_list("name", flat=True))


def test_tools_found_for_the_first_time_are_kept_and_change_nothing():
    server = make_server()

    assert see(server, WRITE, READ) == []

    assert offered(server) == ["write", "read"]
    tool = Tool.objects.get(name="read")
    assert (tool.title, tool.description, tool.annotations) == ("Read", "Reads a file.", {"readOnlyHint": True})
    assert (tool.input_schema, tool.first_seen_at) == (READ.input_schema, NOON)
    assert ToolChange.objects.count() == 0


def test_a_first_tool_of_a_server_that_had_none_is_added():
    server = make_server()
    see(server)

    assert see(server, READ, minutes=15) == [("read", "added")]


def test_tools_that_stay_the_same_write_nothing():
    server = make_server()
    see(server, READ, WRITE)

    assert see(server, READ, WRITE, minutes=15) == []
    assert {tool.changed_at for tool in Tool.objects.all()} == {NOON}


def test_numbers_that_a_database_writes_in_another_way_are_no_change():
    server = make_server()
    huge = replace(READ, input_schema={"maximum": 1.7976931348623157e308, "minimum": 1.0, "default": 0.1})
    see(server, huge)

    assert see(server, huge, minutes=15) == []
    assert see(server, replace(huge, input_schema={**huge.input_schema, "minimum": 2}), minutes=30) == [
        ("read", "schema")
    ]


def test_another_order_is_followed_and_no_change():
    server = make_server()
    see(server, READ, WRITE)

    assert see(server, WRITE, READ, minutes=15) == []
    assert offered(server) == ["write", "read"]
    assert {tool.changed_at for tool in Tool.objects.all()} == {NOON}


def test_a_tool_that_comes_goes_and_returns():
    server = make_server()
    see(server, READ)

    assert see(server, READ, WRITE, minutes=15) == [("write", "added")]
    assert see(server, READ, minutes=30) == [("write", "removed")]
    assert offered(server) == ["read"]
    assert Tool.objects.get(name="write").removed_at == NOON + timedelta(minutes=30)
    assert see(server, READ, minutes=45) == []
    assert see(server, READ, WRITE, minutes=60) == [("write", "added")]

    write = Tool.objects.get(name="write")
    assert (write.removed_at, write.first_seen_at) == (None, NOON + timedelta(minutes=15))
    assert Entry.objects.get().tool_count == 2


@pytest.mark.parametrize(
    ("change", "kind", "before", "after"),
    [
        ({"description": "Deletes a file."}, "description", "Reads a file.", "Deletes a file."),
        ({"title": "Look"}, "description", "Read\n\nReads a file.", "Look\n\nReads a file."),
        ({"input_schema": {"type": "object"}}, "schema", None, '{\n  "type": "object"\n}'),
        ({"annotations": {}}, "hints", '{\n  "readOnlyHint": true\n}', "{}"),
    ],
)
def test_what_changed_is_told_with_before_and_after(change, kind, before, after):
    server = make_server()
    see(server, READ)

    assert see(server, replace(READ, **change), minutes=15) == [("read", kind)]

    row = ToolChange.objects.get()
    assert row.after == after
    assert before is None or row.before == before
    assert (row.server_version, row.seen_at) == ("1.0", NOON + timedelta(minutes=15))
    assert Tool.objects.get().changed_at == NOON + timedelta(minutes=15)


@pytest.mark.parametrize(("version", "is_silent"), [("1.0", True), ("1.1", False)])
def test_a_change_is_silent_when_the_version_of_the_server_stays(version, is_silent):
    server = make_server()
    see(server, READ)

    see(server, replace(READ, description="Deletes a file."), minutes=15, version=version)

    assert ToolChange.objects.get().is_silent == is_silent


def test_what_comes_or_goes_is_never_silent():
    server = make_server()
    see(server, READ)

    see(server, WRITE, minutes=15)

    assert list(ToolChange.objects.values_list("is_silent", flat=True)) == [False, False]


def test_a_list_that_was_cut_takes_no_tool_away():
    server = make_server()
    see(server, READ, WRITE)

    assert see(server, READ, minutes=15, is_cut=True) == []
    assert sorted(offered(server)) == ["read", "write"]


def test_a_server_that_asks_to_sign_in_keeps_its_tools():
    server = make_server()
    see(server, READ, WRITE)

    assert see(server, minutes=15, is_known=False) == []
    assert offered(server) == ["read", "write"]


def test_a_name_that_comes_twice_is_one_tool():
    server = make_server()

    see(server, READ, replace(READ, description="Again."))

    assert Tool.objects.get().description == "Reads a file."


def test_a_server_that_always_says_something_else_fills_no_table(monkeypatch):
    monkeypatch.setattr(tool_changes, "MAX_TOOL_ROWS", 10)
    monkeypatch.setattr(tool_changes, "MAX_CHANGES_A_DAY", 20)
    server = make_server()
    see(server)

    for round_number in range(6):
        names = [f"tool-{round_number}-{number}" for number in range(6)]
        see(server, *(SeenTool(name=name) for name in names), minutes=round_number)

    assert offered(server) == names
    assert (Tool.objects.count(), ToolChange.objects.count()) == (10, 20)


@pytest.mark.parametrize("count", [1, 60])
def test_recording_costs_the_same_however_many_tools(count, django_assert_max_num_queries):
    server = make_server()
    see(server)

    with django_assert_max_num_queries(26):
        see(server, *(SeenTool(name=f"tool-{number}") for number in range(count)), minutes=15)
