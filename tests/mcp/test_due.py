"""Which servers a round looks at, and the lease that keeps two rounds from one server."""

from datetime import timedelta

import pytest

from mcp.checking.due import LEASE, UnknownServer, claim, find_checked, find_due, find_named, list_targets, release
from mcp.models import Entry
from tests.factories import NOON, make_server

pytestmark = pytest.mark.django_db


def slugs(entries) -> list[str]:
    return [target.slug for target in list_targets(entries)]


def get_target(entries=None):
    (target,) = list_targets(Entry.objects.all() if entries is None else entries)
    return target


def test_due_is_what_is_accepted_checked_and_past_its_time():
    make_server(slug="due", entry={"next_check_at": NOON})
    make_server(slug="later", entry={"next_check_at": NOON + timedelta(seconds=1)})
    make_server(slug="paused", entry={"mode": "paused"})
    make_server(slug="off", entry={"mode": "off"})
    make_server(slug="submitted", entry={"state": "submitted"})
    make_server(slug="declined", entry={"state": "declined"})

    assert slugs(find_due(now=NOON)) == ["due"]
    assert slugs(find_checked()) == ["due", "later"]


def test_the_longest_due_is_first_and_what_hung_at_its_last_look_is_last():
    for slug, minutes, verdict in [("b", 2, "ok"), ("hung", 9, "timeout"), ("a", 5, "unreachable"), ("c", 1, "")]:
        make_server(slug=slug, entry={"next_check_at": NOON - timedelta(minutes=minutes), "verdict": verdict})

    assert slugs(find_due(now=NOON)) == ["a", "b", "c", "hung"]


def test_servers_are_named_by_slug_or_name_whatever_staff_decided():
    make_server(slug="weather", name="날씨")
    make_server(slug="files", entry={"mode": "paused"})
    make_server(slug="mail", entry={"state": "submitted"})

    assert sorted(slugs(find_named(["날씨", "files", "mail"]))) == ["files", "mail", "weather"]


@pytest.mark.parametrize("name", ["nobody", "quiet"])
def test_what_is_unknown_or_off_is_refused(name):
    make_server(slug="weather")
    make_server(slug="quiet", entry={"mode": "off"})

    with pytest.raises(UnknownServer, match=name):
        find_named(["weather", name])


@pytest.mark.parametrize(
    ("endpoint", "host", "spacing_s"),
    [
        ("https://MCP.example.com:8443/a", "mcp.example.com", 1.5),
        ("https://mcp.example.com/b", "mcp.example.com", 1.5),
        ("http://10.1.2.3:8000/", "10.1.2.3", 0),
        ("https://11.1.2.3/", "11.1.2.3", 1.5),
        ("nonsense", "nonsense", 0),
    ],
)
def test_a_host_of_others_is_left_alone_between_two_looks(endpoint, host, spacing_s, settings):
    settings.MCP_HOST_SPACING_S = 1.5
    settings.MCP_ALLOW_ADDRESSES = ["10.0.0.0/8"]
    make_server(endpoint=endpoint)

    target = get_target()

    assert (target.host, target.spacing_s) == (host, spacing_s)


# --- The lease


def test_only_one_round_gets_a_server():
    make_server()
    target = get_target()

    assert claim(target, now=NOON, is_due_only=True) == NOON + LEASE
    assert claim(target, now=NOON, is_due_only=True) is None
    assert claim(target, now=NOON, is_due_only=False) is None


def test_a_lease_that_was_given_back_is_free_at_once():
    make_server()
    target = get_target()

    release(target, until=claim(target, now=NOON, is_due_only=True))

    assert claim(target, now=NOON, is_due_only=True)


def test_the_lease_of_a_killed_round_ends():
    make_server()
    target = get_target()
    claim(target, now=NOON, is_due_only=True)

    assert claim(target, now=NOON + LEASE - timedelta(seconds=1), is_due_only=True) is None
    assert claim(target, now=NOON + LEASE, is_due_only=True)


def test_a_round_that_comes_back_late_does_not_end_the_lease_of_another():
    make_server()
    target = get_target()
    late = claim(target, now=NOON, is_due_only=True)
    claim(target, now=NOON + LEASE, is_due_only=True)

    release(target, until=late)

    assert claim(target, now=NOON + LEASE, is_due_only=True) is None


@pytest.mark.parametrize(
    "fields", [{"next_check_at": NOON + timedelta(hours=1)}, {"mode": "off"}, {"state": "declined"}]
)
def test_what_stopped_being_due_is_left_alone_unless_it_was_asked_for(fields):
    make_server()
    target = get_target()
    Entry.objects.update(**fields)

    assert claim(target, now=NOON, is_due_only=True) is None
    assert claim(target, now=NOON, is_due_only=False)
