"""Which addresses of a listed server other registries are told of."""

import pytest

from mcp.endpoints import registry_url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://weather.example.com/mcp", "https://weather.example.com/mcp"),
        ("https://Weather.Example.com:443/mcp", "https://weather.example.com/mcp"),
        ("https://weather.example.com:8443/mcp", "https://weather.example.com:8443/mcp"),
        ("https://weather.example.com", "https://weather.example.com/"),
        ("https://날씨.example.com/예보", "https://xn--i20bj30b.example.com/%EC%98%88%EB%B3%B4"),
        ("https://weather.example.com/{city}/mcp", "https://weather.example.com/%7Bcity%7D/mcp"),
        ("https://weather.example.com/mcp#hush", "https://weather.example.com/mcp"),
        ("https://8.8.8.8/mcp", "https://8.8.8.8/mcp"),
        ("https://weather.example.com/mcp?profile=full&v=2", "https://weather.example.com/mcp?profile=full&v=2"),
        (
            "https://weather.example.com/mcp?tools=search,read-file",
            "https://weather.example.com/mcp?tools=search,read-file",
        ),
        ("https://weather.example.com/mcp?api=1.2.0", "https://weather.example.com/mcp?api=1.2.0"),
    ],
)
def test_public_addresses_are_told_in_one_spelling(url, told):
    assert registry_url(url) == told


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "weather",
        "http://weather.example.com/mcp",
        "ftp://weather.example.com/mcp",
        "javascript:alert(1)",
        "https://somebody:hush@weather.example.com/mcp",
        "https://somebody@weather.example.com/mcp",
        "https://weather.example.com/mcp?api_key=abc",
        "https://weather.example.com/mcp?TOKEN=a",
        "https://weather.example.com/mcp?k=sk-live-0123456789abcdef",
        "https://weather.example.com/mcp?profile=full&x=Zm9vYmFyYmF6cXV4",
        "https://weather.example.com/mcp?0123456789abcdef0123456789abcdef",
        "https://weather.example.com/mcp?p=hunter2",
        "https://weather.example.com:9000/mcp",
        "https://localhost/mcp",
        "https://intranet/mcp",
        "https://printer.local/mcp",
        "https://wiki.corp.internal/mcp",
        "https://router.home.arpa/mcp",
        "https://127.0.0.1/mcp",
        "https://10.1.2.3/mcp",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/mcp",
        "https://2130706433/mcp",
        "https://weather.example.com/a b",
        "https://weather.example.com/mcp?hush",
        f"https://weather.example.com/{'a' * 2048}",
    ],
)
def test_what_may_hold_a_secret_or_leads_inside_is_not_told(url):
    assert registry_url(url) == ""
