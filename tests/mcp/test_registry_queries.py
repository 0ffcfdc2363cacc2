"""What a consumer of the registry's API may ask of the list of servers."""

from datetime import timedelta

import pytest
from django.core import signing
from django.db import connection
from django.test import override_settings

from tests.factories import NOON, make_server
from tests.mcp.registry_consumer import Consumer, health_of, name_of, status_of

pytestmark = pytest.mark.django_db

LONG_AGO = "0001-01-01T00:00:00Z"


@pytest.fixture
def consumer(client):
    return Consumer(client)


def make_servers(*slugs, **fields):
    return [make_server(**{"slug": slug, "status": "active", **fields}) for slug in slugs]


# --- Pages


def test_a_page_has_thirty_servers_unless_another_number_is_asked_for(consumer):
    make_servers(*(f"s{number:03d}" for number in range(103)))

    assert consumer.list_page()["metadata"]["count"] == 30
    assert consumer.list_page(limit=1)["metadata"]["count"] == 1
    assert consumer.list_page(limit=100)["metadata"]["count"] == 100
    assert [len(page) for page in consumer.list_pages(limit=100)] == [100, 3]
    assert [len(page) for page in consumer.list_pages()] == [30, 30, 30, 13]


def test_the_last_page_has_no_cursor_even_when_it_is_full(consumer):
    make_servers("a", "b")

    assert [len(page) for page in consumer.list_pages(limit=1)] == [1, 1]
    assert "nextCursor" not in consumer.list_page(limit=2)["metadata"]


def test_an_empty_registry_is_one_empty_page(consumer):
    assert consumer.list_page() == {"servers": [], "metadata": {"count": 0}}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", "1e1", "+5", " 5", "５", "9" * 400])
def test_other_limits_are_refused(consumer, limit):
    error = consumer.get_error("/servers", status=400, limit=limit)

    assert error["detail"] == "limit must be a number from 1 to 100."


def test_a_parameter_without_a_value_counts_as_none(client):
    make_servers("a")

    answer = client.get("/v0.1/servers?cursor=&limit=&search=&updated_since=&version=&include_deleted=&colour=red")

    assert answer.json()["metadata"] == {"count": 1}


def test_a_cursor_goes_on_where_its_page_ended_though_that_server_is_gone(consumer):
    first, *_others = make_servers("a", "b", "c")
    cursor = consumer.list_page(limit=1)["metadata"]["nextCursor"]
    first.delete()

    assert consumer.list_names(cursor=cursor) == ["b", "c"]


def test_a_cursor_can_be_put_into_an_address_as_it_is(client):
    make_servers("a", "b")
    cursor = client.get("/v0.1/servers?limit=1").json()["metadata"]["nextCursor"]

    assert [name_of(server) for server in client.get(f"/v0.1/servers?cursor={cursor}").json()["servers"]] == ["b"]


@pytest.mark.parametrize(
    "cursor",
    [
        "a",
        "localhost/a:1.0.0",  # the form of another registry
        "eyJhZnRlciI6ImEifQ",
        "eyJhZnRlciI6ImEifQ.forged",
        ".",
        "….…",
        "x" * 5_000,
        signing.Signer(salt="elsewhere", sep=".").sign_object({"after": "a"}),
        signing.Signer(salt="mcp.registry.cursor", sep=".", key="another key").sign_object({"after": "a"}),
    ],
)
def test_a_forged_or_foreign_cursor_is_refused(consumer, cursor):
    make_servers("a", "b")

    error = consumer.get_error("/servers", status=400, cursor=cursor)

    assert error["detail"] == "cursor must be the nextCursor of a page of this registry."


def test_a_changed_cursor_is_refused(consumer):
    make_servers("a", "b")
    cursor = consumer.list_page(limit=1)["metadata"]["nextCursor"]

    for position, character in enumerate(cursor):
        changed = cursor[:position] + ("x" if character != "x" else "y") + cursor[position + 1 :]
        consumer.get_error("/servers", status=400, cursor=changed)


