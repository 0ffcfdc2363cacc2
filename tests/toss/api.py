"""The server API without the sockets: keys, test codes, faults, idempotency and routes in front of the books.

`Api.handle` takes a request and gives the reply; `server.py` only carries bytes. Source: the fact sheet, section 2.
"""

import base64
import binascii
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

from tests.toss.engine import Engine
from tests.toss.errors import STATUS_BY_CODE, TossError
from tests.toss.faults import Faults, Reply
from tests.toss.payments import KST, Payment, Shop
from tests.toss.webhooks import Webhooks

IDEMPOTENCY_KEY_LENGTH = 300
IDEMPOTENCY_LIFETIME = timedelta(days=15)
ROUTES = (
    ("POST", re.compile(r"/v1/payments/confirm"), "confirm"),
    ("POST", re.compile(r"/v1/payments/(?P<payment_key>[^/]+)/cancel"), "cancel"),
    ("GET", re.compile(r"/v1/payments/orders/(?P<order_id>[^/]+)"), "lookup"),
    ("GET", re.compile(r"/v1/payments/(?P<payment_key>[^/]+)"), "lookup"),
    ("GET", re.compile(r"/v1/transactions"), "transactions"),
    ("GET", re.compile(r"/v1/settlements"), "settlements"),
)
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2})?")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def is_english(self) -> bool:
        return self.headers.get("accept-language", "").lower().startswith("en")

    def json(self) -> dict:
        """The body, which must be an object and say that it is JSON. Raises TossError."""
        if self.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise TossError("INVALID_REQUEST", "Content-Type은 application/json이어야 합니다.")
        try:
            body = json.loads(self.body)
        except ValueError:
            raise TossError("INVALID_REQUEST", "JSON을 읽을 수 없습니다.") from None
        if not isinstance(body, dict):
            raise TossError("INVALID_REQUEST")
        return body


class Answers:
    """Answers by Idempotency-Key, API key, path and method; the body is no part of it. Source: section 2.2."""

    def __init__(self, now: Callable[[], datetime]):
        self.now = now
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self.lock:
            self.answers: dict[tuple, tuple[datetime, Reply | None]] = {}  # None: the first request is running

    def begin(self, identity: tuple) -> Reply | None:
        """The answer to replay, or None for a first request. Raises TossError while the first one is running."""
        with self.lock:
            started_at, reply = self.answers.get(identity, (None, None))
            if started_at is None or self.now() - started_at > IDEMPOTENCY_LIFETIME:
                self.answers[identity] = (self.now(), None)
                return None
            if reply is None:
                raise TossError("IDEMPOTENT_REQUEST_PROCESSING")
            return Reply(reply.status, reply.body, reply.content_type)

    def finish(self, identity: tuple, reply: Reply | None) -> None:
        """Keep the answer; None forgets that there was a request."""
        with self.lock:
            started_at, _ = self.answers.pop(identity, (None, None))
            if reply is not None and started_at is not None:
                self.answers[identity] = (started_at, Reply(reply.status, reply.body, reply.content_type))


