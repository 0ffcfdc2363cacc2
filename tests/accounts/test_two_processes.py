"""Rate limits hold however many processes serve the site: two real servers on one SQLite file."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
TOO_MANY = "Too many attempts."
WRONG = "The e-mail address or the password is not right."

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """A fresh shop in debug, whose database, cache table and superuser exist."""
    folder = tmp_path_factory.mktemp("shop")
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        "DEBUG": "1",
        "DATABASE_URL": f"sqlite:///{folder}/shop.db",
        "DJANGO_SUPERUSER_PASSWORD": "long-enough-1",
        "LOG_LEVEL": "ERROR",
        "TRUSTED_PROXY_COUNT": "1",  # each test comes from an address of its own: ten failures a minute are its limit
    }
    for command in (["migrate"], ["createcachetable"], ["createsuperuser", "--noinput", "--email=boss@example.com"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "-v", "0"], cwd=ROOT, env=environment, check=True, timeout=120
        )
    return environment


@pytest.fixture(scope="module")
def servers(environment):
    """The addresses of two gunicorn processes with one worker each."""
    ports, processes = [_free_port(), _free_port()], []
    try:
        for port in ports:
            command = ["gunicorn", "marketplace.wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
            processes.append(subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment))
        addresses = [f"http://127.0.0.1:{port}" for port in ports]
        for address in addresses:
            _wait_for(address)
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if requests.get(f"{address}/readyz", timeout=30).ok:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline:
            pytest.fail(f"no server at {address} after {seconds} s")
        time.sleep(0.2)


def try_password(address: str, email: str, password: str, *, client: str) -> requests.Response:
    """One person's browser opens the login page of this process and sends it. client: its IP address."""
    browser = requests.Session()
    browser.headers.update({"Accept-Language": "en", "X-Forwarded-For": client})
    page = browser.get(f"{address}/accounts/login/", timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text.partition("<main")[2]).group(1)
    data = {"login": email, "password": password, "csrfmiddlewaretoken": token}
    answer = browser.post(f"{address}/accounts/login/", data=data, timeout=60, allow_redirects=False)
    browser.close()
    return answer


def test_wrong_passwords_are_counted_over_both_processes(servers):
    first, second = servers

    answers = [
        try_password((first, second)[n % 2], "nobody@example.com", f"wrong-password-{n}", client="203.0.113.1").text
        for n in range(7)
    ]

    assert [WRONG in answer for answer in answers] == [True] * 5 + [False] * 2
    assert [TOO_MANY in answer for answer in answers] == [False] * 5 + [True] * 2


def test_what_one_process_blocked_the_other_refuses_even_with_the_right_password(servers):
    first, second = servers
    allowed = try_password(second, "boss@example.com", "long-enough-1", client="203.0.113.2")
    for n in range(5):
        try_password(first, "boss@example.com", f"wrong-password-{n}", client="203.0.113.2")

    refused = try_password(second, "boss@example.com", "long-enough-1", client="203.0.113.2")

    assert allowed.status_code == 302
    assert (refused.status_code, TOO_MANY in refused.text) == (200, True)
