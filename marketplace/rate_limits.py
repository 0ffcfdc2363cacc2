"""How often one person or address may do what anybody may do. The limits stand in `settings.ACCOUNT_RATE_LIMITS`.

Counted by allauth in the shared cache, with its lock: one count for all processes, and one client address for all.
"""

from allauth.core import ratelimit
from django.http import HttpRequest


def is_allowed(request: HttpRequest, action: str, *, key: str | None = None) -> bool:
    """Count one attempt. False when there were too many: the caller says so and does nothing else.

    action: a key of ACCOUNT_RATE_LIMITS. key: for limits per key, such as an address that mail would go to.
    """
    return ratelimit.consume(request, action=action, key=key)
