"""Work that an answer does not wait for."""

import logging
import os
import threading

import pytest
from django.db import connection
from django.utils import translation

from marketplace import background
from marketplace.background import run_soon


class Expected(Exception):
    is_expected = True


@pytest.fixture(params=[0, 2], ids=["inline", "threads"])
def threads(request, settings, monkeypatch):
    """No threads at all, or a pool of the test's own."""
    settings.BACKGROUND_THREADS = request.param
    monkeypatch.setattr(background, "_pool", None)
    yield request.param
    if background._pool:
        background._pool[1].shutdown(wait=True)


def add(*, a, b):
    return a + b


def fail(*, error):
    raise error


def test_the_result_is_there_when_it_is_asked_for(threads):
    assert run_soon(add, a=1, b=2).result(timeout=5) == 3


def test_without_threads_it_has_happened_on_return(settings):
    settings.BACKGROUND_THREADS = 0
    here = []

    run_soon(lambda: here.append(threading.get_ident()))

    assert here == [threading.get_ident()]


def test_with_threads_it_happens_in_another_one(settings, monkeypatch):
    settings.BACKGROUND_THREADS = 1
    monkeypatch.setattr(background, "_pool", None)
    ident = run_soon(threading.get_ident).result(timeout=5)
    background._pool[1].shutdown(wait=True)

    assert ident != threading.get_ident()


def test_it_speaks_the_language_of_whoever_asked(threads):
    for language in ("en", "ko"):
        with translation.override(language):
            spoken = run_soon(translation.get_language)
        assert spoken.result(timeout=5) == language
    assert translation.get_language() == "ko"


def test_an_error_is_logged_and_raised_to_who_asks(threads, caplog):
    with caplog.at_level(logging.INFO):
        future = run_soon(fail, error=ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            future.result(timeout=5)

    assert [record.getMessage() for record in caplog.records] == ["background work failed call=fail"]


def test_a_refusal_for_people_is_no_error_of_ours(threads, caplog):
    with caplog.at_level(logging.INFO), pytest.raises(Expected):
        run_soon(fail, error=Expected()).result(timeout=5)

    assert caplog.records == []


def test_one_that_fails_does_not_stop_the_next(threads):
    for _ in range(5):
        run_soon(fail, error=ValueError())

    assert run_soon(add, a=1, b=2).result(timeout=5) == 3


def test_after_a_fork_the_child_has_threads_of_its_own(settings, monkeypatch):
    settings.BACKGROUND_THREADS = 1
    monkeypatch.setattr(background, "_pool", None)
    run_soon(add, a=0, b=0).result(timeout=5)
    inherited = background._pool
    monkeypatch.setattr(background, "_pool", (os.getppid(), inherited[1]))  # what a child finds

    assert run_soon(add, a=1, b=2).result(timeout=5) == 3

    assert background._pool[0] == os.getpid()
    assert background._pool[1] is not inherited[1]
    for pool in (inherited[1], background._pool[1]):
        pool.shutdown(wait=True)


@pytest.mark.django_db(transaction=True)
def test_a_thread_leaves_no_connection_that_went_bad_to_the_next_work(settings, monkeypatch):
    if connection.vendor == "sqlite":
        pytest.skip("an SQLite database in memory is one thread's own")
    settings.BACKGROUND_THREADS = 1
    monkeypatch.setattr(background, "_pool", None)

    def break_connection():
        connection.ensure_connection()
        connection.connection.close()

    def ask():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()[0]

    run_soon(break_connection).result(timeout=5)
    assert run_soon(ask).result(timeout=5) == 1
    run_soon(lambda: connection.close()).result(timeout=5)  # the thread's own, not this one's
    background._pool[1].shutdown(wait=True)
