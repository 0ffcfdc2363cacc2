"""Hints from the provider: webhooks say that something changed, anybody can send one, and none is believed.

A hint is stored once, whatever it says, and then the payment is looked up; only that look-up changes anything.
Source: fact sheet of Toss Payments, section 3.
"""

import hashlib
import json
import logging
import math
import re
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from checkout.events import Kind
from checkout.gateway import get_gateway
from checkout.models import Payment, PaymentEvent, Refund
from checkout.payments import ASK_AGAIN_AFTER, check_payment
from checkout.provider import GatewayError
from marketplace.background import run_soon

logger = logging.getLogger(__name__)

DEPOSIT_CALLBACK = "DEPOSIT_CALLBACK"  # flat, and names no event type
EVENT_TYPES = {DEPOSIT_CALLBACK, "PAYMENT_STATUS_CHANGED", "CANCEL_STATUS_CHANGED"}
DEEPEST = 20  # objects and lists within each other; a payment has four
HINTS_PER_PAYMENT = 50  # rows; a payment of ours is known to its buyer, who could go on making hints up
TRIES = 3

UNFIT = re.compile("[\x00\ud800-\udfff]")
STATE = re.compile("[A-Z_]{1,40}")
TRANSMISSION_ID = re.compile("[A-Za-z0-9_-]{1,64}")
MARK = re.compile("[0-9a-f]{32}")  # of a refund of ours, in the reason of a cancel


# --- What it says


class Malformed(ValueError):
    """Names what is wrong, never the value."""


@dataclass(frozen=True)
class Hint:
    """`state` is the provider's word. Empty texts for what the event does not have. `reason` only of a cancel."""

    event_type: str
    state: str
    order_id: str = ""
    payment_key: str = ""
    transaction_key: str = ""
    reason: str = ""

    @property
    def dedup_key(self) -> str:
        """The same for everything that says the same, however often and when it is sent: 64 hexadecimal characters."""
        said = [self.event_type, self.order_id, self.payment_key, self.state, self.transaction_key]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def read_hint(body: bytes) -> Hint | None:
    """None for an event that is not about one of our payments' states. Raises Malformed.

    Members that are not known are ignored, a status that is not known is not: it is one more reason to look.
    """
    data = _object(_parse(body), "the body")
    event_type = _text(data, "eventType", most=64) or DEPOSIT_CALLBACK
    if event_type not in EVENT_TYPES:
        return None
    if event_type != DEPOSIT_CALLBACK:
        data = _object(data.get("data"), "data")
    is_cancel = event_type == "CANCEL_STATUS_CHANGED"
    state = _text(data, "cancelStatus" if is_cancel else "status", most=40)
    if not STATE.fullmatch(state):
        raise Malformed("the status is missing or none")
    hint = Hint(
        event_type=event_type,
        state=state,
        order_id=_text(data, "orderId", most=64),
        payment_key=_text(data, "paymentKey", most=200),
        transaction_key=_text(data, "transactionKey", most=64),
        reason=_text(data, "cancelReason", most=200) if is_cancel else "",
    )
    if not (hint.order_id or hint.payment_key or is_cancel):
        raise Malformed("neither orderId nor paymentKey")
    return hint


def _parse(body: bytes):
    try:
        data = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_refuse_double_members,
            parse_int=_read_int,
            parse_float=_read_float,
            parse_constant=_read_float,
        )
    except (ValueError, RecursionError):
        raise Malformed("not JSON, or not only JSON") from None
    _refuse_unfit(data, depth=0)
    return data


def _refuse_double_members(pairs: list) -> dict:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _read_int(text: str) -> int:
    if len(text) > 18:
        raise ValueError("a number is too long")
    return int(text)


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value


def _refuse_unfit(value, *, depth: int) -> None:
    """NUL characters and halves of surrogate pairs, which no database takes, and what is nested without end."""
    if depth > DEEPEST:
        raise Malformed("nested too deeply")
    if isinstance(value, str) and UNFIT.search(value):
        raise Malformed("a text is unfit")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            _refuse_unfit(part, depth=depth + 1)


def _object(value, name: str) -> dict:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object")
    return value


