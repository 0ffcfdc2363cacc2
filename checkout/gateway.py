"""Talks to Toss Payments over HTTP; the sandbox is reached by the same code through another adapter of `requests`.

What comes back is one of the values of `provider.py` or exactly one of its three errors. No call stands inside a
database transaction: an answer may take a minute. Source: Toss Payments API, fact sheet sections 2.1 to 2.8 and 4.
"""

import base64
import http.client
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import quote

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter

from checkout.answers import (
    CANCEL_CODES,
    CONFIRM_CODES,
    LIST_CODES,
    LOOK_UP_CODES,
    SEOUL,
    ErrorCodes,
    Unreadable,
    parse_json,
    read_error,
    read_payment,
    read_transactions,
)
from checkout.provider import (
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnknown,
    ProviderPayment,
    ProviderTransaction,
    RefundAccount,
)
from checkout.toss_keys import is_safe_address

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5
BODY_LIMIT = 1024 * 1024  # bytes
REASON_LIMIT = 200  # characters
PAGE_SIZE = 1000  # transactions
PAGE_LIMIT = 1000
NOT_FOUND = {"NOT_FOUND_PAYMENT", "NOT_FOUND"}
SANDBOX_URL = "https://sandbox.invalid"  # a name that exists nowhere: only the sandbox's adapter answers for it
SANDBOX_KEY = "test_sk_sandbox"

Value = TypeVar("Value")


