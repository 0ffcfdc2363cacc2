"""Attempts to make the outbound client connect into our own network: whatever is tried, nobody is connected to.

`OPEN_PORTS` holds the port of the listener here, so that it is the address that stops an attempt and not the port.
"""

import itertools
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import pytest

from marketplace import web_addresses
from marketplace.outbound import Blocked, Failed, OutboundClient, is_same_origin
from tests.marketplace.rude_server import Canary, RudeServer, answer

PUBLIC = "93.184.215.14"


def words(text):
    return text.split()


LOOPBACK_SPELLINGS = words("""
127.0.0.1 127.0.0.1. 127.1 127.0.1 127.1. 127.255.255.254 127.000.000.001 00127.0.0.1 0177.0.0.1 0177.0.0.01
0177.1
017700000001 2130706433 4294967295 0x7f000001 0x7F000001 0x7f.0.0.1 0x7f.0x0.0x0.0x1 0x7f.1 0x7f.0x1 0.0.0.0 0
0x0 00 0.0
１２７.0.0.1 ①②⑦.⓪.⓪.① 127。0。0。1 127．0．0．1 127｡0｡0｡1 ２１３０７０６４３３ 127\u00ad.0.0.1 ⑫7.0.0.1
localhost LOCALHOST localhost. ⓛⓞⓒⓐⓛⓗⓞⓢⓣ
[::1] [::] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0.0.0.1]
[::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] [::ffff:0.0.0.0] [::127.0.0.1] [::7f00:1]
[::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::127.0.0.1] [2002:7f00:1::]
[2002:7f00:0001::1]
[2001:0:5db8:d70e:0:0:80ff:fffe] [fe80::1] [fe80::1%25lo] [fe80::1%lo] [::1%25lo]
""")

SPECIAL_ADDRESSES = words("""
127.0.0.1 127.8.8.8 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1
169.254.169.254 169.254.0.1
100.64.0.1 100.100.100.200 168.63.129.16 192.0.0.8 192.0.0.9 192.0.0.170 192.0.0.192 192.0.2.1 192.88.99.1
198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 224.0.0.251 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:93.184.215.14 ::ffff:0:10.0.0.1
64:ff9b::10.0.0.1
64:ff9b::93.184.215.14 64:ff9b:1::10.0.0.1 100::1 2001::1 2001:0:5db8:d70e::f5ff:fffe 2001:2::1 2001:10::1
2001:20::1 2001:db8::1
2002:a00:1:: 2002:a9fe:a9fe::1 3fff::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::1%1
fec0::1 ff02::1 ff05::2
""")

CONFUSING_URLS = [
    "https://user@127.0.0.1:{port}/",
    "https://public.example@127.0.0.1:{port}/",
    "https://public.example:443@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}@public.example/",
    "https://127.0.0.1:{port}#@public.example/",
    "https://public.example#@127.0.0.1:{port}/",
    "https://public.example?@127.0.0.1:{port}#/",
    "https://public.example\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@public.example/",
    "https://127.0.0.1:{port}\\.public.example/",
    "https://[::1]:{port}@public.example/",
    "https://127.0.0.1:{port}:443/",
    "https://127.0.0.1 :{port}/",
    "https:// 127.0.0.1:{port}/",
    "https://127.0.0.1\t:{port}/",
    "https://127.0.0.1\r\nHost: public.example\r\n:{port}/",
    "https://127.0.0.1%00.public.example:{port}/",
    "https://127.0.0.1\x00.public.example:{port}/",
    "https://127.0.0.1%2f.public.example:{port}/",
    "https://127.0.0.1%23.public.example:{port}/",
    "https://%31%32%37.0.0.1:{port}/",
    "https://127.0.0.1;public.example:{port}/",
    "https://127.0.0.1,public.example:{port}/",
    "https:/127.0.0.1:{port}/",
    "https:127.0.0.1:{port}/",
    "https:///127.0.0.1:{port}/",
    "https://\\127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/",
    "http://public.example:{port}/",
    "ws://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "file:///etc/passwd",
    "file://127.0.0.1:{port}/etc/passwd",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "url:https://127.0.0.1:{port}/",
    " https://127.0.0.1:{port}/",
    "ht\ntps://127.0.0.1:{port}/",
]


@pytest.fixture
def canary(monkeypatch):
    with Canary() as canary:
        monkeypatch.setattr(web_addresses, "OPEN_PORTS", web_addresses.OPEN_PORTS | {canary.port})
        yield canary


@pytest.fixture
def attempts(monkeypatch):
    """Every address that anything tries to connect to; what is not on this machine is refused before it leaves."""
    attempts = []
    connect = socket.socket.connect

    def connect_and_tell(self, place):
        attempts.append(place[0])
        return connect(self, place)

    monkeypatch.setattr(socket.socket, "connect", connect_and_tell)
    return attempts


