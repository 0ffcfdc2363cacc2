"""What a look at a working server sees, and how it asks."""

import json

import pytest

from mcp.client.sightings import SeenPrompt, SeenTool
from tests.mcp.zoo import OldStreams, Visit, legacy, modern

TOOLS = [
    {
        "name": "get_weather",
        "title": "Weather",
        "description": "The weather\nof a city.",
        "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "annotations": {"title": "Old title", "readOnlyHint": True, "destructiveHint": "no", "ownHint": True},
    },
    {"name": "bare"},
]
PROMPTS = [{"name": "greet", "arguments": [{"name": "who", "required": True}, {"name": "tone"}]}]
SEEN_TOOLS = (
    SeenTool(
        name="get_weather",
        title="Weather",
        description="The weather\nof a city.",
        input_schema=TOOLS[0]["inputSchema"],
        annotations={"readOnlyHint": True},
    ),
    SeenTool(name="bare"),
)
SEEN_PROMPTS = (SeenPrompt(name="greet", arguments=("who", "tone")),)


@pytest.mark.parametrize("server", [modern, legacy])
def test_tools_and_prompts_are_seen(zoo, server):
    sighting = zoo.probe(lambda visit: server(visit, lists={"tools": TOOLS, "prompts": PROMPTS}))

    assert (sighting.verdict, sighting.http_status, sighting.is_cut) == ("ok", 200, False)
    assert sighting.tools == SEEN_TOOLS
    assert sighting.prompts == SEEN_PROMPTS
    assert (sighting.server_name, sighting.server_version) == ("zoo", "1.2.3")
    assert sighting.latency_ms >= 0


def test_a_modern_server_is_asked_in_the_modern_way(zoo):
    sighting = zoo.probe(modern)

    assert (sighting.era, sighting.transport, sighting.protocol_version) == ("modern", "streamable-http", "2026-07-28")
    assert (sighting.supported_versions, sighting.server_title) == (("2026-07-28",), "The Zoo")
    assert [(visit.method, visit.rpc_method) for visit in zoo.visits] == [
        ("POST", "server/discover"),
        ("POST", "tools/list"),
    ]
    for visit in zoo.visits:
        assert visit.headers["mcp-method"] == visit.rpc_method
        assert visit.headers["mcp-protocol-version"] == "2026-07-28"
        assert visit.headers["accept"] == "application/json, text/event-stream"
        assert visit.headers["content-type"] == "application/json"
        assert visit.headers["accept-encoding"] == "identity"
        assert visit.is_modern


def test_a_handshake_begins_and_ends_a_session(zoo):
    sighting = zoo.probe(legacy)

    assert (sighting.era, sighting.transport, sighting.protocol_version) == ("legacy", "streamable-http", "2025-11-25")
    assert sighting.instructions == "Feed me."
    assert [
        (visit.method, visit.rpc_method, visit.headers.get("mcp-session-id"), visit.headers.get("mcp-protocol-version"))
        for visit in zoo.visits
    ] == [
        ("POST", "server/discover", None, "2026-07-28"),
        ("POST", "initialize", None, None),
        ("POST", "notifications/initialized", "s-1", "2025-11-25"),
        ("POST", "tools/list", "s-1", "2025-11-25"),
        ("DELETE", "", "s-1", "2025-11-25"),
    ]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
def test_an_older_revision_is_taken_as_the_server_says(zoo, version):
    sighting = zoo.probe(lambda visit: legacy(visit, protocolVersion=version))

    assert (sighting.verdict, sighting.protocol_version) == ("ok", version)
    assert zoo.visits[-1].headers["mcp-protocol-version"] == version


@pytest.mark.parametrize("session_id", ["", "with space", "é"])
def test_a_session_that_cannot_be_named_is_none(zoo, session_id):
    def animal(visit: Visit):
        if visit.rpc_method == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {}}
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
            visit.answer(200, body, Mcp_Session_Id=session_id)
        else:
            visit.answer(202)

    assert zoo.probe(animal).verdict == "ok"
    assert [visit for visit in zoo.visits if "mcp-session-id" in visit.headers] == []


def test_a_failed_list_still_ends_the_session(zoo):
    sighting = zoo.probe(lambda visit: visit.answer(500) if visit.rpc_method == "tools/list" else legacy(visit))

    assert sighting.verdict == "list_failed"
    assert zoo.visits[-1].method == "DELETE"


def test_a_goodbye_that_is_not_answered_spoils_nothing(zoo, monkeypatch):
    monkeypatch.setattr("mcp.client.probe.GOODBYE_S", 0.5)

    sighting = zoo.probe(lambda visit: visit.hang() if visit.method == "DELETE" else legacy(visit))

    assert sighting.verdict == "ok"


