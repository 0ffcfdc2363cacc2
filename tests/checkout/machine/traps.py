"""Stops the site at the nth moment of a kind: a crash there, or somebody else's request in between.

Moments are a statement to the database (before it), a commit and a call to the provider (before and after each).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

from checkout import webhooks
from checkout.gateway import Gateway

STATEMENT, COMMIT, CALL = "statement", "commit", "call"


class Crash(BaseException):
    """The process ends here. No handler of the site may catch it."""


@dataclass(frozen=True)
class Trap:
    """nth counts from one. meanwhile: the name of what somebody else does at that moment; empty for a crash."""

    kind: str
    nth: int
    meanwhile: str = ""


class Traps:
    """At most one trap is set at a time, and it springs once."""

    def __init__(self, interfere: Callable[[str], None]):
        """interfere: does what a trap names with `meanwhile`."""
        self.interfere = interfere
        self.trap: Trap | None = None
        self.left_count = 0

    @contextmanager
    def set(self, trap: Trap | None) -> Iterator[None]:
        self.trap, self.left_count = trap, trap.nth if trap else 0
        try:
            yield
        finally:
            self.trap = None

    def pass_moment(self, kind: str) -> None:
        if self.trap is None or self.trap.kind != kind:
            return
        self.left_count -= 1
        if self.left_count:
            return
        trap, self.trap = self.trap, None
        if trap.meanwhile:
            self.interfere(trap.meanwhile)
            return
        raise Crash(f"{trap.kind} {trap.nth}")

    def watch_statement(self, execute, sql, params, many, context):
        self.pass_moment(STATEMENT)
        return execute(sql, params, many, context)


@contextmanager
def watched(traps: Traps, monkeypatch) -> Iterator[None]:
    """The database's connection and the gateway tell `traps` about every moment."""
    commit, exchange = connection._commit, Gateway._exchange

    def watch_commit():
        try:
            traps.pass_moment(COMMIT)
        except Crash:
            connection._rollback()  # what the database does itself when a process dies
            raise
        commit()
        traps.pass_moment(COMMIT)

    def watch_exchange(gateway, *arguments):
        assert not connection.in_atomic_block, "the provider is asked inside a transaction"
        traps.pass_moment(CALL)
        answer = exchange(gateway, *arguments)
        traps.pass_moment(CALL)
        return answer

    with monkeypatch.context() as patch, connection.execute_wrapper(traps.watch_statement):
        patch.setattr(connection, "_commit", watch_commit)
        patch.setattr(Gateway, "_exchange", watch_exchange)
        yield


def forget_process() -> None:
    """What is left in the memory of a process that is gone: nothing. A database in memory cannot be closed."""
    webhooks._expected.clear()
    webhooks._sleeping.clear()
    connection.run_on_commit = []
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.in_atomic_block = connection.needs_rollback = connection.closed_in_transaction = False
    connection.commit_on_exit = True
    connection._rollback()
    connection.set_autocommit(True)