@pytest.fixture
def resolve_to(monkeypatch):
    """resolve_to([…], […]): what the first look-up of any name answers, the second, and then the last for ever."""

    def resolve_to(*answers):
        coming = itertools.chain(answers, itertools.repeat(answers[-1]))

        def look_up(host, port, **_options):
            return [
                (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
                if ":" in address
                else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in next(coming)
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return resolve_to


def ask(url, **options):
    with OutboundClient(**options) as client, client.request("POST", url, body=b"{}") as answer:
        return answer.read()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_listener_would_notice(host, canary, attempts):
    """The same attempt as below, with this machine allowed."""
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(ask, f"https://{host}:{canary.port}/", allow_networks=["127.0.0.0/8", "::1"])
        canary.wait().close()
        with pytest.raises(Failed):
            attempt.result()
    assert "127.0.0.1" in attempts


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_no_spelling_of_an_address_of_this_machine_is_connected_to(host, canary, attempts):
    with pytest.raises(Blocked):
        ask(f"https://{host}:{canary.port}/")
    assert attempts == []
    assert canary.is_silent()


@pytest.mark.parametrize("url", CONFUSING_URLS)
def test_no_url_that_two_readers_understand_differently_is_connected_to(url, canary, attempts, resolve_to):
    resolve_to(["127.0.0.1"])
    with pytest.raises(Blocked):
        ask(url.format(port=canary.port))
    assert attempts == []
    assert canary.is_silent()


@pytest.mark.parametrize("address", SPECIAL_ADDRESSES)
def test_no_name_leads_to_an_address_that_is_not_public(address, canary, attempts, resolve_to):
    resolve_to([address])
    with pytest.raises(Blocked) as blocked:
        ask(f"https://innocent.example:{canary.port}/")
    assert blocked.value.kind == "blocked_address"
    assert address not in str(blocked.value)
    assert attempts == []
    assert canary.is_silent()


@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        ["2606:4700::1111", PUBLIC, "::ffff:127.0.0.1"],
        [*[PUBLIC] * 20, "127.0.0.1"],
    ],
)
def test_one_address_that_is_not_public_spoils_them_all(addresses, canary, attempts, resolve_to):
    resolve_to(addresses)
    with pytest.raises(Blocked):
        ask(f"https://innocent.example:{canary.port}/")
    assert attempts == []
    assert canary.is_silent()


def test_the_address_that_was_judged_is_the_one_connected_to(canary, attempts, resolve_to):
    """A name that answers with a public address while it is looked at, and with ours from then on."""
    resolve_to([PUBLIC], ["127.0.0.1"])
    with OutboundClient() as client:
        with pytest.raises(Failed):  # tests reach no public address
            client.request("POST", f"https://rebinding.example:{canary.port}/")
        with pytest.raises(Blocked):
            client.request("POST", f"https://rebinding.example:{canary.port}/")
    assert attempts == [PUBLIC]
    assert canary.is_silent()


def test_a_connection_that_ends_up_elsewhere_is_left_before_a_byte_is_sent(canary, attempts, resolve_to, monkeypatch):
    resolve_to([PUBLIC])
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: connect(self, ("127.0.0.1", canary.port)))
    with pytest.raises(Blocked) as blocked:
        ask(f"https://innocent.example:{canary.port}/")
    assert blocked.value.kind == "blocked_address"
    with canary.wait() as connection:
        assert connection.recv(1) == b""


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("http://127.0.0.1:{port}/", "127.0.0.1"),
        ("https://127.0.0.1:{port}/", "127.0.0.1"),
        ("//127.0.0.1:{port}/", "127.0.0.1"),
        ("http://localhost:{port}/", "localhost"),
        ("http://[::1]:{port}/", "::1"),
        ("http://2130706433:{port}/", ""),
        ("http://user@127.0.0.1:{port}/", ""),
        ("\\\\127.0.0.1:{port}/", ""),
        ("gopher://127.0.0.1:{port}/", ""),
    ],
)
def test_no_redirect_leads_to_another_origin(status, location, host, canary, attempts):
    """Both stand in an allowed network, so that only the rule about redirects keeps the second from being asked."""
    location = location.format(port=canary.port)

    def redirect(connection, server):
        server.read_request(connection)
        connection.sendall(answer(status=status, headers=f"Location: {location}\r\n"))

    with RudeServer(redirect) as server, pytest.raises(Failed) as failed:
        ask(server.url, allow_networks=["127.0.0.0/8", "::1"])
    assert (failed.value.kind, failed.value.host) == ("redirect", host)
    assert attempts == ["127.0.0.1"]
    assert canary.is_silent()


def test_a_redirect_to_the_same_origin_is_judged_anew(canary, attempts, resolve_to):
    resolve_to(["127.0.0.1"], ["127.0.0.2"])

    def redirect(connection, server):
        server.read_request(connection)
        connection.sendall(answer(status="307 Temporary", headers="Location: /elsewhere\r\nConnection: close\r\n"))

    with RudeServer(redirect) as server, pytest.raises(Blocked):
        ask(f"http://rebinding.example:{server.port}/", allow_networks=["127.0.0.1"])
    assert attempts == ["127.0.0.1"]


@pytest.mark.parametrize(
    "data",
    [
        "https://127.0.0.1/message",
        "http://mcp.example/message",
        "http://mcp.example:443/message",
        "https://mcp.example:8443/message",
        "https://mcp.example.evil.example/message",
        "https://mcp.example@evil.example/message",
        "https://user@mcp.example/message",
        "//127.0.0.1/message",
        "\\\\127.0.0.1\\message",
        "/\\127.0.0.1/message",
        "https:\\\\127.0.0.1/message",
        "https://[::1/message",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://xn--mcp.example/message",
    ],
)
def test_no_address_that_a_server_names_is_of_its_origin_by_a_trick(data):
    """How a caller treats addresses that come in an answer, such as the `endpoint` event of a stream."""
    try:
        named = urljoin("https://mcp.example/sse", data)
    except ValueError:
        named = data
    assert not is_same_origin("https://mcp.example/sse", named)


@pytest.mark.parametrize("data", ["message", "/message?session=1", "?session=1", "https://MCP.example:443/message", ""])
def test_addresses_of_its_own_origin_are(data):
    assert is_same_origin("https://mcp.example/sse", urljoin("https://mcp.example/sse", data))
