"""The table of verdicts: what a server does, and what a look at it ends with."""

import socket
from pathlib import Path

import pytest

from mcp.client.probe import probe
from mcp.verdicts import Verdict
from tests.mcp.zoo import LOOPBACK, PATIENT, SHORT, OldStreams, Visit, legacy, modern

HTML = b"<!doctype html><title>Welcome</title>"


def on(method: str, do, otherwise=legacy):
    """A server that does everything like `otherwise`, and `do` for one method."""
    return lambda visit: do(visit) if visit.rpc_method == method else otherwise(visit)


def unsupported(supported):
    return lambda visit: visit.error(-32022, "Unsupported version", status=400, data={"supported": supported})


def status(code: int, body: bytes = b"", content_type: str = "text/plain", **headers):
    return lambda visit: visit.answer(code, body, content_type, **headers)


def get_only(do):
    """A server that knows no POST."""
    return lambda visit: do(visit) if visit.method == "GET" else visit.answer(405, HTML, "text/html")


def drop(visit: Visit) -> None:
    visit.connection.close()


def cut_json(visit: Visit) -> None:
    visit.begin(200, "application/json", Content_Length="1000")
    visit.send(b'{"jsonrpc": "2.0", "id": 1, "result": {')


def ended_stream(visit: Visit) -> None:
    visit.begin(200)
    visit.send(b": here it comes\n\nevent: message\ndata: {}\n\n")


def stream_without_endpoint(visit: Visit) -> None:
    visit.begin(200)
    visit.event({"hello": 1})
    visit.hang()


def broken_event(visit: Visit) -> None:
    visit.begin(200)
    visit.send(b"data: {nothing\n\n")
    visit.hang()


def initialize_with(**result):
    return on("initialize", lambda visit: legacy(visit, **result))


