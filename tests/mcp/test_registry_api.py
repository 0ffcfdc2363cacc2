"""The registry's API over HTTP: addresses, headers, caches, limits and the form of what fails."""

import json

import pytest
import time_machine

from mcp.models import Entry
from mcp.registry import registry_api
from tests.factories import NOON, make_server, make_user
from tests.mcp.registry_consumer import Consumer, name_of
from tests.mcp.registry_schema import ERROR, validate

pytestmark = pytest.mark.django_db

ONE = "/v0.1/servers/localhost%2Fweather/versions"
FAILURES = [
    ("/v0.1", 404),
    ("/v0.1/", 404),
    ("/v0.1/nothing", 404),
    ("/v0.1/servers/", 404),
    ("/v0.1/servers/localhost%2Fweather", 404),  # removed from the API in October 2025
    ("/v0.1/servers/localhost/weather", 404),
    ("/v0.1/servers/localhost%2Fweather/versions/", 404),
    ("/v0.1/servers/localhost%2Fweather/versions/9.9.9", 404),
    ("/v0.1/servers/localhost%2Fnothing/versions", 404),
    ("/v0.1/servers/localhost%2Fnothing/versions/latest", 404),
    ("/v0.1/servers/elsewhere%2Fweather/versions/latest", 404),
    ("/v0.1/servers/weather/versions/latest", 404),
    ("/v0.1/servers/localhost%2Fweather%2F/versions/latest", 404),
    ("/v0.1/servers/localhost%0Aweather/versions", 404),
    ("/v0.1/servers/%FF%FE/versions", 404),
    ("/v0.1/servers?limit=0", 400),
    ("/v0.1/servers?search=%00", 400),
    ("/v0.1/%00", 400),
    (f"{ONE}?include_deleted=perhaps", 400),
    ("/v0", 404),
    ("/v0/nothing", 404),
    ("/v0/servers?limit=101", 400),
]


@pytest.fixture
def server():
    return make_server(slug="weather", status="active", metadata={"version": "1.2.0"})


@pytest.mark.parametrize("base", ["/v0.1", "/v0"])
@pytest.mark.parametrize("name", ["localhost%2Fweather", "localhost/weather"])
def test_a_server_is_found_under_both_revisions_and_either_slash(client, server, base, name):
    answers = [client.get(f"{base}/servers/{name}/versions/{version}").json() for version in ("latest", "1.2.0")]
    listed = client.get(f"{base}/servers/{name}/versions").json()

    assert answers[0] == answers[1] == listed["servers"][0] == client.get(f"{base}/servers").json()["servers"][0]
    assert answers[0]["server"]["name"] == "localhost/weather"
    assert listed["metadata"] == {"count": 1}


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("/v0.1/health", {"status": "ok"}),
        ("/v0.1/ping", {"pong": True}),
        ("/v0.1/version", {"version": "v0.1", "schema": registry_api.SCHEMA}),
    ],
)
def test_the_service_says_that_it_is_there(client, address, answer):
    response = client.get(address)

    assert response.json() == answer
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("address", "status"), FAILURES)
def test_whatever_fails_is_said_in_one_form(client, server, address, status):
    response = client.get(address)

    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert validate(response.json(), ERROR)["status"] == status
    assert int(response["Content-Length"]) == len(response.content)


