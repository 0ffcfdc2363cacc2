"""One payment as the provider keeps it, and the Payment object it shows.

Source: the fact sheet, sections 2.4 to 2.7.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

KST = timezone(timedelta(hours=9))
TIME_TO_AUTHENTICATE = timedelta(minutes=30)
TIME_TO_CONFIRM = timedelta(minutes=10)
TIME_TO_READ_REFUND_ACCOUNT = timedelta(minutes=30)
TIME_TO_TRANSFER_BACK = timedelta(days=2)

# What the browser asks for -> what the Payment object says, in Korean and in English.
METHODS = {
    "CARD": ("카드", "Card"),
    "EASY_PAY": ("간편결제", "Easy payment"),
    "VIRTUAL_ACCOUNT": ("가상계좌", "Virtual account"),
    "TRANSFER": ("계좌이체", "Transfer"),
    "MOBILE_PHONE": ("휴대폰", "Mobile phone"),
    "CULTURE_GIFT_CERTIFICATE": ("문화상품권", "Culture gift certificate"),
    "BOOK_GIFT_CERTIFICATE": ("도서문화상품권", "Book gift certificate"),
    "GAME_GIFT_CERTIFICATE": ("게임문화상품권", "Game gift certificate"),
}
METHOD_BY_KOREAN = {korean: method for method, (korean, _) in METHODS.items()}


def iso(moment: datetime | None) -> str | None:
    """The provider's way to write a time: Korean time, whole seconds, with its offset."""
    return moment and moment.astimezone(KST).isoformat(timespec="seconds")


def vat_of(amount_krw: int, tax_free_krw: int) -> int:
    """An eleventh of what is taxed, rounded half up: 15,000 won hold 1,364."""
    return (2 * (amount_krw - tax_free_krw) + 11) // 22


@dataclass(frozen=True)
class Shop:
    """A pair of keys. `test_ck`/`test_sk` opens the payment window, `test_gck`/`test_gsk` the order form."""

    client_key: str
    secret_key: str
    m_id: str

    @property
    def is_test(self) -> bool:
        return self.secret_key.startswith("test_")

    @property
    def is_order_form(self) -> bool:
        return "_gck_" in self.client_key

    @property
    def api_version(self) -> str:
        return "2022-11-16" if self.is_order_form else "2024-06-01"


@dataclass(frozen=True)
class Cancel:
    transaction_key: str
    amount_krw: int
    tax_free_krw: int
    left_krw: int
    reason: str
    at: datetime


