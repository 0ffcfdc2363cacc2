"""The provider's bytes, read into the values of `provider.py`, and its error codes, sorted into the three errors.

Unknown members are ignored, because new ones come without notice; missing and wrong-typed ones are refused: a payment
that cannot be read is looked up, never guessed. Source: Toss Payments API, versions 2022-11-16 and 2024-06-01, the
Payment and Transaction objects and the lists of error codes.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from checkout.provider import (
    Deposit,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnknown,
    ProviderCancel,
    ProviderPayment,
    ProviderState,
    ProviderTransaction,
)

SEOUL = ZoneInfo("Asia/Seoul")
MOST_KRW = 2**31 - 1  # what a column of the database holds; no payment comes near it
CANCEL_STATUSES = {"DONE", "IN_PROGRESS", "ABORTED"}
UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # what neither a log nor a database takes


class Unreadable(ValueError):
    """Names the member, never its value."""


def parse_json(body: bytes):
    """Raises Unreadable."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON") from None


def read_payment(data) -> ProviderPayment:
    """Raises Unreadable."""
    data = _object(data, "payment")
    if data.get("currency") != "KRW":
        raise Unreadable("currency is not KRW")
    amount_krw = _amount(data, "totalAmount")
    balance_krw = _amount(data, "balanceAmount")
    if balance_krw > amount_krw:
        raise Unreadable("balanceAmount is more than totalAmount")
    if "approvedAt" not in data:  # null says that no money moved, so its absence must not
        raise Unreadable("approvedAt is missing")
    failure = _object(data.get("failure") or {}, "failure")
    return ProviderPayment(
        payment_key=_key(data, "paymentKey", most=200),
        order_id=_key(data, "orderId", most=64),
        state=_state(data),
        amount_krw=amount_krw,
        balance_krw=balance_krw,
        method=_text(data, "method", most=20),
        approved_at=None if data["approvedAt"] is None else _time(data, "approvedAt"),
        deposit=_deposit(data.get("virtualAccount")),
        cancels=_cancels(data.get("cancels")),
        failure_code=_text(failure, "code", most=64),
        failure_message=_text(failure, "message", most=510),
        receipt_url=_address(_object(data.get("receipt") or {}, "receipt")),
    )


def read_transactions(data) -> list[ProviderTransaction]:
    """Raises Unreadable."""
    if not isinstance(data, list):
        raise Unreadable("the transactions are not a list")
    return [_transaction(_object(entry, "transaction")) for entry in data]


def _transaction(data: dict) -> ProviderTransaction:
    if data.get("currency") != "KRW":
        raise Unreadable("currency is not KRW")
    return ProviderTransaction(
        transaction_key=_key(data, "transactionKey", most=64),
        payment_key=_key(data, "paymentKey", most=200),
        order_id=_key(data, "orderId", most=64),
        state=_state(data),
        amount_krw=abs(_amount(data, "amount", least=-MOST_KRW)),
        at=_time(data, "transactionAt"),
        method=_text(data, "method", most=20),
    )


def _cancels(entries) -> tuple[ProviderCancel, ...]:
    """What was given back or is on its way back; an entry whose giving back failed is left out."""
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise Unreadable("cancels is not a list")
    cancels = []
    for entry in entries:
        entry = _object(entry, "cancel")
        status = entry.get("cancelStatus")
        if status is not None and (not isinstance(status, str) or status not in CANCEL_STATUSES):
            raise Unreadable("cancelStatus is unknown")
        if status == "ABORTED":
            continue
        cancels.append(
            ProviderCancel(
                amount_krw=_amount(entry, "cancelAmount"),
                reason=_text(entry, "cancelReason", most=200),
                transaction_key=_text(entry, "transactionKey", most=64),
                cancelled_at=None if entry.get("canceledAt") is None else _time(entry, "canceledAt"),
            )
        )
    return tuple(cancels)


def _deposit(data) -> Deposit | None:
    if data is None:
        return None
    data = _object(data, "virtualAccount")
    return Deposit(
        bank_code=_text(data, "bankCode", most=8),
        account_number=_key(data, "accountNumber", most=20),
        due_at=None if data.get("dueDate") is None else _time(data, "dueDate", without_offset=SEOUL),
    )


def _object(data, name: str) -> dict:
    if not isinstance(data, dict):
        raise Unreadable(f"{name} is not an object")
    return data


def _key(data: dict, name: str, *, most: int) -> str:
    """A name that is compared and stored whole."""
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or UNFIT.search(value):
        raise Unreadable(f"{name} is missing or unfit")
    return value


