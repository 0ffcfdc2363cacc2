"""`POST /mcp`: the shop speaks MCP. Who asks is known by a token only; the protocol itself is in `protocol.py`.

Source: MCP specification, Streamable HTTP, revisions 2024-11-05 to 2026-07-28; RFC 6750 for the challenges. No OAuth
document and no `resource_metadata`: clients that find either drop the token that they were given.
"""

import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.models import ApiToken
from accounts.tokens import count_call, find_token
from marketplace.rate_limits import count_read, is_allowed
from mcp.serving.messages import Answer, refuse, refuse_method
from mcp.serving.protocol import answer_request
from mcp.serving.shop_service import ShopService

CALLS_PER_MINUTE = 120  # of one token, whichever process answers
CALLS_OF_ADDRESS = 600  # of one address in a minute: an office has one
REALM = "promptjang"

logger = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
def endpoint(request: HttpRequest) -> HttpResponse:
    """No cookie, no session, no redirect, no page. `ShopMcpMiddleware` keeps the same for what fails before it."""
    answer = _find_answer(request)
    response = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
    if not answer.body:
        del response["Content-Type"]
    return response


def _find_answer(request: HttpRequest) -> Answer:
    if request.method != "POST":  # also without a token: some clients GET before they know that they need one
        return refuse_method()
    if not _is_allowed_origin(request):
        return refuse(403, "pages of other sites may not ask here")
    wait_s = count_read(request, "mcp", per_minute=CALLS_OF_ADDRESS)
    if wait_s:
        return _refuse_busy(wait_s)
    token = find_token(_read_bearer(request))
    return _refuse_token(request) if token is None else _answer_owner(request, token)


def _answer_owner(request: HttpRequest, token: ApiToken) -> Answer:
    now = timezone.now()
    wait_s = count_call(token, now=now, per_minute=CALLS_PER_MINUTE)
    if wait_s:
        return _refuse_busy(wait_s)
    service = ShopService(user=token.user, now=now)
    answer = answer_request(
        method="POST", headers=request.headers, read=lambda size: _read(request, size), service=service
    )
    logger.info("mcp call token=%s asked=%s status=%s", token.pk, service.asked, answer.status)
    return answer


def _is_allowed_origin(request: HttpRequest) -> bool:
    """Programs send none. A page of another site would, and might have talked a browser into asking for it."""
    origin = request.headers.get("Origin")
    return origin in (None, f"{request.scheme}://{request.get_host()}", settings.SITE_URL)


def _read_bearer(request: HttpRequest) -> str:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def _refuse_token(request: HttpRequest) -> Answer:
    """One sentence for every reason: wrong, revoked, or of a closed account."""
    if not is_allowed(request, "mcp_denied"):
        return _refuse_busy(60)
    challenge = f'Bearer realm="{REALM}"'
    if _read_bearer(request):
        challenge += ', error="invalid_token"'
    text = "a valid access token is needed: Authorization: Bearer pm_…; make one on the page “Connect” of the shop"
    return refuse(401, text, {"WWW-Authenticate": challenge})


def _refuse_busy(wait_s: int) -> Answer:
    return refuse(429, f"too many calls: wait {wait_s} seconds", {"Retry-After": str(wait_s)})


def _read(request: HttpRequest, size: int) -> bytes:
    """A client that hangs up in the middle has sent no whole message, which is what the parser then says."""
    try:
        return request.read(size)
    except UnreadablePostError:
        return b""
