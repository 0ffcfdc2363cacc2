import pytest
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
