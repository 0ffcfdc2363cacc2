"""The server is killed while it writes down what the provider answered. Afterwards every won is accounted for."""

import http.client
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from urllib.parse import urlencode

import pytest

from tests.checkout.test_at_once import ROOT, shop_environment  # noqa: F401
from tests.toss.fixtures import toss, toss_process  # noqa: F401

CHARGES, RETURNS, REFUNDS = 25, 10, 15  # kills: after a charge, after one that must go back, after a refund
SEED = 20261122
CSRF = "x" * 32


class Server:
    """A gunicorn whose only worker can be killed; another one takes its place, as after a restart."""

    def __init__(self, environment):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        options = ["--config", "tests/checkout/serving.py", "--bind", f"fd://{self.listener.fileno()}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "marketplace.wsgi", *options],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            pass_fds=[self.listener.fileno()],
        )
        self.worker_pid = self._await_worker()

    def _await_worker(self) -> int:
        line = self.process.stdout.readline()
        assert line, "the server ended"
        return int(line)

    def send(self, method: str, path: str, session: str = "") -> http.client.HTTPConnection:
        """A request on its way, the answer not yet read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": f"csrftoken={CSRF}; sessionid={session}", "X-CSRFToken": CSRF}
        connection.request(method, path, headers=headers)
        return connection

    def kill(self) -> None:
        os.kill(self.worker_pid, signal.SIGKILL)
        self.worker_pid = self._await_worker()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        self.listener.close()


class Aftermath:
    """The tests' side of `aftermath.py`: its functions, called in its process."""

    def __init__(self, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.checkout.aftermath"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __getattr__(self, name):
        def call(*arguments):
            self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

        return call

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


@pytest.fixture
def aftermath(shop_environment):  # noqa: F811
    aftermath = Aftermath(shop_environment)
    yield aftermath
    aftermath.stop()


@pytest.fixture
def server(shop_environment):  # noqa: F811
    server = Server(shop_environment)
    yield server
    server.stop()


def return_address(toss, order) -> str:  # noqa: F811
    """Where the buyer of an order comes back to, having authorised it just now."""
    payment_key = toss.authorise(order_id=order["number"], amount=order["total_krw"])
    query = {"orderId": order["number"], "paymentKey": payment_key, "amount": order["total_krw"]}
    return f"{order['address']}?{urlencode(query)}"


def hold(toss, route: str, send) -> http.client.HTTPConnection:  # noqa: F811
    """Send a request to the server and wait until the provider has done what the server asked, and not yet said so."""
    toss.fault(kind="hold", on=route, executed=True)
    connection = send()
    assert toss.await_held()
    return connection


@pytest.mark.slow
def test_whatever_was_charged_before_the_server_died_is_delivered_or_given_back(aftermath, server, toss, tmp_path):  # noqa: F811
    dice = random.Random(SEED)
    orders = aftermath.prepare(CHARGES + RETURNS + REFUNDS)
    charged, called_off, refunded = orders[:CHARGES], orders[CHARGES : CHARGES + RETURNS], orders[-REFUNDS:]

    # Orders to be refunded are paid first, without a kill: so long a new worker takes from the answer to the end.
    spans_s = []
    for order in refunded:
        server.kill()
        address = return_address(toss, order)
        connection = hold(toss, "confirm", lambda address=address: server.send("GET", address))
        released_at = time.monotonic()
        toss.release()
        assert connection.getresponse().status == 302
        spans_s.append(time.monotonic() - released_at)
        connection.close()
    span_s = statistics.median(spans_s)
    print(f"seed {SEED}, from the provider's answer to ours {span_s * 1000:.1f} ms")

    def kill_soon(connection, longest_s: float) -> None:
        delay_s = dice.uniform(0, longest_s)
        toss.release()
        time.sleep(delay_s)
        server.kill()
        connection.close()
        delays_s.append(delay_s)

    delays_s = []
    for order in charged:
        address = return_address(toss, order)
        connection = hold(toss, "confirm", lambda address=address: server.send("GET", address))
        kill_soon(connection, span_s)
    for order in called_off:
        address = return_address(toss, order)
        connection = hold(toss, "confirm", lambda address=address: server.send("GET", address))
        aftermath.call_off(order["number"])
        kill_soon(connection, 2 * span_s)
    for order, slug in zip(refunded, dice.choices(["letters", "poems"], k=REFUNDS), strict=True):
        path, session = f"/library/{slug}/cancel/", order["session"]
        connection = hold(toss, "cancel", lambda path=path, session=session: server.send("POST", path, session=session))
        kill_soon(connection, span_s)
    print("killed after", " ".join(f"{delay_s * 1000:.1f}" for delay_s in delays_s), "ms")
    unfinished = aftermath.count_unfinished()
    print(f"{len(delays_s)} kills, {unfinished} left unfinished")
    assert len(delays_s) == CHARGES + RETURNS + REFUNDS
    assert unfinished > 0  # or no kill came in time

    told = aftermath.reconcile()

    assert (told["differences"], told["problems"]) == ([], [])
    report, books = aftermath.report(), toss.books()
    assert (report["unfinished"], report["unbalanced"]) == (0, 0)
    for order in orders:
        ours, theirs = report["orders"][order["number"]], books["orders"][order["number"]]
        assert theirs["charges"] == 1
        assert ours["balance_krw"] == ours["live_krw"] == ours["ledger_krw"] == theirs["held_krw"]
    assert {report["orders"][order["number"]]["status"] for order in charged} == {"paid"}
    assert {report["orders"][order["number"]]["status"] for order in called_off} == {"cancelled"}
    assert {report["orders"][order["number"]]["status"] for order in refunded} == {"partly_refunded"}
    assert report["sales"] == report["live"] == 2 * CHARGES + REFUNDS
    mails = "".join(file.read_text() for file in (tmp_path / "mail").iterdir())
    subjects = re.findall(r"^Subject: (.*)$", mails, re.MULTILINE)
    assert len(subjects) == len(set(subjects))  # each one names its order, and none went out twice