def _text(data: dict, name: str, *, most: int) -> str:
    """A text that is shown only; empty when it is null or missing."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a text")
    return UNFIT.sub("�", value)[:most]


def _amount(data: dict, name: str, *, least: int = 0) -> int:
    """Whole won. 5000.0 is the same number in JSON as 5000; 1.5 is none, and neither are true and "5000"."""
    value = data.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST_KRW:
        raise Unreadable(f"{name} is missing or no amount in whole won")
    return value


def _state(data: dict) -> ProviderState:
    value = data.get("status")
    if not isinstance(value, str) or value not in set(ProviderState):
        raise Unreadable("status is missing or unknown")
    return ProviderState(value)


def _time(data: dict, name: str, *, without_offset: ZoneInfo | None = None) -> datetime:
    """Aware UTC. A time without an offset is refused, unless `without_offset` says whose clock it is."""
    value = data.get(name)
    try:
        if not isinstance(value, str):
            raise ValueError
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            if without_offset is None:
                raise ValueError
            at = at.replace(tzinfo=without_offset)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{name} is missing or no time with an offset") from None


def _address(data: dict) -> str:
    """`url`, if it is one that a page may link to."""
    url = _text(data, "url", most=500)
    return url if url.startswith("https://") else ""


# --- Errors

KEYS_ARE_WRONG = {"INVALID_API_KEY", "UNAUTHORIZED_KEY", "INCORRECT_BASIC_AUTH_FORMAT"}


@dataclass(frozen=True)
class ErrorCodes:
    """The codes of one call that say for certain that nothing was done. Every other code leaves the outcome open."""

    refused: frozenset[str] = frozenset()
    misconfigured: frozenset[str] = frozenset(KEYS_ARE_WRONG)


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONFIRM_CODES = ErrorCodes(
    refused=_codes(
        """
        BELOW_MINIMUM_AMOUNT INVALID_REJECT_CARD INVALID_CARD_NUMBER INVALID_CARD_EXPIRATION
        INVALID_STOPPED_CARD INVALID_CARD_LOST_OR_STOLEN NOT_ALLOWED_POINT_USE
        EXCEED_MAX_CARD_INSTALLMENT_PLAN INVALID_CARD_INSTALLMENT_PLAN
        NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN
        EXCEED_MAX_AMOUNT EXCEED_MAX_PAYMENT_AMOUNT EXCEED_MAX_DAILY_PAYMENT_COUNT
        EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT
        EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT RESTRICTED_TRANSFER_ACCOUNT INVALID_ACCOUNT_INFO_RE_REGISTER
        NOT_AVAILABLE_PAYMENT REJECT_CARD_PAYMENT REJECT_CARD_COMPANY REJECT_ACCOUNT_PAYMENT
        REJECT_TOSSPAY_INVALID_ACCOUNT EXCEED_MAX_AUTH_COUNT EXCEED_MAX_ONE_DAY_AMOUNT INVALID_PASSWORD
        FDS_ERROR NOT_AVAILABLE_BANK FORBIDDEN_REQUEST NOT_FOUND_PAYMENT NOT_FOUND_PAYMENT_SESSION
        """
    ),
    misconfigured=frozenset(
        KEYS_ARE_WRONG
        | {
            "INVALID_REQUEST",
            "NOT_FOUND_TERMINAL_ID",
            "INVALID_AUTHORIZE_AUTH",
            "INVALID_UNREGISTERED_SUBMALL",
            "NOT_REGISTERED_BUSINESS",
            "UNAPPROVED_ORDER_ID",
            "INVALID_IDEMPOTENCY_KEY",
        }
    ),
)
CANCEL_CODES = ErrorCodes(
    refused=_codes(
        """
        INVALID_REFUND_ACCOUNT_INFO INVALID_REFUND_ACCOUNT_NUMBER INVALID_BANK
        EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT REFUND_REJECTED FORBIDDEN_BANK_REFUND_REQUEST
        NOT_CANCELABLE_PAYMENT NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER EXCEED_MAX_REFUND_DUE
        EXCEED_CANCEL_LIMIT NOT_ALLOWED_PARTIAL_REFUND NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT
        NOT_AVAILABLE_BANK NOT_FOUND_PAYMENT
        """
    ),
    # NOT_CANCELABLE_AMOUNT is in neither: an earlier request may have given back what this one asked for.
    misconfigured=frozenset(KEYS_ARE_WRONG | {"INVALID_REQUEST", "FORBIDDEN_REQUEST", "INVALID_IDEMPOTENCY_KEY"}),
)
LOOK_UP_CODES = ErrorCodes(misconfigured=frozenset(KEYS_ARE_WRONG | {"FORBIDDEN_REQUEST"}))
LIST_CODES = ErrorCodes(misconfigured=frozenset(KEYS_ARE_WRONG | {"FORBIDDEN_REQUEST", "INVALID_REQUEST"}))

CODE = re.compile("[A-Z][A-Z0-9_]{1,63}")
STILL_RUNNING = "IDEMPOTENT_REQUEST_PROCESSING"


def read_error(status: int, body: bytes, codes: ErrorCodes) -> GatewayError:
    """Which of the three errors an answer other than 200 is: by its code. An answer of 429 or 5xx is never definite."""
    try:
        data = _object(parse_json(body), "error")
        code, message = _key(data, "code", most=64), _text(data, "message", most=510)
        if not CODE.fullmatch(code):
            raise Unreadable("code is no code")
    except Unreadable as error:
        return GatewayUnknown("unreadable_answer", f"status {status}: {error}", keeps_key=False)
    if 400 <= status < 500 and status != 429:
        if code in codes.refused:
            return GatewayRefused(code, message)
        if code in codes.misconfigured:
            return GatewayMisconfigured(code, message)
    return GatewayUnknown(code, message, keeps_key=code == STILL_RUNNING)
