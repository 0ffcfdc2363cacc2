"""A month of checks as bars: where each stands. Pure sums; `templates/mcp/_uptime.html` draws them.

Across, a place is a percentage of the drawing, so that it fits a phone and a desk; down, it is a number of pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from marketplace.charts import name_days
from mcp.models import ServerDay
from mcp.uptime import share_bp

DAYS = 30
HEIGHT = 56
LEAST_HEIGHT = 5  # whatever is not nothing can be seen
FILLED = 0.72  # of a day's slot


@dataclass(frozen=True)
class DayBar:
    """One day. What was up stands below, what was down above it; without either the day is told by a dash.

    share_bp: None where no check of that day told anything.
    """

    day: date
    name: str
    check_count: int
    up_count: int
    slow_count: int
    down_count: int
    share_bp: int | None
    x: str
    width: str
    slot_x: str
    slot_width: str
    up_y: int
    up_height: int
    down_height: int


@dataclass(frozen=True)
class UptimeChart:
    height: int
    bars: list[DayBar]

    @property
    def down_day_count(self) -> int:
        return sum(1 for bar in self.bars if bar.down_count)

    @property
    def unknown_day_count(self) -> int:
        return sum(1 for bar in self.bars if bar.share_bp is None)


def draw_uptime(days: Iterable[ServerDay], *, today: date) -> UptimeChart:
    """The last 30 days up to today, the oldest first. Days without a row were not checked."""
    by_day = {row.day: row for row in days}
    first = today - timedelta(days=DAYS - 1)
    return UptimeChart(HEIGHT, [_draw_day(number, first + timedelta(days=number), by_day) for number in range(DAYS)])


def _draw_day(number: int, day: date, by_day: dict[date, ServerDay]) -> DayBar:
    row = by_day.get(day) or ServerDay(day=day)
    slot = 100 / DAYS
    down_height = _split(row.up_count, row.down_count)
    return DayBar(
        day=day,
        name=name_days(day, day),
        check_count=row.check_count,
        up_count=row.up_count,
        slow_count=row.slow_count,
        down_count=row.down_count,
        share_bp=share_bp(row.up_count, row.down_count),
        x=f"{slot * (number + (1 - FILLED) / 2):.3f}%",
        width=f"{slot * FILLED:.3f}%",
        slot_x=f"{slot * number:.3f}%",
        slot_width=f"{slot:.3f}%",
        up_y=down_height,
        up_height=HEIGHT - down_height if row.up_count else 0,
        down_height=down_height,
    )


def _split(up: int, down: int) -> int:
    """The part of the height that says down: in proportion, but neither part so small that it is not seen."""
    if not down:
        return 0
    if not up:
        return HEIGHT
    return min(max(HEIGHT * down // (up + down), LEAST_HEIGHT), HEIGHT - LEAST_HEIGHT)
