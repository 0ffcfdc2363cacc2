"""A payment provider that moves no money, for a machine without keys.

It is another system that happens to keep its books (`sandbox_payments`) in our database, and is spoken to as one: the
gateway sends it the requests that it would send to Toss Payments, through `SandboxAdapter` in place of a connection.
It binds the amount that its window was opened with, charges a payment once, replays an answer for the same idempotency
key, and can lose a request or an answer on the way. `open_window` and `choose` are what the browser does elsewhere.

It is smaller than the real one: a window never lapses before the buyer chose, an idempotency key is known for its own
payment only, any secret key is good, and two cancels may follow each other within a second.
Source: fact sheet of Toss Payments, sections 2.2 to 2.8 and 4.
"""

import io
import json
import re
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import requests
import urllib3
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from checkout.answers import SEOUL
from checkout.models import SandboxPayment

CONFIRM_WITHIN = timedelta(minutes=10)  # after the buyer authorised
DEPOSIT_WITHIN = timedelta(days=7)
SILENCE = timedelta(seconds=6)  # how long a payment whose answer was lost cannot be looked up
BANK_CODE = "99"  # of no bank
CARD, VIRTUAL_ACCOUNT = "카드", "가상계좌"

Status, Fault = SandboxPayment.Status, SandboxPayment.Fault
STATUS_NAMES = {
    Status.READY: "READY",
    Status.IN_PROGRESS: "IN_PROGRESS",
    Status.WAITING: "WAITING_FOR_DEPOSIT",
    Status.DONE: "DONE",
    Status.PARTLY_CANCELLED: "PARTIAL_CANCELED",
    Status.CANCELLED: "CANCELED",
    Status.ABORTED: "ABORTED",
}
FAULTS = {
    "approve": Fault.NONE,
    "edited": Fault.NONE,
    "refuse": Fault.REFUSED,
    "lost_after": Fault.LOST_AFTER,
    "lost_before": Fault.LOST_BEFORE,
    "slow": Fault.SLOW,
    "deposit": Fault.DEPOSIT,
}
DEPOSIT_CHOICES = ["deposit_arrives", "deposit_never"]
CHOICES = [*FAULTS, "decline", "close", *DEPOSIT_CHOICES]
EDITED_KRW = 100

Answer = tuple[int, dict | list]  # HTTP status and body


# --- What happens in the browser


def open_window(
    *, reference: str, order_id: str, order_name: str, amount_krw: int, success_url: str, fail_url: str
) -> str:
    """The address of the sandbox's window. A second call with one reference gives the same and changes nothing."""
    SandboxPayment.objects.get_or_create(
        reference=reference,
        defaults={
            "order_id": order_id,
            "order_name": order_name,
            "amount_krw": amount_krw,
            "balance_krw": amount_krw,
            "success_url": success_url,
            "fail_url": fail_url,
        },
    )
    return reverse("checkout:sandbox_window", args=[reference])


def choose(payment: SandboxPayment, choice: str) -> str:
    """What the buyer does in the window, one of CHOICES; the address the browser goes to next.

    `edited` authorises 100 won in place of the amount asked for, as somebody does who edits the page. A window that was
    used before sends the browser on to the same place and authorises nothing again.
    """
    if choice == "close":
        return f"{payment.fail_url}?{urlencode({'code': 'PAY_PROCESS_CANCELED'})}"  # without an order id
    if choice == "decline":
        query = {"code": "REJECT_CARD_COMPANY", "message": _message("REJECT_CARD_COMPANY"), "orderId": payment.order_id}
        return f"{payment.fail_url}?{urlencode(query)}"
    if choice == "deposit_arrives":
        deposit(payment)
    elif choice == "deposit_never":
        miss_deposit(payment)
    else:
        amount_krw = EDITED_KRW if choice == "edited" else payment.amount_krw
        SandboxPayment.objects.filter(pk=payment.pk, status=Status.READY).update(
            status=Status.IN_PROGRESS,
            amount_krw=amount_krw,
            balance_krw=amount_krw,
            method=VIRTUAL_ACCOUNT if choice == "deposit" else CARD,
            fault=FAULTS[choice],
            authorised_at=timezone.now(),
        )
    payment.refresh_from_db()
    query = {
        "paymentType": "NORMAL",
        "orderId": payment.order_id,
        "paymentKey": payment.pk,
        "amount": payment.amount_krw,
    }
    return f"{payment.success_url}?{urlencode(query)}"


