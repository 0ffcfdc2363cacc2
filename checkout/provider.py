"""What the shop and a payment provider say to each other, whichever provider it is.

`gateway.py` turns the provider's answers into the frozen values below and its troubles into exactly three kinds of
error. Amounts are whole won, times aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class GatewayError(Exception):
    """The provider did not do what it was asked. `code` is its own word for the reason, kept for staff."""

    def __init__(self, code: str = "", message: str = ""):
        self.code = code
        self.message = message
        super().__init__(f"{code} {message}".strip())


class GatewayRefused(GatewayError):
    """A definite no: nothing was done. `message`, when there is one, is the provider's and fit for the buyer."""


class GatewayUnknown(GatewayError):
    """No answer, or one that does not say: it may have happened. Look the payment up, never guess.

    keeps_key: whether the same request may be sent again under the same idempotency key, which is so when no answer
    came or the first request still runs. An answer is stored with its key at the provider and would come back for
    fifteen days, so after one a look-up and a new key are needed. Source: fact sheet of Toss Payments, section 2.2.
    """

    def __init__(self, code: str = "", message: str = "", *, keeps_key: bool = True):
        super().__init__(code, message)
        self.keeps_key = keeps_key


class GatewayMisconfigured(GatewayError):
    """Keys or settings are wrong, so nothing was done; staff must act."""


class ProviderState(StrEnum):
    """Where a payment stands at the provider. Source: Toss Payments API, `Payment.status`."""

    READY = "READY"
    IN_PROGRESS = "IN_PROGRESS"  # authorised by the buyer, waiting for our confirm: no money has moved
    WAITING_FOR_DEPOSIT = "WAITING_FOR_DEPOSIT"
    DONE = "DONE"
    PARTLY_CANCELLED = "PARTIAL_CANCELED"
    CANCELLED = "CANCELED"  # also a virtual account that was cancelled before anybody paid into it
    ABORTED = "ABORTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class ProviderCancel:
    """One entry of `cancels[]`. `reason` is the text we sent, in which our refund's own mark stands."""

    amount_krw: int
    reason: str
    transaction_key: str = ""
    cancelled_at: datetime | None = None


@dataclass(frozen=True)
class Deposit:
    """The account a buyer is to pay into. `bank_code` is the two-digit code of the Korean banks."""

    bank_code: str
    account_number: str
    due_at: datetime | None = None


@dataclass(frozen=True)
class RefundAccount:
    """Where a deposit goes back to. It is handed to the provider and stored nowhere."""

    bank_code: str
    account_number: str
    holder_name: str


@dataclass(frozen=True)
class ProviderPayment:
    """A payment as the provider has it. `balance_krw` is what can still be given back."""

    payment_key: str
    order_id: str
    state: ProviderState
    amount_krw: int
    balance_krw: int
    method: str = ""
    approved_at: datetime | None = None
    deposit: Deposit | None = None
    cancels: tuple[ProviderCancel, ...] = ()
    failure_code: str = ""
    failure_message: str = ""
    receipt_url: str = ""

    @property
    def is_charged(self) -> bool:
        """Money moved, whatever was given back later. A deposit that never came and was cancelled moved none."""
        if self.state == ProviderState.CANCELLED:
            return self.approved_at is not None
        return self.state in (ProviderState.DONE, ProviderState.PARTLY_CANCELLED)

    @property
    def given_back_krw(self) -> int:
        return self.amount_krw - self.balance_krw if self.is_charged else 0


@dataclass(frozen=True)
class ProviderTransaction:
    """One approval or one cancel in the provider's list. `state` is the payment's after it.

    The sign of the amount of a cancel is not documented, so `amount_krw` is always what moved, without a sign.
    Source: Toss Payments API, `GET /v1/transactions`.
    """

    transaction_key: str
    payment_key: str
    order_id: str
    state: ProviderState
    amount_krw: int
    at: datetime
    method: str = ""
