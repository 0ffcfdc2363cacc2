"""Charts: where their parts stand, what they say in words, and what they never contain."""

import itertools
import re
from datetime import date, timedelta

import pytest
from django.template import Context, Template
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from marketplace import charts
from marketplace.charts import Point, Row, choose_step, draw_columns, draw_rows, make_day_points
from marketplace.templatetags.chart_tags import count_short, won_short

FIRST = date(2026, 11, 1)  # a Sunday
AMOUNTS = st.integers(0, 2_000_000_000)


def make_points(*values: int, below: int = 0) -> list[Point]:
    return [Point(str(number), f"day {number}", value, below) for number, value in enumerate(values)]


def number(text: str) -> float:
    return float(text.removesuffix("%"))


def render(template: str, **context) -> str:
    with translation.override("en"):
        return Template("{% load chart_tags %}" + template).render(Context(context))


# --- Steps


@pytest.mark.parametrize(
    ("high", "low", "step"),
    [(0, 0, 1), (1, 0, 1), (4, 0, 1), (5, 0, 2), (99, 0, 50), (10_000_000, 0, 5_000_000), (123_400, 0, 50_000)],
)
def test_steps_are_round(high, low, step):
    assert choose_step(high, low) == step


def test_what_is_below_zero_takes_its_steps_from_the_same_few():
    assert choose_step(100, -100) == 50
    assert choose_step(0, -7) == 2


@given(AMOUNTS, AMOUNTS)
def test_a_step_begins_with_1_2_or_5_and_reaches_everything_in_four(high, low):
    step = choose_step(high, -low)

    assert re.fullmatch("[125]0*", str(step))
    assert -(-high // step) + -(-low // step) <= charts.MAX_STEPS + 1  # the last below zero may be cut short


# --- Columns


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=100))
def test_nothing_stands_outside_the_drawing(amounts):
    drawing = draw_columns([Point("", "", above, below) for above, below in amounts])

    assert len(drawing.columns) == len(amounts)
    for column in drawing.columns:
        assert -0.01 <= number(column.x) < number(column.x) + number(column.width) <= 100.01
        if column.above:
            assert number(column.above.y) >= charts.HEAD - 2
            bottom = number(column.above.y) + number(column.above.height)
            assert bottom == pytest.approx(number(drawing.zero_y), abs=0.2)
        if column.below:
            assert column.below.y == drawing.zero_y
            assert number(column.below.y) + number(column.below.height) <= drawing.height - charts.FOOT
        assert bool(column.above) == bool(column.point.above)
        assert bool(column.below) == bool(column.point.below)
    for line in drawing.lines:
        assert charts.HEAD - 0.1 <= number(line.y) <= charts.HEAD + charts.PLOT_HEIGHT + 0.1
    for mark in filter(None, [drawing.peak, drawing.trough]):
        assert 10 < number(mark.y) < drawing.height - 10


@given(st.lists(AMOUNTS, min_size=2, max_size=100))
def test_neighbours_do_not_touch(values):
    columns = draw_columns(make_points(*values)).columns

    for left, right in itertools.pairwise(columns):
        assert number(left.x) + number(left.width) < number(right.x)


def test_heights_are_in_proportion_and_the_scale_ends_on_a_round_step():
    drawing = draw_columns(make_points(50, 100, 25))

    heights = [number(column.above.height) for column in drawing.columns]
    assert heights == [90.0, 180.0, 45.0]
    assert [line.value for line in drawing.lines] == [50, 100]


def test_one_day_of_ten_million_between_zeros_leaves_a_single_column():
    drawing = draw_columns(make_points(0, 0, 10_000_000, 0))

    assert [bool(column.above) for column in drawing.columns] == [False, False, True, False]
    assert drawing.peak.point.above == 10_000_000
    assert [line.value for line in drawing.lines] == [5_000_000, 10_000_000]


def test_one_won_beside_ten_million_can_still_be_seen():
    low, _high = draw_columns(make_points(1, 10_000_000)).columns

    assert number(low.above.height) == charts.LEAST_HEIGHT


def test_what_is_below_zero_has_the_same_scale_and_a_room_for_its_label():
    drawing = draw_columns([Point("", "", 100, 0), Point("", "", 0, 50)])

    above, below = drawing.columns[0].above, drawing.columns[1].below
    assert number(above.height) == 2 * number(below.height)
    assert drawing.trough.point.below == 50
    assert [line.value for line in drawing.lines] == [-50, 50, 100]
    assert drawing.height == draw_columns(make_points(100)).height + charts.TROUGH


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_at_all_makes_an_empty_plot_without_marks(count):
    drawing = draw_columns(make_points(*[0] * count))

    assert (drawing.peak, drawing.trough) == (None, None)
    assert [column.above for column in drawing.columns] == [None] * count
    assert number(drawing.zero_y) == charts.HEAD + charts.PLOT_HEIGHT


@pytest.mark.parametrize("count", [1, 2, 7, 30, 31, 53, 92])
def test_few_labels_stand_below_and_the_last_column_has_one(count):
    labels = draw_columns(make_points(*range(count))).labels

    always = [label for label in labels if not label.is_minor]
    assert labels[-1].point.label == str(count - 1)
    assert not labels[-1].is_minor
    assert len(labels) <= charts.MAX_WIDE_LABELS
    assert len(always) <= charts.MAX_LABELS
    distances = {number(right.x) - number(left.x) for left, right in itertools.pairwise(always[:-1])}
    assert all(distance >= 100 / (charts.MAX_LABELS + 1) - 0.1 for distance in distances)


@pytest.mark.parametrize(("place", "anchor"), [(0, "start"), (10, "middle"), (20, "end")])
def test_the_label_of_the_highest_stays_inside(place, anchor):
    values = [1] * 21
    values[place] = 9

    peak = draw_columns(make_points(*values)).peak

    assert (peak.point.above, peak.anchor) == (9, anchor)
    assert 0 <= number(peak.x) <= 100


