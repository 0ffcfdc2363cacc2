"""The registry of MCP servers in the admin: the list, the page of one, and what staff do there."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client

from marketplace.roles import CATALOGUE, FINANCE, SUPPORT, WAITLIST
from mcp.credentials import read_credentials, store_credentials
from mcp.models import Entry, HealthCheck, McpServer
from tests.factories import NOON, make_server, make_staff, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/mcp/mcpserver/"
FIELDS = {
    "name": "Files",
    "description": "",
    "endpoint": "https://mcp.example.com/",
    "website_url": "",
    "required_settings": "",
    "note": "",
}


@pytest.fixture
def staff(client) -> Client:
    client.force_login(make_staff(CATALOGUE))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def page_of(server) -> str:
    return f"{LIST}{server.pk}/change/"


def act(client, name, *servers, **data):
    chosen = {"action": name, "_selected_action": [str(server.pk) for server in servers], **data}
    return client.post(LIST, chosen, follow=True)


def messages_of(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def read(server) -> Entry:
    return Entry.objects.select_related("server").get(pk=server.pk)


def make_waiting(**fields) -> McpServer:
    submitter = fields.pop("submitter", None) or make_user()
    return make_server(entry={"state": "submitted", "submitted_by": submitter, "language": "en"}, **fields)


# --- The list


def test_the_queue_shows_what_waits(staff):
    make_server(name="Listed")
    make_waiting(name="Waiting")

    page = staff.get(f"{LIST}?entry__state__exact=submitted")

    assert [server.name for server in page.context["cl"].result_list] == ["Waiting"]


def test_the_list_says_how_each_is(staff):
    make_server(
        name="Old", last_health_check=NOON, entry={"health": "working", "verdict": "ok", "uptime_30d_bp": 9_987}
    )

    row = re.search(r"<tbody>.*?</tbody>", staff.get(LIST).text, re.DOTALL)[0]

    assert "Working (old information)" in row
    assert "99.87 %" in row
    assert "checked regularly" in row


@pytest.mark.parametrize("count", [1, 50])
def test_the_list_costs_the_same_however_long(staff, count, django_assert_max_num_queries):
    for number in range(count):
        make_server(name=f"Server {number}", entry={"submitted_by": make_user() if number < 3 else None})

    with django_assert_max_num_queries(11):
        page = staff.get(LIST)

    assert page.context["cl"].result_count == count


@pytest.mark.parametrize("count", [1, 50])
def test_the_page_of_one_costs_the_same_however_much_it_has(staff, count, django_assert_max_num_queries):
    server = make_server()
    for number in range(count):
        server.checks.create(verdict="ok", health="working", checked_at=NOON)
        server.tools.create(name=f"tool-{number}")

    with django_assert_max_num_queries(14):
        page = staff.get(page_of(server))

    assert len(page.context["checks"]) == min(count, 20)


def test_a_row_of_another_program_is_listed_before_it_has_an_entry(staff):
    server = McpServer.objects.create(name="Files", endpoint="nowhere")

    assert "Files" in staff.get(LIST).text
    assert staff.get(page_of(server)).status_code == 200
    act(staff, "pause", server)
    assert read(server).mode == "paused"


# --- Acts


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("accept", {"state": "submitted"}, {"state": "accepted"}, "1 server accepted: A"),
        ("accept", {"state": "declined"}, {"state": "accepted"}, "1 server accepted: A"),
        ("pause", {"mode": "checked"}, {"mode": "paused"}, "Checks of 1 server paused: A"),
        ("resume", {"mode": "paused"}, {"mode": "checked"}, "Checks of 1 server resumed: A"),
        ("switch_off", {"mode": "checked"}, {"mode": "off"}, "1 server switched off: A"),
        ("switch_on", {"mode": "off"}, {"mode": "checked"}, "1 server switched on: A"),
    ],
)
def test_each_act_is_done_once_and_written_down(staff, name, before, after, told):
    server = make_server(name="A", entry=before)

    assert messages_of(act(staff, name, server)) == [told]
    again = messages_of(act(staff, name, server))

    assert "1 stays as it was, because this does not fit its state: A" in again
    assert {key: getattr(read(server), key) for key in after} == after
    assert LogEntry.objects.filter(object_id=str(server.pk)).count() == 1


def test_an_act_on_many_says_what_became_of_each(staff):
    servers = [make_waiting(name=name) for name in "AB"]
    listed = make_server(name="C")

    told = messages_of(act(staff, "accept", *servers, listed))

    assert told[0] in ("2 servers accepted: A, B", "2 servers accepted: B, A")
    assert told[1:] == ["1 stays as it was, because this does not fit its state: C"]


def test_one_that_fails_stops_no_other(staff, monkeypatch):
    broken, fine = make_waiting(name="Broken"), make_waiting(name="Fine")
    monkeypatch.setattr("mcp.registry.registration.queue_mail", fail_for(broken))

    told = messages_of(act(staff, "accept", broken, fine))

    assert "1 failed, and nothing changed there: Broken" in told
    assert (read(broken).state, read(fine).state) == ("submitted", "accepted")


def fail_for(server):
    def queue(*, kind, entry, now):
        if entry.pk == server.pk:
            raise RuntimeError("no")

    return queue


def test_declining_asks_for_a_reason_shows_the_mail_and_then_declines(staff, django_capture_on_commit_callbacks):
    server = make_waiting(name="Weather", submitter=make_user(email="submitter@example.com"))

    page = act(staff, "decline", server)
    assert "Whoever submitted it reads it" in page.text

    assert "Please write why" in act(staff, "decline", server, step="check", reason=" ").text

    look = act(staff, "decline", server, step="check", reason="It does not answer.")
    assert "submitter@example.com" in look.text
    assert "About the server you submitted: Weather" in look.text
    assert read(server).state == "submitted"
    assert mail.outbox == []

    with django_capture_on_commit_callbacks(execute=True):
        done = act(staff, "decline", server, step="do", reason="It does not answer.")
    assert messages_of(done) == ["1 server declined: Weather"]
    assert (read(server).state, read(server).decline_reason) == ("declined", "It does not answer.")
    assert [sent.to for sent in mail.outbox] == [["submitter@example.com"]]


def test_a_listed_server_is_not_declined(staff):
    server = make_server()

    answer = act(staff, "decline", server, step="do", reason="No.")

    assert any("stays as it was" in text for text in messages_of(answer))
    assert messages_of(act(staff, "decline", server)) == ["None of them waits for a decision. Nothing was changed."]
    assert read(server).state == "accepted"


def test_a_button_on_the_page_of_one_leads_back_there(staff):
    server = make_server()

    answer = act(staff, "pause", server, back="1")

    assert answer.redirect_chain == [(page_of(server), 302)]
    assert 'value="resume"' in answer.text
    assert 'value="pause"' not in re.search(r'<div class="row-acts">.*?</div>', answer.text, re.DOTALL)[0]


def test_check_now_looks_at_all_but_what_is_off(staff, monkeypatch):
    looked = []
    monkeypatch.setattr("mcp.checking.check_now.run_round", lambda targets, **options: looked.extend(targets) or [])
    on, paused, waiting = make_server(), make_server(entry={"mode": "paused"}), make_waiting()
    off = make_server(entry={"mode": "off"})

    told = messages_of(act(staff, "check_now", on, paused, waiting, off))

    assert {target.server_id for target in looked} == {on.pk, paused.pk, waiting.pk}
    assert told[0].startswith("Checks of 3 servers have begun.")
    assert told[1] == "1 is switched off, so it is not checked."


def test_support_looks_and_does_nothing():
    server = make_server(
        entry={"note": "Ask them first.", "required_settings": [{"name": "X-Key", "description": "", "isSecret": True}]}
    )
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_staff(SUPPORT))

    page = client.get(page_of(server))
    assert "Ask them first." in page.text
    assert "X-Key |  | secret" in page.text
    assert "row-acts" not in page.text
    act(client, "switch_off", server)
    assert client.post(page_of(server), {**FIELDS, "name": "Renamed"}).status_code == 403
    assert client.get(f"{LIST}{server.pk}/credentials/").status_code == 403
    assert client.post(f"{LIST}{server.pk}/credentials/", {"clear": "1"}).status_code == 403
    assert (read(server).mode, read(server).server.name) == ("checked", server.name)


@pytest.mark.parametrize("role", [WAITLIST, FINANCE, ""])
def test_other_staff_see_nothing(role):
    server = make_server()
    client = Client()
    client.force_login(make_staff(role))

    for address in (LIST, page_of(server), f"{LIST}{server.pk}/credentials/"):
        assert client.get(address).status_code == 403, address
    assert client.post(LIST, {"action": "switch_off", "_selected_action": [str(server.pk)]}).status_code == 403


# --- The form


def test_a_server_that_staff_add_is_listed_and_due(staff):
    settings = "Authorization | API key of the provider | secret\nX-Region | |optional"

    staff.post(f"{LIST}add/", {**FIELDS, "note": "Ours.", "required_settings": settings})

    entry = Entry.objects.get()
    assert (entry.state, entry.slug, entry.note, entry.health) == ("accepted", "files", "Ours.", "unchecked")
    assert entry.required_settings == [
        {"name": "Authorization", "description": "API key of the provider", "isRequired": True, "isSecret": True},
        {"name": "X-Region", "description": "", "isRequired": False, "isSecret": False},
    ]


@pytest.mark.parametrize("settings", ["Auth orization", "Host | our own", "X-Key | a | required", "키"])
def test_settings_that_are_none_are_refused(staff, settings):
    page = staff.post(f"{LIST}add/", {**FIELDS, "required_settings": settings})

    assert page.status_code == 200
    assert page.context["adminform"].form.errors.keys() == {"required_settings"}


@pytest.mark.parametrize("endpoint", ["http://mcp.example.com/", "https://127.0.0.1/", "https://10.0.0.1/", "x"])
def test_an_address_that_nobody_should_connect_to_is_refused(staff, endpoint):
    page = staff.post(f"{LIST}add/", {**FIELDS, "endpoint": endpoint})

    assert page.context["adminform"].form.errors.keys() == {"endpoint"}
    assert not McpServer.objects.exists()


def test_what_another_program_wrote_may_stay_when_something_else_is_changed(staff):
    server = make_server(endpoint="http://10.0.0.1/mcp", config={"token": "a"}, metadata={"health": {"x": 1}})

    staff.post(page_of(server), {**FIELDS, "endpoint": server.endpoint, "name": "Renamed"})

    server.refresh_from_db()
    assert (server.name, server.config, server.metadata) == ("Renamed", {"token": "a"}, {"health": {"x": 1}})
    assert server.updated_at > NOON
    assert "renamed" in read(server).search_text
    assert read(server).slug != "renamed"


def test_a_note_is_nobody_s_news(staff):
    server = make_server(**{key: FIELDS[key] for key in ("name", "endpoint")}, description=None)

    staff.post(page_of(server), {**FIELDS, "note": "Ask them first."})

    assert (read(server).note, read(server).server.updated_at) == ("Ask them first.", NOON)


def test_a_check_that_ends_while_the_form_is_open_is_not_undone(staff, monkeypatch):
    server = make_server()
    save = McpServer.save

    def save_late(row, **options):
        McpServer.objects.filter(pk=row.pk).update(status="active", last_health_check=NOON)
        save(row, **options)

    monkeypatch.setattr(McpServer, "save", save_late)
    staff.post(page_of(server), {**FIELDS, "endpoint": server.endpoint})

    server.refresh_from_db()
    assert (server.status, server.last_health_check) == ("active", NOON)


def test_another_endpoint_takes_credentials_away_and_says_so(staff):
    server = make_server(endpoint="https://old.example/mcp", entry={"health": "working", "verdict": "ok"})
    store_credentials(server=server, headers={"X-Key": "open-sesame"})

    answer = staff.post(page_of(server), {**FIELDS, "endpoint": "https://NEW.example"}, follow=True)

    assert any("were for the old address" in text for text in messages_of(answer))
    entry = read(server)
    assert (entry.server.endpoint, entry.server.config) == ("https://new.example/", {})
    assert (entry.health, entry.server.status) == ("unchecked", "inactive")


# --- Credentials


def post_credentials(client, server, rows, **data):
    form = {"form-TOTAL_FORMS": "4", "form-INITIAL_FORMS": "0", "endpoint": server.endpoint, "replace": "1"}
    for number, (name, value) in enumerate(rows):
        form |= {f"form-{number}-name": name, f"form-{number}-value": value}
    return client.post(f"{LIST}{server.pk}/credentials/", {**form, **data}, follow=True)


def test_credentials_are_entered_and_only_their_names_come_back(staff):
    server = make_server(endpoint="https://weather.example/mcp")

    answer = post_credentials(staff, server, [("Authorization", "Bearer open-sesame"), ("X-Team", "seven")])

    assert read_credentials(server) == {"Authorization": "Bearer open-sesame", "X-Team": "seven"}
    assert "Authorization, X-Team for https://weather.example:443" in answer.text
    assert "sesame" not in answer.text
    assert "sesame" not in LogEntry.objects.get().change_message
    assert "Authorization" in LogEntry.objects.get().change_message


def test_credentials_are_replaced_whole_and_taken_away(staff):
    server = make_server()
    post_credentials(staff, server, [("X-Old", "a")])
    post_credentials(staff, server, [("X-New", "b")])
    assert read_credentials(server) == {"X-New": "b"}

    staff.post(f"{LIST}{server.pk}/credentials/", {"clear": "1"})
    assert read_credentials(server) == {}
    again = staff.post(f"{LIST}{server.pk}/credentials/", {"clear": "1"}, follow=True)
    assert messages_of(again)[-1] == "There were none."
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("Authorization", "")],
        [("", "open-sesame")],
        [("Host", "open-sesame")],
        [("X-Key", "open-sesame\r\nX: y")],
        [("X-Key", "열려라-open-sesame")],
        [("X-Key", "open-sesame"), ("x-key", "open-sesame")],
    ],
)
def test_credentials_that_are_none_are_refused_and_not_repeated(staff, rows):
    server = make_server()

    answer = post_credentials(staff, server, rows)

    assert answer.status_code == 422
    assert "Please type the values again" in answer.text
    assert "sesame" not in answer.text
    assert read_credentials(server) == {}


def test_credentials_typed_for_an_address_that_changed_meanwhile_are_refused(staff):
    server = make_server(endpoint="https://new.example/mcp")

    answer = post_credentials(staff, server, [("X-Key", "open-sesame")], endpoint="https://old.example/mcp")

    assert answer.status_code == 422
    assert "The address changed meanwhile" in answer.text
    assert read_credentials(server) == {}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "None are stored."),
        ({"token": "hush-hush"}, "Another program stored something"),
        ({"sealed": "hush-hush", "origin": "https://hush-hush.example:443"}, "They cannot be opened with our key"),
    ],
)
def test_staff_are_told_how_it_stands_with_credentials(staff, config, told):
    server = make_server(config=config, metadata={"note": "hush-hush"})

    for address in (page_of(server), f"{LIST}{server.pk}/credentials/"):
        assert told in staff.get(address).text
        assert "hush-hush" not in staff.get(address).text


def test_staff_are_told_that_credentials_belong_to_another_address(staff):
    server = make_server(endpoint="https://old.example/mcp")
    store_credentials(server=server, headers={"X-Key": "open-sesame"})
    McpServer.objects.update(endpoint="https://new.example/mcp")

    assert "Entered for https://old.example:443 and not for this address" in staff.get(page_of(server)).text


def test_no_list_is_filtered_by_what_is_hidden(staff):
    make_server(config={"token": "hush"})

    for address in ("?config__contains=hush", "?metadata__icontains=x", "?config__token=hush"):
        assert staff.get(f"{LIST}{address}").status_code == 400


# --- What is shown of a server


def test_the_newest_checks_are_shown_and_cannot_be_changed(staff):
    server = make_server()
    for number in range(25):
        server.checks.create(verdict="timeout", health="down", checked_at=NOON.replace(minute=number), reason="slow")
    server.tools.create(name="forecast", description="<b>By</b> city")
    server.tools.create(name="gone", removed_at=NOON)

    page = staff.get(page_of(server))

    times = re.findall(r'<th scope="row"><time datetime="([^"]+)"', page.text)
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert "&lt;b&gt;By&lt;/b&gt; city" in page.text
    assert "gone" not in re.search(r'id="tools-heading".*?</section>', page.text, re.DOTALL)[0]
    assert HealthCheck.objects.count() == 25
