"""The outbound client against servers that answer well, badly, too slowly, too much or never."""

import contextlib
import datetime
import gzip
import ipaddress
import socket
import ssl
import struct
import threading
import time
import tracemalloc

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from marketplace import guarded_sockets
from marketplace.outbound import Failed, Limits, OutboundClient
from tests.marketplace.rude_server import Canary, RudeServer, answer, fields_of

LOOPBACK = ["127.0.0.0/8"]
SHORT = Limits(deadline_s=0.5)
SOON_S = 15  # far later than the deadline, for a busy machine, and far sooner than what drips would end


def open_client(limits=None):
    return OutboundClient(limits=limits, allow_networks=LOOPBACK)


def ask(server, *, limits=None, method="POST", headers=None, body=b"{}"):
    with open_client(limits) as client, client.request(method, server.url, headers=headers, body=body) as answer:
        return answer.read()


def replies(*pieces):
    """A server that reads one request after another and sends the same pieces as an answer to each."""

    def reply(connection, server):
        while server.read_request(connection):
            for piece in pieces:
                connection.sendall(piece)

    return RudeServer(reply)


def replies_once(*pieces):
    """The same, and the connection ends with the answer."""

    def reply(connection, server):
        server.read_request(connection)
        for piece in pieces:
            connection.sendall(piece)

    return RudeServer(reply)


def drips(before: bytes, drip: bytes, *, every_s: float = 0.02):
    """A server that goes on sending `drip` until the test is over."""

    def reply(connection, server):
        server.read_request(connection)
        connection.sendall(before)
        while not server.stopped.wait(every_s):
            connection.sendall(drip)

    return RudeServer(reply)


# What is asked, and what comes back


def test_an_answer_comes_as_it_was_sent():
    with (
        replies(answer(b"hello", status="404 Not Found", headers="X-Seen: yes\r\n")) as server,
        open_client() as client,
    ):
        got = client.request("GET", f"{server.url}path?query=1")
        assert (got.status, got.headers["x-seen"], got.url) == (404, "yes", f"{server.url}path?query=1")
        assert got.read() == b"hello"
    assert server.heads[0].startswith("GET /path?query=1 HTTP/1.1\r\n")


def test_requests_say_who_asks_and_take_nothing_compressed():
    with replies(answer()) as server:
        ask(server, headers={"X-Key": "비밀"}, body=b"12345")
    sent = dict(fields_of(server.heads[0]))
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert sent["accept-encoding"] == "identity"
    assert sent["content-length"] == "5"
    assert sent["x-key"].encode("latin-1").decode() == "비밀"
    assert "http" in sent["user-agent"]


def test_headers_that_a_stranger_typed_do_not_change_how_a_request_is_sent():
    with replies(answer()) as server:
        ask(server, headers={"Host": "evil", "content-length": "0", "Transfer-Encoding": "chunked", "Expect": "x"})
    sent = fields_of(server.heads[0])
    assert ["host", f"127.0.0.1:{server.port}"] in sent
    assert ["content-length", "2"] in sent
    assert {"transfer-encoding", "expect"}.isdisjoint(dict(sent))
    assert len(sent) == len(dict(sent))


@pytest.mark.parametrize("headers", [{"X-Key": "a\r\nX-Other: b"}, {"X Key\n": "a"}, {"X-Key": "\ud800"}])
def test_a_header_that_cannot_be_sent_is_a_failure_that_does_not_repeat_it(headers):
    with replies(answer()) as server, pytest.raises(Failed) as failed:
        ask(server, headers=headers)
    assert failed.value.reason == "a header of the request cannot be sent"
    assert server.heads == []


def test_several_requests_share_a_connection_and_no_cookie():
    with replies(answer(b"x", headers="Set-Cookie: session=1; Path=/\r\n")) as server, open_client() as client:
        for _time in range(3):
            assert client.request("POST", server.url, body=b"{}").read() == b"x"
    assert server.connection_count == 1
    assert "cookie" not in dict(fields_of(server.heads[-1]))


