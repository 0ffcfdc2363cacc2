"""Where the parts of a chart stand. Pure sums; `templates/charts/` draws them, through `chart_tags`.

Across, a place is a percentage of the drawing's width, so that one drawing fits a phone and a desk while its letters
keep their size. Down, a place is a number of pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

PLOT_HEIGHT = 180
HEAD = 24  # above the plot: room for the label of the highest column
FOOT = 26  # below it: room for the days
TROUGH = 18  # between both: room for the label of the lowest column
LEAST_HEIGHT = 2  # whatever is not nothing can be seen
WIDEST_COLUMN = 6  # percent
MAX_DAYS = 92  # columns of a quarter still stand apart on a phone; beyond, a column is a week
MAX_LABELS = 4  # that fit beside each other on a phone
MAX_WIDE_LABELS = 10
MAX_STEPS = 4
ROW_HEIGHT = 46
ROW_BAR = 10
WIDEST_ROW = 64  # percent, so that the amount fits beside it


# --- Columns along the days


@dataclass(frozen=True)
class Point:
    """One column. label: what stands below it, short. name: what it is called in a sentence.

    above, below: whole won or a number of things, neither negative.
    """

    label: str
    name: str
    above: int
    below: int = 0


@dataclass(frozen=True)
class Line:
    y: str
    value: int


@dataclass(frozen=True)
class Label:
    """anchor: `start`, `middle` or `end`. is_minor: left out where there is little room."""

    x: str
    y: str
    anchor: str
    point: Point
    is_minor: bool = False


@dataclass(frozen=True)
class Box:
    y: str
    height: str


@dataclass(frozen=True)
class Column:
    point: Point
    x: str
    width: str
    slot_x: str
    slot_width: str
    above: Box | None
    below: Box | None


@dataclass(frozen=True)
class Columns:
    height: int
    zero_y: str
    lines: list[Line]
    columns: list[Column]
    labels: list[Label]
    peak: Label | None  # of the highest column, the first of equals
    trough: Label | None


def make_day_points(amounts: Iterable[tuple[date, int, int]]) -> list[Point]:
    """Points for (day, above, below), one for each day in order; of a longer range than a quarter, one for each week.

    A week begins on Monday; the first and the last are cut where the range is.
    """
    amounts = list(amounts)
    if len(amounts) <= MAX_DAYS:
        return [Point(short_day(day), name_days(day, day), above, below) for day, above, below in amounts]
    points = []
    for _monday, rows in groupby(amounts, key=lambda row: row[0] - timedelta(days=row[0].weekday())):
        week = list(rows)
        name = name_days(week[0][0], week[-1][0])
        points.append(Point(short_day(week[0][0]), name, sum(row[1] for row in week), sum(row[2] for row in week)))
    return points


def short_day(day: date) -> str:
    return formats.date_format(day, pgettext("a day in a chart", "M j"))


def name_days(first: date, last: date) -> str:
    """A day, or all days from one to another, as a sentence says it."""
    name = formats.date_format(first, "DATE_FORMAT")
    if first == last:
        return name
    return _("%(first)s to %(last)s") % {"first": name, "last": formats.date_format(last, "DATE_FORMAT")}


def choose_step(high: int, low: int = 0) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that reaches from `low`, zero or less, to `high` in few steps."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if -(-high // step) + -low // step <= MAX_STEPS:
                return step
        power *= 10


def draw_columns(points: list[Point]) -> Columns:
    """Columns that stand on zero, with what is below it hanging from there. Of no points, an empty plot."""
    high = max((point.above for point in points), default=0)
    low = -max((point.below for point in points), default=0)
    step = choose_step(high, low)
    top = max(-(-high // step), 1) * step
    scale = PLOT_HEIGHT / (top - low)
    zero = HEAD + top * scale
    slot = 100 / max(len(points), 1)
    width = min(slot * 0.74, WIDEST_COLUMN)

    columns = []
    for number, point in enumerate(points):
        above, below = (
            max(amount * scale, LEAST_HEIGHT) if amount else 0 for amount in (point.above, point.below)
        )  # pixels
        columns.append(
            Column(
                point=point,
                x=_percent(slot * (number + 0.5) - width / 2),
                width=_percent(width),
                slot_x=_percent(slot * number),
                slot_width=_percent(slot),
                above=Box(_pixels(zero - above), _pixels(above)) if above else None,
                below=Box(_pixels(zero), _pixels(below)) if below else None,
            )
        )
    foot = HEAD + PLOT_HEIGHT + (TROUGH if low else 0)
    return Columns(
        height=foot + FOOT,
        zero_y=_pixels(zero),
        lines=[
            Line(_pixels(zero - value * scale), value)
            for value in range(-(-low // step) * step, top + step, step)
            if value
        ],
        columns=columns,
        labels=_label_columns(points, y=foot + 18),
        peak=_mark(points, "above", high, y=zero - max(high * scale, LEAST_HEIGHT) - 7),
        trough=_mark(points, "below", -low, y=zero + max(-low * scale, LEAST_HEIGHT) + 15),
    )


def _label_columns(points: list[Point], *, y: float) -> list[Label]:
    """At equal distances, counted from the last column, which is the one that people look for."""
    count = len(points)
    wide = range(count - 1, -1, -max(1, -(-count // MAX_WIDE_LABELS)))
    every = max(1, -(-len(wide) // MAX_LABELS))
    slot = 100 / max(count, 1)
    labels = []
    for place, number in enumerate(wide):
        center = slot * (number + 0.5)
        if center < 5:
            x, anchor = 0, "start"
        elif center > 95:
            x, anchor = 100, "end"
        else:
            x, anchor = center, "middle"
        labels.append(Label(_percent(x), _pixels(y), anchor, points[number], is_minor=place % every > 0))
    return labels[::-1]


def _mark(points: list[Point], side: str, amount: int, *, y: float) -> Label | None:
    """The label of the first column that reaches `amount`, kept inside the drawing."""
    if not amount:
        return None
    number = next(number for number, point in enumerate(points) if getattr(point, side) == amount)
    slot = 100 / len(points)
    center = slot * (number + 0.5)
    half = min(slot * 0.74, WIDEST_COLUMN) / 2
    if center < 25:
        x, anchor = center - half, "start"
    elif center > 75:
        x, anchor = center + half, "end"
    else:
        x, anchor = center, "middle"
    return Label(_percent(x), _pixels(y), anchor, points[number])


# --- Rows one under the other


@dataclass(frozen=True)
class Row:
    """One bar from left to right, with its words above it."""

    name: str
    value: int


@dataclass(frozen=True)
class Bar:
    row: Row
    name_y: int
    y: int
    width: str
    value_x: str
    value_y: int


@dataclass(frozen=True)
class Rows:
    height: int
    bar_height: int
    bars: list[Bar]


def draw_rows(rows: list[Row]) -> Rows:
    """Bars in the given order, the longest of them as long as it may be. None of the values is negative."""
    most = max((row.value for row in rows), default=0)
    bars = []
    for number, row in enumerate(rows):
        top = number * ROW_HEIGHT
        width = _percent(max(row.value / most * WIDEST_ROW, 0.5) if row.value else 0)
        bars.append(Bar(row, name_y=top + 16, y=top + 24, width=width, value_x=width, value_y=top + 24 + ROW_BAR // 2))
    return Rows(height=len(rows) * ROW_HEIGHT - 6, bar_height=ROW_BAR, bars=bars)


# --- For the style guide


def make_samples() -> dict:
    """Charts that have been hard to draw: a month, one day alone, a giant among dwarfs, a year in weeks."""
    first = date(2026, 11, 1)
    month = [(first + timedelta(days=n), n * 7919 % 11 * 9_900, 9_900 if n % 13 == 5 else 0) for n in range(30)]
    year = [(first + timedelta(days=n), n * n % 97) for n in range(366)]
    return {
        "chart_month": make_day_points(month),
        "chart_day": make_day_points([(first, 1, 0)]),
        "chart_giant": make_day_points(
            [(day, 10_000_000 if day.day == 12 else n % 3, 0) for n, (day, *_) in enumerate(month)]
        ),
        "chart_year": make_day_points([(day, views, 0) for day, views in year]),
        "chart_rows": [
            Row("카페 사장님을 위한 손님 편지", 148_500),
            Row("분기 실적 보고서를 임원이 읽는 한 장으로 줄여 주는 아주 긴 이름의 프롬프트", 29_700),
            Row("Code review, one page", 500),
            Row("면접관 역할극: 열 개의 꼬리 질문", 0),
        ],
        "chart_nothing": [],
    }


def _percent(number: float) -> str:
    return f"{number:.3f}%"


def _pixels(number: float) -> str:
    return f"{number:.1f}"
