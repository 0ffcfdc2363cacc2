"""How much of what was checked was up."""

from datetime import date, timedelta

import pytest

from mcp.models import HealthCheck, ServerDay
from mcp.uptime import Uptime, measure_uptimes
from tests.factories import NOON, make_server

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 22)  # at NOON, in Seoul as well


def add_checks(server, verdicts: str, *, at=NOON):
    for verdict in verdicts.split():
        HealthCheck.objects.create(server=server, checked_at=at, verdict=verdict, health="working")


def add_day(server, *, days_ago, up, down):
    ServerDay.objects.create(
        server=server, day=TODAY - timedelta(days=days_ago), check_count=up + down, up_count=up, down_count=down
    )


def test_a_server_that_was_never_checked_has_no_uptime():
    server = make_server()

    assert measure_uptimes(server_ids=[server.pk], now=NOON) == {server.pk: Uptime(None, None, None)}


def test_the_last_24_hours_are_counted_from_checks_and_what_says_nothing_is_left_out():
    server = make_server()
    add_checks(server, "ok auth_required timeout rate_limited forbidden")
    add_checks(server, "timeout timeout", at=NOON - timedelta(hours=24))

    assert measure_uptimes(server_ids=[server.pk], now=NOON)[server.pk].hours_24_bp == 6_666


def test_seven_and_thirty_days_are_counted_from_days_with_today_among_them():
    server = make_server()
    for days_ago, up, down in [(0, 96, 0), (6, 95, 1), (7, 0, 96), (29, 96, 0), (30, 0, 96)]:
        add_day(server, days_ago=days_ago, up=up, down=down)

    uptime = measure_uptimes(server_ids=[server.pk], now=NOON)[server.pk]

    assert (uptime.days_7_bp, uptime.days_30_bp) == (191 * 10_000 // 192, 287 * 10_000 // 384)


def test_one_miss_never_shows_as_a_hundred_percent():
    server = make_server()
    add_day(server, days_ago=0, up=1_000_000, down=1)

    assert measure_uptimes(server_ids=[server.pk], now=NOON)[server.pk].days_7_bp == 9_999


@pytest.mark.parametrize("count", [1, 3])
def test_uptimes_cost_two_queries_however_many_servers(count, django_assert_num_queries):
    servers = [make_server() for _ in range(count)]
    for server in servers:
        add_checks(server, "ok")
        add_day(server, days_ago=0, up=1, down=0)

    with django_assert_num_queries(2):
        uptimes = measure_uptimes(server_ids=[server.pk for server in servers], now=NOON)

    assert uptimes == {server.pk: Uptime(10_000, 10_000, 10_000) for server in servers}
