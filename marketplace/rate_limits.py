"""How often one person or address may do what anybody may do. The limits stand in `settings.ACCOUNT_RATE_LIMITS`.

Counted by allauth in the shared cache, with its lock: one count for all processes, and one client address for all.
Reading is counted apart, and cheaper: `count_read`.
"""

import ipaddress
import time

from allauth.core import ratelimit
from django.core.cache import caches
from django.http import HttpRequest


def is_allowed(request: HttpRequest, action: str, *, key: str | None = None) -> bool:
    """Count one attempt. False when there were too many: the caller says so and does nothing else.

    action: a key of ACCOUNT_RATE_LIMITS. key: for limits per key, such as an address that mail would go to.
    """
    return ratelimit.consume(request, action=action, key=key)


def count_read(request: HttpRequest, action: str, *, per_minute: int) -> int:
    """Count one GET of an address. Seconds to wait when it asked more often than that in this minute, else 0.

    Reading must not write into the database, so the count stands in the cache `pages`: without Redis each process
    counts for itself, and the limit holds for each of them.
    """
    now = time.time()
    cache, key = caches["pages"], f"reads:{action}:{_client_network(request)}:{int(now // 60)}"
    try:
        count = cache.incr(key)
    except ValueError:  # the first of its minute; another may have been quicker, and is then not counted
        count = 1 if cache.add(key, 1, timeout=60) else 2
    return 0 if count <= per_minute else 60 - int(now % 60)


def _client_network(request: HttpRequest) -> str:
    """The client's address; of IPv6 the network, because one client has all addresses of it."""
    address = request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else address
    except ValueError:
        return address
