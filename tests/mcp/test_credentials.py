"""Credentials for checks: sealed in `config`, for one origin, and never handed to anybody else."""

import json
import logging

import pytest
from django.db import connection

from mcp.credentials import (
    CredentialsRefused,
    Standing,
    check_header_name,
    clear_credentials,
    inspect_credentials,
    read_credentials,
    store_credentials,
)
from mcp.models import McpServer
from tests.factories import make_server

pytestmark = pytest.mark.django_db

ENDPOINT = "https://weather.example/mcp"
HEADERS = {"Authorization": "Bearer open-sesame"}


@pytest.fixture
def server():
    server = make_server(endpoint=ENDPOINT)
    store_credentials(server=server, headers=HEADERS)
    return server


def read_column(server) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST(config AS TEXT) FROM mcp_servers")
        return cursor.fetchone()[0]


def test_headers_come_back_for_their_server(server):
    assert read_credentials(server) == HEADERS


def test_the_column_holds_nothing_readable(server):
    stored = read_column(server)

    assert "sesame" not in stored
    assert "Authorization" not in stored
    assert json.loads(stored)["origin"] == "https://weather.example:443"


def test_what_is_stored_replaces_what_was(server):
    store_credentials(server=server, headers={"X-Key": "other"})

    assert read_credentials(server) == {"X-Key": "other"}


def test_a_server_without_any_sends_nothing():
    for config in ({}, None):
        assert read_credentials(make_server(config=config)) == {}


@pytest.mark.parametrize(
    "endpoint", ["https://WEATHER.example/mcp", "https://weather.example:443/other", "https://weather.example/mcp?a=b"]
)
def test_another_path_of_the_same_origin_gets_them(server, endpoint):
    McpServer.objects.update(endpoint=endpoint)
    server.refresh_from_db()

    assert read_credentials(server) == HEADERS


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://weather.example:8443/mcp",
        "http://weather.example/mcp",
        "https://weather.example.evil.example/mcp",
        "https://evil.example/weather.example",
        "https://weather.example@evil.example/mcp",
        "https://weather.exampl\u0435/mcp",
        "no address",
        "",
    ],
)
def test_another_origin_gets_nothing_whoever_changed_the_column(server, endpoint):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mcp_servers SET endpoint = %s", [endpoint])
    server.refresh_from_db()

    assert read_credentials(server) == {}
    assert inspect_credentials(server).standing == Standing.ELSEWHERE
    assert inspect_credentials(server).origin == "https://weather.example:443"


def test_who_changes_endpoint_and_origin_together_still_gets_nothing(server):
    McpServer.objects.update(
        endpoint="https://evil.example/mcp",
        config={**json.loads(read_column(server)), "origin": "https://evil.example:443"},
    )
    server.refresh_from_db()

    assert read_credentials(server) == {}


def test_a_row_that_another_was_copied_to_gets_nothing(server):
    thief = make_server(endpoint=ENDPOINT, config=json.loads(read_column(server)))

    assert read_credentials(thief) == {}
    assert inspect_credentials(thief).standing == Standing.FOREIGN


@pytest.mark.parametrize(
    ("config", "standing"),
    [
        ({"token": "open-sesame"}, Standing.FOREIGN),
        ({"headers": {"Authorization": "Bearer open-sesame"}}, Standing.FOREIGN),
        ({"sealed": "abc"}, Standing.FOREIGN),
        ({"sealed": 7, "origin": "https://weather.example:443"}, Standing.FOREIGN),
        ({"sealed": "abc", "origin": "https://weather.example:443"}, Standing.UNREADABLE),
        (["open-sesame"], Standing.FOREIGN),
        ("open-sesame", Standing.FOREIGN),
        (0, Standing.FOREIGN),
        (json.loads("[" * 500 + "]" * 500), Standing.FOREIGN),
    ],
)
def test_what_another_program_wrote_is_never_sent(config, standing):
    server = make_server(endpoint=ENDPOINT, config=config)

    assert read_credentials(server) == {}
    assert inspect_credentials(server).standing == standing


def test_after_a_change_of_key_they_are_unreadable_unless_the_old_key_is_kept(server, settings):
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new one"
    assert read_credentials(server) == HEADERS

    settings.SECRET_KEY_FALLBACKS = []
    assert read_credentials(server) == {}
    assert inspect_credentials(server).standing == Standing.UNREADABLE


def test_clearing_takes_away_ours_and_another_program_s(server):
    foreign = make_server(config={"token": "x"})

    assert clear_credentials(server=server)
    assert clear_credentials(server=foreign)
    assert not clear_credentials(server=foreign)
    assert [row.config for row in McpServer.objects.all()] == [{}, {}]


def test_what_stands_for_them_in_a_traceback_holds_no_value(server):
    assert "sesame" not in repr(inspect_credentials(server))
    assert "Authorization" not in repr(inspect_credentials(server))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"": "x"},
        {"Authorization": ""},
        {"Authorization": " padded"},
        {"Authorization": "a\r\nHost: evil.example"},
        {"Authorization": "a\nb"},
        {"Authorization": "a\0b"},
        {"Authorization": "비밀"},
        {"Authori zation": "x"},
        {"Authorization:": "x"},
        {"X\r\nY": "x"},
        {"키": "x"},
        {"x" * 65: "x"},
        {"X-Key": "x" * 4_097},
        {f"X-{number}": "x" for number in range(9)},
        {f"X-{number}": "x" * 4_000 for number in range(3)},
        {"X-Key": "a", "x-key": "b"},
    ],
)
def test_what_is_no_plain_header_is_refused(headers):
    server = make_server(endpoint=ENDPOINT)

    with pytest.raises(CredentialsRefused) as refused:
        store_credentials(server=server, headers=headers)

    assert read_credentials(server) == {}
    for value in filter(None, map(str.strip, headers.values())):
        assert len(value) == 1 or value not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "HOST", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Keep-Alive", "TE"),
        *("Trailer", "Upgrade", "Proxy-Authorization", "Proxy-Connection", "Expect", "Accept", "Accept-Encoding"),
        *("Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID", "Origin", "User-Agent"),
    ],
)
def test_headers_of_the_request_itself_are_nobody_s_to_set(name):
    with pytest.raises(CredentialsRefused):
        check_header_name(name)


def test_nothing_is_stored_for_a_server_without_a_usable_address():
    server = make_server(endpoint="nowhere")

    with pytest.raises(CredentialsRefused):
        store_credentials(server=server, headers=HEADERS)


def test_no_value_is_logged(caplog):
    server = make_server(endpoint=ENDPOINT)
    with caplog.at_level(logging.DEBUG):
        store_credentials(server=server, headers=HEADERS)
        read_credentials(server)

    assert "sesame" not in caplog.text
