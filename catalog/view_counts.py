"""`view_count` and the views of `prompt_days`: how many people looked, one a day, counted without a write in the page.

A page only puts a note into this process's memory. A thread of its own writes the notes of the last seconds in one
transaction, so that a thousand views cost one write lock. `prompt_views` knows who was counted today, as a hash that
cannot be turned back and that changes every day; `recount_prompts` prunes it.
"""

import atexit
import logging
import os
import re
import threading
from collections import Counter
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from catalog.days import add_views
from catalog.models import Prompt, PromptView

logger = logging.getLogger(__name__)

MAX_NOTES = 20_000  # beyond, views are not counted until the next flush: memory is worth more
ROWS_IN_STATEMENT = 200

# What names itself a machine. Source: the agents of search engines, link previews, monitors and HTTP libraries.
_CRAWLER = re.compile(
    r"bot\b|bot[/;\s-]|crawl|spider|slurp|yeti|scrap|preview|externalhit|headless|lighthouse|monitor|uptime|archiver"
    r"|curl|wget|httpie|python|aiohttp|httpx|okhttp|java/|go-http|libwww|ruby|axios|node-fetch|undici|feed|rss|gptbot"
    r"|chatgpt-user|claude-user|perplexity",
    re.IGNORECASE,
)

_notes: set[tuple[UUID, str, date]] = set()
_lock = threading.Lock()
_writer: threading.Thread | None = None


def record_view(request, prompt: Prompt) -> None:
    """Note that the person behind this request saw `prompt`, which is loaded with its listing's seller.

    Not counted: reloads on the same day, requests other than GET, pages fetched ahead, crawlers, staff, the seller, and
    what is not on sale. Writes nothing itself.
    """
    if not prompt.is_published or not _is_person(request):
        return
    user = request.user
    if user.is_authenticated and (user.is_staff or _sells(user, prompt)):
        return
    today = timezone.localdate()
    note = (prompt.pk, _hash_visitor(request, today), today)
    with _lock:
        if len(_notes) < MAX_NOTES:
            _notes.add(note)
    _start_writer()


def _is_person(request) -> bool:
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    if request.method != "GET" or "prefetch" in purpose.lower() or "prerender" in purpose.lower():
        return False
    agent = request.headers.get("User-Agent", "").strip()
    return bool(agent) and not _CRAWLER.search(agent)


def _sells(user, prompt: Prompt) -> bool:
    seller = prompt.listing.seller
    return seller is not None and seller.user_id == user.pk


def _hash_visitor(request, today: date) -> str:
    """The same for one person on one day, and of no use to anybody without the site's key."""
    if request.user.is_authenticated:
        who = f"user {request.user.pk}"
    else:
        who = f"{request.META.get('REMOTE_ADDR', '')} {request.headers.get('User-Agent', '')}"
    return salted_hmac("catalog.view_counts", f"{today:%Y-%m-%d} {who}", algorithm="sha256").hexdigest()[:32]


def flush_views() -> int:
    """Write what was noted in this process so far, in one transaction. Returns how many views were new.

    When the database refuses, the notes are kept for the next time.
    """
    with _lock:
        notes = sorted(_notes, key=str)  # one order everywhere, so that two processes never wait for each other
        _notes.clear()
    if not notes:
        return 0
    try:
        return _write(notes)
    except DatabaseError:
        logger.warning("view counts not written, kept for later notes=%s", len(notes), exc_info=True)
        with _lock:
            _notes.update(notes[: max(0, MAX_NOTES - len(_notes))])
        return 0


@transaction.atomic
def _write(notes: list[tuple[UUID, str, date]]) -> int:
    present = set(Prompt.objects.filter(pk__in={key for key, _, _ in notes}).values_list("pk", flat=True))
    notes = [note for note in notes if note[0] in present]
    new_views = Counter()  # by (prompt, day)
    with connection.cursor() as cursor:
        for start in range(0, len(notes), ROWS_IN_STATEMENT):
            batch = notes[start : start + ROWS_IN_STATEMENT]
            places = ", ".join(["(%s, %s, %s)"] * len(batch))
            values = [value for key, visitor, day in batch for value in (key, visitor, day.isoformat())]
            cursor.execute(
                f"INSERT INTO prompt_views (prompt_id, visitor, seen_on) VALUES {places} "  # noqa: S608 (placeholders)
                "ON CONFLICT DO NOTHING RETURNING prompt_id, seen_on",
                values,
            )
            # SQLite answers with texts, PostgreSQL with values of its own.
            new_views.update((UUID(str(key)), date.fromisoformat(str(day))) for key, day in cursor.fetchall())
    by_prompt = Counter()
    for (key, _), count in new_views.items():
        by_prompt[key] += count
    for key, count in sorted(by_prompt.items(), key=str):
        Prompt.objects.filter(pk=key).update(view_count=F("view_count") + count)
    add_views(new_views)
    return new_views.total()


def prune_views(*, now: datetime, is_dry_run: bool = False) -> int:
    """Forget who was counted before yesterday. Returns how many rows that were."""
    old = PromptView.objects.filter(seen_on__lt=timezone.localdate(now) - timedelta(days=1))
    return old.count() if is_dry_run else old.delete()[0]


# --- The thread that writes


def _start_writer() -> None:
    global _writer
    if not settings.VIEW_FLUSH_SECONDS or (_writer and _writer.is_alive()):
        return
    with _lock:
        if not (_writer and _writer.is_alive()):
            _writer = threading.Thread(
                target=_write_on, args=(settings.VIEW_FLUSH_SECONDS,), name="view-counts", daemon=True
            )
            _writer.start()


def _write_on(seconds: float) -> None:
    pause = threading.Event()
    while _writer is threading.current_thread():
        pause.wait(seconds)
        try:
            flush_views()
        except Exception:
            logger.exception("view counts not written")
        finally:
            connection.close()  # this thread's own: it must not hold one between its few moments


def _begin_again() -> None:
    """After a fork: the thread lives in the parent only, and so do the parent's notes."""
    global _lock, _writer
    _lock, _writer = threading.Lock(), None
    _notes.clear()


def _finish() -> None:
    if _writer and _notes:
        flush_views()


os.register_at_fork(after_in_child=_begin_again)
atexit.register(_finish)