def deposit(payment: SandboxPayment) -> None:
    """Somebody pays into the virtual account. A second call changes nothing, and a bank takes none after the deadline.

    The shop is not told; whoever calls decides how it hears of it.
    """
    with transaction.atomic():
        payment = _lock(payment.pk)
        if payment.status == Status.WAITING and payment.deposit_due_at > timezone.now():
            _charge(payment)
            payment.save()


def miss_deposit(payment: SandboxPayment) -> None:
    """The deadline passes without a deposit. The payment goes on waiting and tells nobody, as at the provider."""
    SandboxPayment.objects.filter(pk=payment.pk, status=Status.WAITING).update(deposit_due_at=timezone.now())


def backdate(payment: SandboxPayment, *, to: datetime) -> None:
    """Move everything that happened to a payment back to one moment, for the orders of the demo shop."""
    with transaction.atomic():
        payment = _lock(payment.pk)
        payment.created_at = to
        payment.authorised_at = payment.authorised_at and to
        payment.approved_at = payment.approved_at and to
        payment.transactions = [entry | {"transactionAt": _iso(to)} for entry in payment.transactions]
        payment.cancels = [entry | {"cancelled_at": _iso(to)} for entry in payment.cancels]
        payment.answers = {}
        payment.save()


# --- What the gateway asks


class SandboxAdapter(requests.adapters.BaseAdapter):
    """Takes the place of a connection: `send` answers from our database, or raises what a broken connection would."""

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        patience_s = timeout[1] if isinstance(timeout, tuple) else timeout
        parts = urlsplit(request.url)
        status, body = _route(
            request.method,
            parts.path,
            query={name: values[0] for name, values in parse_qs(parts.query).items()},
            payload=json.loads(request.body) if request.body else {},
            key=request.headers.get("Idempotency-Key", ""),
            patience_s=patience_s,
        )
        return _respond(request, status, body)

    def close(self):
        pass


def _respond(request: requests.PreparedRequest, status: int, body: dict | list) -> requests.Response:
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    response = requests.Response()
    response.status_code, response.request, response.url = status, request, request.url
    response.headers.update(headers)
    response.raw = urllib3.HTTPResponse(io.BytesIO(content), headers=headers, status=status, preload_content=False)
    return response


def _route(method: str, path: str, *, query: dict, payload: dict, key: str, patience_s: float | None) -> Answer:
    if len(key) > 300:
        return _refusal(400, "INVALID_IDEMPOTENCY_KEY")
    if (method, path) == ("POST", "/v1/payments/confirm"):
        return _confirm(payload, key, patience_s)
    if (method, path) == ("GET", "/v1/transactions"):
        return _list_transactions(query)
    if method == "GET" and (match := re.fullmatch("/v1/payments/orders/([^/]+)", path)):
        found = SandboxPayment.objects.filter(order_id=unquote(match[1])).order_by("-created_at", "pk")
        return _show(found.first())
    if method == "GET" and (match := re.fullmatch("/v1/payments/([^/]+)", path)):
        return _show(SandboxPayment.objects.filter(pk=unquote(match[1])).first())
    if method == "POST" and (match := re.fullmatch("/v1/payments/([^/]+)/cancel", path)):
        return _change(
            unquote(match[1]),
            f"cancel {key}" if key else "",
            lambda payment: _cancel(payment, payload),
            otherwise="NOT_FOUND_PAYMENT",
        )
    return _refusal(404, "NOT_FOUND")


def _show(payment: SandboxPayment | None) -> Answer:
    if payment is None:
        return _refusal(404, "NOT_FOUND_PAYMENT")
    _be_silent_about(payment)
    return 200, _to_json(payment)