def test_the_environment_gives_neither_proxy_nor_password(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Canary() as proxy, replies(answer(b"direct")) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert ask(server) == b"direct"
        assert proxy.is_silent()
    assert "authorization" not in dict(fields_of(server.heads[0]))


def test_pieces_are_handed_over_as_they_arrive():
    taken = threading.Event()

    def reply(connection, server):
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nfirst")
        taken.wait(SOON_S)
        connection.sendall(b"second")

    with RudeServer(reply) as server, open_client() as client:
        pieces = client.request("GET", server.url).chunks()
        assert next(pieces) == b"first"
        taken.set()
        assert b"".join(pieces) == b"second"


def test_a_chunked_body_is_put_together():
    with replies(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n0\r\n\r\n"
    ) as server:
        assert ask(server) == b"abcde"


def test_a_stream_can_stay_open_while_others_are_asked():
    def reply(connection, server):
        if server.read_request(connection).startswith("GET"):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nstream")
            server.stopped.wait(SOON_S)
        else:
            connection.sendall(answer(b"answer"))

    with RudeServer(reply) as server, open_client() as client:
        stream = client.request("GET", server.url).chunks()
        assert next(stream) == b"stream"
        assert client.request("POST", server.url).read() == b"answer"


# Redirects


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_that_keeps_the_method_is_followed_once_on_the_same_origin(status):
    def reply(connection, server):
        while head := server.read_request(connection):
            if head.startswith("POST /there"):
                connection.sendall(answer(b"here"))
            else:
                connection.sendall(answer(b"moved", status=status, headers="Location: /there#part\r\n"))

    with RudeServer(reply) as server, open_client() as client:
        got = client.request("POST", server.url, body=b"{}", headers={"X-Key": "1"})
        assert (got.url, got.read()) == (f"{server.url}there", b"here")
    first, second = (fields_of(head) for head in server.heads)
    assert first == second
    assert ["x-key", "1"] in second
    assert ["content-length", "2"] in second


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
def test_a_redirect_that_changes_the_method_is_not_followed(status):
    with replies(answer(status=status, headers="Location: /there\r\n")) as server, pytest.raises(Failed) as failed:
        ask(server)
    assert (failed.value.kind, failed.value.host) == ("redirect", "127.0.0.1")
    assert len(server.heads) == 1


def test_a_circle_of_redirects_ends_after_one():
    with replies(answer(status="307 T", headers="Location: /\r\n")) as server, pytest.raises(Failed) as failed:
        ask(server)
    assert failed.value.kind == "redirect"
    assert len(server.heads) == 2


@pytest.mark.parametrize("headers", ["", "Location: http://[\r\n", "Location: data:text/plain,x\r\n"])
def test_a_redirect_to_no_address_is_not_followed(headers):
    with replies(answer(status="307 T", headers=headers)) as server, pytest.raises(Failed) as failed:
        ask(server)
    assert (failed.value.kind, failed.value.host) == ("redirect", "")


def test_the_body_of_a_redirect_is_not_read():
    with drips(
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Encoding: gzip\r\n\r\n", b"x" * 4096, every_s=0
    ) as server:
        with pytest.raises(Failed) as failed:
            ask(server)
        assert failed.value.kind == "redirect"


# Too slow


@pytest.mark.parametrize(
    ("before", "drip"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b": keep-alive\n\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 307 T\r\nLocation: /\r\n", b"X"),
    ],
)
def test_whoever_drips_is_left_at_the_deadline(before, drip):
    # Every 20 ms resets the timeout of a socket, and no drip here comes near a limit of bytes or headers in 0.5 s.
    with drips(before, drip) as server:
        started = time.monotonic()
        with pytest.raises(Failed) as failed:
            ask(server, limits=SHORT)
        assert time.monotonic() - started < SOON_S
    assert failed.value.kind == "timeout"


def test_whoever_takes_the_connection_and_says_nothing_is_left_at_the_deadline():
    with Canary() as listener, open_client(SHORT) as client, pytest.raises(Failed) as failed:
        client.request("GET", f"http://127.0.0.1:{listener.port}/")
    assert failed.value.kind == "timeout"


def test_whoever_does_not_begin_to_encrypt_is_left_at_the_deadline():
    with Canary() as listener, open_client(SHORT) as client, pytest.raises(Failed) as failed:
        client.request("GET", f"https://127.0.0.1:{listener.port}/")
    assert failed.value.kind == "timeout"


@pytest.mark.parametrize("taken", [0, 16 * 1024])
def test_whoever_does_not_read_or_hardly_reads_what_is_sent_is_left_at_the_deadline(taken):
    def sip(connection, server):
        while not server.stopped.wait(0.02):
            connection.recv(taken)

    with RudeServer(sip) as server:
        started = time.monotonic()
        with pytest.raises(Failed) as failed:
            ask(server, limits=SHORT, body=bytes(32 * 1024 * 1024))
        assert time.monotonic() - started < SOON_S
    assert failed.value.kind == "timeout"


def test_the_deadline_covers_several_requests_together():
    def ask_for_ever(client):
        while True:
            client.request("POST", server.url, body=b"{}").read()

    with replies(answer(b"x")) as server, open_client(SHORT) as client, pytest.raises(Failed) as failed:
        ask_for_ever(client)
    assert failed.value.kind == "timeout"


