"""What staff decide about servers, on the level of rows: each once, with what hangs on it."""

from datetime import timedelta

import pytest
from django.core import mail

from accounts.models import User
from mcp.credentials import Standing, inspect_credentials, store_credentials
from mcp.models import Entry, Incident, McpServer, SubmissionMail
from mcp.registry.registration import (
    accept_submission,
    change_endpoint,
    decline_submission,
    pause,
    resume,
    switch_off,
    switch_on,
)
from tests.factories import NOON, make_server, make_staff, make_user

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=2)


@pytest.fixture
def submitter() -> User:
    return make_user(email="submitter@example.com")


@pytest.fixture
def waiting(submitter) -> McpServer:
    return make_server(name="날씨", slug="weather", entry={"state": "submitted", "submitted_by": submitter})


def decline(server, *, reason="It does not answer.") -> bool:
    return decline_submission(server=server, staff=make_staff(), reason=reason, now=LATER)


def accept(server) -> bool:
    return accept_submission(server=server, staff=make_staff(), now=LATER)


def read(server) -> Entry:
    return Entry.objects.select_related("server").get(pk=server.pk)


# --- Decisions


def test_an_accepted_server_is_public_and_due(waiting):
    assert not Entry.objects.public().exists()

    assert accept(waiting)

    entry = read(waiting)
    assert Entry.objects.public().get() == entry
    assert (entry.next_check_at, entry.decided_at, entry.server.updated_at) == (LATER, LATER, LATER)
    assert entry.decided_by.is_staff


def test_a_declined_one_keeps_its_reason_and_stays_hidden(waiting):
    assert decline(waiting, reason="  It does not answer.\n")

    assert (read(waiting).state, read(waiting).decline_reason) == ("declined", "It does not answer.")
    assert not Entry.objects.public().exists()


def test_a_second_decision_changes_nothing(waiting, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        assert accept(waiting)
        before = read(waiting).decided_by

        assert not accept(waiting)
        assert not decline(waiting)

    assert read(waiting).decided_by == before
    assert read(waiting).state == "accepted"
    assert len(mail.outbox) == 1


def test_a_declined_one_may_be_accepted_after_all(waiting):
    decline(waiting)

    assert accept(waiting)
    assert (read(waiting).state, read(waiting).decline_reason) == ("accepted", "")


# --- Mails


def test_the_submitter_is_told_of_a_decline_in_the_language_of_the_submission(
    waiting, django_capture_on_commit_callbacks
):
    Entry.objects.update(language="en")
    with django_capture_on_commit_callbacks(execute=True):
        decline(waiting, reason="It <b>does</b> not answer.")

    (sent,) = mail.outbox
    assert sent.to == ["submitter@example.com"]
    assert "About the server you submitted: 날씨" in sent.subject
    assert "It <b>does</b> not answer." in sent.body
    assert "It &lt;b&gt;does&lt;/b&gt; not answer." in sent.alternatives[0].content
    assert "/mcp-servers/submitted/" in sent.body
    assert SubmissionMail.objects.get().status == "sent"


def test_the_submitter_is_told_where_an_accepted_one_stands(waiting, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        accept(waiting)

    (sent,) = mail.outbox
    for text in (sent.body, sent.alternatives[0].content):
        assert "http://localhost:8000/mcp-servers/weather/" in text


@pytest.mark.parametrize("changes", [{"is_active": False}, {"deleted_at": NOON}])
def test_nobody_is_told_whose_account_is_gone(waiting, submitter, changes, django_capture_on_commit_callbacks):
    User.objects.filter(pk=submitter.pk).update(**changes)

    with django_capture_on_commit_callbacks(execute=True):
        assert decline(waiting)

    assert mail.outbox == []


def test_nobody_is_told_of_a_server_that_staff_entered(django_capture_on_commit_callbacks):
    server = make_server(entry={"state": "submitted"})

    with django_capture_on_commit_callbacks(execute=True):
        assert accept(server)

    assert mail.outbox == []


# --- Modes


def test_pausing_and_resuming(waiting):
    server = make_server(entry={"health": "working", "verdict": "ok"})

    assert pause(server=server)
    assert not pause(server=server)
    assert (read(server).mode, read(server).health) == ("paused", "working")

    assert resume(server=server, now=LATER)
    assert not resume(server=server, now=LATER)
    assert (read(server).mode, read(server).next_check_at) == ("checked", LATER)


def test_switching_off_ends_what_was_measured():
    server = make_server(status="active", entry={"health": "down", "verdict": "timeout"})
    Incident.objects.create(server=server, started_at=NOON, verdict="timeout")

    assert switch_off(server=server, now=LATER)
    assert not switch_off(server=server, now=LATER)

    entry = read(server)
    assert (entry.mode, entry.server.status, entry.server.updated_at) == ("off", "inactive", LATER)
    assert Incident.objects.get().ended_at == LATER


def test_switching_on_forgets_what_is_too_old_to_show():
    server = make_server(entry={"health": "working", "verdict": "ok", "latency_ms": 90, "mode": "off"})

    assert switch_on(server=server, now=LATER)
    assert not switch_on(server=server, now=LATER)

    entry = read(server)
    assert (entry.mode, entry.health, entry.verdict, entry.latency_ms) == ("checked", "unchecked", "", None)
    assert (entry.next_check_at, entry.server.updated_at) == (LATER, LATER)


def test_a_paused_one_can_be_switched_off_and_is_not_resumed_from_there():
    server = make_server(entry={"mode": "paused"})

    assert switch_off(server=server, now=LATER)
    assert not resume(server=server, now=LATER)
    assert not pause(server=server)


# --- The endpoint


def test_another_endpoint_takes_credentials_and_what_was_known_away():
    server = make_server(
        endpoint="https://old.example/mcp",
        status="active",
        metadata={"note": "kept"},
        entry={"health": "working", "verdict": "ok", "latency_ms": 90, "miss_count": 1},
    )
    server.tools.create(name="forecast")
    store_credentials(server=server, headers={"Authorization": "Bearer open-sesame"})

    assert change_endpoint(server=server, endpoint="https://old.example/other", now=LATER)

    entry = read(server)
    assert inspect_credentials(entry.server).standing == Standing.NONE
    assert (entry.server.endpoint, entry.server.status) == ("https://old.example/other", "inactive")
    assert (entry.server.updated_at, entry.server.metadata) == (LATER, {"note": "kept"})
    assert (entry.health, entry.verdict, entry.latency_ms, entry.miss_count) == ("unchecked", "", None, 0)
    assert entry.next_check_at == LATER
    assert server.tools.offered().count() == 1


def test_another_endpoint_says_whether_there_were_credentials():
    assert not change_endpoint(server=make_server(), endpoint="https://new.example/mcp", now=LATER)
