"""The demo server over real HTTP: the whole table of wire rules, and what only a server can do wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mcp.checking.health import check_server
from mcp.demo.demo_server import DemoServer
from mcp.management.commands.run_demo_mcp_server import Command
from mcp.models import Entry, HealthCheck
from tests.factories import NOON, make_server
from tests.mcp.test_wire_rules import TARGET
from tests.mcp.wire_rules import JSON, RULES, Request, check_rule, legacy, message

ROOT = Path(__file__).resolve().parents[2]
PING = message(id=1, method="ping").encode()


@pytest.fixture(scope="module")
def server():
    with DemoServer(port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connection(server):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    yield connection
    connection.close()


def send(connection: HTTPConnection, request: Request, path: str = "/mcp"):
    connection.request(request.method, path, body=request.body, headers=dict(request.headers))
    response = connection.getresponse()
    return response.status, dict(response.headers), response.read()


@pytest.mark.parametrize("name", RULES)
def test_the_demo_server_keeps_the_rule(name, connection):
    check_rule(RULES[name], lambda request: send(connection, request), TARGET)


def test_one_connection_carries_many_requests_also_after_a_refusal(connection):
    statuses = [
        send(connection, Request(PING))[0],
        send(connection, Request(b"x" * 5_000_000))[0],
        send(connection, Request(PING, {"Content-Type": "text/plain"}))[0],
        send(connection, Request(PING, method="DELETE"))[0],
        send(connection, Request(PING))[0],
    ]

    assert statuses == [200, 413, 415, 405, 200]


def test_a_page_of_another_site_is_refused(connection, server):
    foreign = Request(PING, {**JSON, "Origin": "https://elsewhere.example"})
    own = Request(PING, {**JSON, "Origin": f"http://localhost:{server.server_port}"})

    assert (send(connection, foreign)[0], send(connection, own)[0]) == (403, 200)


def test_a_name_that_was_turned_to_this_machine_is_refused(connection):
    assert send(connection, Request(PING, {**JSON, "Host": "rebound.example"}))[0] == 403


def test_other_paths_are_not_found_and_nothing_redirects(connection):
    for path in ("/", "/mcp/", "/.well-known/oauth-protected-resource"):
        assert send(connection, Request(PING), path)[0] == 404


@pytest.mark.parametrize(
    ("length", "status"), [("Transfer-Encoding: chunked", 411), ("Content-Length: 99999999999", 413)]
)
def test_a_body_without_a_usable_length_is_refused_unread_and_the_connection_ends(server, length, status):
    """Only the headers are sent: of a body on its way, whoever hangs up may lose the answer as well."""
    lines = ["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{server.server_port}", "Content-Type: application/json", length]
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        with client.makefile("rb") as answer:
            head, _, _body = answer.read().partition(b"\r\n\r\n")  # to its end

    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in head


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_one_line_with_its_address_and_ends_cleanly(how):
    command = [sys.executable, "manage.py", "run_demo_mcp_server", "--port", "0", "--json"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            endpoint = json.loads(process.stdout.readline())["endpoint"]
            port = int(endpoint.removeprefix("http://127.0.0.1:").removesuffix("/mcp"))
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            status, _, body = send(connection, legacy("tools/list")(TARGET))
            connection.close()
            process.send_signal(how)
            rest = process.communicate(timeout=120)
        finally:
            process.kill()

    assert status == 200
    assert [tool["name"] for tool in json.loads(body)["result"]["tools"]] == [
        *("count_text", "move_date", "check_business_number", "split_vat"),
    ]
    assert (process.returncode, *rest) == (0, "", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "example.com", ""])
def test_the_command_listens_on_no_other_machine(host):
    with pytest.raises(CommandError, match=r"this machine"):
        call_command("run_demo_mcp_server", "--host", host)


def test_a_taken_port_is_a_sentence(server):
    with pytest.raises(CommandError, match="cannot be used"):
        call_command("run_demo_mcp_server", "--port", str(server.server_port))


@pytest.mark.django_db
def test_a_real_check_of_it_succeeds(server, settings):
    settings.MCP_ALLOW_ADDRESSES = ["127.0.0.1/32"]
    settings.MCP_SLOW_MS, settings.MCP_CHECK_DEADLINE_S = 60_000, 60  # a busy machine is no fault of the server
    row = make_server(endpoint=server.endpoint)

    check_server(row, now=NOON, trigger=HealthCheck.Trigger.PERSON)

    entry = Entry.objects.get(server=row)
    assert (entry.health, entry.verdict, entry.protocol_version) == ("working", "ok", "2026-07-28")
    assert (entry.tool_count, entry.prompt_count) == (4, 2)


@pytest.mark.django_db
def test_outside_of_debug_no_check_gets_to_it(server):
    row = make_server(endpoint=server.endpoint)

    check_server(row, now=NOON, trigger=HealthCheck.Trigger.PERSON)

    assert Entry.objects.get(server=row).verdict == "blocked_address"


@pytest.mark.django_db
def test_without_the_demo_shop_it_says_why_nothing_was_checked_and_stays():
    errors = StringIO()

    Command(stderr=errors).check_it("http://127.0.0.1:8765/mcp")

    assert errors.getvalue().startswith("http://127.0.0.1:8765/mcp could not be checked: ")