@pytest.mark.parametrize(
    ("animal", "verdict", "reason"),
    [
        pytest.param(modern, "ok", "", id="modern"),
        pytest.param(legacy, "ok", "", id="legacy"),
        pytest.param(OldStreams(), "ok", "", id="streams"),
        pytest.param(unsupported(["2027-05-05"]), "unsupported_version", "it supports 2027-05-05", id="newer only"),
        pytest.param(on("server/discover", unsupported(["2025-11-25"])), "ok", "", id="refers to a handshake"),
        pytest.param(on("server/discover", unsupported("all")), "ok", "", id="says nonsense about versions"),
        pytest.param(
            lambda visit: modern(visit, supportedVersions=["2027-05-05", 5]),
            "unsupported_version",
            "it supports 2027-05-05",
            id="discovered newer only",
        ),
        *(
            pytest.param(on("server/discover", status(code, HTML, "text/html")), "ok", "", id=f"discover {code}")
            for code in (200, 202, 400, 404, 405, 406, 415, 500)
        ),
        pytest.param(on("server/discover", lambda visit: visit.error(-32601)), "ok", "", id="discover unknown"),
        pytest.param(on("server/discover", status(200, b"{", "application/json")), "ok", "", id="discover no JSON"),
        pytest.param(on("server/discover", ended_stream), "ok", "", id="discover stream ended"),
        pytest.param(
            initialize_with(protocolVersion="2019-01-01"), "unsupported_version", "it answered with 2019-01-01", id="2b"
        ),
        pytest.param(
            on("initialize", lambda visit: visit.error(-32603, "out of\u202e fish")),
            "initialize_error",
            "initialize: HTTP 200 application/json, error -32603 out of fish",
            id="initialize error",
        ),
        pytest.param(
            lambda visit: visit.error(-32022, status=400),
            "initialize_error",
            "initialize: HTTP 400 application/json, error -32022 no",
            id="modern error to initialize",
        ),
        pytest.param(
            on("notifications/initialized", status(400)),
            "initialize_error",
            "notifications/initialized: HTTP 400 text/plain",
            id="initialized refused",
        ),
        pytest.param(status(200, HTML, "text/html"), "not_mcp", "POST HTTP 200 text/html", id="a web site"),
        pytest.param(
            status(200, b'{"ok": true}', "application/json"), "not_mcp", "POST HTTP 200 application/json", id="an API"
        ),
        *(
            pytest.param(status(code), "not_mcp", f"POST HTTP {code} text/plain", id=str(code))
            for code in (202, 204, 402, 406, 410, 415, 418)
        ),
        pytest.param(
            get_only(status(200, HTML, "text/html")),
            "not_mcp",
            "POST HTTP 405 text/html; GET HTTP 200 text/html",
            id="a static site",
        ),
        pytest.param(status(404), "not_mcp", "POST HTTP 404 text/plain; GET HTTP 404 text/plain", id="404"),
        pytest.param(
            get_only(stream_without_endpoint),
            "not_mcp",
            "POST HTTP 405 text/html; the first event is not `endpoint`",
            id="another stream",
        ),
        pytest.param(get_only(lambda visit: visit.begin(200)), "stream_ended", None, id="empty stream"),
        pytest.param(get_only(status(500)), "server_error", "GET HTTP 500 text/plain", id="GET 500"),
        pytest.param(initialize_with(protocolVersion=None), "not_mcp", None, id="no version"),
        pytest.param(initialize_with(protocolVersion=["2025-11-25"]), "not_mcp", None, id="a list of versions"),
        *(
            pytest.param(OldStreams(endpoint), "sse_endpoint_cross_origin", None, id=endpoint[:30])
            for endpoint in (
                "http://127.0.0.1:1/messages",
                "https://127.0.0.1/messages",
                "//10.0.0.1/messages",
                "http://[::1/messages",
                "http://user@elsewhere.example/messages",
                "javascript:alert(1)",
                "file:///etc/passwd",
                "/" + "x" * 5000,
            )
        ),
        *(
            pytest.param(on("tools/list", do), "list_failed", reason, id=f"list {reason}")
            for do, reason in [
                (lambda visit: visit.error(-32603, "no"), "tools/list: HTTP 200 application/json, error -32603 no"),
                (status(404), "tools/list: HTTP 404 text/plain"),
                (status(500), "tools/list: HTTP 500 text/plain"),
                (status(202), "tools/list: HTTP 202 text/plain"),
                (lambda visit: visit.result({}), "tools/list: no list of tools"),
                (lambda visit: visit.result({"tools": {"echo": {}}}), "tools/list: no list of tools"),
                (lambda visit: visit.result({"tools": ["echo"]}), "tools/list: an entry without a name"),
                (lambda visit: visit.result({"tools": [{"name": "\u202e"}]}), "tools/list: an entry without a name"),
                (lambda visit: visit.result({"tools": [], "nextCursor": 7}), "tools/list: nextCursor is not a text"),
            ]
        ),
        *(
            pytest.param(status(code), "unavailable", f"HTTP {code}", id=str(code))
            for code in (502, 503, 504, 522, 530)
        ),
        pytest.param(on("tools/list", status(503)), "unavailable", "HTTP 503", id="503 later"),
        pytest.param(status(500), "server_error", "HTTP 500 text/plain", id="500"),
        pytest.param(status(501), "server_error", "HTTP 501 text/plain", id="501"),
        pytest.param(drop, "unreachable", None, id="hangs up"),
        pytest.param(lambda visit: visit.send(b"SSH-2.0-OpenSSH_9.2\r\n"), "unreachable", None, id="no HTTP"),
        pytest.param(status(300), "redirect", "HTTP 300", id="300"),
        *(
            pytest.param(
                status(code, Location="https://else.example/"), "redirect", "redirect to else.example", id=f"{code}"
            )
            for code in (301, 302, 303, 307, 308)
        ),
        pytest.param(status(308, Location="/elsewhere"), "redirect", None, id="a redirect to a redirect"),
        pytest.param(on("initialize", status(200, b"{", "application/json")), "invalid_json", "not JSON", id="no JSON"),
        pytest.param(on("initialize", broken_event), "invalid_json", "in an event: not JSON", id="no JSON in an event"),
        pytest.param(on("initialize", cut_json), "stream_ended", None, id="half an answer"),
        pytest.param(
            on("initialize", ended_stream), "stream_ended", "the stream ended before the answer", id="ended stream"
        ),
        pytest.param(
            OldStreams(answer=lambda stream, message: stream.connection.shutdown(socket.SHUT_RDWR)),
            "stream_ended",
            "the stream ended before the answer",
            id="ended old stream",
        ),
    ],
)
def test_what_a_server_does_has_its_verdict(zoo, animal, verdict, reason):
    zoo.animals["elsewhere"] = lambda visit: visit.answer(308, Location="/elsewhere")

    sighting = zoo.probe(animal)

    assert sighting.verdict == verdict
    assert reason is None or sighting.reason == reason


@pytest.mark.parametrize(
    "do", [lambda visit: visit.hang(), lambda visit: visit.send(b"HTTP/1.1 200"), stream_without_endpoint]
)
def test_a_server_that_does_not_come_to_the_point_times_out(zoo, do):
    def animal(visit):
        do(visit)
        visit.hang()

    assert zoo.probe(animal, limits=SHORT).verdict == Verdict.TIMEOUT


CHALLENGE = 'Bearer realm="zoo", resource_metadata="https://zoo.example/.well-known/oauth-protected-resource"'


