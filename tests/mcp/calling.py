"""A process that asks the shop's MCP address as often as it can; `test_endpoint_at_once.py` starts several.

python -m tests.mcp.calling prepare                    makes the database and prints a token
python -m tests.mcp.calling call TOKEN CALLS LIMIT     prints status and Retry-After of each answer
"""

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.tokens import make_token  # noqa: E402
from mcp.serving import endpoint  # noqa: E402
from tests.factories import NOON, make_user  # noqa: E402
from tests.mcp.shop_calls import Caller  # noqa: E402


def prepare() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    print(json.dumps(make_token(user=make_user(), name="laptop", now=NOON)[1]))


class StandingClock:
    @staticmethod
    def now():
        return NOON + timedelta(seconds=18)


def call(token: str, calls: int, limit: int) -> None:
    endpoint.timezone, endpoint.CALLS_PER_MINUTE = StandingClock, limit
    caller = Caller(token, SERVER_NAME="localhost")
    caller.post("ping", headers={"Authorization": "Basic x"})  # everything is loaded, and nothing is counted
    print("ready", flush=True)
    sys.stdin.readline()
    answers = [caller.post("ping") for _ in range(calls)]
    print(json.dumps([(answer.status_code, answer.headers.get("Retry-After")) for answer in answers]))


if __name__ == "__main__":
    prepare() if sys.argv[1] == "prepare" else call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
