"""The stand-in over HTTP, in a process of its own: the shop's API, the buyer's pages and the tests' control.

`python -m tests.toss.server [--port 8900] [--client-key ... --secret-key ...]` prints one line of JSON with its
address and keys when it is ready. It ends on SIGTERM, on Ctrl+C, and when whoever holds its standard input is gone.
Standard library only, and nothing of the shop: it listens on 127.0.0.1 and trusts everybody there.
"""

import argparse
import json
import os
import signal
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.toss import pages
from tests.toss.control import Control
from tests.toss.errors import SdkError, TossError
from tests.toss.faults import Reply, reset_connection

LARGEST_BODY = 1_000_000
HTML = "text/html;charset=UTF-8"
SCRIPT = "text/javascript;charset=UTF-8"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "600",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120  # an idle connection
    server: "Server"

    def do_GET(self):
        self._answer(b"")

    def do_OPTIONS(self):
        self._answer(b"")

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            return self._send(Reply(413, b"", "text/plain"))
        return self._answer(self.rfile.read(int(length)))

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _answer(self, body: bytes) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/v1/"):
            api = self.server.control.api
            reply = api.handle(self.command, self.path, dict(self.headers), body)
            try:
                self._send(reply)
            finally:
                api.webhooks.release(reply.messages)
        elif path.startswith("/control/"):
            self._send(self._control(path.removeprefix("/control/"), body))
        else:
            self._send(self._page(path, body))

    def _control(self, name: str, body: bytes) -> Reply:
        """200 with `{"result": ...}`, or 400 with `{"error": ...}`: the caller is a test, which is told all."""
        method = getattr(self.server.control, name, None)
        if self.command != "POST" or name.startswith("_") or not callable(method):
            return _json(404, {"error": f"no such control: {name}"})
        try:
            return _json(200, {"result": method(**json.loads(body or b"{}"))})
        except (TossError, SdkError, ValueError, TypeError, KeyError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})

    def _page(self, path: str, body: bytes) -> Reply:
        control = self.server.control
        match self.command, path.strip("/").split("/"):
            case "GET", ["v2", "standard"]:
                return Reply(200, pages.SDK_SCRIPT, SCRIPT, {"Cache-Control": "no-store"})
            case "GET", ["page.js"]:
                return Reply(200, pages.PAGE_SCRIPT, SCRIPT, {"Cache-Control": "no-store"})
            case "OPTIONS", ["sdk", "payments"]:
                return Reply(204, b"", "text/plain", CORS)
            case "POST", ["sdk", "payments"]:
                return self._open(control, body)
            case "GET" | "POST", ["window", payment_key] if payment_key in control.engine.payments:
                return self._window(control, payment_key, body)
            case "GET", ["widgets", name] if page := pages.frame_page(name):
                return Reply(200, page, HTML)
            case "GET", ["receipt"]:
                return Reply(200, "<!doctype html><title>영수증</title><h1>시험 영수증</h1>".encode(), HTML)
            case "GET", ["favicon.ico"]:
                return Reply(204, b"", "image/x-icon")
            case _:
                return Reply(404, b"", "text/plain")

    def _open(self, control: Control, body: bytes) -> Reply:
        try:
            reply = _json(200, pages.open_from_browser(control.engine, json.loads(body)))
        except SdkError as error:
            reply = _json(400, {"code": error.code, "message": error.message})
        except (ValueError, AttributeError, TypeError):
            reply = _json(400, {"code": "INVALID_PARAMETERS", "message": "INVALID_PARAMETERS"})
        reply.headers = CORS
        return reply

    def _window(self, control: Control, payment_key: str, body: bytes) -> Reply:
        payment = control.engine.payments[payment_key]
        with control.engine.lock:
            control.engine.look_up(shop=payment.shop, payment_key=payment_key)  # expires what is over
            if self.command == "GET":
                is_framed = "framed=1" in urlsplit(self.path).query
                return Reply(200, pages.window_page(payment, is_framed=is_framed), HTML, {"Cache-Control": "no-store"})
            form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
            is_framed = form.get("framed") == "1"
            try:
                url = pages.leave_window(
                    control.engine, payment, action=form.get("action", ""), method=form.get("method", "")
                )
            except TossError:
                return Reply(409, pages.window_page(payment, is_framed=is_framed), HTML)
        return Reply(200, pages.leaving_page(url), HTML) if is_framed else Reply(303, b"", HTML, {"Location": url})

    def _send(self, reply: Reply) -> None:
        if reply.fate in ("drop", "reset"):
            self.close_connection = True
            if reply.fate == "reset":
                reset_connection(self.connection)
            return
        self.send_response_only(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if reply.fate == "cut":
            self.close_connection = True
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.fate == "cut" else reply.body)
        self.wfile.flush()

    def log_message(self, *args):
        """Quiet: `control.requests` tells what was asked."""


def _json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", port), Handler)
        self.control = Control()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.control.engine.base_url = self.url

    def handle_error(self, request, client_address):
        """Callers that went away are everyday; anything else is a fault of ours and shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for the payment provider, for tests.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--client-key", help="a pair to know besides its own")
    parser.add_argument("--secret-key")
    options = parser.parse_args()

    server = Server(options.port)
    if options.client_key or options.secret_key:
        server.control.engine.add_shop(options.client_key or "", options.secret_key or "", is_first=True)
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    if _stdin_can_close():
        threading.Thread(target=lambda: (_read_to_the_end(), ended.set()), daemon=True).start()
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    shops = [{"client_key": shop.client_key, "secret_key": shop.secret_key} for shop in server.control.engine.shops]
    print(json.dumps({"url": server.url, "sdk_url": f"{server.url}/v2/standard", "shops": shops}), flush=True)
    ended.wait()
    server.shutdown()
    server.server_close()


def _stdin_can_close() -> bool:
    """A pipe, a socket or a terminal: not /dev/null, which is at its end from the start."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)


def _read_to_the_end() -> None:
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()