def _confirm(payload: dict, key: str, patience_s: float | None) -> Answer:
    """The fault that was chosen in the window happens once, to the first request that would charge."""
    payment_key, answer_name = str(payload.get("paymentKey")), f"confirm {key}" if key else ""
    fault = Fault.NONE

    def confirm(payment: SandboxPayment) -> Answer | None:
        nonlocal fault
        if refusal := _refuse_confirm(payment, payload):
            return refusal
        fault, payment.fault = Fault(payment.fault), Fault.NONE
        if fault == Fault.LOST_BEFORE:
            payment.silent_until = timezone.now() + SILENCE
            return None
        if fault == Fault.SLOW:
            if answer_name:
                payment.answers[answer_name] = _refusal(409, "IDEMPOTENT_REQUEST_PROCESSING")
            return None
        if fault == Fault.REFUSED:
            payment.status = Status.ABORTED
            return _refusal(403, "REJECT_CARD_PAYMENT")
        if fault == Fault.DEPOSIT:
            payment.status = Status.WAITING
            payment.deposit_account = f"X{secrets.randbelow(10**13):013}"
            payment.deposit_due_at = timezone.now() + DEPOSIT_WITHIN
        else:
            _charge(payment)
        if fault == Fault.LOST_AFTER:
            payment.silent_until = timezone.now() + SILENCE
        return 200, _to_json(payment)

    answer = _change(payment_key, answer_name, confirm, otherwise="NOT_FOUND_PAYMENT_SESSION")
    if fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER):
        raise requests.ConnectionError("the sandbox loses this connection")
    if fault == Fault.SLOW:
        slow_s = settings.TOSS_SANDBOX_SLOW_S
        time.sleep(slow_s if patience_s is None else min(slow_s, patience_s))
        answer = _change(payment_key, answer_name, confirm, otherwise="NOT_FOUND_PAYMENT_SESSION", is_running=True)
        if patience_s is not None and slow_s > patience_s:
            raise requests.ReadTimeout("the sandbox answers too late")
    return answer


def _refuse_confirm(payment: SandboxPayment, payload: dict) -> Answer | None:
    """The session ends ten minutes after the buyer authorised, for a payment confirmed in time as well."""
    _be_silent_about(payment)
    if payload.get("orderId") != payment.order_id:
        return _refusal(403, "FORBIDDEN_REQUEST")
    if payment.status == Status.READY or payment.authorised_at < timezone.now() - CONFIRM_WITHIN:
        return _refusal(404, "NOT_FOUND_PAYMENT_SESSION")
    if payment.status != Status.IN_PROGRESS:
        return _refusal(400, "ALREADY_PROCESSED_PAYMENT")
    if payload.get("amount") != payment.amount_krw:  # which code this gets is not documented, only that it is refused
        return _refusal(403, "FORBIDDEN_REQUEST")
    return None


def _cancel(payment: SandboxPayment, payload: dict) -> Answer:
    reason = payload.get("cancelReason")
    amount_krw = payload.get("cancelAmount", payment.balance_krw)
    if refusal := _refuse_cancel(payment, payload, reason, amount_krw):
        return refusal
    payment.balance_krw -= amount_krw
    payment.status = Status.CANCELLED if amount_krw == payment.amount_krw else Status.PARTLY_CANCELLED
    transaction_key = _add_transaction(payment, amount_krw)
    payment.cancels.append(
        {
            "transaction_key": transaction_key,
            "amount_krw": amount_krw,
            "left_krw": payment.balance_krw,
            "reason": reason,
            "cancelled_at": _iso(timezone.now()),
        }
    )
    return 200, _to_json(payment)