def test_the_old_transport_is_read_from_its_stream(zoo):
    sighting = zoo.probe(OldStreams())

    assert (sighting.era, sighting.transport, sighting.protocol_version) == ("legacy", "sse", "2024-11-05")
    assert (sighting.http_status, sighting.server_name) == (200, "old")
    assert sighting.tools == (SeenTool(name="ancient"),)


def test_what_is_not_declared_is_not_asked_for(zoo):
    sighting = zoo.probe(lambda visit: modern(visit, lists={}))

    assert (sighting.verdict, sighting.tools, sighting.prompts) == ("ok", (), ())
    assert len(zoo.visits) == 1


@pytest.mark.parametrize("capabilities", [None, [], "all", {"tools": None}, {"tools": False}])
def test_capabilities_that_mean_nothing_declare_nothing(zoo, capabilities):
    assert zoo.probe(lambda visit: modern(visit, capabilities=capabilities)).tools == ()


def test_tools_stay_known_when_the_prompts_fail(zoo):
    def animal(visit: Visit):
        lists = {"tools": TOOLS, "prompts": PROMPTS}
        return visit.error(-32603) if visit.rpc_method == "prompts/list" else modern(visit, lists=lists)

    sighting = zoo.probe(animal)

    assert (sighting.verdict, sighting.tools, sighting.prompts) == ("list_failed", SEEN_TOOLS, None)


def in_a_stream(visit: Visit, result: dict, end: bytes = b"\n") -> None:
    """As `server-everything` answers, with everything else that a stream may hold."""
    visit.begin(200, "text/event-stream; charset=latin-1")
    message = json.dumps({"jsonrpc": "2.0", "id": visit.message["id"], "result": result}, ensure_ascii=False)
    for text in (
        "\ufeffid: 1\ndata: \n\n",
        ": keep alive\n\n",
        'event: other\ndata: {"id": 1}\n\n',
        'data: {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}\n\n',
        'data: {"jsonrpc": "2.0", "id": 1, "method": "ping"}\n\n',
        'data: {"jsonrpc": "2.0", "id": 99, "result": {"tools": []}}\n\n',
        f"event: message\nretry: 10\ndata: {message}\n\n",
    ):
        data = text.encode().replace(b"\n", end)
        for start in range(0, len(data), 7):
            visit.send(data[start : start + 7])
    visit.hang()


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_answer_is_found_in_a_stream_that_stays_open(zoo, end):
    description = "한국어\u2028둘째 줄\u2029셋째\x85넷째"

    def animal(visit: Visit):
        if visit.rpc_method == "tools/list":
            in_a_stream(visit, {"tools": [{"name": "echo", "description": description}]}, end)
        else:
            modern(visit)

    [tool] = zoo.probe(animal).tools

    assert tool.description == "한국어\n둘째 줄\n셋째\n넷째"


def test_a_line_end_split_between_packets_cuts_no_event(zoo):
    def animal(visit: Visit):
        if visit.rpc_method != "tools/list":
            modern(visit)
            return
        visit.begin()
        message = {"jsonrpc": "2.0", "id": visit.message["id"], "result": {"tools": []}}
        first, second = json.dumps(message).split(", ", 1)
        for piece in (f"data: {first},\r", f"\ndata: {second}\r", "\n\r", "\n"):
            visit.send(piece.encode())
            visit.zoo.is_closing.wait(0.02)  # so that they leave as packets of their own

    assert zoo.probe(animal).verdict == "ok"


def paged(pages: dict[str | None, tuple[list[str], object]]):
    """pages: {cursor: (names, next cursor)}, `None` being the first."""

    def animal(visit: Visit):
        if visit.rpc_method != "tools/list":
            modern(visit)
            return
        names, cursor = pages[visit.cursor]
        visit.result({"tools": [{"name": name} for name in names]} | ({} if cursor is None else {"nextCursor": cursor}))

    return animal


@pytest.mark.parametrize(
    ("pages", "names", "is_cut"),
    [
        ({None: (["a"], "x"), "x": (["b"], ""), "": (["c"], None)}, "abc", False),  # an empty cursor is one
        ({None: ([], None)}, "", False),
        ({None: (["a", "b", "a"], "x"), "x": (["b", "c"], None)}, "abc", False),
        ({None: (["a"], "x"), "x": (["b"], "y"), "y": (["c"], "x")}, "abc", True),  # round and round
        ({None: (["a"], "x" * 5_000)}, "a", True),
    ],
)
def test_pages_are_followed_to_their_end(zoo, pages, names, is_cut):
    sighting = zoo.probe(paged(pages))

    assert sighting.verdict == "ok"
    assert ("".join(tool.name for tool in sighting.tools), sighting.is_cut) == (names, is_cut)