@pytest.mark.parametrize(
    ("code", "challenge", "credentials", "verdict"),
    [
        (401, CHALLENGE, {}, "auth_required"),
        (401, "Bearer", {}, "auth_required"),
        (401, 'Basic realm="a, Bearer b", bearer error="x"', {}, "auth_required"),
        (401, 'Basic realm="a, Bearer b"', {}, "forbidden"),
        (401, "", {}, "forbidden"),
        (403, CHALLENGE, {}, "forbidden"),
        (401, CHALLENGE, {"Authorization": "Bearer expired-token"}, "auth_rejected"),
        (403, "", {"X-Api-Key": "wrong-key"}, "auth_rejected"),
    ],
)
@pytest.mark.parametrize("method", ["server/discover", "initialize", "notifications/initialized", "tools/list"])
def test_a_refusal_tells_sign_in_from_settings_that_are_missing_or_wrong(
    zoo, method, code, challenge, credentials, verdict
):
    sighting = zoo.probe(on(method, status(code, HTML, "text/html", WWW_Authenticate=challenge)), headers=credentials)

    assert (sighting.verdict, sighting.http_status, sighting.tools) == (verdict, code, None)
    assert sighting.reason == f"HTTP {code}"
    expected = "https://zoo.example/.well-known/oauth-protected-resource" if challenge == CHALLENGE else ""
    assert sighting.resource_metadata == expected


def test_who_asks_to_sign_in_after_the_handshake_has_said_its_name(zoo):
    sighting = zoo.probe(on("tools/list", status(401, WWW_Authenticate="Bearer")))

    assert (sighting.verdict, sighting.server_name, sighting.era) == ("auth_required", "zoo", "legacy")
    assert sighting.latency_ms is not None


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("999999999", 86_400),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0),
        ("Wed, 01 Jan 2200 00:00:00 GMT", 86_400),
        ("-5", None),
        ("soon", None),
        ("9" * 400, None),
        ("Wed, 99 Jan 99999 00:00:00 GMT", None),
        ("", None),
    ],
)
def test_a_server_that_asks_for_patience_says_how_long(zoo, retry_after, seconds):
    sighting = zoo.probe(status(429, Retry_After=retry_after))

    assert (sighting.verdict, sighting.retry_after_s, sighting.http_status) == ("rate_limited", seconds, 429)


@pytest.mark.parametrize(
    ("endpoint", "verdict"),
    [
        ("", "invalid_url"),
        ("ftp://zoo.example/", "invalid_url"),
        ("http://zoo.example/", "invalid_url"),
        ("https://user:secret@zoo.example/", "invalid_url"),
        ("https://\ud800.example/", "invalid_url"),
        ("https://[::1", "invalid_url"),
        ("https://10.0.0.1/mcp", "blocked_address"),
        ("https://169.254.169.254/latest/meta-data", "blocked_address"),
        ("https://[::ffff:127.0.0.1]/", "blocked_address"),
    ],
)
def test_an_address_that_may_not_be_asked_is_not(endpoint, verdict):
    sighting = probe(endpoint, limits=PATIENT)

    assert sighting.verdict == verdict
    assert "127.0.0.1" not in sighting.reason


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    sighting = probe(f"http://127.0.0.1:{port}/mcp", limits=PATIENT, allow_networks=LOOPBACK)

    assert (sighting.verdict, sighting.http_status, sighting.tools) == ("unreachable", None, None)


def test_a_name_that_nobody_has(monkeypatch):
    def getaddrinfo(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert probe("https://nobody.example/mcp", limits=PATIENT).verdict == Verdict.UNREACHABLE


def test_no_certificate_where_one_must_be(zoo):
    url = zoo.open(modern).replace("http:", "https:")

    assert probe(url, limits=PATIENT, allow_networks=LOOPBACK).verdict == Verdict.TLS_ERROR


def test_an_answer_larger_than_the_cap(zoo):
    animal = on("server/discover", status(200, b" " * 2_000_000, "application/json"))

    assert zoo.probe(animal).verdict == Verdict.RESPONSE_TOO_LARGE


def test_pages_that_nobody_will_read_are_not_read(zoo):
    """A web site may say 404 with megabytes of HTML."""
    zoo.probe(status(404, b"x" * 50_000_000, "text/html"))

    assert zoo.bytes_sent < 50_000_000


def test_a_connection_that_fails_is_tried_once_more(zoo):
    def animal(visit):
        return drop(visit) if len(zoo.visits) == 1 else modern(visit)

    assert zoo.probe(animal).verdict == Verdict.OK

    zoo.visits.clear()
    zoo.probe(drop)
    assert len(zoo.visits) == 2


def test_every_verdict_is_in_this_table():
    """So that a new one gets its row."""
    text = Path(__file__).read_text()

    missing = [verdict for verdict in Verdict if f'"{verdict}"' not in text and f"Verdict.{verdict.name}" not in text]
    assert missing == []