class Api:
    def __init__(self, engine: Engine, webhooks: Webhooks, faults: Faults):
        self.engine = engine
        self.webhooks = webhooks
        self.faults = faults
        self.answers = Answers(engine.now)
        self.reset()

    def reset(self) -> None:
        self.answers.reset()
        self.log: deque[dict] = deque(maxlen=10_000)
        self.recent: dict[str, deque[datetime]] = {}

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Reply:
        """The reply to a request of the shop. What is in `reply.messages` leaves with `webhooks.release` afterwards."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(method, parts.path, query, lower, body)
        route, args = _find_route(request)
        seen = {
            "method": method,
            "path": parts.path,
            "route": route,
            "idempotency_key": lower.get("idempotency-key"),
            "body": body.decode(errors="replace"),
            "fault": None,
            "status": None,
            "fate": None,
        }
        self.log.append(seen)
        try:
            reply = self._handle(request, route, args, seen)
        except TossError as error:
            reply = _refusal(error, request)
        seen["status"], seen["fate"] = reply.status, reply.fate
        return reply

    def _handle(self, request: Request, route: str, args: dict[str, str], seen: dict) -> Reply:
        shop = self._authorise(request.headers.get("authorization"))
        test_code = request.headers.get("tosspayments-test-code", "")
        if shop.is_test and test_code in STATUS_BY_CODE:
            raise TossError(test_code)
        if not route:
            raise TossError("NOT_FOUND")
        self._limit_rate(route)
        fault = self.faults.take(route, self._payment_key_of(request, args))
        if fault is None:
            return self._once(request, lambda: self._execute(request, route, args, shop), shop)
        seen["fault"] = fault.kind
        if not fault.executed and not fault.waits:
            return fault.spoil(Reply(200, b"{}"))

        def execute() -> Reply:
            if fault.waits and not fault.executed:
                self.faults.wait(fault)
            reply = self._execute(request, route, args, shop)
            if fault.waits and fault.executed:
                self.faults.wait(fault)
            return fault.spoil(reply) if fault.is_stored else reply

        reply = self._once(request, execute, shop)
        return reply if fault.is_stored or fault.waits else fault.spoil(reply)

    def _payment_key_of(self, request: Request, args: dict[str, str]) -> str:
        """Which payment is meant, to find its fault; whatever is wrong with the request is said elsewhere."""
        if "order_id" in args:
            return (self.engine.keys_by_order.get(args["order_id"]) or [""])[-1]
        return args.get("payment_key") or _payment_key_in(request)

    def _authorise(self, header: str | None) -> Shop:
        scheme, _, encoded = (header or "").partition(" ")
        if scheme.lower() != "basic":
            raise TossError("UNAUTHORIZED_KEY")
        try:
            secret_key, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise TossError("UNAUTHORIZED_KEY") from None
        if not colon:
            raise TossError("INCORRECT_BASIC_AUTH_FORMAT")
        shop = self.engine.shop_of_secret(secret_key)
        if shop is None or password:
            raise TossError("UNAUTHORIZED_KEY")
        return shop

    def _limit_rate(self, route: str) -> None:
        limit = self.engine.settings.requests_per_minute
        if limit is None:
            return
        now = self.engine.now()
        with self.engine.lock:
            times = self.recent.setdefault(route, deque())
            while times and now - times[0] > timedelta(minutes=1):
                times.popleft()
            if len(times) >= limit:
                raise TossError("TOO_MANY_REQUESTS")
            times.append(now)

    def _once(self, request: Request, execute: Callable[[], Reply], shop: Shop) -> Reply:
        """Carry out a request, or replay what its Idempotency-Key was answered before, refusals as well."""
        key = request.headers.get("idempotency-key")
        if key is None or request.method != "POST":
            return execute()
        if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH:
            raise TossError("INVALID_IDEMPOTENCY_KEY")
        identity = (key, shop.secret_key, request.path, request.method)
        replayed = self.answers.begin(identity)
        if replayed is not None:
            return replayed
        reply = None
        try:
            reply = execute()
        finally:
            self.answers.finish(identity, reply)
        return reply

    def _execute(self, request: Request, route: str, args: dict[str, str], shop: Shop) -> Reply:
        with self.webhooks.gathering() as messages:
            try:
                shown = getattr(self, f"_{route}")(request, shop, **args)
            except TossError as error:
                reply = _refusal(error, request)
            else:
                reply = Reply(200, json.dumps(shown, ensure_ascii=False).encode())
        self.webhooks.deliver_before_the_answer(messages)
        reply.messages = messages
        return reply

    # The routes

    def _show(self, payment: Payment, request: Request) -> dict:
        return self.engine.to_json(payment, english=request.is_english)

    def _confirm(self, request: Request, shop: Shop) -> dict:
        body = request.json()
        payment_key, order_id, amount = body.get("paymentKey"), body.get("orderId"), body.get("amount")
        if not (_is_text(payment_key, 200) and _is_text(order_id, 64) and _is_whole_number(amount)):
            raise TossError("INVALID_REQUEST")
        with self.engine.lock:
            payment = self.engine.confirm(shop=shop, payment_key=payment_key, order_id=order_id, amount_krw=amount)
            return self._show(payment, request)

    def _lookup(self, request: Request, shop: Shop, payment_key: str = "", order_id: str = "") -> dict:
        with self.engine.lock:
            if order_id:
                return self._show(self.engine.look_up_order(shop=shop, order_id=order_id), request)
            return self._show(self.engine.look_up(shop=shop, payment_key=payment_key), request)

    def _cancel(self, request: Request, shop: Shop, payment_key: str) -> dict:
        body = request.json()
        numbers = [body.get(name) for name in ("cancelAmount", "refundableAmount", "taxFreeAmount")]
        if not _is_text(body.get("cancelReason"), 200) or body.get("currency") not in (None, "KRW"):
            raise TossError("INVALID_REQUEST")
        if not all(number is None or _is_whole_number(number) for number in numbers) or numbers[0] == 0:
            raise TossError("INVALID_REQUEST")
        with self.engine.lock:
            payment = self.engine.cancel(
                shop=shop,
                payment_key=payment_key,
                reason=body["cancelReason"],
                amount_krw=numbers[0],
                refundable_krw=numbers[1],
                tax_free_krw=numbers[2] or 0,
                refund_account=body.get("refundReceiveAccount"),
            )
            return self._show(payment, request)

    def _transactions(self, request: Request, shop: Shop) -> list[dict]:
        start, end = _period(request)
        limit = request.query.get("limit", "100")
        if not (re.fullmatch(r"[0-9]{1,4}", limit) and 1 <= int(limit) <= 5000):
            raise TossError("INVALID_REQUEST")
        after = request.query.get("startingAfter", "")
        return self.engine.transactions(shop=shop, start=start, end=end, after=after, limit=int(limit))

    def _settlements(self, request: Request, shop: Shop) -> list[dict]:
        """Always empty, as with test keys."""
        _period(request)
        return []


def _find_route(request: Request) -> tuple[str, dict[str, str]]:
    for method, path, route in ROUTES:
        if method == request.method and (match := path.fullmatch(request.path)):
            return route, {name: unquote(value) for name, value in match.groupdict().items()}
    return "", {}


def _payment_key_in(request: Request) -> str:
    """The one that the body of a confirm names, or ""."""
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        return ""
    payment_key = body.get("paymentKey") if isinstance(body, dict) else ""
    return payment_key if isinstance(payment_key, str) else ""


def _refusal(error: TossError, request: Request) -> Reply:
    shown = error.to_json(english=request.is_english)
    return Reply(error.status, json.dumps(shown, ensure_ascii=False).encode())


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest


def _is_whole_number(value: object) -> bool:
    """A JSON number of won: no string, no truth value, no fraction, not below zero."""
    return type(value) is int and value >= 0


def _period(request: Request) -> tuple[datetime, datetime]:
    """`startDate` and `endDate`, both needed, in Korean time; a date alone means its beginning. Raises TossError."""
    moments = []
    for name in ("startDate", "endDate"):
        written = request.query.get(name, "")
        if not MOMENT.fullmatch(written):
            raise TossError("INVALID_REQUEST")
        try:
            moments.append(datetime.fromisoformat(written).replace(tzinfo=KST))
        except ValueError:
            raise TossError("INVALID_REQUEST") from None
    if moments[0] > moments[1]:
        raise TossError("INVALID_REQUEST")
    return moments[0], moments[1]
