"""What one check of an MCP server can end with, and what each end means: the table in `docs/mcp-registry.md`.

`probe.py` names the verdict, `health.py` turns it into the row, pages and the registry's API read it.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Verdict(TextChoices):
    """The labels are sentences for people who wonder why; they reveal no address and nothing the server said."""

    OK = "ok", _("It answered and listed what it offers.")
    AUTH_REQUIRED = "auth_required", _("It answered and asks everybody to sign in first.")
    FORBIDDEN = "forbidden", _("It refuses requests without settings that we do not have.")
    AUTH_REJECTED = "auth_rejected", _("It refused the credentials that we have for it.")
    RATE_LIMITED = "rate_limited", _("It asked us to come back later, so its state did not change.")
    INVALID_URL = "invalid_url", _("Its address cannot be used.")
    BLOCKED_ADDRESS = "blocked_address", _("Its address does not lead to the public internet.")
    UNREACHABLE = "unreachable", _("No connection could be made.")
    TIMEOUT = "timeout", _("It did not answer in time.")
    UNAVAILABLE = "unavailable", _("It said that it is not available now.")
    SERVER_ERROR = "server_error", _("It answered with an error of its own.")
    TLS_ERROR = "tls_error", _("Its certificate could not be trusted.")
    REDIRECT = "redirect", _("It sends requests on to another address.")
    RESPONSE_TOO_LARGE = "response_too_large", _("Its answer was larger than we read.")
    INVALID_JSON = "invalid_json", _("Its answer was not valid JSON.")
    STREAM_ENDED = "stream_ended", _("It ended the stream before the answer came.")
    NOT_MCP = "not_mcp", _("What answers there does not speak MCP.")
    UNSUPPORTED_VERSION = "unsupported_version", _("It speaks no revision of MCP that we know.")
    INITIALIZE_ERROR = "initialize_error", _("It refused to begin a session.")
    LIST_FAILED = "list_failed", _("It did not list the tools or prompts that it says it has.")
    SSE_ENDPOINT_CROSS_ORIGIN = "sse_endpoint_cross_origin", _("It sends messages on to another site.")


UP = frozenset({Verdict.OK, Verdict.AUTH_REQUIRED})  # it answered as it says it does
UNKNOWN = frozenset({Verdict.RATE_LIMITED, Verdict.FORBIDDEN, Verdict.AUTH_REJECTED})  # counts for and against nothing
# The network's or the server's bad moment: an active server turns inactive at the second miss in a row.
MISSES = frozenset({Verdict.UNREACHABLE, Verdict.TIMEOUT, Verdict.UNAVAILABLE, Verdict.SERVER_ERROR})
BROKEN = frozenset(Verdict) - UP - UNKNOWN - MISSES  # wrong however often one asks: `mcp_servers.status` "error"
