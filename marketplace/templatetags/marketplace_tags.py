"""How templates show money, time, counts and icons."""

from datetime import datetime, timedelta

from django import template
from django.templatetags.static import static
from django.utils import formats, timezone, translation
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()


@register.filter
def won(amount_krw) -> str:
    """Whole won as a price: `9,900원` or `₩9,900`; 0 is `무료` or `Free`. Empty for no amount."""
    if amount_krw is None or amount_krw == "":
        return ""
    return _("Free") if amount_krw == 0 else won_amount(amount_krw)


@register.filter
def won_amount(amount_krw) -> str:
    """Whole won as an amount, also 0: for totals and receipts."""
    if amount_krw is None or amount_krw == "":
        return ""
    sign = "−" if amount_krw < 0 else ""
    if translation.get_language() == "ko":
        return f"{sign}{abs(amount_krw):,}원"
    return f"{sign}₩{abs(amount_krw):,}"


@register.filter
def count(number) -> str:
    """A whole number with thousands separated."""
    return "" if number is None or number == "" else f"{number:,}"


@register.filter
def stars(rating) -> str:
    """An average of 1 to 5 with one decimal."""
    return f"{rating or 0:.1f}"


@register.filter
def ago(moment: datetime | None) -> str:
    """An aware time as a `<time>` element: relative up to 30 days, then the date; the exact time in its title."""
    if not moment:
        return ""
    local = timezone.localtime(moment)
    exact = formats.date_format(local, "DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(timespec="seconds"), exact, relative_time(moment)
    )


@register.filter
def day(moment: datetime | None) -> str:
    """An aware time as a `<time>` element showing its date in Seoul."""
    if not moment:
        return ""
    local = timezone.localtime(moment)
    exact = formats.date_format(local, "DATETIME_FORMAT")
    shown = formats.date_format(local, "DATE_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(timespec="seconds"), exact, shown)


def relative_time(moment: datetime, *, now: datetime | None = None) -> str:
    """`moment` as people say it. A time in the future shows as its date."""
    age = (now or timezone.now()) - moment
    if timedelta(0) <= age < timedelta(minutes=1):
        return _("just now")
    for limit, unit, text in [
        (timedelta(hours=1), timedelta(minutes=1), lambda n: ngettext("%(n)d minute ago", "%(n)d minutes ago", n)),
        (timedelta(days=1), timedelta(hours=1), lambda n: ngettext("%(n)d hour ago", "%(n)d hours ago", n)),
        (timedelta(days=30), timedelta(days=1), lambda n: ngettext("%(n)d day ago", "%(n)d days ago", n)),
    ]:
        if timedelta(0) <= age < limit:
            n = age // unit
            return text(n) % {"n": n}
    return formats.date_format(timezone.localtime(moment), "DATE_FORMAT")


@register.simple_tag
def icon(name: str, css_class: str = "") -> str:
    """A Lucide icon of the sprite, hidden from screen readers: a word stands beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css_class,
        static("vendor/lucide/icons.svg"),
        name,
    )