def test_no_more_than_twenty_pages_are_asked_for(zoo):
    numbers = {None if n == 0 else f"{n}": ([f"tool-{n}"], f"{n + 1}") for n in range(30)}

    sighting = zoo.probe(paged(numbers))

    assert (len(sighting.tools), sighting.is_cut) == (20, True)
    assert len(zoo.visits) == 1 + 20


@pytest.mark.parametrize(("count", "is_cut"), [(500, False), (501, True)])
def test_no_more_than_five_hundred_tools_are_kept(zoo, count, is_cut):
    sighting = zoo.probe(lambda visit: modern(visit, lists={"tools": [{"name": f"tool-{n}"} for n in range(count)]}))

    assert (len(sighting.tools), sighting.is_cut) == (500, is_cut)


def test_credentials_go_along_and_cannot_change_the_protocol(zoo):
    headers = {
        "Authorization": "Bearer secret-token",
        "X-Api-Key": "열쇠",  # no header can carry it
        "X-Line": "a\r\nX-Evil: 1",
        "Bad Name": "value-value",
        "Content-Type": "text/plain",
        "MCP-Session-Id": "stolen",
        "Host": "elsewhere.example",
        "Transfer-Encoding": "chunked",
    }

    assert zoo.probe(legacy, headers=headers).verdict == "ok"
    for visit in zoo.visits:
        assert visit.headers["authorization"] == "Bearer secret-token"
        assert visit.headers["host"] == f"127.0.0.1:{zoo.port}"
        assert visit.headers["content-type"] == "application/json"
        assert visit.headers.get("mcp-session-id") in (None, "s-1")
        assert {"x-api-key", "x-line", "x-evil", "bad name", "transfer-encoding"} & visit.headers.keys() == set()


def test_credentials_that_a_server_sends_back_are_in_nothing_that_is_seen(zoo):
    secret = "sk-secret-0123456789"
    tool = {
        "name": secret,
        "title": f"{secret}",
        "description": "x" * 1_990 + secret,
        "inputSchema": {"type": "object", "properties": {secret: {"default": f"Bearer {secret}"}}},
    }
    prompt = {"name": f"Bearer {secret}", "arguments": [{"name": secret[:2] + "\u202e" + secret[2:]}]}

    def animal(visit: Visit):
        assert visit.headers["authorization"] == f"Bearer {secret}"
        if visit.rpc_method == "prompts/list" and visit.cursor:
            return visit.error(-32603, f"wrong: {secret}")
        if visit.rpc_method == "prompts/list":
            return visit.result({"prompts": [prompt], "nextCursor": "x"})
        lists = {"tools": [tool], "prompts": []}
        return legacy(visit, lists=lists, instructions=secret, serverInfo={"name": secret, "version": secret})

    sighting = zoo.probe(animal, headers={"Authorization": f"Bearer {secret}"})

    assert sighting.verdict == "list_failed"
    assert sighting.reason == "prompts/list: HTTP 200 application/json, error -32603 wrong: ***"
    assert sighting.tools[0].name == "***"
    assert secret[:8] not in repr(sighting)


@pytest.mark.parametrize("padding", range(180, 250, 7))
def test_no_part_of_a_credential_is_left_where_a_reason_is_cut(zoo, padding):
    secret = "sk-secret-0123456789"

    def animal(visit: Visit):
        if visit.rpc_method == "initialize":
            visit.error(-32603, "x" * padding + f" {secret}")
        else:
            legacy(visit)

    sighting = zoo.probe(animal, headers={"X-Api-Key": secret})

    assert sighting.verdict == "initialize_error"
    assert secret[:4] not in sighting.reason
    assert len(sighting.reason) <= 300


def test_no_credential_is_left_in_addresses_and_versions(zoo):
    secret = "sk-Secret-0123456789"
    challenge = f'Bearer resource_metadata="https://zoo.example/{secret}"'

    refused = zoo.probe(lambda visit: visit.answer(401, WWW_Authenticate=challenge), headers={"X-Api-Key": secret})
    led_on = zoo.probe(lambda visit: visit.answer(302, Location=f"https://{secret}.example"), headers={"A": secret})
    unknown = zoo.probe(lambda visit: legacy(visit, protocolVersion="2" * 20 + secret), headers={"A": secret})

    assert refused.resource_metadata == "https://zoo.example/***"
    assert led_on.reason == "redirect to ***.example"
    assert unknown.reason == "it answered with 22222222222222222222***"