# --- Search and versions


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("weather", ["forecasts", "weather-korea"]),
        ("WEATHER", ["forecasts", "weather-korea"]),
        ("eather-k", ["weather-korea"]),
        ("localhost/weather", ["weather-korea"]),
        ("localhost/", ["files", "forecasts", "weather-korea"]),
        ("날씨", ["weather-korea"]),
        ("쓰고", ["files"]),
        ("ÉCRIRE", ["files"]),
        ("100%", ["files"]),
        ("100_", []),
        ("get_rain", []),  # names of tools are no part of it
        ("files weather", []),
        ("\\", []),
    ],
)
def test_search_looks_for_a_part_of_name_or_description(consumer, search, found):
    make_servers("weather-korea", name="날씨", description="Rain")
    make_servers("forecasts", name="Weather", description=None)
    make_servers("files", name="Files", description="읽고 쓰고 écrire 100%", entry={"search_text": "files get_rain"})

    assert consumer.list_names(search=search) == found


def test_search_takes_hangul_in_parts_as_some_systems_send_it(consumer):
    make_servers("weather", name="날씨")

    assert consumer.list_names(search="날씨") == ["weather"]


def test_a_search_longer_than_anybody_types_is_refused(consumer):
    assert consumer.list_names(search="x" * 200) == []
    assert consumer.get_error("/servers", status=400, search="x" * 201)["detail"]


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("latest", ["hidden", "none", "own", "range", "seen", "seen-too"]),
        ("1.2.0", ["own", "seen"]),
        ("2.0.0", ["seen-too"]),
        ("0.0.0", ["hidden", "none", "range"]),
        ("9.9.9", []),
        ("^1.2.0", []),
        ("%", []),
        ('"', []),
    ],
)
def test_a_version_is_asked_for_exactly(consumer, version, found):
    make_servers("own", metadata={"version": "1.2.0", "health": {"server_info": {"version": "2.0.0"}}})
    make_servers("seen", metadata={"health": {"server_info": {"version": "1.2.0"}}})
    make_servers("seen-too", metadata={"version": "latest", "health": {"server_info": {"version": "2.0.0"}}})
    make_servers("range", metadata={"version": "^1.2.0"})
    make_servers("none", metadata={})
    make_servers("hidden", metadata={"note": "1.2.0", "notes": ["9.9.9"]})

    assert consumer.list_names(version=version) == found


def test_pages_of_one_version_have_no_gaps(consumer):
    for number in range(20):
        make_servers(f"s{number:02d}", metadata={"version": "1.0.0" if number % 3 else "2.0.0"})

    pages = list(consumer.list_pages(version="2.0.0", limit=3))

    assert [[name_of(server) for server in page] for page in pages] == [
        ["s00", "s03", "s06"],
        ["s09", "s12", "s15"],
        ["s18"],
    ]


# --- Deleted and changed ones


def make_every_kind():
    make_servers("works", status="active")
    make_servers("broken", status="error")
    make_servers("gone", status="inactive")
    make_servers("off", status="active", entry={"mode": "off"})


def test_withdrawn_servers_are_listed_for_who_asks_for_them(consumer):
    make_every_kind()

    assert consumer.list_names() == consumer.list_names(include_deleted="false") == ["broken", "works"]
    servers = consumer.list_page(include_deleted="true")["servers"]
    assert {name_of(server): status_of(server) for server in servers} == {
        "broken": "active",
        "gone": "deleted",
        "off": "deleted",
        "works": "active",
    }
    assert health_of(servers[2]) == {"status": "off", "isStale": False}


@pytest.mark.parametrize(("text", "count"), [("true", 4), ("TRUE", 4), ("1", 4), ("false", 2), ("False", 2), ("0", 2)])
def test_include_deleted_is_yes_or_no(consumer, text, count):
    make_every_kind()

    assert consumer.list_page(include_deleted=text)["metadata"]["count"] == count


@pytest.mark.parametrize("text", ["yes", "2", "null", "truee", " true"])
def test_include_deleted_is_nothing_else(consumer, text):
    assert consumer.get_error("/servers", status=400, include_deleted=text)["detail"] == (
        "include_deleted must be true or false."
    )


def test_who_asks_for_changes_gets_withdrawn_servers_too(consumer):
    make_every_kind()

    assert consumer.list_names(updated_since=LONG_AGO) == ["broken", "gone", "off", "works"]
    assert consumer.list_names(updated_since=LONG_AGO, include_deleted="true") == ["broken", "gone", "off", "works"]
    error = consumer.get_error("/servers", status=400, updated_since=LONG_AGO, include_deleted="false")
    assert error["detail"] == "include_deleted cannot be false together with updated_since."


