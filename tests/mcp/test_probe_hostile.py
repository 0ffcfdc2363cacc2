"""Servers that mean harm: each has its verdict inside the deadline, and takes neither memory nor truth from us."""

import gzip
import json
import socket
import time
import tracemalloc
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp.client.probe import probe
from mcp.client.sightings import Sighting
from mcp.verdicts import Verdict
from tests.mcp.zoo import LOOPBACK, PATIENT, SHORT, Visit, Zoo, legacy, modern

pytestmark = pytest.mark.slow

GENEROUS_S = 120  # a busy machine is slow; a server without a deadline would hold us for ever
COST_S = 20  # of work in one look, however long it has to wait for a place; the worst here takes a tenth of it
MEBIBYTE = 1_048_576
MEMORY = 48 * MEBIBYTE  # of one look; the worst here takes half of it
IN_TRANSIT = 16 * MEBIBYTE  # what the buffers of the two sockets may hold unread


def drip_headers(visit: Visit) -> None:
    visit.send(b"HTTP/1.1 200 OK\r\n")
    visit.repeat(b"X-Drip: 1\r\n", every_s=0.1)


def drip_json(visit: Visit) -> None:
    visit.begin(200, "application/json")
    visit.repeat(b" ", every_s=0.05)


def drip_comments(visit: Visit) -> None:
    visit.begin()
    visit.repeat(b": ping\n\n", every_s=0.05)


def drip_notifications(visit: Visit) -> None:
    visit.begin()
    visit.repeat(b'data: {"jsonrpc": "2.0", "method": "notifications/progress"}\n\n', every_s=0.05)


