"""The rules of the wire as one table. `test_wire_rules.py` puts each to the protocol itself and to the demo server;
whatever else speaks MCP for us runs the same table with a `Target` of its own."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

META = "io.modelcontextprotocol/"
ALL_HANDSHAKE = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
PARSE, INVALID, NO_METHOD, BAD_PARAMS, HEADER, VERSION = -32700, -32600, -32601, -32602, -32020, -32022


@dataclass(frozen=True)
class Target:
    """What there is to ask for at whatever is tested. values: of the prompt, at least one of them required."""

    tool: str
    arguments: dict[str, Any]
    wrong_arguments: dict[str, Any]
    prompt: str
    values: dict[str, str]


@dataclass(frozen=True)
class Request:
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))
    method: str = "POST"


@dataclass(frozen=True)
class Rule:
    """code: of the JSON-RPC error; None means a result, or nothing at all with status 202. id: what must come back."""

    says: str
    ask: Callable[[Target], Request]
    status: int
    code: int | None = None
    id: Any = 1
    has: Mapping[str, Any] = field(default_factory=dict)  # members of the result (or error) with these values
    keys: frozenset[str] | None = None  # exactly these members
    headers: Mapping[str, str] = field(default_factory=dict)


def raw(body: bytes | str, headers: Mapping[str, str] | None = None, method: str = "POST") -> Callable:
    content = body.encode() if isinstance(body, str) else body
    return lambda target: Request(content, {**JSON, **(headers or {})}, method)


def message(**members) -> str:
    return json.dumps({"jsonrpc": "2.0", **members}, ensure_ascii=False)


def legacy(method: str, params: Any = None, *, id: Any = 1, version: str | None = None) -> Callable:  # noqa: A002
    def ask(target: Target) -> Request:
        filled = params(target) if callable(params) else params
        body = message(id=id, method=method, **({} if filled is None else {"params": filled}))
        return Request(body.encode(), JSON if version is None else {**JSON, "MCP-Protocol-Version": version})

    return ask


def modern(
    method: str,
    params: Any = None,
    *,
    id: Any = 1,  # noqa: A002
    version: Any = "2026-07-28",
    meta: Mapping[str, Any] | None = None,
    headers: Mapping[str, str | None] | None = None,
) -> Callable:
    """headers, meta: what differs from a correct request; None leaves one out."""

    def ask(target: Target) -> Request:
        filled = dict(params(target) if callable(params) else params or {})
        members = {f"{META}protocolVersion": version, f"{META}clientCapabilities": {}, **(meta or {})}
        sent = {**JSON, "MCP-Protocol-Version": str(version), "Mcp-Method": method}
        if isinstance(filled.get("name"), str):
            sent["Mcp-Name"] = filled["name"]
        sent.update(headers or {})
        filled["_meta"] = {name: value for name, value in members.items() if value is not None}
        body = message(id=id, method=method, params=filled)
        return Request(body.encode(), {name: value for name, value in sent.items() if value is not None})

    return ask


def marked(name: str) -> str:
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


def deep(depth: int) -> str:
    return f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{"[" * depth}{"]" * depth}}}}}'


def call(target: Target) -> dict:
    return {"name": target.tool, "arguments": target.arguments}


def wrong_call(target: Target) -> dict:
    return {"name": target.tool, "arguments": target.wrong_arguments}


def get(target: Target) -> dict:
    return {"name": target.prompt, "arguments": target.values}


def get_nothing(target: Target) -> dict:
    return {"name": target.prompt, "arguments": {}}


def modern_call_named(name: Callable[[Target], str | None]) -> Callable:
    """A correct call but for its `Mcp-Name`."""

    def ask(target: Target) -> Request:
        return modern("tools/call", call, headers={"Mcp-Name": name(target)})(target)

    return ask


INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
NEWER = {f"{META}protocolVersion": "2099-01-01"}
LISTED = {"resultType", "ttlMs", "cacheScope", "_meta"}

TRANSPORT = [
    Rule("GET is not allowed", raw("", method="GET"), 405, INVALID, None, headers={"Allow": "POST"}),
    Rule("DELETE is not allowed", raw("", method="DELETE"), 405, INVALID, None, headers={"Allow": "POST"}),
    Rule("PUT is not allowed", raw(message(id=1, method="ping"), method="PUT"), 405, INVALID, None),
    Rule(
        "text/plain is refused", raw(message(id=1, method="ping"), {"Content-Type": "text/plain"}), 415, INVALID, None
    ),
    Rule("a form is refused", raw("a=1", {"Content-Type": "application/x-www-form-urlencoded"}), 415, INVALID, None),
    Rule("other JSON is refused", raw("{}", {"Content-Type": "application/vnd.api+json"}), 415, INVALID, None),
    Rule("an empty content type is refused", raw("{}", {"Content-Type": ""}), 415, INVALID, None),
    Rule("EUC-KR is refused", raw("{}", {"Content-Type": "application/json; charset=euc-kr"}), 415, INVALID, None),
    Rule("gzip is refused", raw("{}", {"Content-Encoding": "gzip"}), 415, INVALID, None),
    Rule("a wrong type comes before a wrong body", raw("{", {"Content-Type": "text/html"}), 415, INVALID, None),
    Rule(
        "a charset may be named",
        raw(message(id=1, method="ping"), {"Content-Type": 'Application/JSON; charset="UTF-8"'}),
        200,
    ),
    Rule("any Accept is taken", raw(message(id=1, method="ping"), {"Accept": "text/html"}), 200, keys=frozenset()),
    Rule("5 MB are too much", raw(b'"' + b"x" * 5_000_000 + b'"'), 413, INVALID, None),
    Rule("size comes before JSON", raw(b"{" * 5_000_000), 413, INVALID, None),
    Rule("4 MB are read", raw(message(id=1, method="ping", params={"pad": "x" * 4_000_000})), 200, keys=frozenset()),
    Rule("a session id is ignored", raw(message(id=1, method="ping"), {"Mcp-Session-Id": "made-up"}), 200),
]

BODY = [
    Rule("an empty body is no JSON", raw(""), 400, PARSE, None),
    Rule("half an object is no JSON", raw('{"jsonrpc":'), 400, PARSE, None),
    Rule("two objects are no JSON", raw("{}{}"), 400, PARSE, None),
    Rule("invalid UTF-8 is no JSON", raw(b'{"jsonrpc":"2.0","id":1,"method":"\xff"}'), 400, PARSE, None),
    Rule("UTF-16 is no JSON", raw(message(id=1, method="ping").encode("utf-16")), 400, PARSE, None),
    Rule("a byte order mark is no JSON", raw("\ufeff" + message(id=1, method="ping")), 400, PARSE, None),
    Rule("NaN is no JSON", raw('{"jsonrpc":"2.0","id":NaN,"method":"ping"}'), 400, PARSE, None),
    Rule("Infinity is no JSON", raw('{"jsonrpc":"2.0","id":-Infinity,"method":"ping"}'), 400, PARSE, None),
    Rule("1e999 is refused", raw('{"jsonrpc":"2.0","id":1e999,"method":"ping"}'), 400, PARSE, None),
    Rule(
        "5,000 digits are refused", raw('{"jsonrpc":"2.0","id":' + "9" * 5_000 + ',"method":"ping"}'), 400, PARSE, None
    ),
    Rule("10,000 levels are refused", raw(deep(10_000)), 400, PARSE, None),
    Rule("100 levels are refused", raw(deep(100)), 400, PARSE, None),
    Rule("an endless nesting is refused", raw("[" * 1_000_000), 400, PARSE, None),
    Rule("30 levels are read", raw(deep(30)), 200, keys=frozenset()),
    Rule("a raw control character is no JSON", raw('{"jsonrpc":"2.0","id":"a\nb","method":"ping"}'), 400, PARSE, None),
    Rule("a member given twice is refused", raw('{"jsonrpc":"2.0","id":1,"method":"ping","id":2}'), 400, INVALID, None),
    Rule(
        "a name given twice inside is refused",
        raw('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}'),
        *(400, INVALID, None),
    ),
    Rule("a lone surrogate is refused", raw('{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}'), 400, INVALID, None),
    Rule("NUL is refused", raw('{"jsonrpc":"2.0","id":"\\u0000","method":"ping"}'), 400, INVALID, None),
    Rule("a batch is refused", raw(f"[{message(id=1, method='ping')}]"), 400, INVALID, None),
    Rule("an empty batch is refused", raw("[]"), 400, INVALID, None),
    Rule("a string is no message", raw('"ping"'), 400, INVALID, None),
    Rule("null is no message", raw("null"), 400, INVALID, None),
    Rule("an object without jsonrpc is refused", raw('{"id":1,"method":"ping"}'), 400, INVALID),
    Rule("jsonrpc 1.0 is refused", raw('{"jsonrpc":"1.0","id":"a","method":"ping"}'), 400, INVALID, "a"),
    Rule("jsonrpc as a number is refused", raw('{"jsonrpc":2.0,"id":1,"method":"ping"}'), 400, INVALID),
    Rule("a method that is no string is refused", raw(message(id=1, method=7)), 400, INVALID),
    Rule("params in a list are refused", raw(message(id=1, method="ping", params=[])), 400, INVALID),
    Rule("params that are null are refused", raw(message(id=1, method="ping", params=None)), 400, INVALID),
    Rule("a null id is refused", raw(message(id=None, method="ping")), 400, INVALID, None),
    Rule("true is no id", raw(message(id=True, method="ping")), 400, INVALID, None),
    Rule("a fraction is no id", raw(message(id=1.5, method="ping")), 400, INVALID, None),
    Rule("an object is no id", raw(message(id={}, method="ping")), 400, INVALID, None),
    Rule("a text comes back as a text", raw(message(id="1", method="ping")), 200, id="1"),
    Rule("an empty text is an id", raw(message(id="", method="ping")), 200, id=""),
    Rule("Hangul comes back as it is", raw(message(id="요청 ① 😀", method="ping")), 200, id="요청 ① 😀"),
    Rule("U+2028 comes back as it is", raw(message(id="a\u2028b", method="ping")), 200, id="a\u2028b"),
    Rule("zero is an id", raw(message(id=0, method="ping")), 200, id=0),
    Rule("a negative number is an id", raw(message(id=-7, method="ping")), 200, id=-7),
    Rule("a whole float is an id", raw('{"jsonrpc":"2.0","id":1.0,"method":"ping"}'), 200, id=1.0),
    Rule("a huge integer is exact", raw(message(id=2**80 + 1, method="ping")), 200, id=2**80 + 1),
    Rule("a notification gets 202", raw(message(method="notifications/initialized")), 202),
    Rule("an unknown notification gets 202", raw(message(method="notifications/made-up", params={})), 202),
    Rule("a call without an id is none", raw(message(method="tools/list")), 202),
    Rule("a modern notification gets 202", raw(message(method="notifications/x", params={"_meta": NEWER})), 202),
    Rule("a posted result gets 202", raw(message(id=1, result={})), 202),
    Rule("a posted error gets 202", raw(message(id=1, error={"code": 1, "message": "x"})), 202),
]

HANDSHAKE = [
    *(
        Rule(
            f"initialize agrees on {version}",
            legacy("initialize", {**INITIALIZE, "protocolVersion": version}),
            200,
            has={"protocolVersion": version, "capabilities": {"tools": {}, "prompts": {}}},
        )
        for version in ALL_HANDSHAKE
    ),
    *(
        Rule(
            f"initialize answers {version} with the newest",
            legacy("initialize", {**INITIALIZE, "protocolVersion": version}),
            200,
            has={"protocolVersion": "2025-11-25"},
        )
        for version in ("1999-01-01", "2026-07-28", "")
    ),
    Rule("initialize needs a version", legacy("initialize", {}), 200, BAD_PARAMS),
    Rule("initialize takes a stale header", legacy("initialize", INITIALIZE, version="2025-03-26"), 200),
    *(
        Rule(f"header {version} is taken", legacy("ping", version=version), 200, keys=frozenset())
        for version in ALL_HANDSHAKE
    ),
    Rule("a missing header is taken", legacy("tools/list"), 200, keys=frozenset({"tools"})),
    Rule("ping answers with nothing", legacy("ping"), 200, keys=frozenset()),
    Rule("discover is modern only", legacy("server/discover"), 200, NO_METHOD),
    Rule("an unknown method is an error in 200", legacy("resources/list"), 200, NO_METHOD),
    Rule("completion is not offered", legacy("completion/complete", {}), 200, NO_METHOD),
    Rule("an empty method is unknown", legacy(""), 200, NO_METHOD),
    Rule("a tool answers", legacy("tools/call", call), 200, keys=frozenset({"content", "structuredContent"})),
    Rule("wrong arguments are a result", legacy("tools/call", wrong_call), 200, has={"isError": True}),
    Rule("an unknown tool is an error in 200", legacy("tools/call", {"name": "made-up"}), 200, BAD_PARAMS),
    Rule("a tool needs a name", legacy("tools/call", {}), 200, BAD_PARAMS),
    Rule("a tool's name is a text", legacy("tools/call", {"name": 7}), 200, BAD_PARAMS),
    Rule(
        "arguments in a list are an error",
        legacy("tools/call", lambda target: {"name": target.tool, "arguments": []}),
        *(200, BAD_PARAMS),
    ),
    Rule("tools have no second page", legacy("tools/list", {"cursor": "made-up"}), 200, BAD_PARAMS),
    Rule("a prompt answers", legacy("prompts/get", get), 200),
    Rule("an unknown prompt is an error in 200", legacy("prompts/get", {"name": "made-up"}), 200, BAD_PARAMS),
    Rule("a missing value is an error in 200", legacy("prompts/get", get_nothing), 200, BAD_PARAMS),
    Rule(
        "values are texts",
        legacy("prompts/get", lambda target: {"name": target.prompt, "arguments": dict.fromkeys(target.values, 1)}),
        *(200, BAD_PARAMS),
    ),
    *(
        Rule(f"cursor {cursor!r} is none", legacy("prompts/list", {"cursor": cursor}), 200, BAD_PARAMS)
        for cursor in ("", "%%%", "한글", "AA", "AAAA", "//8=", 7, None, "x" * 10_000)
    ),
    Rule("prompts are listed", legacy("prompts/list"), 200),
]

MODERN = [
    Rule(
        "discover describes the server",
        modern("server/discover"),
        200,
        has={
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}, "prompts": {}},
            "cacheScope": "public",
        },
    ),
    Rule("tools are listed", modern("tools/list"), 200, keys=frozenset({"tools", *LISTED})),
    Rule("prompts are listed, privately", modern("prompts/list"), 200, has={"cacheScope": "private"}),
    Rule(
        "a tool answers",
        modern("tools/call", call),
        200,
        keys=frozenset({"resultType", "_meta", "content", "structuredContent"}),
    ),
    Rule("wrong arguments are a result", modern("tools/call", wrong_call), 200, has={"isError": True}),
    Rule("a prompt answers", modern("prompts/get", get), 200, has={"resultType": "complete"}),
    Rule("an unknown prompt is 400", modern("prompts/get", {"name": "made-up"}), 400, BAD_PARAMS),
    Rule("a missing value is 400", modern("prompts/get", get_nothing), 400, BAD_PARAMS),
    Rule("an unknown tool is 400", modern("tools/call", {"name": "made-up"}), 400, BAD_PARAMS),
    Rule("a missing name is 400", modern("tools/call", {}), 400, BAD_PARAMS),
    Rule("a made-up cursor is 400", modern("prompts/list", {"cursor": "made-up"}), 400, BAD_PARAMS),
    Rule("an unknown method is 404", modern("made/up"), 404, NO_METHOD),
    Rule("initialize is gone", modern("initialize", INITIALIZE), 404, NO_METHOD),
    Rule("ping is gone", modern("ping"), 404, NO_METHOD),
    Rule("subscriptions are not offered", modern("subscriptions/listen"), 404, NO_METHOD),
    Rule("no version header is 400", modern("tools/list", headers={"MCP-Protocol-Version": None}), 400, HEADER),
    Rule(
        "another version in the header is 400",
        modern("tools/list", headers={"MCP-Protocol-Version": "2025-11-25"}),
        *(400, HEADER),
    ),
    Rule("no Mcp-Method is 400", modern("tools/list", headers={"Mcp-Method": None}), 400, HEADER),
    Rule("another Mcp-Method is 400", modern("tools/list", headers={"Mcp-Method": "tools/call"}), 400, HEADER),
    Rule("Mcp-Method counts capitals", modern("tools/list", headers={"Mcp-Method": "Tools/List"}), 400, HEADER),
    Rule("no Mcp-Name is 400", modern_call_named(lambda target: None), 400, HEADER),
    Rule("another Mcp-Name is 400", modern_call_named(lambda target: "made-up"), 400, HEADER),
    Rule("Mcp-Name may be in Base64", modern_call_named(lambda target: marked(target.tool)), 200),
    Rule("another name in Base64 is 400", modern_call_named(lambda target: marked("made-up")), 400, HEADER),
    Rule("broken Base64 is 400", modern_call_named(lambda target: "=?base64?*?="), 400, HEADER),
    Rule("Base64 with other letters is 400", modern_call_named(lambda target: "=?base64?YQé?="), 400, HEADER),
    Rule("half a marker is a name as it is", modern_call_named(lambda target: "=?base64?="), 400, HEADER),
    Rule("Base64 that is no UTF-8 is 400", modern_call_named(lambda target: "=?base64?/w==?="), 400, HEADER),
    Rule(
        "a Korean name travels in Base64",
        modern("prompts/get", {"name": "없는 것"}, headers={"Mcp-Name": marked("없는 것")}),
        *(400, BAD_PARAMS),
    ),
    Rule(
        "a name that looks marked travels in Base64",
        modern("prompts/get", {"name": "=?base64?YQ==?="}, headers={"Mcp-Name": marked("=?base64?YQ==?=")}),
        *(400, BAD_PARAMS),
    ),
    Rule(
        "such a name as it is means another",
        modern("prompts/get", {"name": "=?base64?YQ==?="}),
        *(400, HEADER),
    ),
    Rule("prompts/get needs Mcp-Name", modern("prompts/get", get, headers={"Mcp-Name": None}), 400, HEADER),
    Rule("resources/read needs Mcp-Name", modern("resources/read", {"uri": "a:b"}), 400, HEADER),
    Rule(
        "resources/read is not offered",
        modern("resources/read", {"uri": "a:b"}, headers={"Mcp-Name": "a:b"}),
        *(404, NO_METHOD),
    ),
    Rule(
        "an unknown version is named back",
        modern("tools/list", version="2099-01-01"),
        *(400, VERSION),
        has={"data": {"supported": ["2026-07-28"], "requested": "2099-01-01"}},
    ),
    Rule(
        "a handshake version is not for modern requests",
        modern("tools/list", version="2025-11-25"),
        *(400, VERSION),
        has={"data": {"supported": ["2026-07-28"], "requested": "2025-11-25"}},
    ),
    Rule(
        "an unknown version needs no other header",
        modern("tools/list", version="2099-01-01", headers={"Mcp-Method": None}),
        *(400, VERSION),
    ),
    Rule("a version is a text", modern("tools/list", version=20260728), 400, BAD_PARAMS),
    Rule(
        "capabilities are required",
        modern("tools/list", meta={f"{META}clientCapabilities": None}),
        *(400, BAD_PARAMS),
    ),
    Rule(
        "capabilities are an object",
        modern("tools/list", meta={f"{META}clientCapabilities": []}),
        *(400, BAD_PARAMS),
    ),
    Rule("client info is an object", modern("tools/list", meta={f"{META}clientInfo": "x"}), 400, BAD_PARAMS),
    Rule(
        "client info may come along",
        modern("tools/list", meta={f"{META}clientInfo": {"name": "x", "version": "1"}}),
        200,
    ),
    Rule("a modern header without the claim is 400", legacy("tools/list", version="2026-07-28"), 400, BAD_PARAMS),
    Rule("an unknown header without the claim is 400", legacy("ping", version="1999-01-01"), 400, BAD_PARAMS),
    Rule("a header in other words is 400", legacy("tools/list", version="latest"), 400, BAD_PARAMS),
    Rule("a text comes back as a text", modern("tools/list", id="7"), 200, id="7"),
    Rule("errors name the request too", modern("made/up", id="요청"), 404, NO_METHOD, id="요청"),
]

RULES = {
    f"{section}: {rule.says}": rule
    for section, rules in {"transport": TRANSPORT, "body": BODY, "handshake": HANDSHAKE, "modern": MODERN}.items()
    for rule in rules
}


def check_rule(rule: Rule, send: Callable[[Request], tuple[int, Mapping[str, str], bytes]], target: Target) -> None:
    """send: gives status, headers (any capitals) and body."""
    status, headers, body = send(rule.ask(target))
    headers = {name.lower(): value for name, value in headers.items()}

    assert status == rule.status, body[:500]
    for name, value in rule.headers.items():
        assert headers[name.lower()] == value
    assert "mcp-session-id" not in headers
    if status == 202:
        assert body == b""
        return
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    answer = json.loads(body.decode())
    content = answer.get("error" if rule.code else "result")
    assert answer.keys() == {"jsonrpc", "id", "error" if rule.code else "result"}, answer
    assert (answer["jsonrpc"], answer["id"], type(answer["id"])) == ("2.0", rule.id, type(rule.id))
    assert content.get("code") == rule.code
    assert {name: content.get(name) for name in rule.has} == rule.has
    assert rule.keys is None or content.keys() == rule.keys
    assert not list(_nulls(content)), "an absent member is left out, never null"


def _nulls(value: Any):
    if value is None:
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _nulls(item)