@pytest.mark.parametrize(
    ("updated_since", "found"),
    [
        ("2026-11-22T12:00:00Z", ["at-noon", "after"]),
        ("2026-11-22t12:00:00z", ["at-noon", "after"]),
        ("2026-11-22 12:00:00Z", ["at-noon", "after"]),
        ("2026-11-22T12:00:00.000Z", ["at-noon", "after"]),
        ("2026-11-22T12:00:00.001Z", ["after"]),
        ("2026-11-22T12:00:00.5Z", ["after"]),
        ("2026-11-22T12:00:00.500000001Z", ["after"]),
        ("2026-11-22T12:00:00.501Z", []),
        ("2026-11-22T11:59:59.999999999999Z", ["at-noon", "after"]),
        ("2026-11-22T21:00:00+09:00", ["at-noon", "after"]),
        ("2026-11-22T21:00:00.250+09:00", ["after"]),
        ("2026-11-22T06:30:00-05:30", ["at-noon", "after"]),
        ("2026-11-22T12:00:00-00:00", ["at-noon", "after"]),
        ("2026-11-23T11:59:00+23:59", ["at-noon", "after"]),
        ("0001-01-01T00:00:00Z", ["at-noon", "after"]),
        ("0001-01-01T00:00:00+23:59", ["at-noon", "after"]),
        ("9999-12-31T23:59:59Z", []),
        ("9999-12-31T23:59:59.999999-23:59", []),
    ],
)
def test_changes_are_told_from_a_moment_on(consumer, updated_since, found):
    make_servers("before", updated_at=NOON - timedelta(days=4))
    make_servers("at-noon", updated_at=NOON)
    make_servers("after", updated_at=NOON + timedelta(milliseconds=500))

    expected = {*found} | ({"before"} if updated_since.startswith("0001") else set())
    assert set(consumer.list_names(updated_since=updated_since)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-11-22",
        "2026-11-22T12:00:00",
        "2026-11-22T12:00Z",
        "2026-11-22T12:00:00.Z",
        "2026-11-22T12:00:00 09:00",  # the + of an offset, not encoded
        "2026-11-22T12:00:00+0900",
        "2026-11-22T12:00:00+24:00",
        "2026-11-22T12:00:00+09:60",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "２０２６-11-22T12:00:00Z",
        "1763812800",
        "-1",
        "2026-W48-7T00:00:00Z",
        "2026-11-22T12:00:00Z\n",
        "2026-11-22T12:00:00Z; DROP TABLE mcp_servers",
    ],
)
def test_what_is_no_time_of_rfc_3339_is_refused(consumer, text):
    error = consumer.get_error("/servers", status=400, updated_since=text)

    assert error["detail"].startswith("updated_since must be a time as in RFC 3339")


@pytest.mark.parametrize(
    ("written", "is_found"),
    [
        ("2026-11-22 12:00:00", True),
        ("2026-11-22T21:00:00+09:00", True),
        ("2026-11-21T23:00:00-13:00", True),
        ("2026-11-22 11:59:59.999", False),
        ("2026-11-22T20:59:00+09:00", False),
        ("long ago", False),
    ],
)
def test_times_that_other_programs_wrote_are_compared_as_times(consumer, written, is_found):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite keeps times as text")
    (server,) = make_servers("weather")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mcp_servers SET updated_at = %s WHERE id = %s", [written, str(server.pk)])

    assert consumer.list_names(updated_since="2026-11-22T12:00:00Z") == (["weather"] if is_found else [])


def test_a_check_does_not_count_as_a_change(consumer):
    (server,) = make_servers("weather")
    server.last_health_check = NOON + timedelta(days=1)
    server.metadata = {"health": {"result": "ok"}}
    server.save(update_fields=["last_health_check", "metadata"])

    assert consumer.list_names(updated_since="2026-11-22T12:00:01Z") == []


@override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=["only-for-tests"])
def test_a_cursor_outlives_a_change_of_the_key(consumer):
    make_servers("a", "b")
    old = signing.Signer(salt="mcp.registry.cursor", sep=".", key="only-for-tests").sign_object({"after": "a"})

    assert consumer.list_names(cursor=old) == ["b"]