@pytest.mark.parametrize("connect_s", [0.0, 5.0])
def test_a_connection_that_is_not_taken_ends_in_a_timeout(connect_s, monkeypatch):
    asked = []

    def connect(self, place):
        asked.append(self.gettimeout())
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with open_client(Limits(connect_s=connect_s)) as client, pytest.raises(Failed) as failed:
        client.request("GET", "http://127.0.0.1/")
    assert failed.value.kind == "timeout"
    assert 0 < asked[0] <= max(connect_s, 0.001)


def test_every_address_of_a_name_gets_its_share_of_the_time(monkeypatch):
    asked = []

    def connect(self, place):
        asked.append((place[0], self.gettimeout()))
        raise ConnectionRefusedError

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number % 9}", 80)) for number in range(1, 40)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with open_client() as client, pytest.raises(Failed) as failed:
        client.request("GET", "http://many.example/")
    assert (failed.value.kind, failed.value.reason) == ("unreachable", "the connection was refused")
    assert [address for address, _timeout in asked] == ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert asked[0][1] <= Limits.connect_s / 4


class TestLookUp:
    """Names whose look-up hangs."""

    @pytest.fixture(autouse=True)
    def one_place(self, monkeypatch):
        """One look-up at a time, which hangs until the test is over."""
        self.asked = []
        over = threading.Event()

        def look_up(host, port, **_options):
            self.asked.append(host)
            over.wait(SOON_S)
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        monkeypatch.setattr(guarded_sockets, "LOOKUPS", threading.BoundedSemaphore(1))
        yield
        over.set()
        assert guarded_sockets.LOOKUPS.acquire(timeout=SOON_S)  # its thread is done with what is patched here

    def test_does_not_outlive_the_deadline_and_holds_a_bounded_number_of_threads(self):
        for host in ("first.example", "second.example"):
            with open_client(SHORT) as client, pytest.raises(Failed) as failed:
                client.request("GET", f"http://{host}/")
            assert failed.value.kind == "timeout"
        assert self.asked == ["first.example"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "nothing known"), UnicodeError("label too long")])
def test_a_name_that_nobody_knows_is_unreachable(error, monkeypatch):
    def look_up(*args, **options):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with OutboundClient() as client, pytest.raises(Failed) as failed:
        client.request("GET", "https://nobody.example/")
    assert (failed.value.kind, failed.value.reason) == ("unreachable", "the name of the host is not known")


