"""What each verdict makes of a server."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation import override

from mcp.checking.judging import Standing, is_worse, judge_sighting
from mcp.client.sightings import Sighting
from mcp.models import Entry
from mcp.verdicts import BROKEN, MISSES, UNKNOWN, UP, Verdict

WORKING = Standing(status="active", health="working", miss_count=0)
UNCHECKED = Standing(status="inactive", health="unchecked", miss_count=0)
STANDINGS = {
    "unchecked": UNCHECKED,
    "working": WORKING,
    "slow": Standing(status="active", health="slow", miss_count=0),
    "sign_in": Standing(status="active", health="sign_in", miss_count=0),
    "configuration": Standing(status="error", health="configuration", miss_count=0),
    "down": Standing(status="inactive", health="down", miss_count=2),
}


def judge(before: Standing, *verdicts: str, latency_ms: int | None = 80) -> Standing:
    for verdict in verdicts:
        before = judge_sighting(before=before, sighting=Sighting(verdict=Verdict(verdict), latency_ms=latency_ms))
    return before


@pytest.mark.parametrize("before", STANDINGS.values(), ids=STANDINGS)
@pytest.mark.parametrize(
    ("verdict", "status", "health"),
    [
        ("ok", "active", "working"),
        ("auth_required", "active", "sign_in"),
        ("forbidden", "error", "configuration"),
        ("auth_rejected", "error", "configuration"),
        *((verdict.value, "error", "down") for verdict in sorted(BROKEN)),
    ],
)
def test_what_a_server_says_counts_whatever_it_was_before(before, verdict, status, health):
    assert judge(before, verdict) == Standing(status=status, health=health, miss_count=0)


@pytest.mark.parametrize("before", STANDINGS.values(), ids=STANDINGS)
def test_a_server_that_asks_to_come_later_stays_what_it_was(before):
    assert judge(before, "rate_limited") == before


@pytest.mark.parametrize(("latency_ms", "health"), [(None, "working"), (1_999, "working"), (2_000, "slow")])
def test_an_answer_that_takes_its_time_is_slow(latency_ms, health, settings):
    settings.MCP_SLOW_MS = 2_000

    assert judge(WORKING, "ok", latency_ms=latency_ms).health == health


@pytest.mark.parametrize("name", ["working", "slow", "sign_in"])
@pytest.mark.parametrize("verdict", sorted(MISSES))
def test_a_server_that_was_up_goes_down_at_the_second_miss(name, verdict):
    first = judge(STANDINGS[name], verdict)
    second = judge(first, verdict)

    assert first == Standing(status="active", health=name, miss_count=1)
    assert second == Standing(status="inactive", health="down", miss_count=2)


@pytest.mark.parametrize("name", ["unchecked", "configuration", "down"])
def test_a_server_that_was_not_up_is_down_at_the_first_miss(name):
    after = judge(STANDINGS[name], "timeout")

    assert (after.status, after.health) == ("inactive", "down")


def test_a_row_that_says_active_and_was_never_checked_has_its_first_miss_too():
    claimed = Standing(status="active", health="unchecked", miss_count=0)

    assert judge(claimed, "timeout") == Standing(status="active", health="unchecked", miss_count=1)
    assert judge(claimed, "timeout", "timeout") == Standing(status="inactive", health="down", miss_count=2)


def test_a_good_answer_between_two_misses_begins_the_count_again():
    assert judge(WORKING, "timeout", "ok", "timeout") == Standing(status="active", health="working", miss_count=1)


def test_a_request_to_come_later_between_two_misses_does_not():
    assert judge(WORKING, "timeout", "rate_limited", "timeout").health == "down"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("working", "working", False),
        ("working", "slow", True),
        ("working", "sign_in", True),
        ("slow", "working", False),
        ("slow", "down", True),
        ("sign_in", "configuration", True),
        ("configuration", "down", True),
        ("down", "down", False),
        ("down", "configuration", False),
        ("unchecked", "down", False),
        ("unchecked", "working", False),
    ],
)
def test_worse_is_a_state_below_the_one_before(before, after, told):
    assert is_worse(before=STANDINGS[before], after=STANDINGS[after]) == told


def test_a_row_that_claimed_to_be_active_and_is_down_is_worse():
    claimed = Standing(status="active", health="unchecked", miss_count=1)

    assert is_worse(before=claimed, after=STANDINGS["down"])


def shown_as(health: str) -> str:
    with override("en"):
        return str(Entry.Health(health).label)


def test_the_document_says_of_each_verdict_what_is_made_of_it():
    text = (Path(settings.BASE_DIR) / "docs/mcp-registry.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| `?([\w ]+)`? \| ([\w -]+)[^|]* \| ([\w ]+) \|$", text, re.MULTILINE)
    after = {verdict: judge(STANDINGS["down"], verdict) for verdict in Verdict.values if verdict != "rate_limited"}

    assert {verdict: (status, shown) for verdict, status, shown, _counts in rows} == {
        "rate_limited": ("as before", "as before"),
        **{verdict: (each.status, shown_as(each.health)) for verdict, each in after.items()},
    }
    assert {verdict: counts for verdict, _status, _shown, counts in rows} == {
        **{verdict.value: "up" for verdict in UP},
        **{verdict.value: "nothing" for verdict in UNKNOWN},
        **{verdict.value: "a miss" for verdict in MISSES},
        **{verdict.value: "down" for verdict in BROKEN},
    }
