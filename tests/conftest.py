"""What every test gets: empty caches, the default language, and no way out to the network."""

import importlib
import ipaddress
import socket
import uuid

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.utils import translation

# A busy machine is no fault of the code: no example is judged by the time it takes.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_guards = {  # a table and the migration whose triggers guard it, with others or alone
    "ledger_entries": importlib.import_module("checkout.migrations.0006_ledger_is_append_only"),
    "statements": importlib.import_module("checkout.migrations.0011_statements_are_append_only"),
}


@pytest.fixture(autouse=True)
def _fresh_state():
    """Rate limits and fragments live in caches, the language in the thread: both would leak into the next test."""
    for cache in caches.all():
        cache.clear()
    translation.deactivate()
    yield
    for cache in caches.all():
        cache.clear()


@pytest.fixture
def in_english(_fresh_state):
    """For modules that look at sentences: outside of a request the site speaks Korean."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_network():
    """Refuse connections that leave this machine: a test that needs one would pass here and fail elsewhere."""
    connect = socket.socket.connect

    def connect_locally(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise OSError(f"tests must not use the network, and one connects to {address[0]}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_locally)
        yield


@pytest.fixture(autouse=True, scope="session")
def _tests_may_empty_the_ledger():
    """Tests that commit empty every table afterwards, which the triggers of ledger and statements refuse. They give way
    to that flush, inside its transaction, and to nothing else."""
    operations = type(connection.ops)
    sql_flush = operations.sql_flush

    def flush_without_triggers(self, style, tables, **options):
        statements = sql_flush(self, style, tables, **options)
        vendor = self.connection.vendor
        for table, guard in _guards.items():
            if table in tables:
                statements = [*guard.UNDO[vendor], *statements, *guard.TRIGGERS[vendor]]
        return statements

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "sql_flush", flush_without_triggers)
        yield


@pytest.fixture
def database_url(tmp_path):
    """A fresh database for processes of a test's own, of the kind of the other tests: a file, or on the same server."""
    database = settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        yield f"sqlite:///{tmp_path}/prompt_management.db"
        return
    import psycopg

    name = f"test_at_once_{uuid.uuid4().hex[:12]}"
    password = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    server = f"postgres://{database['USER']}{password}@{database['HOST']}:{database['PORT'] or 5432}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