def test_a_system_without_another_thread_is_a_failure_that_passes(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(guarded_sockets, "LOOKUPS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(threading.Thread, "start", start)
    with open_client() as client, pytest.raises(Failed) as failed:
        client.request("GET", "http://127.0.0.1/")
    assert failed.value.kind == "unreachable"
    assert guarded_sockets.LOOKUPS.acquire(blocking=False)


# Too much


ENDLESS = [
    (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"y" * 4096 + b"\r\nx\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: " + b"y" * 4096 + b"\r\n"),
    (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 4096 + b"\r\n"),
    (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
    (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096),
    (b"HTTP/1.1 200 ", b"y" * 4096),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
]


@pytest.mark.parametrize(("before", "flood"), ENDLESS)
def test_whoever_does_not_stop_is_left_with_memory_bounded(before, flood):
    limits = Limits(deadline_s=60, max_bytes=100_000)
    with drips(before, flood, every_s=0) as server:
        tracemalloc.start()
        try:
            with pytest.raises(Failed) as failed:
                ask(server, limits=limits)
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert failed.value.kind == "too_large"
    assert peak < 2_000_000


def test_a_body_of_just_the_limit_is_read_and_a_byte_more_is_not():
    limits = Limits(max_bytes=50_000)
    with replies(answer(b"x" * 50_000)) as server:
        assert len(ask(server, limits=limits)) == 50_000
    with replies_once(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 50_001) as server, pytest.raises(Failed) as failed:
        ask(server, limits=limits)
    assert failed.value.kind == "too_large"


def test_a_body_that_says_it_is_too_large_is_not_waited_for():
    with replies(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n") as server, pytest.raises(Failed) as failed:
        ask(server)
    assert failed.value.kind == "too_large"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_what_comes_compressed_stays_so(coding):
    bomb = gzip.compress(bytes(20_000_000))
    with replies(answer(bomb, headers=f"Content-Encoding: {coding}\r\n")) as server:
        assert ask(server) == bomb


# Broken


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", "unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "ended"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "ended"),
    ],
)
def test_a_connection_that_is_cut_fails_before_an_answer_or_within_it(sent, kind):
    got_head = threading.Event()

    def cut(connection, server):
        server.read_request(connection)
        connection.sendall(sent)
        if sent:  # a reset throws away what the client has not taken yet
            got_head.wait(SOON_S)
        reset(connection)

    def read(client):
        got = client.request("GET", server.url)
        got_head.set()
        return got.read()

    with RudeServer(cut) as server, open_client() as client, pytest.raises(Failed) as failed:
        read(client)
    assert failed.value.kind == kind


@pytest.mark.parametrize(
    ("sent", "kind", "reason"),
    [
        (b"", "unreachable", "it closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unreachable", "what answered does not speak HTTP"),
        (b"HTTP/1.1 OK\r\n\r\n", "unreachable", "what answered does not speak HTTP"),
        (b"HTTP/3.0 200 OK\r\n\r\n", "unreachable", "what answered does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "ended", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "ended", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "ended", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nabc", "unreachable", "its headers contradict each other"),
    ],
)
def test_an_answer_that_is_none_fails_by_name(sent, kind, reason):
    with replies_once(sent) as server, pytest.raises(Failed) as failed:
        ask(server)
    assert (failed.value.kind, failed.value.reason) == (kind, reason)


def test_a_port_that_nobody_listens_on_is_unreachable_and_the_reason_names_no_address():
    with Canary() as listener:
        url = f"http://127.0.0.1:{listener.port}/"
    with open_client() as client, pytest.raises(Failed) as failed:
        client.request("GET", url)
    assert str(failed.value) == "unreachable: the connection was refused"
    assert failed.value.__suppress_context__


# Connections end


@pytest.mark.parametrize("headers", ["", "Connection: close\r\n", "Content-Length: 100000\r\n"])
def test_leaving_closes_every_connection_whatever_was_read(headers):
    ended = threading.Event()

    def reply(connection, server):
        server.read_request(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{headers}\r\nx".encode())
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        ended.set()

    with RudeServer(reply) as server:
        with open_client() as client:
            client.request("GET", server.url)
        assert ended.wait(SOON_S)


def test_an_answer_that_is_closed_unread_takes_its_connection_along():
    with replies(answer(b"x" * 100)) as server, open_client() as client:
        for _time in range(2):
            client.request("GET", server.url).close()
    assert server.connection_count == 2


# Certificates


def make_certificate(folder, *, name="127.0.0.1", issuer=None):
    """A key and certificate for an address; self-signed without an issuer. Returns (certificate, key, path of both)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_certificate, issuer_key, _path = issuer or (None, key, None)
    now = datetime.datetime.now(datetime.UTC)
    alternative = x509.DNSName(name) if name.endswith("example") else x509.IPAddress(ipaddress.ip_address(name))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_certificate.subject if issuer_certificate else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    path = folder / f"{name}-{certificate.serial_number}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return certificate, key, path


def speaks_tls(path, body=b"sealed"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def reply(connection, server):
        server.read_request(connection)
        connection.sendall(answer(body))

    return RudeServer(reply, tls=context)


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """One that signs certificates, and the only one that is trusted."""
    authority = make_certificate(tmp_path, name="authority.example")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(authority[2]))
    return authority


def test_a_certificate_for_the_right_name_is_believed(tmp_path, authority, monkeypatch):
    _certificate, _key, path = make_certificate(tmp_path, name="mcp.example", issuer=authority)
    with speaks_tls(path) as server:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
        with open_client() as client:
            assert client.request("POST", f"https://mcp.example:{server.port}/", body=b"{}").read() == b"sealed"


def test_a_certificate_for_another_name_is_not(tmp_path, authority):
    _certificate, _key, path = make_certificate(tmp_path, name="mcp.example", issuer=authority)
    with speaks_tls(path) as server, pytest.raises(Failed) as failed:
        ask(server)
    assert (failed.value.kind, failed.value.reason) == ("tls_error", "its certificate could not be verified")
    assert server.heads == []


def test_a_certificate_that_signs_itself_is_not(tmp_path, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(make_certificate(tmp_path)[2]))
    _certificate, _key, path = make_certificate(tmp_path)
    with speaks_tls(path) as server, pytest.raises(Failed) as failed:
        ask(server)
    assert failed.value.kind == "tls_error"
    assert server.heads == []


def test_a_server_that_does_not_encrypt_where_it_should_is_a_tls_error():
    def reply(connection, server):
        connection.recv(65536)
        connection.sendall(answer(status="400 Bad Request"))
        connection.recv(65536)

    with RudeServer(reply) as server, open_client() as client, pytest.raises(Failed) as failed:
        client.request("GET", f"https://127.0.0.1:{server.port}/")
    assert failed.value.kind == "tls_error"


def test_a_large_body_over_tls_obeys_the_limits(tmp_path, authority):
    _certificate, _key, path = make_certificate(tmp_path, issuer=authority)
    with speaks_tls(path, b"x" * 300_000) as server:
        assert len(ask(server, limits=Limits(max_bytes=300_000))) == 300_000
        with pytest.raises(Failed) as failed:
            ask(server, limits=Limits(max_bytes=100_000))
    assert failed.value.kind == "too_large"
