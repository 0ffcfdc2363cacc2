"""Under which domain the registry names what it lists."""

import re

import pytest

from mcp.names import registry_namespace
from mcp.registry.registration import registry_name
from tests.factories import make_server

PATTERN = re.compile(r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$")  # of names in server.json, schema 2025-12-11


@pytest.mark.parametrize(
    ("site_url", "namespace"),
    [
        ("https://market.example", "example.market"),
        ("https://shop.market.example:8443", "example.market.shop"),
        ("https://MARKET.example.", "example.market"),
        ("http://localhost:8000", "localhost"),
        ("http://127.0.0.1:8000", "1.0.0.127"),
        ("http://[::1]:8000", "-1"),
        ("https://프롬프트장.example", "example.xn--jp2bk2z8kifjcba"),
    ],
)
@pytest.mark.django_db
def test_names_begin_with_our_host_from_its_end(settings, site_url, namespace):
    settings.SITE_URL = site_url

    assert registry_namespace() == namespace
    assert registry_name(make_server(slug="weather").entry) == f"{namespace}/weather"
    assert PATTERN.match(registry_name(make_server().entry))
