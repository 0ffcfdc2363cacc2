"""The registry of MCP servers in the admin."""

import pytest

from mcp.models import McpServer
from tests.factories import NOON, make_user

pytestmark = pytest.mark.django_db

FIELDS = {"name": "Files", "description": "", "endpoint": "https://mcp.example.com/", "status": "inactive"}


@pytest.fixture
def staff(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def make_server(**fields) -> McpServer:
    return McpServer.objects.create(**{**FIELDS, "updated_at": NOON, **fields})


def test_a_configuration_is_never_shown(staff):
    server = make_server(config={"token": "hush-hush"}, metadata={"note": "inner"})

    for address in ("", f"{server.pk}/change/", f"{server.pk}/history/", "?q=hush"):
        page = staff.get(f"/admin/mcp/mcpserver/{address}")
        assert page.status_code == 200
        assert "hush-hush" not in page.text
    assert "set; it is not shown" in staff.get(f"/admin/mcp/mcpserver/{server.pk}/change/").text


def test_a_form_without_a_new_configuration_keeps_the_old_one(staff):
    server = make_server(config={"token": "a"}, metadata={"health": 1})

    staff.post(f"/admin/mcp/mcpserver/{server.pk}/change/", {**FIELDS, "name": "Renamed", "new_config": ""})

    server.refresh_from_db()
    assert (server.name, server.config, server.metadata) == ("Renamed", {"token": "a"}, {"health": 1})
    assert server.updated_at > NOON


@pytest.mark.parametrize(("typed", "stored"), [('{"token": "b"}', {"token": "b"}), ("{}", {})])
def test_a_new_configuration_replaces_the_old_one(staff, typed, stored):
    server = make_server(config={"token": "a"})

    staff.post(f"/admin/mcp/mcpserver/{server.pk}/change/", {**FIELDS, "new_config": typed})

    server.refresh_from_db()
    assert server.config == stored


def test_a_configuration_that_is_no_object_is_refused_and_not_repeated_elsewhere(staff):
    server = make_server(config={"token": "a"})

    page = staff.post(f"/admin/mcp/mcpserver/{server.pk}/change/", {**FIELDS, "new_config": "[1]"})

    assert "Please enter a JSON object" in page.text
    server.refresh_from_db()
    assert server.config == {"token": "a"}


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_costs_the_same_however_long(staff, count, django_assert_max_num_queries):
    for number in range(count):
        make_server(name=f"Server {number}")

    with django_assert_max_num_queries(9):
        page = staff.get("/admin/mcp/mcpserver/")

    assert page.context["cl"].result_count == count
