"""`prompt_days`: views and carts by day in Seoul, none lost and none counted twice."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.db.models import Sum
from django.test import Client

from catalog import days, view_counts
from catalog.days import add_views, count_put_into_cart
from catalog.models import Prompt, PromptDay
from catalog.view_counts import flush_views
from checkout.carts import CartRefused, UserCart, add_to_cart
from checkout.models import CartItem
from tests.factories import NOON, make_prompt, make_seller, make_user

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 11, 22)
NEXT_DAY = date(2026, 11, 23)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_notes():
    view_counts._notes.clear()
    yield
    view_counts._notes.clear()


def read_days(prompt) -> list[tuple]:
    return list(PromptDay.objects.filter(prompt=prompt).order_by("day").values_list("day", "view_count", "cart_count"))


# --- Views


def note(prompt, visitor: str, day: date = DAY) -> None:
    view_counts._notes.add((prompt.pk, visitor, day))


def test_a_flush_adds_the_same_views_to_the_prompt_and_to_its_day():
    one, other = make_prompt(view_count=100), make_prompt()
    note(one, "a")
    note(one, "b")
    note(other, "a")
    flush_views()
    note(one, "c")
    flush_views()

    assert read_days(one) == [(DAY, 3, 0)]
    assert read_days(other) == [(DAY, 1, 0)]
    assert Prompt.objects.get(pk=one.pk).view_count == 103


def test_views_of_two_days_in_one_flush_go_to_their_days():
    prompt = make_prompt()
    note(prompt, "a", DAY)
    note(prompt, "a", NEXT_DAY)
    note(prompt, "b", NEXT_DAY)
    flush_views()

    assert read_days(prompt) == [(DAY, 1, 0), (NEXT_DAY, 2, 0)]


def test_who_was_counted_already_today_adds_nothing():
    prompt = make_prompt()
    note(prompt, "a")
    flush_views()
    note(prompt, "a")
    flush_views()

    assert read_days(prompt) == [(DAY, 1, 0)]


def test_days_and_prompts_are_written_together_or_not_at_all(monkeypatch):
    prompt = make_prompt()
    note(prompt, "a")
    with monkeypatch.context() as broken:
        broken.setattr(view_counts, "add_views", lambda counts: (_ for _ in ()).throw(DatabaseError("locked")))
        assert flush_views() == 0
    assert Prompt.objects.get(pk=prompt.pk).view_count == 0

    flush_views()

    assert read_days(prompt) == [(DAY, 1, 0)]
    assert Prompt.objects.get(pk=prompt.pk).view_count == 1


def test_a_flush_of_many_prompts_takes_few_statements(django_assert_max_num_queries):
    prompts = [make_prompt() for _ in range(30)]
    for prompt in prompts:
        note(prompt, "a")

    with django_assert_max_num_queries(5 + 30):  # one for each prompt's own row, none for each day's
        flush_views()

    assert PromptDay.objects.aggregate(sum=Sum("view_count"))["sum"] == 30


def test_more_rows_than_a_statement_holds_are_all_written(monkeypatch):
    monkeypatch.setattr(days, "ROWS_IN_STATEMENT", 2)
    prompts = [make_prompt() for _ in range(5)]

    add_views({(prompt.pk, DAY): 2 for prompt in prompts})

    assert [read_days(prompt) for prompt in prompts] == [[(DAY, 2, 0)]] * 5


# --- Carts


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_a_prompt_is_counted_when_it_really_lands_in_a_cart(client, is_signed_in):
    if is_signed_in:
        client.force_login(make_user())
    prompt = make_prompt(slug="letter")

    with time_machine.travel(NOON, tick=False):
        for _ in range(3):
            client.post("/cart/add/letter/")

    assert read_days(prompt) == [(DAY, 0, 1)]


def test_looking_at_the_cart_counts_nothing(client):
    prompt = make_prompt(slug="letter")
    client.get("/cart/")
    client.get("/prompts/letter/")
    client.get("/cart/add/letter/")

    assert read_days(prompt) == []


def test_what_is_taken_back_after_a_removal_is_not_counted_again(client):
    prompt = make_prompt(slug="letter")
    with time_machine.travel(NOON, tick=False):
        client.post("/cart/add/letter/")
        client.post("/cart/remove/letter/")
        client.post("/cart/restore/letter/")

    assert read_days(prompt) == [(DAY, 0, 1)]


def test_the_merge_at_sign_in_counts_nothing_again():
    buyer = make_user()
    prompt = make_prompt(slug="letter")
    visitor = Client()
    with time_machine.travel(NOON, tick=False):
        visitor.post("/cart/add/letter/")
        visitor.post("/accounts/login/", {"login": buyer.email, "password": "long-enough-1"})

    assert CartItem.objects.filter(user=buyer, prompt=prompt).exists()
    assert read_days(prompt) == [(DAY, 0, 1)]


def test_a_refused_prompt_is_not_counted():
    seller = make_seller()
    prompt = make_prompt(seller=seller)

    with pytest.raises(CartRefused):
        add_to_cart(cart=UserCart(seller.user), user=seller.user, prompt=prompt, now=NOON)

    assert read_days(prompt) == []


def test_a_day_begins_at_midnight_in_seoul():
    prompt = make_prompt()
    for moment in ("2026-11-22T14:59:59.999", "2026-11-22T15:00:00"):
        count_put_into_cart(prompt_id=prompt.pk, now=datetime.fromisoformat(moment).replace(tzinfo=UTC))

    assert read_days(prompt) == [(DAY, 0, 1), (NEXT_DAY, 0, 1)]


def test_views_and_carts_of_a_day_stand_in_one_row():
    prompt = make_prompt()
    count_put_into_cart(prompt_id=prompt.pk, now=NOON)
    add_views({(prompt.pk, DAY): 5})
    count_put_into_cart(prompt_id=prompt.pk, now=NOON)

    assert read_days(prompt) == [(DAY, 5, 2)]


def test_a_failed_count_costs_nobody_their_cart(monkeypatch, caplog):
    buyer, prompt = make_user(), make_prompt()

    def refuse(counts):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO no_such_table VALUES (1)")

    monkeypatch.setattr(days, "_add", refuse)
    assert add_to_cart(cart=UserCart(buyer), user=buyer, prompt=prompt, now=NOON) is True

    assert CartItem.objects.filter(user=buyer, prompt=prompt).exists()
    assert [record.message for record in caplog.records] == ["a cart was not counted"]


def test_the_days_of_a_deleted_prompt_go_with_it():
    prompt = make_prompt()
    add_views({(prompt.pk, DAY): 5})
    prompt.delete()

    assert not PromptDay.objects.exists()


# --- Several processes


@pytest.mark.slow
def test_processes_that_count_at_once_lose_nothing(database_url):
    counted = subprocess.run(
        [sys.executable, "-m", "tests.catalog.counting", "4", "40"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert counted.returncode == 0, counted.stderr
    assert counted.stderr == ""
    assert json.loads(counted.stdout) == {"exits": [0] * 4, "days": [[160, 160]] * 3, "view_counts": [160] * 3}
