"""Charts as inline SVG: `{% column_chart points key="paid" title=… unit="won" %}` and `{% row_chart rows … %}`.

A chart says its gist in words beside the drawing, and the page puts the table behind it into
`<details class="chart-table">` below. The style guide shows both; `static/css/charts.css` says how it is marked up.
"""

from collections.abc import Callable

from django import template
from django.utils import translation
from django.utils.translation import gettext as _

from marketplace.charts import Point, Row, draw_columns, draw_rows
from marketplace.templatetags.marketplace_tags import count, won_amount

register = template.Library()

MAN, EOK = 10_000, 100_000_000  # 만 and 억: Korean counts in ten thousands


@register.filter
def won_short(amount_krw: int) -> str:
    """A round amount of whole won for an axis: `20만 원`, `1.5억 원`, `₩200k`. In full where that is not exact."""
    units = [(EOK, "억 원"), (MAN, "만 원")] if _is_korean() else [(1_000_000, "M"), (1_000, "k")]
    return _shorten(amount_krw, units, prefix="" if _is_korean() else "₩") or won_amount(amount_krw)


@register.filter
def count_short(number: int) -> str:
    """A round number for an axis: `2만`, `20k`. In full where that would not be exact."""
    units = [(EOK, "억"), (MAN, "만")] if _is_korean() else [(1_000_000, "M"), (1_000, "k")]
    return _shorten(number, units) or f"{'−' if number < 0 else ''}{abs(number):,}"


def _is_korean() -> bool:
    return translation.get_language() == "ko"


def _shorten(number: int, units: list[tuple[int, str]], *, prefix: str = "") -> str:
    """With at most one decimal; empty where no unit fits."""
    for unit, word in units:
        tenths, rest = divmod(abs(number) * 10, unit)
        if tenths >= 10 and not rest:
            shown = f"{tenths / 10:,.1f}".removesuffix(".0")
            return f"{'−' if number < 0 else ''}{prefix}{shown}{word}"
    return ""


# unit: (in full, short for an axis)
UNITS: dict[str, tuple[Callable, Callable]] = {"won": (won_amount, won_short), "count": (count, count_short)}


@register.inclusion_tag("charts/_columns.html")
def column_chart(points: list[Point], *, key: str, title: str, unit: str = "count", above: str = "", below: str = ""):
    """Columns along the time, on both sides of zero.

    points: of `charts.make_day_points`, or made by hand for months. key: unique on the page. unit: `won` or `count`.
    above, below: what the two sides are called, where there are two.
    """
    full, _short = UNITS[unit]
    return {
        "key": key,
        "title": title,
        "gist": describe_points(points, full=full, above=above, below=below),
        "drawing": draw_columns(points),
        "unit": unit,
        "above": above,
        "below": below,
    }


@register.inclusion_tag("charts/_rows.html")
def row_chart(rows: list[Row], *, key: str, title: str, unit: str = "count"):
    """Bars one under the other, each with its name and amount. Arguments are those of `column_chart`."""
    full, _short = UNITS[unit]
    return {
        "key": key,
        "title": title,
        "gist": describe_rows(rows, full=full),
        "drawing": draw_rows(rows),
        "unit": unit,
    }


@register.filter
def in_unit(value: int, unit: str) -> str:
    return UNITS[unit][0](value)


@register.filter
def in_short_unit(value: int, unit: str) -> str:
    return UNITS[unit][1](value)


def describe_points(points: list[Point], *, full: Callable, above: str = "", below: str = "") -> str:
    """What the columns show, in one or two sentences."""
    sides = [
        _describe_side(points, "above", name=above, full=full),
        _describe_side(points, "below", name=below, full=full),
    ]
    return " ".join(filter(None, sides)) or _("Nothing in this period.")


def _describe_side(points: list[Point], side: str, *, name: str, full: Callable) -> str:
    total = sum(getattr(point, side) for point in points)
    if not total:
        return ""
    most = max(points, key=lambda point: getattr(point, side))
    words = {
        "name": name,
        "total": full(total),
        "most": full(getattr(most, side)),
        "when": most.name,
    }
    if name:
        return _("%(name)s: %(total)s in all, the most %(most)s (%(when)s).") % words
    return _("%(total)s in all, the most %(most)s (%(when)s).") % words


def describe_rows(rows: list[Row], *, full: Callable) -> str:
    """Which row is the longest. Not what they add up to: some may have been left out."""
    most = max(rows, key=lambda row: row.value, default=None)
    if most is None or not most.value:
        return _("Nothing in this period.")
    return _("The most for “%(name)s”: %(most)s.") % {"name": most.name, "most": full(most.value)}
