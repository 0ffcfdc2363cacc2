"""What stands in `mcp_servers.config` is nobody's to read: no page, API answer, file, mail, log or error."""

import json
import logging

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from accounts.data_views import collect_personal_data
from marketplace.roles import CATALOGUE, SUPPORT
from mcp.checking.health import check_server
from mcp.client.sightings import Sighting
from mcp.credentials import store_credentials
from mcp.models import Entry, McpServer
from mcp.registry.registration import accept_submission, change_endpoint, decline_submission
from mcp.verdicts import Verdict
from tests.factories import NOON, make_server, make_staff, make_user

pytestmark = pytest.mark.django_db

SECRET = "zq7-sesame-5518-nobodys-to-read"
HEADERS = {"X-Key": SECRET}
EN = {"accept-language": "en"}
STATES = ["accepted", "submitted", "declined"]


@pytest.fixture(params=["sealed", "foreign", "elsewhere"])
def server(request) -> McpServer:
    """With credentials of ours, with what another program wrote, or with ours for another address."""
    submitter = make_user(email="submitter@example.com")
    row = make_server(
        slug="weather",
        endpoint="https://weather.example/mcp",
        config={"token": SECRET, SECRET: [{"deep": SECRET}]} if request.param == "foreign" else {},
        metadata={"note": SECRET},
        entry={"submitted_by": submitter, "language": "en"},
    )
    if request.param != "foreign":
        store_credentials(server=row, headers=HEADERS)
    if request.param == "elsewhere":
        McpServer.objects.update(endpoint="https://moved.example/mcp")
    row.tools.create(name="forecast")
    row.refresh_from_db()
    return row


def find_traces(server) -> list[str]:
    """The secret, and the sealed form that stands for it."""
    config = McpServer.objects.get(pk=server.pk).config
    return [SECRET, *([config["sealed"]] if "sealed" in config else [])]


def assert_clean(text: str, server) -> None:
    for trace in find_traces(server):
        assert trace not in text


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("person", ["visitor", "stranger", "submitter", CATALOGUE, SUPPORT])
def test_no_page_of_the_site_shows_it(server, person, state):
    Entry.objects.update(state=state)
    client = make_client(person, server)
    addresses = [
        "/",
        "/mcp-servers/",
        f"/mcp-servers/?q={SECRET[:8]}",
        "/mcp-servers/weather/",
        "/mcp-servers/weather/?tools=1",
        "/mcp-servers/submitted/",
        "/v0.1/servers?include_deleted=true",
        "/v0.1/servers/localhost%2Fweather/versions",
        "/v0.1/servers/localhost%2Fweather/versions/latest",
        "/sitemap.xml",
    ]
    for address in addresses:
        answer = client.get(address)
        assert_clean(read_body(answer).replace(f"q={SECRET[:8]}", ""), server)
    assert_clean(read_body(client.post("/mcp-servers/submit/", {"endpoint": server.endpoint})), server)


def make_client(person: str, server) -> Client:
    client = Client(headers=EN)
    if person == "submitter":
        client.force_login(server.entry.submitted_by)
    elif person == "stranger":
        client.force_login(make_user())
    elif person != "visitor":
        client.force_login(make_staff(person))
    return client


def read_body(answer) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()


@pytest.mark.parametrize("role", [CATALOGUE, SUPPORT, "superuser"])
def test_no_page_of_the_admin_shows_it(server, role):
    client = Client(headers=EN)
    client.force_login(make_user(is_staff=True, is_superuser=True) if role == "superuser" else make_staff(role))
    page = "/admin/mcp/mcpserver/"
    addresses = [
        "/admin/",
        page,
        f"{page}?q={SECRET[:8]}",
        f"{page}{server.pk}/change/",
        f"{page}{server.pk}/history/",
        f"{page}{server.pk}/delete/",
        f"{page}{server.pk}/credentials/",
        f"{page}?config__contains={SECRET[:8]}",
        f"{page}?_to_field=config&_popup=1",
        f"{page}{server.pk}/change/?_to_field=config",
    ]
    for address in addresses:
        assert_clean(client.get(address).text.replace(SECRET[:8], ""), server)
    typed = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "replace": "1", "form-0-value": SECRET}
    assert_clean(client.post(f"{page}{server.pk}/credentials/", typed).text, server)
    act = {"action": "decline", "_selected_action": [str(server.pk)], "step": "check", "reason": "No."}
    Entry.objects.update(state="submitted")
    assert_clean(client.post(page, act).text, server)


