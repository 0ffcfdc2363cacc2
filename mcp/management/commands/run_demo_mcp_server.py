import argparse
import ipaddress
import json
import signal
import threading

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from mcp.demo.demo_server import HOST, PORT, SLUG, DemoServer


class Command(BaseCommand):
    help = """Run a small MCP server on this machine, with a few harmless tools, until Ctrl-C.

The demo shop lists it, so that one can see a check of the registry succeed. It speaks both eras of the protocol,
keeps nothing, reaches nothing, and listens on this machine only.

examples:
  manage.py run_demo_mcp_server
  manage.py run_demo_mcp_server --check     and have the registry check it once it runs
  manage.py run_demo_mcp_server --port 0    on any free port, which it prints

exit status: 0 it was stopped, 1 the port is in use, 2 wrong use"""
    requires_system_checks = []

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument(
            "--host", type=_read_host, default=HOST, help=f"an address of this machine (default {HOST})"
        )
        parser.add_argument("--port", type=_read_port, default=PORT, help=f"default {PORT}")
        parser.add_argument("--check", action="store_true", help="have the registry of the demo shop check it")
        parser.add_argument("--json", action="store_true", help="print the address as JSON")

    def handle(self, *args, host, port, **options):
        try:
            server = DemoServer(host=host, port=port)
        except OSError as error:
            raise CommandError(f"{host}:{port} cannot be used: {error.strerror}. Choose another --port") from None
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        with server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
            thread.start()
            endpoint = server.endpoint
            self.stdout.write(json.dumps({"endpoint": endpoint}) if options["json"] else f"demo server on {endpoint}")
            self.stdout.flush()
            if options["check"]:
                self.check_it(endpoint)
            stopped.wait()
            server.shutdown()
            thread.join()

    def check_it(self, endpoint: str) -> None:
        """Whatever comes of it, the server stays: the page can be asked to check again."""
        try:
            call_command("check_mcp_servers", SLUG, stdout=self.stdout)
        except (CommandError, DatabaseError) as error:
            self.stderr.write(f"{endpoint} could not be checked: {error}")


def _read_host(text: str) -> str:
    host = HOST if text == "localhost" else text
    try:
        is_here = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise argparse.ArgumentTypeError(f"{text} is not this machine alone; it listens on 127.0.0.1 only")
    return host


def _read_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return int(text)