def _refuse_cancel(payment: SandboxPayment, payload: dict, reason, amount_krw) -> Answer | None:
    if not isinstance(reason, str) or not 0 < len(reason) <= 200:
        return _refusal(400, "INVALID_REQUEST")
    if payment.status == Status.CANCELLED:
        return _refusal(400, "ALREADY_CANCELED_PAYMENT")
    if payment.status not in (Status.WAITING, Status.DONE, Status.PARTLY_CANCELLED):
        return _refusal(403, "NOT_CANCELABLE_PAYMENT")
    if payload.get("refundableAmount", payment.balance_krw) != payment.balance_krw:
        return _refusal(400, "NOT_MATCHES_REFUNDABLE_AMOUNT")
    if payment.balance_krw == 0:
        return _refusal(403, "NOT_CANCELABLE_AMOUNT")
    if not isinstance(amount_krw, int) or amount_krw <= 0:
        return _refusal(400, "INVALID_REQUEST")
    if amount_krw > payment.balance_krw:
        return _refusal(403, "NOT_CANCELABLE_AMOUNT")
    account = payload.get("refundReceiveAccount")
    if payment.status == Status.WAITING:
        if amount_krw != payment.balance_krw:
            return _refusal(403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT")
        return None if account is None else _refusal(400, "INVALID_REQUEST")
    if payment.method == VIRTUAL_ACCOUNT:
        return _refuse_refund_account(account)
    return None


def _refuse_refund_account(account) -> Answer | None:
    if not isinstance(account, dict) or not account.get("bank") or not 0 < len(account.get("holderName") or "") <= 60:
        return _refusal(400, "INVALID_REFUND_ACCOUNT_INFO")
    if not re.fullmatch("[0-9]{1,20}", str(account.get("accountNumber"))):
        return _refusal(400, "INVALID_REFUND_ACCOUNT_NUMBER")
    return None


def _list_transactions(query: dict) -> Answer:
    try:
        start, end = (datetime.fromisoformat(query[name]).replace(tzinfo=SEOUL) for name in ("startDate", "endDate"))
        limit = int(query.get("limit", "100"))
    except (KeyError, ValueError):
        return _refusal(400, "INVALID_REQUEST")
    rows = sorted(
        (entry["transactionAt"], position, payment.pk, entry)
        for payment in SandboxPayment.objects.filter(created_at__lte=end).exclude(transactions=[]).order_by("pk")
        for position, entry in enumerate(payment.transactions)
        if start <= datetime.fromisoformat(entry["transactionAt"]) <= end
    )
    if after := query.get("startingAfter"):
        keys = [entry["transactionKey"] for *_, entry in rows]
        if after not in keys:
            return _refusal(400, "INVALID_REQUEST")
        rows = rows[keys.index(after) + 1 :]
    page = rows[: min(max(limit, 1), 5000)]
    payments = SandboxPayment.objects.in_bulk({pk for _, _, pk, _ in page})
    return 200, [_transaction_to_json(payments[pk], entry) for _, _, pk, entry in page]


# --- The books


def _lock(payment_key: str) -> SandboxPayment | None:
    """Inside a transaction: several processes may confirm one payment at the same moment."""
    return SandboxPayment.objects.select_for_update().filter(pk=payment_key).first()


def _change(
    payment_key: str,
    answer_name: str,
    act: Callable[[SandboxPayment], Answer | None],
    *,
    otherwise: str,
    is_running: bool = False,
) -> Answer | None:
    """Do something to a payment and keep the answer under `answer_name`, in one transaction; or replay that answer.

    otherwise: the code for a payment that does not exist. is_running: what is kept is this very request's own mark.
    `act` gives None when it has no answer yet.
    """
    with transaction.atomic():
        payment = _lock(payment_key)
        if payment is None:
            return _refusal(404, otherwise)
        if answer_name in payment.answers and not is_running:
            _be_silent_about(payment)
            status, body = payment.answers[answer_name]
            return status, body
        answer = act(payment)
        if answer is not None and answer_name:
            payment.answers[answer_name] = answer
        payment.save()
    return answer


def _charge(payment: SandboxPayment) -> None:
    payment.status = Status.DONE
    payment.charge_count += 1  # the database refuses a second
    payment.approved_at = timezone.now()
    _add_transaction(payment, payment.amount_krw)


def _add_transaction(payment: SandboxPayment, amount_krw: int) -> str:
    key = secrets.token_hex(16).upper()
    payment.transactions.append(
        {
            "transactionKey": key,
            "status": STATUS_NAMES[Status(payment.status)],
            "amount": amount_krw,
            "transactionAt": _iso(timezone.now()),
        }
    )
    return key


def _status_name(payment: SandboxPayment) -> str:
    if payment.status == Status.IN_PROGRESS:
        if payment.authorised_at < timezone.now() - CONFIRM_WITHIN:
            return "EXPIRED"
        if payment.method == VIRTUAL_ACCOUNT:
            return "READY"  # until the confirm opens the account
    return STATUS_NAMES[Status(payment.status)]


def _be_silent_about(payment: SandboxPayment) -> None:
    if payment.silent_until and payment.silent_until > timezone.now():
        raise requests.ReadTimeout("the sandbox does not answer for a while")


def _iso(at: datetime | None) -> str | None:
    return at and at.astimezone(SEOUL).isoformat(timespec="seconds")


def _refusal(status: int, code: str) -> Answer:
    return status, {"code": code, "message": _message(code)}


def _message(code: str) -> str:
    """In Korean, as the provider's own."""
    return "시험 결제: 카드사에서 결제를 거절했어요." if code.startswith("REJECT_") else f"시험 결제: {code}"


def _to_json(payment: SandboxPayment) -> dict:
    status = _status_name(payment)
    vat_krw = (payment.balance_krw * 2 + 11) // 22  # an eleventh, rounded
    return {
        "version": "2024-06-01",
        "mId": "sandbox",
        "type": "NORMAL",
        "paymentKey": payment.pk,
        "orderId": payment.order_id,
        "orderName": payment.order_name,
        "currency": "KRW",
        "method": payment.method or None,
        "status": status,
        "totalAmount": payment.amount_krw,
        "balanceAmount": payment.balance_krw,
        "suppliedAmount": payment.balance_krw - vat_krw,
        "vat": vat_krw,
        "taxFreeAmount": 0,
        "taxExemptionAmount": 0,
        "requestedAt": _iso(payment.created_at),
        "approvedAt": _iso(payment.approved_at),
        "useEscrow": False,
        "cultureExpense": False,
        "lastTransactionKey": payment.transactions[-1]["transactionKey"] if payment.transactions else None,
        "isPartialCancelable": True,
        "cancels": [_cancel_to_json(payment, entry) for entry in payment.cancels] or None,
        "secret": None,
        "card": None,
        "virtualAccount": _account_to_json(payment) if payment.deposit_account else None,
        "failure": _refusal(403, "REJECT_CARD_PAYMENT")[1] if status == "ABORTED" else None,
        "receipt": None,
    }


def _cancel_to_json(payment: SandboxPayment, entry: dict) -> dict:
    return {
        "transactionKey": entry.get("transaction_key"),  # cancels of an earlier version had neither key nor time
        "cancelAmount": entry["amount_krw"],
        "refundableAmount": entry.get("left_krw", payment.balance_krw),
        "cancelReason": entry["reason"],
        "canceledAt": entry.get("cancelled_at") or _iso(payment.approved_at),
        "cancelStatus": "DONE",
    }


def _account_to_json(payment: SandboxPayment) -> dict:
    return {
        "accountType": "일반",
        "accountNumber": payment.deposit_account,
        "bankCode": BANK_CODE,
        "customerName": "시험 구매자",
        "dueDate": _iso(payment.deposit_due_at),
        "refundStatus": "NONE",
        "expired": payment.deposit_due_at <= timezone.now(),
        "settlementStatus": "COMPLETED" if payment.approved_at else "INCOMPLETED",
    }


def _transaction_to_json(payment: SandboxPayment, entry: dict) -> dict:
    return {
        "mId": "sandbox",
        "transactionKey": entry["transactionKey"],
        "paymentKey": payment.pk,
        "orderId": payment.order_id,
        "method": payment.method or None,
        "useEscrow": False,
        "status": entry["status"],
        "transactionAt": entry["transactionAt"],
        "currency": "KRW",
        "amount": entry["amount"],
    }
