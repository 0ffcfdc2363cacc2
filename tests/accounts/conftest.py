"""What the tests of accounts share: a client that speaks English, and the code of the newest mail."""

import re

import pytest
from django.core import mail
from django.test import Client


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def read_code():
    """`read_code("mina@example.com")`: the code in the newest mail to that address, alone on its line."""

    def read(address: str) -> str:
        texts = [message.body for message in mail.outbox if message.to == [address]]
        assert texts, f"no mail to {address}"
        [code] = re.findall(r"^([A-Z]{4}-[A-Z]{4})$", texts[-1], re.MULTILINE)
        return code

    return read


@pytest.fixture
def sign_in():
    """`sign_in(client, user)` through the login page, as people do, and not past it as `force_login` does."""

    def enter(client: Client, user, *, password: str = "long-enough-1", **data):
        response = client.post("/accounts/login/", {"login": user.email, "password": password, **data})
        assert response.status_code == 302, response.context["form"].errors
        return response

    return enter


@pytest.fixture
def confirm_password():
    """`confirm_password(client, "/account/export/")`: what sensitive pages ask for first; answers the page."""

    def confirm(client: Client, path: str, *, password: str = "long-enough-1"):
        response = client.post("/accounts/reauthenticate/", {"password": password, "next": path})
        assert (response.status_code, response["Location"]) == (302, path)
        return client.get(path)

    return confirm
