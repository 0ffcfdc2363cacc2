import pytest

from tests.factories import make_user


@pytest.fixture
def buyer(db):
    return make_user(email="buyer@example.com")


@pytest.fixture
def stranger(db):
    return make_user(email="stranger@example.com")


@pytest.fixture
def buyer_client(client, buyer):
    client.force_login(buyer)
    return client


@pytest.fixture
def stranger_client(stranger):
    from django.test import Client

    client = Client()
    client.force_login(stranger)
    return client


@pytest.fixture
def on_commit(monkeypatch):
    """Run what waits for a commit at once, as it would run outside of a test's transaction."""
    from django.db import transaction

    monkeypatch.setattr(transaction, "on_commit", lambda call, using=None, robust=False: call())
