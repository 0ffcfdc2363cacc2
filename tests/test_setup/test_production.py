"""The steps of docs/production.md, done: settings, preparation, and the very server command that stands there."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "right-and-long-enough"

pytestmark = pytest.mark.slow


def read_server_command() -> list[str]:
    """The words of the gunicorn command in the document."""
    text = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    return shlex.split(re.search(r"^\.venv/bin/gunicorn (?:.*\\\n)*.*$", text, re.MULTILINE)[0].replace("\\\n", " "))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """`site.get(path)` as a proxy would ask, `site.url`; a database, static files and a server of its own."""
    folder = tmp_path_factory.mktemp("production")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SECRET_KEY": "a-key-of-this-test-and-nothing-else-0123456789",
        "SITE_URL": "https://shop.example",
        "ALLOWED_HOSTS": "shop.example",
        "TRUSTED_PROXY_COUNT": "1",
        "TOSS_SANDBOX": "1",
        "DATABASE_URL": f"sqlite:///{folder}/prompt_management.db",
        "STATIC_ROOT": str(folder / "static"),
        "MEDIA_ROOT": str(folder / "media"),
        "PRIVATE_ROOT": str(folder / "private"),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    for step in [
        ["migrate", "--verbosity", "0"],
        ["createcachetable"],
        ["collectstatic", "--noinput", "--verbosity", "0"],
        ["createsuperuser", "--noinput", "--email", "staff@shop.example"],
    ]:
        subprocess.run([sys.executable, "manage.py", *step], cwd=ROOT, env=environment, check=True)

    command = read_server_command()
    command[0] = str(Path(sys.executable).parent / "gunicorn")
    command[command.index("--bind") + 1] = address
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        session = requests.Session()
        session.headers.update(
            {
                "Host": "shop.example",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-For": "203.0.113.9",
                "Accept-Encoding": "br, gzip",
            }
        )

        def get(path, **options):
            return session.get(f"http://{address}{path}", allow_redirects=False, timeout=30, **options)

        for _ in range(150):
            try:
                get("/healthz")
                break
            except requests.ConnectionError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield SimpleNamespace(get=get, url=f"http://{address}", session=session)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=40)


def test_the_site_is_ready(site):
    answer = site.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "migrations": "ok", "cache": "ok"})


def test_a_page_comes_with_the_headers_of_a_shop(site):
    answer = site.get("/")

    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert int(re.search(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])[1]) >= 31_536_000
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_plain_http_is_sent_to_https(site):
    answer = site.get("/prompts/", headers={"X-Forwarded-Proto": "http"})

    assert (answer.status_code, answer.headers["Location"]) == (301, "https://shop.example/prompts/")


def test_another_host_is_refused(site):
    assert site.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_style_sheets_have_hashed_names_are_compressed_and_kept_for_ever(site):
    addresses = re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="([^"]+)"', site.get("/").text)

    assert addresses != []
    for address in addresses:
        assert re.search(r"\.[0-9a-f]{12}\.css$", address), address
        answer = site.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert len(answer.content) < 1_000 or answer.headers["Content-Encoding"] in ("br", "gzip")


def test_cookies_stay_on_https(site):
    cookies = site.get("/accounts/login/").headers["Set-Cookie"]

    assert "csrftoken=" in cookies
    assert "; Secure" in cookies


def test_wrong_passwords_are_counted_by_all_processes_together(site):
    """Each request is a connection of its own, so the workers share them; counts of their own would stay small."""
    page = site.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    cookie = re.search(r"csrftoken=(\w+)", page.headers["Set-Cookie"])[1]

    def sign_in(password):
        form = {"csrfmiddlewaretoken": token, "login": "staff@shop.example", "password": password}
        headers = dict(site.session.headers) | {
            "Cookie": f"csrftoken={cookie}",
            "Referer": "https://shop.example/accounts/login/",
            "Connection": "close",
        }
        return requests.post(
            f"{site.url}/accounts/login/", data=form, headers=headers, allow_redirects=False, timeout=30
        )

    assert sign_in(PASSWORD).status_code == 302
    for attempt in range(6):
        assert sign_in(f"wrong-{attempt}").status_code != 302

    assert sign_in(PASSWORD).status_code != 302
