"""Submitting a server in the browser, and the list of one's own submissions."""

import re

import pytest
from django.test import Client

from mcp.models import Entry
from tests.factories import NOON, make_server, make_user

pytestmark = pytest.mark.django_db

SUBMIT, SUBMITTED = "/mcp-servers/submit/", "/mcp-servers/submitted/"
TYPED = {
    "name": "Weather",
    "description": "Forecasts by city",
    "endpoint": "https://weather.example/mcp",
    "website_url": "weather.example",
    "settings-TOTAL_FORMS": "3",
    "settings-INITIAL_FORMS": "0",
    "settings-0-name": "Authorization",
    "settings-0-description": "Key of the provider",
    "settings-0-is_secret": "on",
    "settings-1-name": "X-Region",
    "settings-1-description": "",
    "settings-2-name": "",
    "settings-2-description": "",
}


@pytest.fixture
def person(client) -> Client:
    client.force_login(make_user(email="person@example.com"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def test_a_visitor_signs_in_first_and_comes_back(client):
    for address in (SUBMIT, SUBMITTED):
        answer = client.get(address)
        assert answer.status_code == 302
        assert f"next={address}" in answer["Location"]


def test_a_submission_arrives_and_the_next_page_shows_it(person):
    answer = person.post(SUBMIT, TYPED, follow=True)

    assert answer.redirect_chain == [(SUBMITTED, 302)]
    assert "Your submission has arrived." in answer.text
    assert "Weather" in answer.text
    entry = Entry.objects.get()
    assert (entry.state, entry.submitted_by.email, entry.language) == ("submitted", "person@example.com", "en")
    assert entry.website_url == "https://weather.example"
    assert entry.required_settings == [
        {"name": "Authorization", "description": "Key of the provider", "isRequired": True, "isSecret": True},
        {"name": "X-Region", "description": "", "isRequired": True, "isSecret": False},
    ]


def test_nothing_is_asked_of_the_server_while_somebody_waits(person, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", None)
    monkeypatch.setattr("socket.socket.connect", None)

    assert person.post(SUBMIT, TYPED).status_code == 302


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u202e\u200b"}, "name"),
        ({"description": ""}, "description"),
        ({"description": "x" * 201}, "description"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "http://weather.example/mcp"}, "endpoint"),
        ({"endpoint": "https://127.0.0.1/mcp"}, "endpoint"),
        ({"endpoint": "https://weather.example/?token=abc"}, "endpoint"),
        ({"website_url": "javascript:alert(1)"}, "website_url"),
        ({"website_url": "https://known.example@other.example"}, "website_url"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_everything_typed_is_kept(person, changes, field):
    page = person.post(SUBMIT, {**TYPED, **changes})

    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {field}
    kept = {**TYPED, **changes}
    for name in ("name", "description", "endpoint", "website_url"):
        assert page.context["form"][name].value() == kept[name]
    assert 'value="Authorization"' in page.text
    assert 'value="Key of the provider"' in page.text
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"settings-1-name": "Auth orization"},
        {"settings-1-name": "Host"},
        {"settings-1-name": "", "settings-1-description": "Which header?"},
        {"settings-1-name": "AUTHORIZATION"},
        {"settings-TOTAL_FORMS": "100"},
        {"settings-TOTAL_FORMS": "x"},
    ],
)
def test_settings_that_are_none_are_refused_above_the_form(person, changes):
    page = person.post(SUBMIT, {**TYPED, **changes})

    assert page.status_code == 422
    assert "One thing to correct" in page.text
    assert not Entry.objects.exists()


def test_the_summary_leads_to_the_setting_that_is_wrong(person):
    page = person.post(SUBMIT, {**TYPED, "website_url": "javascript:alert(1)", "settings-1-name": "Host"})

    assert "2 things to correct" in page.text
    assert '<li><a href="#id_website_url">Website</a>: Enter a valid URL.</li>' in page.text
    assert '<li><a href="#id_settings-1-name">Header 2</a>: Host is set by the request itself.</li>' in page.text