def _text(data: dict, name: str, *, most: int) -> str:
    """Empty when it is missing or null."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise Malformed(f"{name} is no text or too long")
    return value


# --- Stored


def store_hint(*, hint: Hint, transmission_id: str = "", retried_count: str = "", now: datetime) -> PaymentEvent | None:
    """Remember that a payment of ours is to be looked up. None for one that is not ours: nothing is stored.

    What was said before is not stored again but is to be looked into again, because a state may come back. Two texts of
    headers tell staff how it came; neither is believed.
    """
    payment = find_payment(hint)
    if payment is None:
        return None
    detail = {"event": hint.event_type, "received_count": 1}
    if hint.payment_key:
        detail["payment_key"] = f"…{hint.payment_key[-6:]}"
    if TRANSMISSION_ID.fullmatch(transmission_id):
        detail["transmission_id"] = transmission_id
    if retried_count.isascii() and retried_count.isdigit() and len(retried_count) <= 3:
        detail["retried_count"] = int(retried_count)
    hints = payment.events.filter(kind=Kind.WEBHOOK)
    with transaction.atomic():
        told = hints.filter(dedup_key=hint.dedup_key).first()
        if told is None and hints.count() >= HINTS_PER_PAYMENT:
            told = hints.order_by("-pk").first()
        if told is None:
            told, is_new = PaymentEvent.objects.get_or_create(
                dedup_key=hint.dedup_key,
                defaults={
                    "kind": Kind.WEBHOOK,
                    "order_id": payment.order_id,
                    "payment": payment,
                    "outcome": hint.state,
                    "detail": detail,
                    "at": now,
                },
            )
            if is_new:
                return told
        told = PaymentEvent.objects.select_for_update().get(pk=told.pk)
        told.detail["received_count"] = told.detail.get("received_count", 1) + 1
        told.handled_at = None
        told.save(update_fields=["detail", "handled_at"])
    return told


def find_payment(hint: Hint) -> Payment | None:
    """By our order id, else by the provider's key, else by the mark that our refunds leave in a cancel's reason."""
    if hint.order_id:
        payment = Payment.objects.filter(provider_order_id=hint.order_id).first()
        if payment:
            return payment
    if hint.payment_key:
        payment = Payment.objects.filter(payment_key=hint.payment_key).first()
        if payment:
            return payment
    mark = MARK.search(hint.reason)
    refund = Refund.objects.filter(pk=mark[0]).select_related("payment").first() if mark else None
    return refund and refund.payment


# --- Looked into

_lock = threading.Lock()
_expected: set = set()  # payments that this process is about to look up: a hint stored meanwhile needs no look-up more
_sleeping: set = set()  # those of them for which a thread waits


def look_soon(*, event: PaymentEvent) -> None:
    """Have the payment looked up in the background, unless that is about to happen anyway."""
    with _lock:
        if event.payment_id in _expected:
            return
        _expected.add(event.payment_id)
    try:
        run_soon(handle_hint, event_id=event.pk).add_done_callback(lambda _: _forget(event.payment_id))
    except RuntimeError:  # the process is about to end
        _forget(event.payment_id)


def _forget(payment_id) -> None:
    with _lock:
        _expected.discard(payment_id)


def handle_hint(*, event_id: int) -> bool:
    """Look the payment of a hint up. False when nobody answered: the hint stays, and `reconcile_payments` takes it.

    Safe to repeat and beside itself: a payment is looked up once in two seconds, however many hints there are. When it
    is too early, a background thread waits, a few times; where there are no such threads, nobody waits.
    """
    event = PaymentEvent.objects.select_related("payment__order").get(pk=event_id)
    payment = event.payment
    for _ in range(TRIES):
        _forget(payment.pk)
        if look_into_hints(payment=payment, now=timezone.now()):
            return True
        if not _wait_for(payment):
            break
    return False


def look_into_hints(*, payment: Payment, now: datetime) -> bool:
    """One look-up for all hints of a payment that wait for one; True when none waits any more."""
    hints = PaymentEvent.objects.filter(kind=Kind.WEBHOOK, payment=payment, handled_at__isnull=True)
    waiting = list(hints.values_list("pk", "detail"))
    if not waiting:
        return True
    try:
        gateway = get_gateway(payment.provider)
    except GatewayError as error:
        logger.info("no gateway for a hint order=%s code=%s", payment.order.number, error.code)
        return False
    if not check_payment(payment=payment, now=now, gateway=gateway):
        return False
    mark_hints(waiting, now=now)
    return True


def mark_hints(waiting: list[tuple[int, dict]], *, now: datetime) -> int:
    """Those that were read before the look-up began are done, unless they were told again since; how many are."""
    done = 0
    for pk, detail in waiting:
        count = detail.get("received_count")
        same = Q(detail__received_count=count) if count else Q(detail__received_count__isnull=True)
        done += PaymentEvent.objects.filter(same, pk=pk, handled_at__isnull=True).update(handled_at=now)
    return done


def _wait_for(payment: Payment) -> bool:
    """Sleep until the payment may be looked up again. At most half of the background threads sleep at once, each for
    another payment: whoever sends hints without end must not hold up those who pay."""
    with _lock:
        if payment.pk in _sleeping or len(_sleeping) >= settings.BACKGROUND_THREADS // 2:
            return False
        _sleeping.add(payment.pk)
        _expected.add(payment.pk)
    try:
        payment.refresh_from_db(fields=["looked_up_at"])
        if payment.looked_up_at:
            remaining = payment.looked_up_at + ASK_AGAIN_AFTER - timezone.now()
            time.sleep(min(max(remaining.total_seconds(), 0), ASK_AGAIN_AFTER.total_seconds()))
    finally:
        with _lock:
            _sleeping.discard(payment.pk)
    return True