@pytest.mark.parametrize("address", ["/v0.1/servers", ONE, "/v0.1/ping", "/v0.1/nothing"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace"])
def test_nothing_can_be_written(client, server, address, method):
    response = getattr(client, method)(address)

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert validate(response.json(), ERROR)["detail"] == "This registry is read-only."


@pytest.mark.parametrize("address", ["/v0.1/servers", f"{ONE}/latest", "/v0.1/nothing", "/v0.1/publish", "/v0/servers"])
def test_a_browser_that_asks_first_may_read(client, address):
    response = client.options(address, headers={"origin": "https://elsewhere.example"})

    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Type" not in response
    assert_open_to_browsers(response)


@pytest.mark.parametrize("address", ["/v0.1/servers", f"{ONE}/latest", *(address for address, _status in FAILURES)])
def test_every_answer_is_open_to_browsers_of_other_sites(client, server, address):
    assert_open_to_browsers(client.get(address))


def assert_open_to_browsers(response):
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Access-Control-Allow-Methods"] == "GET, OPTIONS"
    assert response["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert "Access-Control-Allow-Credentials" not in response


def test_other_addresses_of_the_site_are_not(client):
    assert "Access-Control-Allow-Origin" not in client.get("/healthz")
    assert client.get("/v0.12/servers")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("address", ["/v0.1/servers", f"{ONE}/latest", "/v0.1/nothing", "/v0.1/a%0Ab"])
def test_an_answer_is_the_same_for_everybody(client, server, address):
    as_visitor = client.get(address)
    client.force_login(make_user())
    as_somebody = client.get(address, headers={"accept-language": "ko", "accept": "text/html"})

    assert as_visitor.content == as_somebody.content
    assert "Vary" not in as_somebody
    assert not as_visitor.cookies
    assert not as_somebody.cookies


def test_who_has_an_answer_already_is_told_so(client, server):
    with time_machine.travel(NOON, tick=False):
        first = client.get("/v0.1/servers")
        again = client.get("/v0.1/servers", headers={"if-none-match": first["ETag"]})
        server.name = "Renamed"
        server.save(update_fields=["name"])
        changed = client.get("/v0.1/servers", headers={"if-none-match": first["ETag"]})

    assert first["Cache-Control"] == "public, max-age=60"
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert_open_to_browsers(again)
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_head_says_what_get_would(client, server):
    with time_machine.travel(NOON, tick=False):
        head, get = client.head("/v0.1/servers"), client.get("/v0.1/servers")

    assert (head.status_code, head.content, head["ETag"]) == (200, b"", get["ETag"])


def test_who_asks_too_often_is_told_when_to_come_back(client, server, monkeypatch):
    monkeypatch.setattr(registry_api, "READS_PER_MINUTE", 2)

    with time_machine.travel(NOON.replace(second=15), tick=False):
        statuses = [client.get("/v0.1/servers").status_code for _time in range(2)]
        refused = client.get("/v0/ping")
        elsewhere = client.get("/v0.1/servers", REMOTE_ADDR="203.0.113.9")
    with time_machine.travel(NOON.replace(minute=1), tick=False):
        later = client.get("/v0.1/servers")

    assert (statuses, refused.status_code, refused["Retry-After"]) == ([200, 200], 429, "45")
    assert validate(refused.json(), ERROR)["detail"] == "More than 2 requests a minute. Wait 45 seconds."
    assert_open_to_browsers(refused)
    assert (elsewhere.status_code, later.status_code) == (200, 200)


def test_all_addresses_of_one_ipv6_network_count_as_one(client, server, monkeypatch):
    monkeypatch.setattr(registry_api, "READS_PER_MINUTE", 1)

    with time_machine.travel(NOON, tick=False):
        answers = [
            client.get("/v0.1/ping", REMOTE_ADDR=address)
            for address in ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1")
        ]

    assert [answer.status_code for answer in answers] == [200, 429, 200]


def test_answers_are_utf_8(client):
    make_server(slug="weather", status="active", name="날씨")

    body = client.get("/v0.1/servers").content

    assert "날씨".encode() in body
    assert json.loads(body)["servers"][0]["server"]["title"] == "날씨"


@pytest.mark.parametrize("state", [Entry.State.SUBMITTED, Entry.State.DECLINED])
def test_what_staff_have_not_accepted_is_nowhere(client, state):
    make_server(slug="weather", status="active", entry={"state": state})
    consumer = Consumer(client)

    assert consumer.list_names(include_deleted="true") == []
    assert consumer.list_names(updated_since="2000-01-01T00:00:00Z") == []
    consumer.get_error("/servers/localhost%2Fweather/versions/latest", status=404, include_deleted="true")


def test_a_withdrawn_server_is_found_by_who_asks_for_withdrawn_ones(client):
    make_server(slug="weather", status="inactive")
    consumer = Consumer(client)

    for path in ("/versions", "/versions/latest"):
        error = consumer.get_error(f"/servers/localhost%2Fweather{path}", status=404)
        assert error["error"] == "Server not found"
    assert name_of(consumer.get_version("localhost/weather", include_deleted="true")) == "weather"
    assert consumer.list_versions("localhost/weather", include_deleted="true")["metadata"] == {"count": 1}


@pytest.mark.parametrize("count", [1, 100])
def test_a_list_costs_one_query_however_long_it_is(client, django_assert_num_queries, count):
    for number in range(count):
        make_server(slug=f"s{number}", status="active", metadata={"version": "1.0.0"}, entry={"health": "working"})

    with django_assert_num_queries(1):
        assert client.get("/v0.1/servers?limit=100").json()["metadata"] == {"count": count}
    with django_assert_num_queries(1):
        searched = client.get("/v0.1/servers?limit=100&search=server&version=1.0.0&updated_since=2000-01-01T00:00:00Z")
        assert searched.json()["metadata"] == {"count": count}
    with django_assert_num_queries(1):
        assert client.get("/v0.1/servers/localhost%2Fs0/versions/latest").status_code == 200
