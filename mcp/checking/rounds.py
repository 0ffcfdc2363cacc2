"""One round: looking at many servers, a bounded number at once, so that nobody waits for one that hangs."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import connection
from django.utils import timezone

from mcp.checking.due import Target, claim, release
from mcp.checking.health import Recorded, check_server
from mcp.checking.host_queue import HostQueue
from mcp.models import McpServer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Looked:
    """recorded: None when nothing was: another round had it, it changed meanwhile, or `has_failed` on our side."""

    target: Target
    recorded: Recorded | None = None
    has_failed: bool = False


def run_round(
    targets: Iterable[Target],
    *,
    workers: int,
    trigger: str,
    is_due_only: bool,
    started_at: datetime,
    check: Callable[..., Recorded] = check_server,
) -> Iterator[Looked]:
    """Look at each target and tell of it as soon as it is done. Safe beside itself in other processes.

    workers: threads with a database connection each; 1 works in this thread with its connection.
    is_due_only: leave out what has stopped being due. Otherwise what another round looked at since `started_at`.
    """
    look = partial(_look, trigger=trigger, is_due_only=is_due_only, started_at=started_at, check=check)
    queue = HostQueue(targets)
    return _work_through(queue, look) if workers == 1 else work_in_threads(queue, look, workers)


def _work_through(queue: HostQueue, look: Callable[[Target], Looked]) -> Iterator[Looked]:
    while queue:
        target = queue.pop(now_s=time.monotonic())
        if target:
            yield look(target)
        else:
            time.sleep(queue.wait_s(now_s=time.monotonic()))


def work_in_threads(queue: HostQueue, look: Callable[[Target], Looked], workers: int) -> Iterator[Looked]:
    running = set()
    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        while queue or running:
            while len(running) < workers and (target := queue.pop(now_s=time.monotonic())):
                running.add(pool.submit(_look_in_thread, look, target))
            patience_s = queue.wait_s(now_s=time.monotonic()) if len(running) < workers else None
            if not running:
                time.sleep(patience_s)
                continue
            done, running = wait(running, timeout=patience_s, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def _look_in_thread(look: Callable[[Target], Looked], target: Target) -> Looked:
    try:
        return look(target)
    finally:
        connection.close()


def _look(
    target: Target, *, trigger: str, is_due_only: bool, started_at: datetime, check: Callable[..., Recorded]
) -> Looked:
    now = timezone.now()
    try:
        until = claim(target, now=now, is_due_only=is_due_only)
        if until is None:
            return Looked(target)
        try:
            server = McpServer.objects.defer("config", "metadata").get(pk=target.server_id)
            if not is_due_only and server.last_health_check and started_at <= server.last_health_check <= now:
                return Looked(target)
            recorded = check(server, now=now, trigger=trigger)
            return Looked(target, recorded if recorded.check else None)
        finally:
            release(target, until=until)
    except McpServer.DoesNotExist:  # deleted meanwhile
        return Looked(target)
    except Exception:  # one that cannot be recorded keeps no other from being looked at
        logger.exception("check failed server=%s", target.slug)
        return Looked(target, has_failed=True)
