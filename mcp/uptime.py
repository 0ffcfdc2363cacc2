"""Of what was checked, how much was up: in basis points, rounded down, so that one miss never shows as 100 %."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, Sum

from mcp.models import HealthCheck, ServerDay
from mcp.verdicts import BROKEN, MISSES, UP

SEOUL = ZoneInfo("Asia/Seoul")
DOWN = MISSES | BROKEN  # what is in neither says nothing


@dataclass(frozen=True)
class Uptime:
    """None: no check of that time told anything. Days are days in Seoul, today among them."""

    hours_24_bp: int | None = None
    days_7_bp: int | None = None
    days_30_bp: int | None = None


def measure_uptimes(*, server_ids: Iterable[uuid.UUID], now: datetime) -> dict[uuid.UUID, Uptime]:
    """Two queries however many servers. A server that was never checked has an `Uptime` of nothing."""
    server_ids = list(server_ids)
    hours = _count_checks(server_ids, since=now - timedelta(hours=24), now=now)
    days = _count_days(server_ids, today=seoul_day(now))
    return {
        server_id: Uptime(
            hours_24_bp=share_bp(**hours.get(server_id, {})),
            days_7_bp=share_bp(**days.get(server_id, {}).get(7, {})),
            days_30_bp=share_bp(**days.get(server_id, {}).get(30, {})),
        )
        for server_id in server_ids
    }


def share_bp(up: int | None = 0, down: int | None = 0) -> int | None:
    up, down = up or 0, down or 0
    return up * 10_000 // (up + down) if up + down else None


def seoul_day(at: datetime) -> date:
    return at.astimezone(SEOUL).date()


def _count_checks(server_ids: list, *, since: datetime, now: datetime) -> dict:
    checks = HealthCheck.objects.filter(server__in=server_ids, checked_at__gt=since, checked_at__lte=now)
    counts = checks.values("server_id").annotate(
        up=Count("pk", filter=Q(verdict__in=UP)), down=Count("pk", filter=Q(verdict__in=DOWN))
    )
    return {row["server_id"]: {"up": row["up"], "down": row["down"]} for row in counts}


def _count_days(server_ids: list, *, today: date) -> dict:
    week = Q(day__gt=today - timedelta(days=7))
    rows = (
        ServerDay.objects.filter(server__in=server_ids, day__gt=today - timedelta(days=30), day__lte=today)
        .values("server_id")
        .annotate(
            up_7=Sum("up_count", filter=week),
            down_7=Sum("down_count", filter=week),
            up_30=Sum("up_count"),
            down_30=Sum("down_count"),
        )
    )
    return {
        row["server_id"]: {
            7: {"up": row["up_7"], "down": row["down_7"]},
            30: {"up": row["up_30"], "down": row["down_30"]},
        }
        for row in rows
    }