@dataclass
class Payment:
    """`amount_krw` is what the page asked for, whoever edited it. Times are aware UTC.

    The books of the tests: `charges` and `charged_krw` count won that moved to the shop, `given_back_krw` won that a
    cancel returned, `reverted_krw` deposits that the bank took back.
    """

    shop: Shop
    order_id: str
    order_name: str
    amount_krw: int
    customer_key: str
    opened_at: datetime
    sequence: int
    method: str | None = None
    tax_free_krw: int = 0
    metadata: dict | None = None
    success_url: str = ""
    fail_url: str = ""
    window_target: str = "self"
    valid_hours: int = 168
    customer_name: str = ""
    is_partial_cancelable: bool = True
    refuse_with: str = ""  # the code with which the confirm is refused
    refuse_cancel_with: str = ""

    payment_key: str = ""
    secret: str = field(default_factory=lambda: f"ps_{secrets.token_hex(14)}")
    status: str = "READY"
    authenticated_at: datetime | None = None
    issued_at: datetime | None = None  # of a virtual account
    approved_at: datetime | None = None
    failure: dict | None = None
    last_transaction_key: str | None = None
    approval_key: str | None = None
    tax_free_left_krw: int = 0
    balance_krw: int = 0
    cancels: list[Cancel] = field(default_factory=list)
    cancel_asked_at: datetime | None = None
    refund_account: dict | None = None
    is_refunded_by_transfer: bool = False

    charges: int = 0
    charged_krw: int = 0
    given_back_krw: int = 0
    reverted_krw: int = 0

    def __post_init__(self):
        self.payment_key = f"tstandin{self.opened_at:%Y%m%d%H%M%S}{secrets.token_hex(6)}"
        self.balance_krw = self.amount_krw
        self.tax_free_left_krw = self.tax_free_krw

    @property
    def is_virtual_account(self) -> bool:
        return self.method == "VIRTUAL_ACCOUNT"

    @property
    def is_confirmed(self) -> bool:
        return self.status in ("WAITING_FOR_DEPOSIT", "DONE", "PARTIAL_CANCELED", "CANCELED")

    @property
    def due_at(self) -> datetime | None:
        """When the time to deposit ends; nothing happens then but that the bank refuses the deposit."""
        return self.issued_at and self.issued_at + timedelta(hours=self.valid_hours)

    def is_over(self, now: datetime) -> bool:
        """Whether the time to authenticate, or the one to confirm, has run out."""
        if self.authenticated_at is None:
            return now - self.opened_at > TIME_TO_AUTHENTICATE
        return now - self.authenticated_at > TIME_TO_CONFIRM

    def books(self) -> dict:
        """What a test asserts about: whole won, and the number of times that money moved."""
        return {
            "payment_key": self.payment_key,
            "order_id": self.order_id,
            "status": self.status,
            "method": METHODS[self.method][0] if self.method else None,
            "total_krw": self.amount_krw,
            "balance_krw": self.balance_krw,
            "charges": self.charges,
            "charged_krw": self.charged_krw,
            "cancels": len(self.cancels),
            "given_back_krw": self.given_back_krw,
            "reverted_krw": self.reverted_krw,
            "held_krw": self.charged_krw - self.given_back_krw - self.reverted_krw,
        }

    def to_json(self, *, now: datetime, base_url: str, english: bool = False, has_extras: bool = False) -> dict:
        """The Payment object, with every member of section 2.4. `has_extras` adds some that no document names."""
        vat_krw = vat_of(self.balance_krw, self.tax_free_left_krw)
        has_method = self.authenticated_at is not None
        shown = {
            "mId": self.shop.m_id,
            "lastTransactionKey": self.last_transaction_key,
            "transactionKey": None,
            "paymentKey": self.payment_key,
            "orderId": self.order_id,
            "orderName": self.order_name,
            "taxExemptionAmount": 0,
            "status": self.status,
            "requestedAt": iso(self.opened_at),
            "approvedAt": iso(self.approved_at),
            "useEscrow": None if self.status == "EXPIRED" else False,
            "cultureExpense": False,
            "card": self._card() if has_method else None,
            "virtualAccount": self._virtual_account(now) if self.issued_at else None,
            "transfer": self._settled("TRANSFER", {"bankCode": "92"}),
            "mobilePhone": self._settled(
                "MOBILE_PHONE", {"customerMobilePhone": "010****0000", "receiptUrl": f"{base_url}/receipt"}
            ),
            "giftCertificate": self._settled(
                ("CULTURE_GIFT_CERTIFICATE", "BOOK_GIFT_CERTIFICATE", "GAME_GIFT_CERTIFICATE"),
                {"approveNo": f"{self.sequence:08}"[-8:]},
            ),
            "easyPay": self._easy_pay() if has_method else None,
            "cashReceipt": None,
            "cashReceipts": None,
            "discount": None,
            "cancels": [self._cancel(cancel) for cancel in self.cancels] or None,
            "secret": self.secret if self.is_confirmed else None,
            "type": "NORMAL",
            "country": "KR",
            "failure": self.failure,
            "isPartialCancelable": self.is_partial_cancelable,
            "receipt": {"url": f"{base_url}/receipt"} if self.approved_at else None,
            "checkout": {"url": f"{base_url}/window/{self.payment_key}"},
            "currency": "KRW",
            "totalAmount": self.amount_krw,
            "balanceAmount": self.balance_krw,
            "suppliedAmount": self.balance_krw - vat_krw - self.tax_free_left_krw,
            "vat": vat_krw,
            "taxFreeAmount": self.tax_free_left_krw,
            "metadata": self.metadata,
            "method": METHODS[self.method][english] if has_method else None,
            "version": self.shop.api_version,
        }
        if has_extras:
            shown["loyalty"] = {"points": 0, "status": "DONE", "totalAmount": 1}
            shown["aMemberOfTomorrow"] = ["new", None, 3.5]
            for cancel in shown["cancels"] or []:
                cancel["aMemberOfTomorrow"] = {"cancelAmount": 1}
        return shown

    def _card(self) -> dict | None:
        """A card, or one behind an easy payment: of those every other has one."""
        if self.method != "CARD" and not (self.method == "EASY_PAY" and self.sequence % 2):
            return None
        return {
            "amount": self.amount_krw,
            "issuerCode": "71",
            "acquirerCode": None,
            "number": "53275000****123*",
            "installmentPlanMonths": 0,
            "approveNo": f"{self.sequence:08}"[-8:],
            "useCardPoint": False,
            "cardType": "신용",
            "ownerType": "개인",
            "acquireStatus": "CANCELED" if self.status == "CANCELED" else "READY",
            "isInterestFree": False,
            "interestPayer": None,
        }

    def _easy_pay(self) -> dict | None:
        if self.method != "EASY_PAY":
            return None
        return {
            "provider": "토스페이",
            "amount": 0 if self.sequence % 2 else self.amount_krw,
            "discountAmount": 0,
        }

    def _settled(self, methods: str | tuple, members: dict) -> dict | None:
        if self.authenticated_at is None or self.method is None or self.method not in methods:
            return None
        return {**members, "settlementStatus": "INCOMPLETED"}

    def _virtual_account(self, now: datetime) -> dict:
        last = self.cancels[-1].at if self.is_refunded_by_transfer else None
        refund_status = "NONE" if last is None else "PENDING" if now - last < TIME_TO_TRANSFER_BACK else "COMPLETED"
        is_readable = last is not None and now - last <= TIME_TO_READ_REFUND_ACCOUNT
        return {
            "accountType": "일반",
            "accountNumber": f"X{self.sequence:013}",
            "bankCode": "20",
            "customerName": self.customer_name or "구매자",
            "depositorName": (self.customer_name or "구매자") if self.approved_at else "",
            "dueDate": iso(self.due_at),
            "refundStatus": refund_status,
            "expired": now > self.due_at and self.status == "WAITING_FOR_DEPOSIT",
            "settlementStatus": "INCOMPLETED",
            "refundReceiveAccount": self.refund_account if is_readable else None,
        }

    @staticmethod
    def _cancel(cancel: Cancel) -> dict:
        return {
            "transactionKey": cancel.transaction_key,
            "cancelReason": cancel.reason,
            "taxExemptionAmount": 0,
            "canceledAt": iso(cancel.at),
            "cardDiscountAmount": 0,
            "transferDiscountAmount": 0,
            "easyPayDiscountAmount": 0,
            "receiptKey": None,
            "cancelStatus": "DONE",
            "cancelRequestId": None,
            "cancelAmount": cancel.amount_krw,
            "taxFreeAmount": cancel.tax_free_krw,
            "refundableAmount": cancel.left_krw,
        }


def utc_now() -> datetime:
    return datetime.now(UTC)
