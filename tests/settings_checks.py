"""For processes that check servers on loopback and on a real database. CHECK_DEADLINE_S: for what hangs."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

MCP_ALLOW_ADDRESSES = ["127.0.0.0/8"]
MCP_CHECK_DEADLINE_S = float(os.environ.get("CHECK_DEADLINE_S", "60"))  # so that no busy machine makes a miss
MCP_SLOW_MS = 600_000  # nor a slow server
# The tables as the models are now, made at once: what the migrations add besides is not needed here.
MIGRATION_MODULES = {name.rpartition(".")[2]: None for name in INSTALLED_APPS}