class Gateway:
    """One provider. Every call raises GatewayUnknown or GatewayMisconfigured, confirm and cancel GatewayRefused too."""

    def __init__(
        self,
        *,
        provider: str,
        base_url: str,
        secret_key: str,
        session: requests.Session | None = None,
        timeout_s: float,
    ):
        """timeout_s: how long the provider may be silent, and how long it may take to send its answer."""
        self.provider = provider
        self.timeout_s = timeout_s
        self._base_url = base_url.rstrip("/")
        self._auth = _SecretKey(secret_key)
        self._session = session

    def confirm(self, *, payment_key: str, order_id: str, amount_krw: int, idempotency_key: str) -> ProviderPayment:
        """Charge an authorised payment. The same idempotency key gets the first answer again and charges once."""
        return self._ask(
            "confirm",
            "POST",
            "/v1/payments/confirm",
            read=_payment_of(payment_key=payment_key, order_id=order_id),
            codes=CONFIRM_CODES,
            payload={"paymentKey": payment_key, "orderId": order_id, "amount": amount_krw},
            idempotency_key=idempotency_key,
            about=order_id,
        )

    def look_up(self, *, payment_key: str) -> ProviderPayment | None:
        """The payment as it stands, None if the provider has never heard of it."""
        return self._look_up(payment_key, "/v1/payments/", _payment_of(payment_key=payment_key), f"*{payment_key[-6:]}")

    def look_up_order(self, *, order_id: str) -> ProviderPayment | None:
        """The same by our order id. Which attempt comes, if several shared it, the provider does not say."""
        return self._look_up(order_id, "/v1/payments/orders/", _payment_of(order_id=order_id), order_id)

    def cancel(
        self,
        *,
        payment_key: str,
        amount_krw: int | None,
        reason: str,
        idempotency_key: str,
        balance_krw: int | None = None,
        refund_account: RefundAccount | None = None,
    ) -> ProviderPayment:
        """Give back `amount_krw` (None: all that is left). The same idempotency key gives back once.

        balance_krw: what we believe is left; when the provider knows otherwise, nothing is given back.
        refund_account: where a deposit goes back to; cards need none.
        """
        if not _is_path_part(payment_key):
            raise GatewayRefused("NOT_FOUND_PAYMENT", "no payment has such a key")
        payload: dict = {"cancelReason": reason[:REASON_LIMIT]}
        if amount_krw is not None:
            payload["cancelAmount"] = amount_krw
        if balance_krw is not None:
            payload["refundableAmount"] = balance_krw
        if refund_account is not None:
            payload["refundReceiveAccount"] = {
                "bank": refund_account.bank_code,
                "accountNumber": refund_account.account_number,
                "holderName": refund_account.holder_name,
            }
        return self._ask(
            "cancel",
            "POST",
            f"/v1/payments/{quote(payment_key, safe='')}/cancel",
            read=_payment_of(payment_key=payment_key),
            codes=CANCEL_CODES,
            payload=payload,
            idempotency_key=idempotency_key,
            about=f"*{payment_key[-6:]}",
        )

    def list_transactions(self, *, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        """Every approval and cancel from `since` to `until` (aware), as the provider orders them, page by page.

        The provider counts in whole seconds, so the period is widened to them. Errors come while it is being read.
        """
        params = {
            "startDate": _seoul_second(since),
            "endDate": _seoul_second(until + timedelta(seconds=1, microseconds=-1)),
            "limit": PAGE_SIZE,
        }
        cursors = set()
        for _ in range(PAGE_LIMIT):
            page = self._ask(
                "list", "GET", "/v1/transactions", read=read_transactions, codes=LIST_CODES, params=params, about="-"
            )
            if not page:  # a page shorter than asked for is no end: the provider may have a limit of its own
                return
            cursor = page[-1].transaction_key
            if cursor in cursors:
                raise GatewayUnknown("page_repeats", "the list of transactions does not advance", keeps_key=False)
            cursors.add(cursor)
            yield from page
            params = params | {"startingAfter": cursor}
        raise GatewayUnknown("too_many_pages", f"more than {PAGE_LIMIT} pages of transactions", keeps_key=False)

    def _look_up(
        self, name: str, path: str, read: Callable[[object], ProviderPayment], about: str
    ) -> ProviderPayment | None:
        if not _is_path_part(name):
            return None
        return self._ask("look_up", "GET", path + quote(name, safe=""), read=read, codes=LOOK_UP_CODES, about=about)

    def _ask(
        self,
        call: str,
        method: str,
        path: str,
        *,
        read: Callable[[object], Value],
        codes: ErrorCodes,
        about: str,
        payload: dict | None = None,
        params: dict | None = None,
        idempotency_key: str | None = None,
    ) -> Value | None:
        """One request, read as what it must be. None: a look-up found nothing.

        about: the order id, or the end of a payment key; neither keys nor bodies are logged.
        """
        started, status, code = time.monotonic(), "-", "ok"
        try:
            status, body = self._exchange(method, path, payload, params, idempotency_key)
            if status == 200:
                return _understand(body, read)
            error = read_error(status, body, codes)
            if call == "look_up" and status == 404 and error.code in NOT_FOUND:
                code = error.code
                return None
            raise error
        except GatewayError as error:
            code = error.code
            raise
        finally:
            spent_ms = round((time.monotonic() - started) * 1000)
            logger.info(
                "payment provider asked call=%s provider=%s order=%s status=%s code=%s ms=%s",
                call,
                self.provider,
                about.encode("ascii", "replace").decode(),
                status,
                code,
                spent_ms,
            )

    def _exchange(
        self, method: str, path: str, payload: dict | None, params: dict | None, idempotency_key: str | None
    ) -> tuple[int, bytes]:
        """Status and whole body. Raises GatewayUnknown when no complete answer came: the key may be used again.

        `Accept-Language` is never sent, because it changes what `method` says.
        """
        try:
            with (self._session or _session_of_this_thread()).request(
                method,
                self._base_url + path,
                params=params,
                json=payload,
                headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
                auth=self._auth,
                timeout=(CONNECT_TIMEOUT_S, self.timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.is_redirect or 300 <= response.status_code < 400:
                    raise GatewayUnknown("redirected", "the provider's API never redirects")
                return response.status_code, _read_body(response, limit_s=self.timeout_s)
        # Without the cause: its text has the address, and that the payment key.
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
            raise GatewayMisconfigured("bad_address", "TOSS_API_URL is no address") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise GatewayUnknown(_code_of_trouble(error), type(error).__name__) from None


class _SecretKey(requests.auth.AuthBase):
    """Basic authentication with the secret key, a colon and no password. Its text does not give the key away."""

    def __init__(self, secret_key: str):
        self._header = "Basic " + base64.b64encode(f"{secret_key}:".encode()).decode()

    def __call__(self, request):
        request.headers["Authorization"] = self._header
        return request


_threads = threading.local()


def _session_of_this_thread() -> requests.Session:
    """Keeps connections open between calls. One for each thread, because `requests` does not promise that a session
    may be shared; made anew after a fork, so that two processes never write into one connection."""
    if getattr(_threads, "pid", None) != os.getpid():
        _threads.pid, _threads.session = os.getpid(), make_session(HTTPAdapter(max_retries=0))
    return _threads.session


def make_session(adapter: requests.adapters.BaseAdapter) -> requests.Session:
    """Nothing of the environment is trusted: no proxy, no `.netrc`. Cookies are not kept."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read_body(response: requests.Response, *, limit_s: float) -> bytes:
    """Piece by piece as it arrives, so that a trickle can be cut off."""
    deadline = time.monotonic() + limit_s
    body = bytearray()
    while piece := response.raw.read1(64 * 1024, decode_content=True):
        body += piece
        if len(body) > BODY_LIMIT:
            raise GatewayUnknown("unreadable_answer", "the body is too large", keeps_key=False)
        if time.monotonic() > deadline:
            raise GatewayUnknown("timeout", "the body did not end in time")
    if not body and response.raw.length_remaining is None and not response.raw.chunked:
        raise GatewayUnknown("connection_lost", "the answer broke off before it said how long it is")
    return bytes(body)


def _code_of_trouble(error: Exception) -> str:
    """`not_reached`: nothing was sent. `timeout` and `connection_lost`: it may have been done."""
    reason = error
    if isinstance(error, requests.ConnectionError) and error.args:
        reason = getattr(error.args[0], "reason", None) or error.args[0]
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        return "not_reached"
    if isinstance(error, requests.ConnectTimeout):
        return "not_reached"
    if isinstance(reason, requests.Timeout | urllib3.exceptions.ReadTimeoutError | TimeoutError):
        return "timeout"
    return "connection_lost"


def _understand(body: bytes, read: Callable[[object], Value]) -> Value:
    try:
        return read(parse_json(body))
    except Unreadable as error:
        raise GatewayUnknown("unreadable_answer", str(error), keeps_key=False) from None


def _payment_of(*, payment_key: str | None = None, order_id: str | None = None) -> Callable[[object], ProviderPayment]:
    """Reads a payment and refuses one that was not asked for."""

    def read(data) -> ProviderPayment:
        payment = read_payment(data)
        if payment_key not in (None, payment.payment_key) or order_id not in (None, payment.order_id):
            raise GatewayUnknown("another_payment", "the answer is about another payment", keeps_key=False)
        return payment

    return read


def _is_path_part(name: str) -> bool:
    """Whether the name can be one step of a path: dots would be taken as a way up, however they are quoted."""
    return 0 < len(name) <= 200 and name.strip(".") != "" and name.isprintable()


def _seoul_second(at: datetime) -> str:
    return at.astimezone(SEOUL).strftime("%Y-%m-%dT%H:%M:%S")


# --- Which provider


def provider_in_use() -> str:
    """`toss` when its secret key is set, else `sandbox` where that is allowed, else empty: nothing can be paid."""
    if settings.TOSS_SECRET_KEY:
        return "toss"
    return "sandbox" if settings.DEBUG or settings.TOSS_SANDBOX else ""


def get_gateway(provider: str | None = None, *, timeout_s: float | None = None) -> Gateway:
    """The gateway of `provider` (of a stored payment), or of the one in use for a new payment.

    Raises GatewayMisconfigured when there is none: without keys, or for a payment of the sandbox in a shop that has
    switched it off, where it would deliver for nothing.
    """
    timeout_s = settings.TOSS_TIMEOUT_S if timeout_s is None else timeout_s
    provider = provider or provider_in_use()
    if provider == "sandbox" and (settings.DEBUG or settings.TOSS_SANDBOX):
        return make_sandbox_gateway(timeout_s=timeout_s)
    if provider == "toss" and settings.TOSS_SECRET_KEY:
        if not is_safe_address(settings.TOSS_API_URL):
            raise GatewayMisconfigured("bad_address", "TOSS_API_URL is not HTTPS")
        return Gateway(
            provider="toss",
            base_url=settings.TOSS_API_URL,
            secret_key=settings.TOSS_SECRET_KEY,
            timeout_s=timeout_s,
        )
    raise GatewayMisconfigured("no_gateway", f"no gateway for provider “{provider}”")


def make_sandbox_gateway(*, timeout_s: float) -> Gateway:
    """The sandbox, allowed or not: for the orders of the demo shop. Everybody else asks `get_gateway`."""
    from checkout.sandbox import SandboxAdapter

    return Gateway(
        provider="sandbox",
        base_url=SANDBOX_URL,
        secret_key=SANDBOX_KEY,
        session=make_session(SandboxAdapter()),
        timeout_s=timeout_s,
    )