def slow_loris(visit: Visit) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{":
        visit.send(bytes([letter]))
        visit.zoo.is_closing.wait(0.2)
    visit.hang()


@pytest.mark.parametrize("do", [drip_headers, drip_json, drip_comments, drip_notifications, slow_loris, Visit.hang])
@pytest.mark.parametrize("method", ["server/discover", "tools/list"])
def test_a_server_that_drips_ends_with_the_deadline(zoo, do, method):
    begin = time.monotonic()

    sighting = zoo.probe(lambda visit: do(visit) if visit.rpc_method == method else modern(visit), limits=SHORT)

    assert sighting.verdict == Verdict.TIMEOUT
    assert time.monotonic() - begin < GENEROUS_S


def endless_body(visit: Visit) -> None:
    visit.begin(200, "application/json")
    visit.repeat(b" " * 65_536)


def endless_line(visit: Visit) -> None:
    visit.begin()
    visit.send(b"data: ")
    visit.repeat(b"x" * 65_536)


def endless_events(visit: Visit) -> None:
    visit.begin()
    visit.repeat(b"data: {}\n\n" * 6_000)


def endless_blank_lines(visit: Visit) -> None:
    visit.begin()
    visit.repeat(b"\n" * 65_536)


def endless_data_lines(visit: Visit) -> None:
    visit.begin()
    visit.repeat(b"data\n" * 13_000)


def endless_chunks(visit: Visit) -> None:
    visit.begin(200, "application/json", Transfer_Encoding="chunked")
    visit.repeat(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def endless_headers(visit: Visit) -> None:
    visit.send(b"HTTP/1.1 200 OK\r\n")
    visit.repeat(b"X-Long: " + b"x" * 65_000 + b"\r\n")


def endless_refusal(visit: Visit) -> None:
    visit.begin(400, "application/json")
    visit.repeat(b" " * 65_536)


ENDLESS = [endless_body, endless_line, endless_events, endless_blank_lines]
ENDLESS += [endless_data_lines, endless_chunks, endless_headers, endless_refusal]


@pytest.mark.parametrize("do", ENDLESS)
def test_a_server_that_never_stops_is_cut_off(zoo, do):
    sighting = zoo.probe(lambda visit: do(visit) if visit.rpc_method == "server/discover" else modern(visit))

    assert sighting.verdict == Verdict.RESPONSE_TOO_LARGE
    assert zoo.bytes_sent < IN_TRANSIT


@pytest.mark.parametrize("do", [endless_line, endless_data_lines, endless_chunks])
def test_a_server_that_never_stops_takes_little_memory(zoo, do):
    sighting, peak = measure(zoo, do)

    assert sighting.verdict == Verdict.RESPONSE_TOO_LARGE
    assert peak < MEMORY


def measure(zoo: Zoo, animal, **options) -> tuple[Sighting, int]:
    """What was seen, and the most memory that it took, the server's own included."""
    tracemalloc.start()
    try:
        sighting = zoo.probe(animal, **options)
        return sighting, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_not_unpacked(zoo):
    bomb = gzip.compress(b" " * 40 * MEBIBYTE)

    def animal(visit: Visit):
        if visit.rpc_method in ("server/discover", "initialize"):
            visit.answer(200, bomb, Content_Encoding="gzip")
        else:
            modern(visit)

    sighting, peak = measure(zoo, animal)

    assert sighting.verdict == Verdict.INVALID_JSON
    assert peak < 20 * MEBIBYTE


WORST_JSON = {
    "lists": b"[" + b"[]," * 340_000 + b"[]]",
    "depth": b"[" * 500_000,
    "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "digits": b"[" + b"9" * 1_000_000 + b"]",
    "escapes": b'["' + b"\\ud83d" * 170_000 + b'"]',
    "keys": b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}",
}
# What is left of a number and a text that are none; the others are larger or deeper than we keep.
ODD_SCHEMAS = [{}, {"type": "object", "default": [None]}, {"type": "object", "default": [""]}]


@pytest.mark.parametrize("body", WORST_JSON.values(), ids=WORST_JSON)
@pytest.mark.parametrize("place", ["whole", "result", "schema"])
def test_the_worst_json_that_fits_costs_little(zoo, body, place):
    def animal(visit: Visit):
        if place != "schema":
            whole = b'{"jsonrpc": "2.0", "id": %d, "result": %s}' % (visit.message["id"], body)
            visit.answer(200, body if place == "whole" else whole)
        elif visit.rpc_method == "tools/list":
            tool = b'{"name": "t", "inputSchema": {"type": "object", "default": %s}}' % body
            visit.answer(200, b'{"jsonrpc": "2.0", "id": 2, "result": {"tools": [%s]}}' % tool)
        else:
            modern(visit)

    begin = time.thread_time()
    sighting = zoo.probe(animal)

    assert sighting.verdict in ("ok", "not_mcp", "invalid_json")
    assert sighting.verdict != "ok" or sighting.tools[0].input_schema in ODD_SCHEMAS
    assert time.thread_time() - begin < COST_S


@pytest.mark.parametrize("body", [WORST_JSON["lists"], WORST_JSON["keys"]], ids=["lists", "keys"])
def test_the_worst_json_that_fits_takes_little_memory(zoo, body):
    def animal(visit: Visit):
        visit.answer(200, b'{"jsonrpc": "2.0", "id": %d, "result": %s}' % (visit.message["id"], body))

    sighting, peak = measure(zoo, animal)

    assert sighting.verdict == Verdict.NOT_MCP
    assert peak < MEMORY


def test_ten_thousand_tools_are_cut_to_what_is_kept(zoo):
    tools = [{"name": f"tool-{number}", "description": "d" * 20} for number in range(10_000)]

    sighting, peak = measure(zoo, lambda visit: modern(visit, lists={"tools": tools}))

    assert (sighting.verdict, len(sighting.tools), sighting.is_cut) == ("ok", 500, True)
    assert peak < MEMORY


def test_pages_without_end_are_not_followed_for_ever(zoo):
    """Each as large as it may be, and each with another cursor."""

    def animal(visit: Visit):
        if visit.rpc_method == "tools/list":
            visit.result({"tools": [{"name": "t", "description": "x" * 900_000}], "nextCursor": str(len(zoo.visits))})
        else:
            modern(visit)

    sighting, peak = measure(zoo, animal)

    assert (sighting.verdict, len(sighting.tools), sighting.is_cut) == ("ok", 1, True)
    assert len(zoo.visits) == 1 + 20
    assert peak < MEMORY


def test_texts_are_cut_and_hide_nothing(zoo):
    nasty = "<script>alert(1)</script>\u202e\u2066evil\x00\x1b[31m\ud800\u200f" + "가" * 5_000
    tool = {
        "name": nasty,
        "title": nasty,
        "description": nasty,
        "inputSchema": {"type": "object", "properties": {nasty: {"description": nasty}}},
    }
    lists = {"tools": [tool], "prompts": [{"name": nasty, "arguments": [{"name": nasty[:200]}] * 100}]}
    info = {"name": nasty, "title": nasty, "version": nasty}

    sighting = zoo.probe(lambda visit: legacy(visit, lists=lists, serverInfo=info, instructions=nasty))

    assert sighting.verdict == "ok"
    [tool], [prompt] = sighting.tools, sighting.prompts
    assert (len(tool.name), len(tool.title), len(tool.description)) == (128, 100, 2_000)
    assert len(prompt.arguments) == 50
    assert [len(text) for text in (sighting.server_name, sighting.server_version)] == [100, 100]
    assert len(sighting.instructions) == 1_000
    assert tool.name.startswith("<script>alert(1)</script>evil[31m가")  # templates escape what is left
    shown = json.dumps([tool.name, tool.input_schema, prompt.name, sighting.instructions], ensure_ascii=False)
    assert [character for character in shown if unicodedata.category(character) in ("Cc", "Cf", "Cs")] == []


def test_schemas_are_kept_while_they_are_of_a_size(zoo):
    def schema(size):
        return {"type": "object", "description": "d" * 10, "enum": ["x" * 1_000] * (size // 1_000)}

    deep = {"type": "object"}
    for _ in range(30):
        deep = {"properties": deep}
    tools = [
        {"name": "small", "inputSchema": schema(1_000)},
        {"name": "large", "inputSchema": schema(33_000)},
        {"name": "deep", "inputSchema": deep},
        {"name": "none"},
        {"name": "wrong", "inputSchema": "object"},
        *({"name": f"tool-{number}", "inputSchema": schema(30_000)} for number in range(20)),
    ]

    sighting = zoo.probe(lambda visit: modern(visit, lists={"tools": tools}))

    schemas = {tool.name: tool.input_schema for tool in sighting.tools}
    assert schemas["small"] == tools[0]["inputSchema"]
    assert [schemas[name] for name in ("large", "deep", "none", "wrong")] == [{}, {}, {}, {}]
    assert 200 * 1024 < sum(len(json.dumps(kept)) for kept in schemas.values() if kept) < 300 * 1024


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_nobody_is_led_to_another_port_of_this_machine(zoo, code):
    inside = Zoo()
    try:
        target = inside.open(modern)
        sighting = zoo.probe(lambda visit: visit.answer(code, Location=target))
    finally:
        inside.close()

    assert (sighting.verdict, inside.connection_count) == ("redirect", 0)


def test_no_stream_leads_to_another_port_of_this_machine(zoo):
    inside = Zoo()

    def animal(visit: Visit):
        if visit.method == "GET":
            visit.begin()
            visit.send(f"event: endpoint\ndata: {inside.open(modern)}\n\n".encode())
            visit.hang()
        visit.answer(405)

    try:
        sighting = zoo.probe(animal)
    finally:
        inside.close()

    assert (sighting.verdict, inside.connection_count) == ("sse_endpoint_cross_origin", 0)


def test_a_name_that_changes_where_it_leads_is_judged_each_time(zoo, monkeypatch):
    """Public at the first look, where nobody answers; loopback when asked again."""
    answers = iter(["192.0.43.7", "127.0.0.1"])

    def getaddrinfo(host, port, *_arguments, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (next(answers), zoo.port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    sighting = probe("https://rebind.example/mcp", limits=PATIENT)

    assert sighting.verdict == Verdict.BLOCKED_ADDRESS
    assert list(answers) == []
    assert zoo.connection_count == 0


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "protocolVersion",
    "capabilities",
    "serverInfo",
    "instructions",
    "supportedVersions",
    "_meta",
    "tools",
    "prompts",
]
NAMES += ["nextCursor", "resultType"]
ITEMS = st.dictionaries(
    st.sampled_from(["name", "title", "description", "inputSchema", "annotations", "arguments"]), ANYTHING
)
LISTS = st.lists(st.fixed_dictionaries({"name": st.text(min_size=1)}) | ITEMS, max_size=3)
RESULTS = st.dictionaries(st.sampled_from(NAMES), ANYTHING | LISTS)
ERRORS = st.dictionaries(st.sampled_from(["code", "message", "data"]), ANYTHING | st.just(-32022))
fuzzing = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzzing
@given(st.data(), st.sampled_from([modern, legacy]))
def test_wrong_types_in_every_field_end_in_a_verdict(zoo, data, server):
    """A server that does well, until it puts anything anywhere in one of its answers."""
    step = data.draw(st.sampled_from(["server/discover", "initialize", "tools/list", "prompts/list"]))
    answer = data.draw(st.fixed_dictionaries({"result": RESULTS}) | st.fixed_dictionaries({"error": ERRORS}))
    status = data.draw(st.sampled_from([200, 200, 200, 400, 404]))

    def animal(visit: Visit):
        if visit.rpc_method == step:
            body = json.dumps({"jsonrpc": "2.0", "id": visit.message["id"], **answer}).encode()
            visit.answer(status, body)
        else:
            server(visit, lists={"tools": [{"name": "echo"}], "prompts": [{"name": "greet"}]})

    sighting = zoo.probe(animal)

    assert sighting.verdict in Verdict
    json.dumps([vars(tool) for tool in sighting.tools or ()], allow_nan=False).encode()


LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/9.9 999999 No\r\n",
        b"HTTP/1.1 -1 No\r\n",
        b"Content-Type: text/event-stream\r\n",
        b"Content-Type: application/json\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: many\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Location: http://[::1\r\n",
        b"HTTP/1.1 307 Go\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer resource_metadata=\"http://[\r\n",
        b"\r\n",
        b"zz\r\n",
        b"ffffffffffffffff\r\n",
        b"data: {}\n\n",
    ]
)  # fmt: skip


@fuzzing
@given(st.lists(LINES | st.binary(max_size=10), max_size=8).map(b"".join))
def test_whatever_bytes_come_end_in_a_verdict(zoo, raw):
    assert zoo.probe(lambda visit: visit.send(raw), limits=SHORT).verdict in Verdict


def test_nothing_that_a_server_sent_stands_in_the_log(zoo, caplog):
    zoo.probe(lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nno colon, but sk-secret-0123456789\r\n\r\n{}"))

    assert caplog.text == ""


def test_an_address_in_the_fixture_networks_is_needed_to_reach_the_zoo(zoo):
    """Else the tests above could pass without a guard."""
    assert probe(zoo.open(modern), limits=PATIENT).verdict == Verdict.BLOCKED_ADDRESS
    assert probe(zoo.open(modern), limits=PATIENT, allow_networks=LOOPBACK).verdict == Verdict.OK
