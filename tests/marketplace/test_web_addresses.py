"""Which URLs may be asked, as far as their text and the addresses behind them tell."""

import contextlib
import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marketplace.web_addresses import (
    MAX_LENGTH,
    Blocked,
    check_address,
    check_url,
    is_public,
    is_same_origin,
    origin_of,
    parse_networks,
    split_url,
)


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("https://mcp.example/mcp", "https://mcp.example/mcp"),
        ("HTTPS://MCP.Example.:443", "https://mcp.example/"),
        ("https://mcp.example:8443/a?b=c&d=%20e", "https://mcp.example:8443/a?b=c&d=%20e"),
        (
            "https://한글.example/프롬프트?말=글",
            "https://xn--bj0bj06e.example/%ED%94%84%EB%A1%AC%ED%94%84%ED%8A%B8?%EB%A7%90=%EA%B8%80",
        ),
        ("https://my_host.example/<x>", "https://my_host.example/%3Cx%3E"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/"),
    ],
)
def test_a_usable_url_has_one_spelling(url, spelt):
    split = check_url(url)
    assert split.url == spelt
    assert check_url(split.url) == split


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mcp.example",
        "//mcp.example/",
        "https:mcp.example",
        "https://",
        "https:///mcp",
        "http://mcp.example/",
        "ftp://mcp.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@mcp.example/",
        "https://user:secret@mcp.example/",
        "https://@mcp.example/",
        "https://mcp.example/half-of-a-pair-\ud800",
        "https://mcp.example/#fragment",
        "https://mcp.example#@other.example/",
        "https://mcp.example\\@other.example/",
        "https://mcp.example/a b",
        " https://mcp.example/",
        "https://mcp.exam\tple/",
        "https://mcp.example/\r\nX-Header: 1",
        "https://mcp.example/\x00",
        "https://mcp.example:22/",
        "https://mcp.example:0/",
        "https://mcp.example:99999/",
        "https://mcp.example:80:443/",
        "https://mcp.example:４４３/",
        "https://mcp..example/",
        "https://.example/",
        "https://-mcp.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 130}example/",
        "https://mcp%2eexample/",
        "https://mcp.example℀/",
        "https://[::1",
        "https://::1/",
        "https://[v1.fe]/",
        "https://[fe80::1%25lo]/",
        "https://[2606:4700::1111]x/",
        "https://mcp.example/" + "a" * MAX_LENGTH,
    ],
)
def test_other_urls_are_invalid(url):
    with pytest.raises(Blocked) as blocked:
        check_url(url)
    assert blocked.value.kind == "invalid_url"


def test_a_literal_address_of_our_own_is_blocked_before_anything_is_asked():
    with pytest.raises(Blocked) as blocked:
        check_url("https://192.168.0.1/")
    assert blocked.value.kind == "blocked_address"
    assert "192" not in blocked.value.reason


def test_allowed_networks_open_plain_http_and_every_port_towards_them_alone():
    networks = parse_networks(["10.0.0.0/8", "fd00::1"])
    assert check_url("http://10.1.2.3:8000/mcp", allow_networks=networks).port == 8000
    assert check_url("http://[fd00::1]/", allow_networks=["fd00::1"]).url == "http://[fd00::1]/"
    assert check_url("http://mcp.intranet:8000/", allow_networks=networks).host == "mcp.intranet"
    for url in ("http://8.8.8.8/", "https://8.8.8.8:8000/", "http://192.168.0.1/", "http://[::ffff:10.1.2.3]/"):
        with pytest.raises(Blocked):
            check_url(url, allow_networks=networks)


def test_a_name_gets_plain_http_only_where_it_leads_into_an_allowed_network():
    networks = parse_networks(["10.0.0.0/8"])
    check_address(ipaddress.ip_address("10.1.2.3"), scheme="http", port=8000, networks=networks)
    with pytest.raises(Blocked):
        check_address(ipaddress.ip_address("8.8.8.8"), scheme="http", port=8000, networks=networks)


@pytest.mark.parametrize("network", ["10.0.0.0/33", "intranet", "10.0.0.0-10.0.0.9", ""])
def test_what_is_no_network_cannot_be_allowed(network):
    with pytest.raises(ValueError):
        parse_networks([network])


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_no_way_to_write_an_ipv4_address_into_an_ipv6_address_is_public(address):
    number = int(address)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number))
    assert not is_public(ipaddress.IPv6Address((0x2002 << 112) + (number << 80)))  # 6to4
    assert not is_public(ipaddress.IPv6Address((0x20010000 << 96) + (number << 64) + (number ^ 0xFFFFFFFF)))  # Teredo


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(address):
    if address.is_private or address.is_multicast or address.is_link_local or address.is_unspecified:
        assert not is_public(address)


@given(st.text(max_size=40))
@example("https://mcp.example:")
@example("https://[2606:4700::1111]:443?x")
@example("https://ß。example/é")
def test_whatever_is_typed_is_invalid_or_read_alike_twice(text):
    for url in (text, f"https://{text}", f"https://mcp.example/{text}"):
        with contextlib.suppress(Blocked):
            split = split_url(url)
            assert split_url(split.url) == split
            assert split.url.isascii()


def test_origins_are_compared_by_what_they_mean():
    assert origin_of("https://MCP.example/a?b") == "https://mcp.example:443"
    assert is_same_origin("https://mcp.example/sse", "https://MCP.example.:443/message?session=1")
    assert not is_same_origin("https://mcp.example/", "https://mcp.example:8443/")
    assert not is_same_origin("https://mcp.example/", "http://mcp.example:443/")
    assert not is_same_origin("nonsense", "nonsense")