def test_the_file_with_one_s_own_data_does_not_have_it(server):
    content = collect_personal_data(server.entry.submitted_by, now=NOON)

    assert [row["name"] for row in content["submitted_mcp_servers"]] == [server.name]
    assert_clean(json.dumps(content, default=str, ensure_ascii=False), server)


def test_no_mail_says_it(server, django_capture_on_commit_callbacks):
    staff = make_staff(CATALOGUE)
    Entry.objects.update(state="submitted")
    with django_capture_on_commit_callbacks(execute=True):
        decline_submission(server=server, staff=staff, reason="No.", now=NOON)
        accept_submission(server=server, staff=staff, now=NOON.replace(hour=13))

    assert len(mail.outbox) == 2
    for sent in mail.outbox:
        assert_clean(f"{sent.subject}{sent.body}{sent.alternatives[0].content}", server)


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.AUTH_REJECTED, Verdict.TIMEOUT])
def test_no_check_logs_or_keeps_it(server, verdict, caplog):
    def probe(endpoint, *, headers, **_options):
        return Sighting(verdict=verdict, reason="HTTP 401")

    with caplog.at_level(logging.DEBUG):
        check_server(server, now=NOON, trigger="staff", probe=probe)

    assert_clean(caplog.text, server)
    with connection.cursor() as cursor:
        for table in ("mcp_entries", "mcp_health_checks", "mcp_incidents", "mcp_tools", "django_admin_log"):
            cursor.execute(f"SELECT * FROM {table}")
            assert_clean(repr(cursor.fetchall()), server)


@pytest.mark.parametrize("is_debug", [False, True])
def test_an_error_in_the_middle_of_it_shows_nothing(server, settings, monkeypatch, is_debug, caplog):
    """A form with a value in it, and the code that stores it breaks."""
    settings.DEBUG = is_debug

    def fail(text, *, purpose):
        raise RuntimeError("broken")

    monkeypatch.setattr("mcp.credentials.seal", fail)
    client = Client(headers=EN, raise_request_exception=False)
    client.force_login(make_staff(CATALOGUE))
    typed = {
        **{"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "replace": "1", "endpoint": server.endpoint},
        **{"form-0-name": "X-Key", "form-0-value": SECRET},
    }
    with caplog.at_level(logging.DEBUG):
        answer = client.post(f"/admin/mcp/mcpserver/{server.pk}/credentials/", typed)

    assert answer.status_code == 500
    assert "broken" in caplog.text
    assert_clean(caplog.text, server)
    if not is_debug:
        assert_clean(answer.text, server)


# --- Where it goes


def test_credentials_go_to_the_origin_they_were_entered_for_and_nowhere_else():
    server = make_server(endpoint="https://weather.example/mcp")
    other = make_server(endpoint="https://other.example/mcp")
    store_credentials(server=server, headers=HEADERS)

    assert ask(server) == ("https://weather.example/mcp", HEADERS)
    assert ask(other) == ("https://other.example/mcp", {})


def ask(server) -> tuple[str, dict]:
    """What a check sends, and where."""
    asked = []

    def probe(endpoint, *, headers, **_options):
        asked.append((endpoint, dict(headers)))
        return Sighting(verdict=Verdict.OK, tools=(), prompts=())

    check_server(McpServer.objects.get(pk=server.pk), now=NOON, trigger="schedule", probe=probe)
    return asked[0]


def test_after_a_change_of_the_endpoint_nothing_is_sent():
    server = make_server(endpoint="https://weather.example/mcp")
    store_credentials(server=server, headers=HEADERS)

    change_endpoint(server=server, endpoint="https://weather.example/v2", now=NOON)

    assert ask(server) == ("https://weather.example/v2", {})


def test_after_another_program_changed_the_column_nothing_is_sent():
    server = make_server(endpoint="https://weather.example/mcp")
    store_credentials(server=server, headers=HEADERS)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mcp_servers SET endpoint = 'https://evil.example/mcp'")

    assert ask(server) == ("https://evil.example/mcp", {})


def test_what_another_program_stored_is_never_sent():
    server = make_server(config={"headers": HEADERS, "Authorization": SECRET})

    assert ask(server)[1] == {}
