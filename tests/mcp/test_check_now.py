"""“Check now” on a server's page: who may ask, how often, and that two who ask get one check."""

from datetime import timedelta
from functools import partial

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from mcp.checking import check_now
from mcp.checking.check_now import Standing, begin_check, find_check_standing
from mcp.checking.health import check_server
from mcp.client.sightings import Sighting
from mcp.models import Entry, HealthCheck, McpServer
from mcp.verdicts import Verdict
from tests.factories import NOON, make_server, make_user

pytestmark = pytest.mark.django_db

EN = {"accept-language": "en"}
HTMX = {**EN, "HX-Request": "true"}
URL = "/mcp-servers/weather/check/"


@pytest.fixture
def probed(monkeypatch) -> list[str]:
    """The endpoints that were asked; each answers well."""
    asked = []

    def probe(endpoint, **_options):
        asked.append(endpoint)
        return Sighting(verdict=Verdict.OK, latency_ms=80, tools=(), prompts=())

    monkeypatch.setattr(check_now, "check_server", partial(check_server, probe=probe))
    return asked


@pytest.fixture
def server() -> McpServer:
    return make_server(slug="weather", endpoint="https://weather.example/mcp")


@pytest.fixture
def person(client) -> Client:
    client.force_login(make_user())
    return client


def read(server) -> Entry:
    return Entry.objects.select_related("server").get(pk=server.pk)


def messages_of(client, answer) -> list[str]:
    return [str(message) for message in client.get(answer["Location"], headers=EN).wsgi_request._messages]


def test_a_person_has_a_server_checked(person, server, probed):
    answer = person.post(URL, headers=EN)

    assert (answer.status_code, answer["Location"]) == (302, "/mcp-servers/weather/")
    assert probed == ["https://weather.example/mcp"]
    assert HealthCheck.objects.get().trigger == "person"
    assert (read(server).health, read(server).claimed_until) == ("working", None)


def test_a_visitor_signs_in_first(client, server, probed):
    answer = client.post(URL)

    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]
    assert probed == []


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"state": "submitted"}, 404),
        ({"state": "declined"}, 404),
        ({"mode": "off"}, 302),
        ({"mode": "paused"}, 302),
    ],
)
def test_what_is_not_checked_is_not_checked_for_a_person(person, server, probed, entry, status):
    Entry.objects.update(**entry)

    assert person.post(URL).status_code == status
    assert probed == []


def test_nobody_learns_of_servers_that_are_not_there(person):
    assert person.post("/mcp-servers/nothing/check/").status_code == 404


# --- Cool-down


def test_a_server_rests_for_a_minute_whoever_asks(client, server, probed):
    for _ in range(2):
        client.force_login(make_user())
        answer = client.post(URL, headers=HTMX)

    assert len(probed) == 1
    again_at = timezone.localtime(read(server).server.last_health_check + timedelta(minutes=1))
    assert f"The next check is possible at {again_at:%H:%M:%S}." in answer.text
    assert "disabled" in answer.text


@pytest.mark.parametrize(("seconds", "standing"), [(59, Standing.COOLING), (60, Standing.READY)])
def test_the_rest_is_counted_from_the_last_check(server, seconds, standing):
    McpServer.objects.update(last_health_check=NOON)

    found = find_check_standing(read(server), now=NOON + timedelta(seconds=seconds))

    assert found.standing == standing
    assert found.again_at == (NOON + timedelta(minutes=1) if standing == Standing.COOLING else None)


def test_a_person_rests_too_before_asking_for_another_server(server, probed):
    person, other = make_user(), make_server()
    begin_check(entry=read(server), user=person, now=NOON)

    found = find_check_standing(read(other), user=person, now=NOON + timedelta(seconds=19))
    assert (found.standing, found.is_person) == (Standing.COOLING, True)
    assert found.again_at == NOON + timedelta(seconds=20)
    assert find_check_standing(read(other), user=person, now=found.again_at).standing == Standing.READY
    assert find_check_standing(read(other), user=make_user(), now=NOON).standing == Standing.READY


