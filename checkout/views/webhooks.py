"""Where the provider tells that something changed. Nothing here is believed: see `checkout/webhooks.py`."""

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseNotAllowed, UnreadablePostError
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from checkout.webhooks import Malformed, look_soon, read_hint, store_hint

logger = logging.getLogger(__name__)

BODY_LIMIT = 64 * 1024  # bytes
TRANSMISSION = "tosspayments-webhook-transmission-"


@csrf_exempt
@login_not_required
@never_cache
def payment_webhook(request):
    """Answers 200 as soon as the hint is stored, 400 or 413 for what is none; when it cannot be stored the error is a
    500, and the provider sends it again. Hints about other people's payments are dropped."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"], "Only POST.\n", content_type="text/plain")
    try:
        body = _read_body(request)
        hint = read_hint(body) if body is not None else None
    except (Malformed, UnreadablePostError) as error:
        logger.info("webhook refused reason=%s", error if isinstance(error, Malformed) else "it broke off")
        return _say("Not a webhook.\n", status=400)
    if body is None:
        return _say("Too large.\n", status=413)
    if hint is None:
        return _say("OK\n")
    event = store_hint(
        hint=hint,
        transmission_id=request.headers.get(f"{TRANSMISSION}id", ""),
        retried_count=request.headers.get(f"{TRANSMISSION}retried-count", ""),
        now=timezone.now(),
    )
    if event is None:
        logger.info("webhook about no payment of ours event=%s", hint.event_type)
    else:
        look_soon(event=event)
    return _say("OK\n")


def _read_body(request) -> bytes | None:
    """None for one that is too large, of which no more than the limit is read."""
    body = request.read(BODY_LIMIT + 1)
    return body if len(body) <= BODY_LIMIT else None


def _say(text: str, *, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")
