"""The seven states that pages show of a server."""

from datetime import timedelta

import pytest

from mcp.models import Entry, McpServer
from mcp.states import ICONS, badge_of
from mcp.verdicts import Verdict
from tests.design.test_files import icons_in_sprite
from tests.factories import NOON


def make_entry(*, checked_at=NOON, **fields) -> Entry:
    """Without a row."""
    return Entry(server=McpServer(name="Files", last_health_check=checked_at), slug="files", **fields)


@pytest.mark.parametrize(
    ("health", "verdict", "word", "sentence"),
    [
        ("working", "ok", "Working", "It answered and listed what it offers."),
        ("slow", "ok", "Slow", "It answered, but it took its time."),
        ("down", "timeout", "Down", "It did not answer in time."),
        ("sign_in", "auth_required", "Needs sign-in", "It answered and asks everybody to sign in first."),
        ("configuration", "auth_rejected", "Needs configuration", "It refused the credentials that we have for it."),
        ("unchecked", "", "Not checked yet", "No check has been made yet."),
    ],
)
def test_a_badge_says_what_the_last_check_showed(health, verdict, word, sentence, settings):
    settings.LANGUAGE_CODE = "en"

    badge = badge_of(make_entry(health=health, verdict=verdict), now=NOON)

    assert (badge.key, badge.word, badge.sentence) == (health, word, sentence)


@pytest.mark.parametrize("health", Entry.Health.values)
def test_what_is_switched_off_shows_as_such_whatever_it_was(health):
    badge = badge_of(make_entry(mode="off", health=health, verdict="ok"), now=NOON + timedelta(days=9))

    assert (badge.key, badge.is_stale) == ("off", False)


def test_a_first_miss_is_told_beside_the_state_that_stays(settings):
    settings.LANGUAGE_CODE = "en"

    badge = badge_of(make_entry(health="working", verdict=Verdict.TIMEOUT), now=NOON)

    assert badge.key == "working"
    assert badge.sentence.startswith("The last check got no good answer.")


@pytest.mark.parametrize(("age_s", "is_stale"), [(180, False), (181, True)])
def test_a_state_older_than_three_intervals_is_stale(age_s, is_stale, settings):
    settings.MCP_CHECK_INTERVAL_S = 60

    badge = badge_of(make_entry(health="down", verdict="timeout"), now=NOON + timedelta(seconds=age_s))

    assert badge.is_stale == is_stale


def test_what_was_never_checked_is_not_stale():
    assert not badge_of(make_entry(checked_at=None), now=NOON).is_stale


def test_each_state_has_an_icon_of_its_own_that_the_sprite_has():
    assert set(ICONS) == {*Entry.Health.values, "off"}
    assert len(set(ICONS.values())) == len(ICONS)
    assert set(ICONS.values()) <= icons_in_sprite()


def test_when_another_program_says_it_was_checked_is_not_shown():
    assert badge_of(make_entry(checked_at=NOON), now=NOON).checked_at is None
    assert badge_of(make_entry(checked_at=NOON, verdict=Verdict.TIMEOUT), now=NOON).checked_at == NOON
