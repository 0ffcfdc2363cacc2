"""How long `prompts/get` takes beside a bare Django view of JSON, both behind the same middleware in the same process.

    .venv/bin/python scripts/measure_mcp.py [--calls 3000]

Makes a database of its own (a file in a temporary folder; with DATABASE_URL that one, which must be empty or a
measured one), gives somebody fifty prompts, and asks the site by turns over WSGI and over HTTP on loopback. Prints
milliseconds.
"""

import argparse
import http.client
import io
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

ROOT = Path(__file__).resolve().parent.parent
BARE, MCP = "/bare.json", "/mcp"
CALLS_BEFORE = 100  # that warm everything up and do not count


def prepare(folder: str) -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/prompt_management.db")
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        "SECRET_KEY": "only-for-measuring",
        "ALLOWED_HOSTS": "localhost",
        "STATIC_ROOT": folder,
        "EMAIL_URL": "dummymail://",
        "BACKGROUND_THREADS": "0",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }
    Path(folder, "staticfiles.json").write_text('{"version": "1.1", "paths": {}, "hash": ""}')
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)


def add_bare_view() -> None:
    from django.contrib.auth.decorators import login_not_required
    from django.http import JsonResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt

    from marketplace.urls import urlpatterns

    def bare(request):
        return JsonResponse({"jsonrpc": "2.0", "id": 1, "result": {}})

    urlpatterns.append(path(BARE[1:], csrf_exempt(login_not_required(bare))))


def make_owner() -> tuple[dict, str]:
    """The message to send, and the token."""
    from django.utils import timezone

    from accounts.models import User
    from accounts.tokens import make_token
    from mcp.serving.owned_prompts import list_owned
    from tests.factories import make_prompt, make_purchase, make_user

    text = "{{독자}}에게 {{주제}}를 설명하세요.\n" + "어려운 말은 쓰지 말고, 예를 하나 드세요.\n" * 60
    owner = make_user(email=f"measured-{time.time_ns()}@example.com")
    for number in range(50):
        prompt = make_prompt(slug=f"measured-{time.time_ns()}", title=f"Measured {number}", prompt_text=text)
        make_purchase(buyer=owner, prompt=prompt, is_open=True)
    token = make_token(user=User.objects.get(pk=owner.pk), name="measured", now=timezone.now())[1]
    name = list_owned(user=owner, now=timezone.now())[0][25].name
    params = {"name": name, "arguments": {"독자": "신입 사원", "주제": "연차"}}
    return {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": params}, token


def lift_limits() -> None:
    """The counting stays; only the limit is out of the way."""
    from mcp.serving import endpoint

    endpoint.CALLS_PER_MINUTE = endpoint.CALLS_OF_ADDRESS = 10**9


def ask_over_wsgi(application, body: bytes, headers: dict[str, str]):
    def ask(path: str) -> bytes:
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "CONTENT_TYPE": headers["Content-Type"],
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": headers["Authorization"],
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        answer = application(environ, lambda status, headers, error=None: None)
        try:
            return b"".join(answer)
        finally:
            answer.close()

    return ask


def ask_over_http(port: int, body: bytes, headers: dict[str, str]):
    def ask(path: str) -> bytes:
        connection = http.client.HTTPConnection("localhost", port, timeout=60)
        connection.request("POST", path, body, headers)
        content = connection.getresponse().read()
        connection.close()
        return content

    return ask


def measure(ask, calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call, the two by turns so that both meet the same machine."""
    taken: dict[str, list[float]] = {BARE: [], MCP: []}
    for number in range(-CALLS_BEFORE, calls):
        for path, times in taken.items():
            begin = time.perf_counter()
            answer = json.loads(ask(path))
            if number >= 0:
                times.append((time.perf_counter() - begin) * 1_000)
            if "result" not in answer:
                sys.exit(f"{path} answered {answer}")
    return taken


def tell(way: str, taken: dict[str, list[float]]) -> None:
    cuts = {path: statistics.quantiles(times, n=100) for path, times in taken.items()}
    for label, place in (("p50", 49), ("p99", 98)):
        bare, ours = cuts[BARE][place], cuts[MCP][place]
        print(f"{way:<6} {label}   bare {bare:7.3f} ms   prompts/get {ours:7.3f} ms   ratio {ours / bare:5.2f}")


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=3_000)
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        add_bare_view()
        message, token = make_owner()
        lift_limits()
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application
        from django.db import connection

        application = get_wsgi_application()
        body = json.dumps(message).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        print(f"{connection.vendor}, {'with' if settings.REDIS_URL else 'without'} Redis, {calls} calls of each")
        tell("WSGI", measure(ask_over_wsgi(application, body, headers), calls))
        server = WSGIServer(("127.0.0.1", 0), QuietHandler)
        server.set_app(application)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tell("HTTP", measure(ask_over_http(server.server_port, body, headers), calls))
        server.shutdown()


if __name__ == "__main__":
    main()