def test_a_person_asks_for_so_many_an_hour(person, probed, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "mcp_check": "2/h/user"}
    for number in range(3):
        make_server(slug=f"s{number}")
        forget_that_somebody_asked()
        answer = person.post(f"/mcp-servers/s{number}/check/", headers=HTMX)

    assert len(probed) == 2
    assert "You have asked for many checks within an hour." in answer.text


def forget_that_somebody_asked():
    from accounts.models import User

    for user in User.objects.all():
        cache.delete(f"mcp-check:{user.pk}")


# --- One at a time


def test_two_tabs_at_once_make_one_check(server, probed, monkeypatch):
    """The second looks before the first has begun, and asks after it has taken the server."""
    waiting = []
    monkeypatch.setattr(check_now, "run_soon", lambda call, **arguments: waiting.append(partial(call, **arguments)))
    first, second = read(server), read(server)

    assert begin_check(entry=first, user=make_user(), now=NOON).standing == Standing.RUNNING
    assert begin_check(entry=second, user=make_user(), now=NOON).standing == Standing.RUNNING
    assert len(waiting) == 1
    Entry.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    finish(waiting)


def test_who_looked_before_a_whole_check_and_asks_behind_it_makes_no_second(server, probed):
    early = read(server)
    begin_check(entry=read(server), user=make_user(), now=timezone.now())

    assert begin_check(entry=early, user=make_user(), now=timezone.now()).standing == Standing.RUNNING
    assert len(probed) == 1
    assert read(server).claimed_until is None


def test_only_so_many_run_at_once_and_places_come_back(probed, monkeypatch):
    waiting = []
    monkeypatch.setattr(check_now, "run_soon", lambda call, **arguments: waiting.append(partial(call, **arguments)))
    now = timezone.now()
    standings = [begin_check(entry=read(make_server()), user=make_user(), now=now).standing for _ in range(3)]
    assert standings == [Standing.RUNNING, Standing.RUNNING, Standing.BUSY]

    finish(waiting)
    assert begin_check(entry=read(make_server()), user=make_user(), now=now).standing == Standing.RUNNING
    finish(waiting)
    assert len(probed) == 3


def finish(waiting):
    while waiting:
        waiting.pop()()


def test_one_that_waited_too_long_for_its_turn_is_left_out(server, probed, monkeypatch):
    waiting = []
    monkeypatch.setattr(check_now, "run_soon", lambda call, **arguments: waiting.append(partial(call, **arguments)))
    begin_check(entry=read(server), user=make_user(), now=timezone.now() - timedelta(minutes=10))

    finish(waiting)

    assert probed == []


def test_a_check_that_fails_on_our_side_gives_the_server_back(person, server, monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError("no")

    monkeypatch.setattr(check_now, "check_server", fail)
    answer = person.post(URL, headers=EN)

    assert messages_of(person, answer) == ["The check could not be finished. Please try again."]
    assert read(server).claimed_until is None
    assert check_now._places.acquire(blocking=False)
    check_now._places.release()


# --- Following it


def test_the_page_follows_a_check_that_runs_and_says_when_it_has_ended(person, server):
    Entry.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    running = person.get(URL, headers=HTMX)
    assert "A check runs." in running.text
    assert f'hx-get="{URL}"' in running.text
    assert running.text.count('id="check-now"') == 0

    Entry.objects.update(claimed_until=None)
    McpServer.objects.update(last_health_check=timezone.now())
    ended = person.get(URL, headers=HTMX)
    assert "Checked just now." in ended.text
    assert "hx-get" not in ended.text


def test_a_check_of_somebody_else_is_followed_and_not_begun_again(person, server, probed):
    Entry.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))

    assert "A check runs." in person.post(URL, headers=HTMX).text
    assert probed == []


def test_without_scripts_the_address_leads_to_the_page(person, server, probed):
    answer = person.get(URL)

    assert (answer.status_code, answer["Location"]) == (302, "/mcp-servers/weather/")
    assert probed == []


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("first", "Checked just now. This page shows what was found."),
        ("second", "A check was asked for a moment ago."),
    ],
)
def test_without_scripts_a_message_says_what_happened(person, server, probed, method, told):
    answer = person.post(URL, headers=EN)
    if method == "second":
        messages_of(person, answer)
        answer = person.post(URL, headers=EN)

    (text,) = messages_of(person, answer)
    assert text.startswith(told)
