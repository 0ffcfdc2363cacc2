"""JSON-RPC messages and event streams, read from bytes."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp.client.wire import (
    Event,
    InvalidJson,
    RpcError,
    find_answer,
    make_request,
    parse_json,
    read_events,
    split_lines,
)

# Pieces that decide what a stream means, in every order.
FIELDS = ["data:", "data: ", "data", "event: message", "event:x", ": ping", "id: 7", ":", " ", "{}"]
PIECES = st.sampled_from(["\n", "\r", "\r\n", *FIELDS, "가", "\u2028", "\x85", "\ufeff"])
STREAMS = st.lists(PIECES, max_size=40).map("".join).map(str.encode) | st.binary(max_size=60)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(edges)]


@given(STREAMS, st.lists(st.integers(0, 1000), max_size=20))
def test_how_a_stream_is_cut_changes_nothing(stream, places):
    chunks = cut(stream, places)

    assert list(read_events(chunks)) == list(read_events([stream]))
    assert list(split_lines(chunks)) == list(split_lines([stream]))


@given(STREAMS)
def test_byte_by_byte_and_with_empty_chunks_it_is_the_same(stream):
    chunks = [piece for byte in stream for piece in (b"", bytes([byte]))]

    assert list(read_events(chunks)) == list(read_events([stream]))


@given(STREAMS)
def test_lines_end_as_the_standard_says(stream):
    assert list(split_lines([stream])) == re.split(b"\r\n|\r|\n", stream)[:-1]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5), st.sampled_from(["\n", "\r", "\r\n"]))
def test_what_a_server_writes_is_what_is_read(texts, end):
    """As servers write it: one `data` line for each line of the text."""
    lines = [re.split("\r\n|\r|\n", text) for text in texts]
    stream = "".join("".join(f"data: {line}{end}" for line in event) + end for event in lines)

    expected = [Event("message", "\n".join(event)) for event in lines if event != [""]]
    assert list(read_events([stream.encode("utf-8", errors="replace")])) == [
        Event(event.name, event.data.encode("utf-8", errors="replace").decode()) for event in expected
    ]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event("message", "a")]),
        (b"event: endpoint\r\ndata: /m\r\n\r\n", [Event("endpoint", "/m")]),
        (b"data: a\rdata: b\r\r", [Event("message", "a\nb")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event("message", "a")]),
        (b": ping\n\n:\n\ndata:a\n\n", [Event("message", "a")]),
        (b"id: 1\ndata: \n\ndata: a\n\n", [Event("message", "a")]),  # a first event without data, to prime the client
        (b"event: x\n\ndata: a\n\n", [Event("message", "a")]),  # the name belongs to the event that had no data
        (b"data:  a\n\n", [Event("message", " a")]),
        (b"data\n\n", []),
        (b"data\ndata: \n\n", [Event("message", "\n")]),
        (b"Data: a\n data: b\n\n", []),
        (b"data: a\n", []),  # nothing ended it
        (b"data: \xff\xed\xa0\x80\n\n", [Event("message", "\ufffd" * 4)]),
        ('data: "a\u2028b\u2029c\x85d"\n\n'.encode(), [Event("message", '"a\u2028b\u2029c\x85d"')]),
    ],
)
def test_a_stream_is_read_as_the_standard_says(stream, events):
    assert list(read_events([stream])) == events


def test_a_line_end_that_is_split_between_chunks_is_one():
    assert list(read_events([b"data: a\r", b"\ndata: b\r", b"", b"\n\r", b"\n"])) == [Event("message", "a\nb")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>",
        b'{"a": NaN}',
        b"[Infinity]",
        b"\xff\xfe{\x00}\x00",
        '{"a": "é"}'.encode("latin-1"),
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_refused(body):
    with pytest.raises(InvalidJson):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"123456789012345678", 123_456_789_012_345_678),
        (b"1" * 300, float("1" * 300)),
        (b"1" * 100_000, None),
        (b"-1e999", None),
        (b'"\\ud800"', "\ud800"),
    ],
)
def test_json_that_is_only_odd_is_read(body, value):
    assert parse_json(body) == value


ERROR = {"code": -32601, "message": "no"}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"jsonrpc": "2.0", "id": 3, "result": {"a": 1}}, {"a": 1}),
        ([{"jsonrpc": "2.0", "method": "x"}, {"jsonrpc": "2.0", "id": 3, "result": {}}], {}),
        ({"jsonrpc": "2.0", "id": 3, "error": ERROR}, RpcError(-32601, "no")),
        ({"jsonrpc": "2.0", "id": None, "error": ERROR}, RpcError(-32601, "no")),
        ({"jsonrpc": "2.0", "error": ERROR}, RpcError(-32601, "no")),
        ({"jsonrpc": "2.0", "id": "server-error", "error": ERROR}, RpcError(-32601, "no")),
        ({"jsonrpc": "2.0", "id": 3, "error": {"code": True}}, RpcError(None, None)),
        ({"jsonrpc": "2.0", "id": 2, "error": ERROR}, None),
        ({"jsonrpc": "2.0", "id": 2, "result": {}}, None),
        ({"jsonrpc": "2.0", "id": "3", "result": {}}, None),
        ({"jsonrpc": "2.0", "id": 3.0, "result": {}}, None),
        ({"jsonrpc": "2.0", "id": 3, "result": []}, None),
        ({"jsonrpc": "2.0", "id": 3, "method": "ping", "result": {}}, None),  # the server's own request
        ({"jsonrpc": "1.0", "id": 3, "result": {}}, None),
        ({"result": {}}, None),
        ([], None),
        ("result", None),
        (None, None),
    ],
)
def test_the_answer_to_a_request_is_told_from_other_messages(body, answer):
    assert find_answer(body, 3) == answer


def test_a_true_is_no_one():
    assert find_answer({"jsonrpc": "2.0", "id": True, "result": {}}, 1) is None


def test_a_modern_request_describes_itself():
    message = json.loads(make_request("tools/list", {"cursor": ""}, request_id=4, is_modern=True))

    assert (message["jsonrpc"], message["id"], message["method"]) == ("2.0", 4, "tools/list")
    assert message["params"]["cursor"] == ""
    assert message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"


def test_a_notification_has_no_id_and_no_empty_params():
    message = json.loads(make_request("notifications/initialized", {}, request_id=None, is_modern=False))

    assert message == {"jsonrpc": "2.0", "method": "notifications/initialized"}