def test_more_rows_for_settings_come_without_scripts_and_keep_what_was_typed(person):
    page = person.post(SUBMIT, {**TYPED, "name": "", "more": "1"})

    assert page.status_code == 200
    assert 'name="settings-5-name"' in page.text
    assert 'value="Key of the provider"' in page.text
    assert re.search(r'name="settings-0-is_secret"[^>]* checked', page.text)
    assert 'class="problems"' not in page.text
    assert not Entry.objects.exists()

    rows = {f"settings-{number}-name": f"X-{number}" for number in range(9)}
    last = person.post(SUBMIT, {**TYPED, **rows, "settings-TOTAL_FORMS": "9", "more": "1"})
    assert 'name="settings-9-name"' not in last.text
    assert 'name="more"' not in last.text


def test_a_server_that_is_listed_already_is_answered_with_a_link(person):
    make_server(slug="weather", name="Weather of others", endpoint="https://weather.example/mcp/")

    page = person.post(SUBMIT, TYPED)

    assert page.status_code == 422
    assert "This server is in the registry already." in page.text
    assert 'href="/mcp-servers/weather/"' in page.text
    assert "Weather of others" in page.text


def test_a_server_that_somebody_else_submitted_is_answered_without_one(person):
    make_server(name="Hidden", endpoint="https://weather.example/mcp", entry={"state": "submitted"})

    page = person.post(SUBMIT, TYPED)

    assert "Somebody has submitted this server already" in page.text
    assert "Hidden" not in page.text


def test_too_many_in_a_day_are_refused_with_what_was_typed(person, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "mcp_submit": "1/d/user"}
    person.post(SUBMIT, TYPED)

    page = person.post(SUBMIT, {**TYPED, "endpoint": "https://other.example/mcp"})

    assert page.status_code == 429
    assert "You have submitted many servers today." in page.text
    assert 'value="https://other.example/mcp"' in page.text
    assert Entry.objects.count() == 1


# --- One's own


def make_own(person: str = "person@example.com", **entry):
    from accounts.models import User

    return make_server(
        name="Mine", slug="mine", entry={"submitted_by": User.objects.get(email=person), "state": "submitted", **entry}
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"state": "submitted"}, ["Received", "Withdraw it"]),
        ({"state": "accepted", "decided_at": NOON}, ["Accepted", "/mcp-servers/mine/"]),
        (
            {"state": "declined", "decided_at": NOON, "decline_reason": "It <i>never</i> answers."},
            ["Declined", "It &lt;i&gt;never&lt;/i&gt; answers."],
        ),
    ],
)
def test_a_submitter_sees_how_it_stands(person, entry, words):
    make_own(**entry)

    page = person.get(SUBMITTED)

    for word in ["Mine", *words]:
        assert word in page.text
    assert ("Withdraw it" in page.text) == (entry["state"] == "submitted")


def test_nobody_sees_submissions_of_others(person):
    make_server(name="Hidden", entry={"submitted_by": make_user(), "state": "submitted"})

    assert "Hidden" not in person.get(SUBMITTED).text


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_costs_the_same_however_long(person, count, django_assert_max_num_queries):
    for _ in range(count):
        make_own_one_more()

    with django_assert_max_num_queries(6):
        assert len(person.get(SUBMITTED).context["entries"]) == count


def make_own_one_more():
    from accounts.models import User

    make_server(entry={"submitted_by": User.objects.get(email="person@example.com"), "state": "submitted"})


def test_a_waiting_one_is_withdrawn(person):
    make_own()

    answer = person.post("/mcp-servers/submitted/mine/withdraw/", follow=True)

    assert "we keep nothing of it" in answer.text
    assert not Entry.objects.exists()


def test_withdrawing_twice_leads_to_the_list_both_times(person):
    make_own()

    pages = [person.post("/mcp-servers/submitted/mine/withdraw/", follow=True) for _ in range(2)]

    assert [page.redirect_chain for page in pages] == [[(SUBMITTED, 302)]] * 2
    assert "You have no such submission any more." in pages[1].text


def test_one_that_was_decided_meanwhile_stays(person):
    make_own(state="declined", decline_reason="No.")

    answer = person.post("/mcp-servers/submitted/mine/withdraw/", follow=True)

    assert "Our staff decided meanwhile" in answer.text
    assert Entry.objects.exists()


def test_nobody_withdraws_what_others_submitted(person):
    make_server(slug="theirs", entry={"submitted_by": make_user(), "state": "submitted"})

    answer = person.post("/mcp-servers/submitted/theirs/withdraw/", follow=True)

    assert "You have no such submission any more." in answer.text
    assert person.get("/mcp-servers/submitted/theirs/withdraw/").status_code == 405
    assert Entry.objects.exists()
