"""The tests' side of the stand-in: starts its process and calls its control endpoints."""

import http.client
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30
WAITING_CALLS = ("await_held", "flush_webhooks", "deliver_webhooks", "send_webhook", "reset")


class StandInError(Exception):
    """The control endpoint refused: wrong arguments, or nothing that can happen in that state."""


class TossStandIn:
    """One running stand-in. `stop` it, or use it in a `with`; it also ends by itself when this process is gone.

    Every method of `control.Control` can be called on it, with keyword arguments:
    `toss.authorise(order_id="order-0001", amount=12900)` gives the paymentKey, `toss.books()` what was charged.
    A refusal raises StandInError. Threads and forked processes may share it.
    """

    def __init__(self, *, client_key: str = "", secret_key: str = ""):
        self.connection = None
        command = [sys.executable, "-m", "tests.toss.server"]
        if client_key:
            command += ["--client-key", client_key, "--secret-key", secret_key]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        watchdog = threading.Timer(START_TIMEOUT_S, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            self.stop()
            raise StandInError("the stand-in did not start")
        told = json.loads(line)
        self.url: str = told["url"]
        self.sdk_url: str = told["sdk_url"]
        self.shops: list[dict[str, str]] = told["shops"]
        self.lock = threading.Lock()
        self.connection = self._connect()
        self.pid = os.getpid()

    @property
    def client_key(self) -> str:
        """Of the first pair: the payment window's, unless another was given at the start."""
        return self.shops[0]["client_key"]

    @property
    def secret_key(self) -> str:
        return self.shops[0]["secret_key"]

    def pair_of(self, start: str) -> tuple[str, str]:
        """The first pair whose client key begins so: `test_gck_` is the order form's, `live_ck_` a live one."""
        return next((s["client_key"], s["secret_key"]) for s in self.shops if s["client_key"].startswith(start))

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda **arguments: self.call(name, **arguments)

    def call(self, name: str, **arguments):
        """Calls that wait for something get a connection of their own, so that other threads need not wait."""
        if name in WAITING_CALLS or os.getpid() != self.pid:  # a forked process must not share the connection
            connection = self._connect()
            try:
                return self._call(connection, name, arguments)
            finally:
                connection.close()
        with self.lock:
            return self._call(self.connection, name, arguments)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.url.removeprefix("http://").split(":")
        return http.client.HTTPConnection(host, int(port), timeout=60)

    @staticmethod
    def _call(connection: http.client.HTTPConnection, name: str, arguments: dict):
        body = json.dumps(arguments)
        try:
            connection.request("POST", f"/control/{name}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
        except ConnectionError:  # it was idle for too long; control calls have not happened then
            connection.close()
            connection.request("POST", f"/control/{name}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
        told = json.loads(answer.read())
        if answer.status != 200:
            raise StandInError(told["error"])
        return told["result"]

    def stop(self) -> None:
        """End the process; a second call does nothing."""
        if self.connection is not None:
            self.connection.close()
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=5)
        self.process.stdout.close()

    def __enter__(self) -> "TossStandIn":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
