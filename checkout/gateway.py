"""What the shop asks of a payment provider, whichever it is.

A gateway turns the provider's answers into the frozen values below and its troubles into exactly three kinds of error.
`sandbox.py` is the first one; the provider over HTTP implements the same `Gateway`. No call stands inside a database
transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from django.conf import settings


class GatewayError(Exception):
    """The provider did not do what it was asked. `code` is its own word for the reason, kept for staff."""

    def __init__(self, code: str = "", message: str = ""):
        self.code = code
        self.message = message
        super().__init__(f"{code} {message}".strip())


class GatewayRefused(GatewayError):
    """A definite no: nothing was done. `message`, when there is one, is the provider's and fit for the buyer."""


class GatewayUnknown(GatewayError):
    """No answer, or one that does not say: it may have happened. Look the payment up, never guess."""


class GatewayMisconfigured(GatewayError):
    """Keys or settings are wrong, so nothing was done; staff must act."""


class ProviderState(StrEnum):
    """Where a payment stands at the provider. Source: Toss Payments API, `Payment.status`."""

    READY = "READY"
    IN_PROGRESS = "IN_PROGRESS"  # authorised by the buyer, waiting for our confirm: no money has moved
    WAITING_FOR_DEPOSIT = "WAITING_FOR_DEPOSIT"
    DONE = "DONE"
    PARTLY_CANCELLED = "PARTIAL_CANCELED"
    CANCELLED = "CANCELED"
    ABORTED = "ABORTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class ProviderCancel:
    amount_krw: int
    reason: str


@dataclass(frozen=True)
class ProviderPayment:
    """A payment as the provider has it. Amounts in whole won; `balance_krw` is what can still be given back."""

    payment_key: str
    order_number: str
    state: ProviderState
    amount_krw: int
    balance_krw: int
    method: str = ""
    approved_at: datetime | None = None
    cancels: tuple[ProviderCancel, ...] = ()
    failure_code: str = ""
    failure_message: str = ""

    @property
    def is_charged(self) -> bool:
        """Money moved, whatever was given back later."""
        return self.state in (ProviderState.DONE, ProviderState.PARTLY_CANCELLED, ProviderState.CANCELLED)


@dataclass(frozen=True)
class PaymentRequest:
    """What the payment window is opened with. The addresses are absolute and carry our own reference."""

    reference: str
    order_number: str
    order_name: str
    amount_krw: int
    email: str
    success_url: str
    fail_url: str


class Gateway(Protocol):
    provider: str

    def open_window(self, request: PaymentRequest) -> str:
        """The address of ours to send the buyer's browser to. A second call with one reference gives the same."""

    def confirm(self, *, payment_key: str, order_number: str, amount_krw: int, idempotency_key: str) -> ProviderPayment:
        """Charge an authorised payment. The same idempotency key gets the first answer again and charges once."""

    def look_up(self, *, payment_key: str) -> ProviderPayment | None:
        """The payment as it stands, None if the provider has never heard of it."""

    def look_up_order(self, *, order_number: str) -> ProviderPayment | None:
        """The same by our order number."""

    def cancel(self, *, payment_key: str, amount_krw: int | None, reason: str, idempotency_key: str) -> ProviderPayment:
        """Give back `amount_krw` (None: all that is left). The same idempotency key gives back once."""


def provider_in_use() -> str:
    """`toss` when its secret key is set, else `sandbox` where that is allowed, else empty: nothing can be paid."""
    if settings.TOSS_SECRET_KEY:
        return "toss"
    return "sandbox" if settings.DEBUG or settings.TOSS_SANDBOX else ""


def get_gateway(provider: str | None = None) -> Gateway:
    """The gateway of `provider` (of a stored payment), or of the one in use for a new payment.

    Raises GatewayMisconfigured when there is none.
    """
    from checkout.sandbox import SandboxGateway

    gateways = {SandboxGateway.provider: SandboxGateway}
    provider = provider or provider_in_use()
    if provider not in gateways:
        raise GatewayMisconfigured("no_gateway", f"no gateway for provider “{provider}”")
    return gateways[provider]()
