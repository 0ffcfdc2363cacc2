import pytest
from django.db import transaction
from django.test import Client

from tests.factories import make_seller


@pytest.fixture
def seller():
    return make_seller(slug="paper-desk", name="Paper Desk")


@pytest.fixture
def studio(seller) -> Client:
    """The seller's browser, in English."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(seller.user)
    return client


@pytest.fixture
def on_commit(monkeypatch):
    """Run what waits for a commit at once, as it would run outside of a test's transaction."""
    monkeypatch.setattr(transaction, "on_commit", lambda call, using=None, robust=False: call())
