"""`view_count`: people are counted once a day, and a page writes nothing."""

import threading
from datetime import datetime

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, connection
from django.test import RequestFactory

from catalog import view_counts
from catalog.models import Prompt, PromptView
from catalog.view_counts import flush_views, record_view
from tests.factories import make_prompt, make_seller, make_user

pytestmark = pytest.mark.django_db

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _no_notes():
    view_counts._notes.clear()
    yield
    view_counts._notes.clear()


def look(prompt, *, user=None, method="GET", address="192.0.2.1", agent=PERSON, **headers) -> None:
    request = RequestFactory().generic(
        method, "/prompts/x/", REMOTE_ADDR=address, headers={"user-agent": agent, **headers}
    )
    request.user = user or AnonymousUser()
    record_view(request, Prompt.objects.select_related("listing__seller").get(pk=prompt.pk))


def views(prompt) -> int:
    flush_views()
    return Prompt.objects.values_list("view_count", flat=True).get(pk=prompt.pk)


def test_a_reload_is_not_another_person():
    prompt = make_prompt()
    look(prompt)
    look(prompt)
    assert views(prompt) == 1

    look(prompt)
    assert views(prompt) == 1


def test_people_differ_by_address_agent_and_account():
    prompt = make_prompt()
    shopper = make_user()
    look(prompt)
    look(prompt, address="192.0.2.2")
    look(prompt, agent=PERSON + " other")
    look(prompt, user=shopper)
    look(prompt, user=shopper, address="192.0.2.9")

    assert views(prompt) == 4


def test_the_next_day_counts_again_in_seoul():
    prompt = make_prompt()
    with time_machine.travel(datetime.fromisoformat("2026-11-22T23:59:00+09:00"), tick=False):
        look(prompt)
    with time_machine.travel(datetime.fromisoformat("2026-11-23T00:01:00+09:00"), tick=False):
        look(prompt)

    assert views(prompt) == 2
    assert len(set(PromptView.objects.values_list("visitor", flat=True))) == 2


def test_the_page_itself_writes_nothing(django_assert_num_queries):
    prompt = Prompt.objects.select_related("listing__seller").get(pk=make_prompt().pk)
    request = RequestFactory().get("/", headers={"user-agent": PERSON})
    request.user = AnonymousUser()

    with django_assert_num_queries(0):
        record_view(request, prompt)


@pytest.mark.parametrize(
    "seen",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"agent": ""},
        {"agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"agent": "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)"},
        {"agent": "facebookexternalhit/1.1"},
        {"agent": "kakaotalk-scrap/1.0"},
        {"agent": "python-requests/2.34"},
        {"agent": "curl/8.5"},
        {"agent": "Mozilla/5.0 HeadlessChrome/156.0"},
    ],
)
def test_machines_and_pages_fetched_ahead_are_not_people(seen):
    prompt = make_prompt()
    look(prompt, **seen)

    assert views(prompt) == 0


def test_the_seller_and_staff_are_not_counted():
    seller = make_seller()
    prompt = make_prompt(seller=seller)
    look(prompt, user=seller.user)
    look(prompt, user=make_user(is_staff=True))

    assert views(prompt) == 0


def test_what_is_not_on_sale_is_not_counted():
    prompt = make_prompt(state="withdrawn")
    look(prompt)

    assert views(prompt) == 0


def test_a_visitor_cannot_be_read_from_the_row():
    look(make_prompt(), address="192.0.2.77")
    flush_views()

    row = PromptView.objects.get()
    assert len(row.visitor) == 32
    assert "192" not in row.visitor


def test_what_another_process_counted_already_is_not_counted_again():
    prompt = make_prompt()
    look(prompt)
    notes = set(view_counts._notes)
    assert flush_views() == 1

    view_counts._notes.update(notes)
    assert flush_views() == 0
    assert views(prompt) == 1


def test_a_prompt_deleted_meanwhile_loses_no_other_count():
    gone, kept = make_prompt(), make_prompt()
    look(gone)
    look(kept)
    gone.delete()

    assert flush_views() == 1
    assert views(kept) == 1


def test_what_the_database_refuses_is_kept_for_later(monkeypatch):
    prompt = make_prompt()
    look(prompt)
    with monkeypatch.context() as broken:
        broken.setattr(view_counts, "_write", lambda notes: (_ for _ in ()).throw(DatabaseError("locked")))
        assert flush_views() == 0

    assert views(prompt) == 1


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(view_counts, "MAX_NOTES", 2)
    prompt = make_prompt()
    for number in range(5):
        look(prompt, address=f"192.0.2.{number}")

    assert len(view_counts._notes) == 2
    assert views(prompt) == 2


def test_a_fork_leaves_notes_and_thread_to_the_parent():
    look(make_prompt())

    view_counts._begin_again()

    assert flush_views() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="an SQLite database in memory is one thread's own")
def test_a_thread_writes_by_itself(settings):
    settings.VIEW_FLUSH_SECONDS = 0.05
    prompt = make_prompt()
    look(prompt)
    writer, pause = view_counts._writer, threading.Event()

    for _ in range(100):
        pause.wait(0.05)
        if Prompt.objects.get(pk=prompt.pk).view_count:
            break
    view_counts._begin_again()
    writer.join(timeout=5)

    assert Prompt.objects.get(pk=prompt.pk).view_count == 1
    assert not writer.is_alive()