# --- Days and weeks


def test_up_to_a_quarter_each_day_is_a_column():
    points = make_day_points((FIRST + timedelta(days=n), n, 0) for n in range(92))

    assert len(points) == 92
    assert points[3].name == "2026년 11월 4일"
    assert points[3].above == 3


def test_a_longer_range_is_drawn_in_weeks_that_add_up():
    amounts = [(FIRST + timedelta(days=n), n, 2 * n) for n in range(366)]

    points = make_day_points(amounts)

    assert len(points) == 54  # a Sunday alone, 52 weeks, a Monday alone
    assert sum(point.above for point in points) == sum(range(366))
    assert sum(point.below for point in points) == 2 * sum(range(366))
    assert points[0].name == "2026년 11월 1일"
    assert points[1].above == sum(range(1, 8))
    with translation.override("en"):
        assert make_day_points(amounts)[1].name == "Nov. 2, 2026 to Nov. 8, 2026"


def test_no_days_make_no_points():
    assert make_day_points([]) == []


# --- Rows


def test_the_longest_row_leaves_room_for_its_amount():
    drawing = draw_rows([Row("a", 200), Row("b", 100), Row("c", 0), Row("d", 0)])

    assert [bar.width for bar in drawing.bars] == ["64.000%", "32.000%", "0.000%", "0.000%"]
    assert drawing.bars[1].y - drawing.bars[0].y == charts.ROW_HEIGHT
    assert drawing.bars[-1].y + charts.ROW_BAR <= drawing.height


def test_rows_of_nothing_have_no_length():
    assert [bar.width for bar in draw_rows([Row("a", 0)]).bars] == ["0.000%"]
    assert draw_rows([]).bars == []


# --- Words


@pytest.mark.parametrize(
    ("amount", "korean", "english"),
    [
        (0, "0원", "₩0"),
        (500, "500원", "₩500"),
        (5_000, "5,000원", "₩5k"),
        (10_000, "1만 원", "₩10k"),
        (15_000, "1.5만 원", "₩15k"),
        (12_345, "12,345원", "₩12,345"),
        (200_000, "20만 원", "₩200k"),
        (10_000_000, "1,000만 원", "₩10M"),
        (150_000_000, "1.5억 원", "₩150M"),
        (-50_000, "−5만 원", "−₩50k"),
    ],
)
def test_amounts_of_an_axis_are_short_in_the_units_of_each_language(amount, korean, english):
    with translation.override("ko"):
        assert won_short(amount) == korean
    with translation.override("en"):
        assert won_short(amount) == english


def test_counts_of_an_axis_are_short_too():
    with translation.override("ko"):
        assert [count_short(n) for n in (0, 500, 2_000, 20_000, -3)] == ["0", "500", "2,000", "2만", "−3"]
    with translation.override("en"):
        assert [count_short(n) for n in (0, 500, 2_000, 20_000, -3)] == ["0", "500", "2k", "20k", "−3"]


def test_a_chart_is_an_image_with_a_title_and_its_gist_in_words():
    points = [Point("1", "1 November", 30_000, 0), Point("2", "2 November", 90_000, 5_000)]

    html = render(
        '{% column_chart points key="paid" title="Sales" unit="won" above="Paid" below="Refunded" %}', points=points
    )

    gist = (
        "Paid: ₩120,000 in all, the most ₩90,000 (2 November). Refunded: ₩5,000 in all, the most ₩5,000 (2 November)."
    )
    assert 'role="img" aria-labelledby="paid-title paid-gist"' in html
    assert '<title id="paid-title">Sales</title>' in html
    assert f'<desc id="paid-gist">{gist}</desc>' in html
    assert f'<span class="chart__gist">{gist}</span>' in html
    assert "<title>1 November: Paid ₩30,000, Refunded ₩0</title>" in html


def test_a_chart_of_nothing_says_so():
    assert "Nothing in this period." in render('{% column_chart points key="a" title="A" %}', points=[])
    assert "Nothing in this period." in render('{% column_chart points key="a" title="A" %}', points=make_points(0, 0))
    assert "Nothing in this period." in render('{% row_chart rows key="a" title="A" %}', rows=[])


def test_rows_say_which_is_the_largest():
    html = render('{% row_chart rows key="a" title="A" unit="won" %}', rows=[Row("One", 1_000), Row("Two", 3_000)])

    assert '<desc id="a-gist">The most for “Two”: ₩3,000.</desc>' in html


@pytest.mark.parametrize("count", [0, 1, 31, 366])
def test_a_chart_has_no_style_no_script_and_no_markup_of_others(count):
    points = make_day_points((FIRST + timedelta(days=n), n, n % 2) for n in range(count))
    rows = [Row('<script>alert(1)</script>" onload="x', 5)]

    html = render('{% column_chart points key="a" title=bad above=bad %}', points=points, bad="<b>bad</b>")
    html += render('{% row_chart rows key="b" title="B" %}', rows=rows)

    assert re.findall(r"<script|<style|<b>|\sstyle=|\son[a-z]+=\"", html) == []


def test_numbers_of_a_drawing_are_plain_in_every_language():
    points = make_points(*range(0, 5_000_000, 100_000))
    for language in ("ko", "en"):
        with translation.override(language):
            html = Template('{% load chart_tags %}{% column_chart points key="a" title="A" %}').render(
                Context({"points": points})
            )
        places = re.findall(r'\s(?:x|y|x1|x2|y1|y2|width|height)="([^"]*)"', html)
        assert places
        assert [place for place in places if not re.fullmatch(r"-?\d+(\.\d+)?%?", place)] == []
