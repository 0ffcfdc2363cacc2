"""Dates in the ISO text columns of SQLite: look-ups, truncation and admin see Seoul's days, whoever wrote the row."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Count, DurationField, ExpressionWrapper, F
from django.db.models.functions import ExtractHour, ExtractWeekDay, Now, TruncDate, TruncMonth
from django.utils import timezone

from catalog.models import Prompt, PromptView
from marketplace.sqlite.base import as_django_text, format_iso, parse_iso
from mcp.models import McpServer
from sellers.models import SellerApplication
from tests.factories import make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db

# 23:30 in Seoul on 30 November, and half an hour later 00:30 on 1 December: one day of UTC, two of Seoul.
LATE = datetime(2026, 11, 30, 14, 30, 0, 123_000, tzinfo=UTC)
EARLY = LATE + timedelta(hours=1)

sqlite_only = pytest.mark.skipif(connection.vendor != "sqlite", reason="text dates are SQLite's")


def make_application(moment) -> SellerApplication:
    return SellerApplication.objects.create(name="A", email="a@example.com", created_at=moment)


def write_application(text: str) -> uuid.UUID:
    """A row as another program writes it."""
    key = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO seller_waitlist (id, created_at, name, email) VALUES (%s, %s, 'A', 'a@example.com')",
            [str(key), text],
        )
    return key


def names(queryset) -> list:
    return list(queryset.order_by("created_at").values_list("pk", flat=True))


@pytest.fixture
def two():
    return make_application(LATE).pk, make_application(EARLY).pk


def test_a_date_is_that_of_seoul(two):
    late, early = two

    assert names(SellerApplication.objects.filter(created_at__date=date(2026, 11, 30))) == [late]
    assert names(SellerApplication.objects.filter(created_at__date=date(2026, 12, 1))) == [early]
    assert names(SellerApplication.objects.filter(created_at__date__gte=date(2026, 12, 1))) == [early]


def test_year_month_and_hour_are_those_of_seoul(two):
    late, early = two
    turn = make_application(datetime(2026, 12, 31, 15, 0, tzinfo=UTC)).pk  # midnight in Seoul, 2027

    assert names(SellerApplication.objects.filter(created_at__year=2027)) == [turn]
    assert names(SellerApplication.objects.filter(created_at__month=11)) == [late]
    assert names(SellerApplication.objects.filter(created_at__hour=23)) == [late]
    assert names(SellerApplication.objects.filter(created_at__hour=0)) == [early, turn]
    assert names(SellerApplication.objects.filter(created_at__year__gte=2026)) == [late, early, turn]


def test_moments_are_compared_to_the_millisecond(two):
    late, early = two

    assert names(SellerApplication.objects.filter(created_at=LATE)) == [late]
    assert names(SellerApplication.objects.filter(created_at__gte=EARLY)) == [early]
    assert names(SellerApplication.objects.filter(created_at__lt=EARLY)) == [late]
    assert names(SellerApplication.objects.filter(created_at__gt=LATE - timedelta(milliseconds=1))) == [late, early]
    assert names(SellerApplication.objects.filter(created_at__range=(LATE, EARLY))) == [late, early]


def test_months_and_days_are_truncated_in_seoul(two):
    by_month = (
        SellerApplication.objects.annotate(month=TruncMonth("created_at"))
        .values_list("month")
        .annotate(n=Count("pk"))
        .order_by("month")
    )
    by_day = (
        SellerApplication.objects.annotate(day=TruncDate("created_at")).order_by("day").values_list("day", flat=True)
    )

    zone = timezone.get_current_timezone()
    assert list(by_month) == [(datetime(2026, 11, 1, tzinfo=zone), 1), (datetime(2026, 12, 1, tzinfo=zone), 1)]
    assert list(by_day) == [date(2026, 11, 30), date(2026, 12, 1)]


def test_parts_are_extracted_in_seoul_or_where_asked(two):
    rows = SellerApplication.objects.order_by("created_at")

    assert list(rows.annotate(h=ExtractHour("created_at")).values_list("h", flat=True)) == [23, 0]
    assert list(rows.annotate(h=ExtractHour("created_at", tzinfo=UTC)).values_list("h", flat=True)) == [14, 15]
    assert list(rows.annotate(d=ExtractWeekDay("created_at")).values_list("d", flat=True)) == [2, 3]  # Monday, Tuesday


def test_lists_of_dates_and_moments_are_complete(two):
    assert list(SellerApplication.objects.datetimes("created_at", "month")) == [
        datetime(2026, 11, 1, tzinfo=timezone.get_current_timezone()),
        datetime(2026, 12, 1, tzinfo=timezone.get_current_timezone()),
    ]
    assert [moment.date() for moment in SellerApplication.objects.datetimes("created_at", "day")] == [
        date(2026, 11, 30),
        date(2026, 12, 1),
    ]


def test_plain_dates_keep_their_form_and_their_look_ups():
    prompt = make_prompt()
    for day in (date(2026, 11, 30), date(2026, 12, 1)):
        PromptView.objects.create(prompt=prompt, visitor="v", seen_on=day)

    assert list(PromptView.objects.dates("seen_on", "month")) == [date(2026, 11, 1), date(2026, 12, 1)]
    assert PromptView.objects.filter(seen_on__month=12).get().seen_on == date(2026, 12, 1)
    assert PromptView.objects.filter(seen_on=F("seen_on")).count() == 2
    assert PromptView.objects.annotate(m=TruncMonth("seen_on")).filter(m=date(2026, 12, 1)).count() == 1


def test_differences_and_sums_are_moments(two):
    late, _ = two
    rows = SellerApplication.objects.annotate(
        age=ExpressionWrapper(EARLY - F("created_at"), output_field=DurationField())
    )

    assert rows.get(pk=late).age == timedelta(hours=1)
    assert names(SellerApplication.objects.filter(created_at__lt=F("created_at") + timedelta(minutes=1))) == list(two)


def test_the_present_compares_with_moments_of_the_same_day():
    past = make_application(timezone.now() - timedelta(seconds=5)).pk
    future = make_application(timezone.now() + timedelta(minutes=5)).pk

    assert names(SellerApplication.objects.filter(created_at__lte=Now())) == [past]
    assert names(SellerApplication.objects.filter(created_at__gt=Now())) == [future]
    assert abs(SellerApplication.objects.annotate(now=Now()).first().now - timezone.now()) < timedelta(minutes=1)


@sqlite_only
@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30T14:30:00.123Z",
        "2026-11-30T14:30:00Z",
        "2026-11-30T14:30Z",
        "2026-11-30T14:30:00.123456Z",
        "2026-11-30T14:30:00.123+00:00",
        "2026-11-30T23:30:00+09:00",
        "2026-11-30T23:30:00+0900",
        "2026-11-30 23:30:00+09",
        "2026-11-30T14:30:00",
        "2026-11-30 14:30:00",
        "2026-11-30 14:30:00.123456",
        "2026-11-30 14:30:00+00:00",
    ],
)
def test_any_iso_form_of_another_program_is_read_and_found_by_its_date_in_seoul(text):
    key = write_application(text)
    rows = SellerApplication.objects.filter(pk=key)

    assert rows.get().created_at.replace(microsecond=0) == LATE.replace(microsecond=0)
    assert rows.filter(created_at__date=date(2026, 11, 30)).exists()
    assert rows.filter(created_at__year=2026, created_at__month=11, created_at__hour=23).exists()
    assert rows.annotate(month=TruncMonth("created_at")).get().month.month == 11


@sqlite_only
def test_a_date_without_a_time_is_midnight_of_utc():
    key = write_application("2026-11-30")

    assert SellerApplication.objects.get(pk=key).created_at == datetime(2026, 11, 30, tzinfo=UTC)
    assert SellerApplication.objects.filter(created_at__date=date(2026, 11, 30)).exists()


@sqlite_only
@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-45T99:99:99Z"])
def test_a_row_with_a_broken_date_still_opens_and_counts_as_none(text):
    key = write_application(text)

    assert SellerApplication.objects.get(pk=key).created_at is None
    assert not SellerApplication.objects.filter(created_at__date=date(2026, 11, 30)).exists()


@sqlite_only
def test_texts_order_and_compare_like_the_moments():
    moments = [LATE + timedelta(milliseconds=n * 7, days=n) for n in (3, 0, 2, 1)]
    for moment in moments:
        make_application(moment)

    found = list(SellerApplication.objects.order_by("created_at").values_list("created_at", flat=True))
    assert found == sorted(moments)


def test_a_saved_moment_comes_back_cut_to_milliseconds():
    prompt = Prompt.objects.create(title="T", price=0, prompt_text="P", created_at=LATE.replace(microsecond=987_654))

    stored = Prompt.objects.get(pk=prompt.pk).created_at
    assert stored.replace(microsecond=stored.microsecond // 1000 * 1000) == LATE.replace(microsecond=987_000)


def test_the_drill_down_by_date_of_the_admin_shows_months_days_and_their_rows(client):
    late, early = make_prompt(created_at=LATE), make_prompt(created_at=EARLY)
    client.force_login(make_user(is_staff=True, is_superuser=True))

    def open_list(**query):
        return client.get("/admin/catalog/prompt/", {f"created_at__{part}": value for part, value in query.items()})

    year = open_list(year=2026)
    december = open_list(year=2026, month=12)
    day = open_list(year=2026, month=11, day=30)

    assert "created_at__month=11" in year.text
    assert "created_at__month=12" in year.text
    assert [row.pk for row in december.context["cl"].result_list] == [early.pk]
    assert [row.pk for row in day.context["cl"].result_list] == [late.pk]


@sqlite_only
@pytest.mark.parametrize("table", ["prompts", "purchases", "seller_waitlist", "mcp_servers"])
def test_a_broken_date_takes_neither_the_list_nor_its_drill_down_away(client, table):
    make_purchase()
    make_application(LATE)
    McpServer.objects.create(name="Files", endpoint="https://mcp.example.com/")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET created_at = 'yesterday'")
    client.force_login(make_user(is_staff=True, is_superuser=True))
    address = {
        "prompts": "catalog/prompt",
        "purchases": "checkout/purchase",
        "seller_waitlist": "sellers/sellerapplication",
        "mcp_servers": "mcp/mcpserver",
    }[table]

    assert client.get(f"/admin/{address}/").context["cl"].result_count == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "2026-11-22T12:00:00.000Z"),
        (datetime(2026, 11, 22, 12, 0, 0, 123_999, tzinfo=UTC), "2026-11-22T12:00:00.123Z"),
        (datetime(2026, 11, 22, 21, 0, tzinfo=timezone.get_fixed_timezone(540)), "2026-11-22T12:00:00.000Z"),
        (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01T00:00:00.000Z"),
    ],
)
def test_moments_are_written_in_utc_with_milliseconds(value, text):
    assert format_iso(value) == text


def test_texts_are_turned_into_the_form_of_djangos_functions():
    assert as_django_text(None) is None
    assert as_django_text(5) == 5
    assert as_django_text("never") is None
    assert as_django_text("2026-11-22T12:00:00.123Z") == "2026-11-22 12:00:00.123"
    assert as_django_text("2026-11-22T21:00:00+09:00") == "2026-11-22 12:00:00.000000"
    assert parse_iso("never") is None
