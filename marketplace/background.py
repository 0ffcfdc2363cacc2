"""Work that an answer does not wait for: mails, look-ups after a webhook, a charge that takes its time.

A few threads of the web process do it. Nothing depends on them: whatever they are to do stands in the database first,
and `reconcile_payments` finds what a stopped process left. See docs/decisions/.
"""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from django.conf import settings
from django.db import close_old_connections
from django.utils import translation

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_pool: tuple[int, ThreadPoolExecutor] | None = None  # with the process it belongs to: threads do not survive a fork


def run_soon(call: Callable, /, **arguments) -> Future:
    """Call it in another thread, in the language of this one. With `BACKGROUND_THREADS` 0 it has run on return.

    Not inside a transaction: the other thread would not see what is not committed. An exception is logged, and raised
    again by the future's `result()`.
    """
    language = translation.get_language()
    if settings.BACKGROUND_THREADS == 0:
        future = Future()
        try:
            future.set_result(_run(call, arguments, language))
        except Exception as error:
            future.set_exception(error)
        return future
    return _get_pool().submit(_run_in_thread, call, arguments, language)


def _get_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = os.getpid(), ThreadPoolExecutor(settings.BACKGROUND_THREADS, thread_name_prefix="background")
        return _pool[1]


def _run_in_thread(call: Callable, arguments: dict, language: str | None):
    close_old_connections()
    try:
        return _run(call, arguments, language)
    finally:
        close_old_connections()


def _run(call: Callable, arguments: dict, language: str | None):
    with translation.override(language):
        try:
            return call(**arguments)
        except Exception as error:
            if not getattr(error, "is_expected", False):
                logger.exception("background work failed call=%s", call.__name__)
            raise
