"""The provider's books: payments and what may happen to them, in memory, under one lock, on a clock that can be moved.

Everything an outsider can cause is one method. Refusals are `TossError` with the documented code. Usable without the
server: `api.Api` puts keys, idempotency and faults in front of it, `control.Control` is the tests' hand on it.
Source: the fact sheet, sections 2 and 4.
"""

import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from tests.toss.errors import STATUS_BY_CODE, SdkError, TossError, message_of
from tests.toss.payments import KST, METHODS, Cancel, Payment, Shop, iso, utc_now

ORDER_ID = re.compile(r"[A-Za-z0-9_-]{6,64}")
MINIMUM_KRW = {"CARD": 100, "EASY_PAY": 100}
MINIMUM_OTHERWISE_KRW = 200
DAYS_TO_CANCEL = {"TRANSFER": 180, "VIRTUAL_ACCOUNT": 365}
BANKS = {"20", "88", "04", "06", "03", "11", "81", "90", "92", "89", "23", "27", "71", "31", "32", "34", "37", "39"}

DEFAULT_SHOPS = (
    Shop("test_ck_StandInWindowAAAAAAAAAAAA", "test_sk_StandInWindowAAAAAAAAAAAA", "standin"),
    Shop("test_gck_StandInFormBBBBBBBBBBBBBB", "test_gsk_StandInFormBBBBBBBBBBBBBB", "standinform"),
    Shop("live_ck_StandInWindowCCCCCCCCCCCC", "live_sk_StandInWindowCCCCCCCCCCCC", "standinlive"),
    Shop("test_ck_AnotherShopDDDDDDDDDDDDDD", "test_sk_AnotherShopDDDDDDDDDDDDDD", "anothershop"),
)


@dataclass
class Settings:
    """What the documents leave open, or what a test wants switched. A reset brings these values back."""

    guards_consecutive_cancels: bool = True  # two cancels of a payment within a second: the second is refused
    amount_error: str = "FORBIDDEN_REQUEST"  # of a confirm with another amount; the true code is not documented
    key_pair_error: str = "FORBIDDEN_REQUEST"  # of a confirm with another pair; or NOT_FOUND_PAYMENT_SESSION
    order_lookup_answers: str = "latest"  # or "first": which attempt, when several shared an order id
    has_extra_members: str = "sometimes"  # of every other payment; or "always", "never"
    has_payment_type: bool = True  # in the query of the success address
    negates_cancelled_amounts: bool = False  # in the rows of the transactions; the true sign is not documented
    requests_per_minute: int | None = None  # of each kind; beyond it 429


@dataclass(frozen=True)
class Transaction:
    """An approval, or a cancel."""

    payment: Payment
    transaction_key: str
    status: str
    amount_krw: int
    at: datetime


class Engine:
    """`announce(payment, is_deposit_event)` is called, under the lock, each time a payment enters a status."""

    def __init__(self, announce: Callable[[Payment, bool], None] = lambda payment, is_deposit_event: None):
        self.lock = threading.RLock()
        self.announce = announce
        self.base_url = "http://127.0.0.1"
        self.shops = list(DEFAULT_SHOPS)
        self.reset()

    def reset(self) -> None:
        """Forget every payment, switch the settings back and the clock to the real time. The keys stay."""
        with self.lock:
            self.settings = Settings()
            self.offset = timedelta()
            self.payments: dict[str, Payment] = {}
            self.keys_by_order: dict[str, list[str]] = {}
            self.transaction_rows: list[Transaction] = []

    # The clock and the settings

    def now(self) -> datetime:
        return utc_now() + self.offset

    def advance(self, seconds: float) -> datetime:
        """Move the clock, and let expire what expires by that."""
        with self.lock:
            self.offset += timedelta(seconds=seconds)
            for payment in self.payments.values():
                self._expire_if_over(payment)
            return self.now()

    def change_settings(self, **changes) -> None:
        with self.lock:
            unknown = changes.keys() - {field.name for field in fields(Settings)}
            if unknown:
                raise ValueError(f"no such settings: {sorted(unknown)}")
            if not STATUS_BY_CODE.keys() >= {value for name, value in changes.items() if name.endswith("_error")}:
                raise ValueError("no such code")
            for name, value in changes.items():
                setattr(self.settings, name, value)

    # Keys

    def add_shop(self, client_key: str, secret_key: str, *, is_first: bool = False) -> Shop:
        """Know another pair of keys; the first one is used where none is named. ValueError for two that are no pair."""
        halves = [re.fullmatch(r"(test|live)_(g?)([cs])k_\w+", key) for key in (client_key, secret_key)]
        kinds = [half.groups() for half in halves if half]
        if [kind[2] for kind in kinds] != ["c", "s"] or kinds[0][:2] != kinds[1][:2]:
            raise ValueError("a pair is a client and a secret key of one kind and one environment")
        with self.lock:
            shop = Shop(client_key, secret_key, f"shop{len(self.shops)}")
            self.shops.insert(0 if is_first else len(self.shops), shop)
            return shop

    def shop_of_client(self, client_key: str) -> Shop | None:
        return next((shop for shop in self.shops if shop.client_key == client_key), None)

    def shop_of_secret(self, secret_key: str) -> Shop | None:
        return next((shop for shop in self.shops if shop.secret_key == secret_key), None)

    # The buyer's side

    def open(self, *, client_key: str, order_id: str, amount_krw: int, method: str | None, **members) -> Payment:
        """A payment in READY, for whatever amount the page named. Raises SdkError.

        An order id may come again: each opening is another payment.
        """
        with self.lock:
            shop = self.shop_of_client(client_key)
            if shop is None:
                raise SdkError("INVALID_CLIENT_KEY", "잘못된 클라이언트 키입니다.")
            if not (isinstance(order_id, str) and ORDER_ID.fullmatch(order_id)):
                raise SdkError("INVALID_PARAMETERS", "orderId는 영문, 숫자, -, _ 6자 이상 64자 이하여야 합니다.")
            if type(amount_krw) is not int:
                raise SdkError("INVALID_AMOUNT_VALUE", "금액은 정수여야 합니다.")
            if amount_krw <= 0:
                raise SdkError("BELOW_ZERO_AMOUNT", "금액은 0보다 커야 합니다.")
            if method is not None and method not in METHODS:
                raise SdkError("NOT_SUPPORTED_METHOD", "지원하지 않는 결제수단입니다.")
            payment = Payment(
                shop=shop,
                order_id=order_id,
                amount_krw=amount_krw,
                method=method,
                opened_at=self.now(),
                sequence=len(self.payments) + 1,
                **members,
            )
            self.payments[payment.payment_key] = payment
            self.keys_by_order.setdefault(order_id, []).append(payment.payment_key)
            return payment

    def authenticate(self, payment_key: str, *, method: str | None = None, refuse_with: str = "") -> Payment:
        """The buyer agrees in the window; no money moves. Doing it again changes nothing. Raises TossError.

        A virtual account stays READY until the confirm issues it: READY leads to WAITING_FOR_DEPOSIT.
        refuse_with: the code with which the confirm of this payment is refused.
        """
        with self.lock:
            payment = self._payment(payment_key)
            if payment.status not in ("READY", "IN_PROGRESS"):
                raise TossError("NOT_FOUND_PAYMENT_SESSION")
            if payment.authenticated_at is None:
                payment.method = method or payment.method or "CARD"
                payment.authenticated_at = self.now()
                payment.refuse_with = refuse_with
                if not payment.is_virtual_account:
                    payment.status = "IN_PROGRESS"
            return payment

    def deposit(self, payment_key: str, *, amount_krw: int | None = None) -> Payment:
        """The buyer transfers the money of a virtual account. Raises ValueError where the bank would not take it."""
        with self.lock:
            payment = self._payment(payment_key)
            if payment.status != "WAITING_FOR_DEPOSIT":
                raise ValueError(f"nothing is deposited to a payment in {payment.status}")
            if amount_krw not in (None, payment.amount_krw):
                raise ValueError("the bank takes the exact amount only")
            if self.now() > payment.due_at:
                raise ValueError("the time to deposit is over")
            self._approve(payment)
            self.announce(payment, True)
            return payment

    def revert_deposit(self, payment_key: str) -> Payment:
        """The bank takes a deposit back: DONE falls to WAITING_FOR_DEPOSIT, and its row leaves the transactions."""
        with self.lock:
            payment = self._payment(payment_key)
            if payment.status != "DONE" or not payment.is_virtual_account:
                raise ValueError("only the deposit of a virtual account is taken back")
            payment.status = "WAITING_FOR_DEPOSIT"
            payment.approved_at = None
            payment.reverted_krw += payment.amount_krw
            self.transaction_rows = [
                row for row in self.transaction_rows if row.transaction_key != payment.approval_key
            ]
            self.announce(payment, True)
            return payment

    def expire(self, payment_key: str) -> Payment:
        """Let the time of an unconfirmed payment run out at once."""
        with self.lock:
            payment = self._payment(payment_key)
            if payment.status not in ("READY", "IN_PROGRESS"):
                raise ValueError(f"a payment in {payment.status} does not expire")
            self._set_expired(payment)
            return payment

    # The shop's side

    def confirm(self, *, shop: Shop, payment_key: str, order_id: str, amount_krw: int) -> Payment:
        """Take the money, or issue the virtual account. Raises TossError, of which REJECT_... leaves it ABORTED.

        The session is gone ten minutes after the authentication, for a payment confirmed before as well.
        """
        with self.lock:
            payment = self.payments.get(payment_key)
            if payment is None or payment.shop.is_test != shop.is_test:
                raise TossError("NOT_FOUND_PAYMENT_SESSION")
            self._expire_if_over(payment)
            if payment.shop != shop:
                raise TossError(self.settings.key_pair_error)
            if payment.order_id != order_id:
                raise TossError("FORBIDDEN_REQUEST")
            if payment.authenticated_at is None or payment.status == "EXPIRED" or payment.is_over(self.now()):
                raise TossError("NOT_FOUND_PAYMENT_SESSION")
            if payment.is_confirmed or payment.status == "ABORTED":
                raise TossError("ALREADY_PROCESSED_PAYMENT")
            if payment.amount_krw != amount_krw:
                raise TossError(self.settings.amount_error)
            if amount_krw < MINIMUM_KRW.get(payment.method, MINIMUM_OTHERWISE_KRW):
                self._abort(payment, "BELOW_MINIMUM_AMOUNT")
            if payment.refuse_with:
                self._abort(payment, payment.refuse_with)
            if payment.is_virtual_account:
                payment.status = "WAITING_FOR_DEPOSIT"
                payment.issued_at = self.now()
                payment.last_transaction_key = secrets.token_hex(16)
            else:
                self._approve(payment)
            self.announce(payment, payment.is_virtual_account)
            return payment

    def look_up(self, *, shop: Shop, payment_key: str) -> Payment:
        with self.lock:
            payment = self.payments.get(payment_key)
            if payment is None or payment.shop != shop:
                raise TossError("NOT_FOUND_PAYMENT")
            self._expire_if_over(payment)
            return payment

    def look_up_order(self, *, shop: Shop, order_id: str) -> Payment:
        with self.lock:
            keys = [key for key in self.keys_by_order.get(order_id, []) if self.payments[key].shop == shop]
            if not keys:
                raise TossError("NOT_FOUND_PAYMENT")
            return self.look_up(shop=shop, payment_key=keys[0 if self.settings.order_lookup_answers == "first" else -1])

    def cancel(
        self,
        *,
        shop: Shop,
        payment_key: str,
        reason: str,
        amount_krw: int | None = None,
        refundable_krw: int | None = None,
        tax_free_krw: int = 0,
        refund_account: dict | None = None,
    ) -> Payment:
        """Give back `amount_krw`, or all that is left. Raises TossError, and then nothing was given back.

        CANCELED only after one single cancel of the whole; partial ones end in PARTIAL_CANCELED with nothing left.
        """
        with self.lock:
            payment = self.payments.get(payment_key)
            if payment is None or payment.shop.is_test != shop.is_test:
                raise TossError("NOT_FOUND_PAYMENT")
            if payment.shop != shop:
                raise TossError("FORBIDDEN_REQUEST")
            self._expire_if_over(payment)
            self._guard_consecutive_cancels(payment)
            if payment.status == "CANCELED":
                raise TossError("ALREADY_CANCELED_PAYMENT")
            if not payment.is_confirmed:
                raise TossError("NOT_CANCELABLE_PAYMENT")
            if refundable_krw is not None and refundable_krw != payment.balance_krw:
                raise TossError("NOT_MATCHES_REFUNDABLE_AMOUNT")
            amount_krw = payment.balance_krw if amount_krw is None else amount_krw
            if not 0 < amount_krw <= payment.balance_krw or not _fits_taxes(payment, amount_krw, tax_free_krw):
                raise TossError("NOT_CANCELABLE_AMOUNT")
            self._check_cancel_is_possible(payment, amount_krw, refund_account)
            self._give_back(payment, amount_krw, tax_free_krw, reason, refund_account)
            return payment

    def transactions(self, *, shop: Shop, start: datetime, end: datetime, after: str = "", limit: int) -> list[dict]:
        """Approvals and cancels with `start <= transactionAt <= end`, oldest first, those after the row `after` only.

        Raises TossError when no row has that key.
        """
        with self.lock:
            rows = [row for row in self.transaction_rows if row.payment.shop == shop]
            if after:
                keys = [row.transaction_key for row in rows]
                if after not in keys:
                    raise TossError("INVALID_REQUEST")
                rows = rows[keys.index(after) + 1 :]
            return [self._row_to_json(row) for row in rows if start <= row.at <= end][:limit]

    # What tests read

    def books(self) -> dict:
        """Each payment's books by its key, the same added up by order id, and the totals."""
        with self.lock:
            payments = {key: payment.books() for key, payment in self.payments.items()}
            sums = ("charges", "charged_krw", "cancels", "given_back_krw", "reverted_krw", "held_krw")
            orders = {
                order_id: {name: sum(payments[key][name] for key in keys) for name in sums} | {"payment_keys": keys}
                for order_id, keys in self.keys_by_order.items()
            }
            totals = {name: sum(books[name] for books in payments.values()) for name in sums}
            return {"payments": payments, "orders": orders, "totals": totals}

    def to_json(self, payment: Payment, *, english: bool = False) -> dict:
        with self.lock:
            wish = self.settings.has_extra_members
            has_extras = wish == "always" or (wish == "sometimes" and payment.sequence % 2 == 1)
            return payment.to_json(now=self.now(), base_url=self.base_url, english=english, has_extras=has_extras)

    # Inside

    def _payment(self, payment_key: str) -> Payment:
        payment = self.payments.get(payment_key)
        if payment is None:
            raise TossError("NOT_FOUND_PAYMENT")
        self._expire_if_over(payment)
        return payment

    def _expire_if_over(self, payment: Payment) -> None:
        if payment.status in ("READY", "IN_PROGRESS") and payment.is_over(self.now()):
            self._set_expired(payment)

    def _set_expired(self, payment: Payment) -> None:
        payment.status = "EXPIRED"
        self.announce(payment, False)

    def _abort(self, payment: Payment, code: str) -> None:
        payment.status = "ABORTED"
        payment.failure = {"code": code, "message": message_of(code)}
        self.announce(payment, False)
        raise TossError(code)

    def _approve(self, payment: Payment) -> None:
        payment.status = "DONE"
        payment.approved_at = self.now()
        payment.charges += 1
        payment.charged_krw += payment.amount_krw
        payment.approval_key = payment.last_transaction_key = secrets.token_hex(16)
        self._add_row(payment, payment.approval_key, payment.amount_krw)

    def _guard_consecutive_cancels(self, payment: Payment) -> None:
        now, before = self.now(), payment.cancel_asked_at
        is_too_soon = before is not None and abs(now - before) < timedelta(seconds=1)
        if is_too_soon and self.settings.guards_consecutive_cancels:
            raise TossError("FORBIDDEN_CONSECUTIVE_REQUEST")
        payment.cancel_asked_at = now

    def _check_cancel_is_possible(self, payment: Payment, amount_krw: int, refund_account: dict | None) -> None:
        if payment.refuse_cancel_with:
            raise TossError(payment.refuse_cancel_with)
        if payment.status == "WAITING_FOR_DEPOSIT":
            if amount_krw != payment.balance_krw:
                raise TossError("NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT")
            if refund_account is not None:
                raise TossError("INVALID_REQUEST", "입금 전에는 환불 계좌를 보낼 수 없습니다.")
            return
        if amount_krw != payment.balance_krw and not payment.is_partial_cancelable:
            raise TossError("NOT_ALLOWED_PARTIAL_REFUND")
        now = self.now()
        days = DAYS_TO_CANCEL.get(payment.method)
        if days and now - payment.approved_at > timedelta(days=days):
            raise TossError("EXCEED_MAX_REFUND_DUE")
        if payment.method == "MOBILE_PHONE":
            months = {(at.astimezone(KST).year, at.astimezone(KST).month) for at in (now, payment.approved_at)}
            if len(months) > 1:
                raise TossError("EXCEED_MAX_REFUND_DUE")
        if payment.is_virtual_account:
            _check_refund_account(refund_account)

    def _give_back(
        self, payment: Payment, amount_krw: int, tax_free_krw: int, reason: str, refund_account: dict | None
    ) -> None:
        is_whole = amount_krw == payment.amount_krw
        has_money = payment.status != "WAITING_FOR_DEPOSIT"
        payment.balance_krw -= amount_krw
        tax_free_krw = payment.tax_free_left_krw if payment.balance_krw == 0 else tax_free_krw
        payment.tax_free_left_krw -= tax_free_krw
        payment.last_transaction_key = secrets.token_hex(16)
        payment.status = "CANCELED" if is_whole else "PARTIAL_CANCELED"
        payment.cancels.append(
            Cancel(
                transaction_key=payment.last_transaction_key,
                amount_krw=amount_krw,
                tax_free_krw=tax_free_krw,
                left_krw=payment.balance_krw,
                reason=reason,
                at=self.now(),
            )
        )
        if has_money:
            payment.given_back_krw += amount_krw
        if payment.is_virtual_account and has_money:
            payment.is_refunded_by_transfer = True
            payment.refund_account = {
                "bankCode": refund_account["bank"],
                "accountNumber": refund_account["accountNumber"],
                "holderName": refund_account["holderName"],
            }
        self._add_row(payment, payment.last_transaction_key, amount_krw)
        self.announce(payment, payment.is_virtual_account)

    def _add_row(self, payment: Payment, transaction_key: str, amount_krw: int) -> None:
        """The times of the rows are whole seconds, as they are shown."""
        at = self.now().replace(microsecond=0)
        self.transaction_rows.append(Transaction(payment, transaction_key, payment.status, amount_krw, at))
        if len(self.transaction_rows) > 1 and self.transaction_rows[-2].at > at:  # the clock went back
            self.transaction_rows.sort(key=lambda row: row.at)

    def _row_to_json(self, row: Transaction) -> dict:
        is_negative = row.status != "DONE" and self.settings.negates_cancelled_amounts
        return {
            "mId": row.payment.shop.m_id,
            "transactionKey": row.transaction_key,
            "paymentKey": row.payment.payment_key,
            "orderId": row.payment.order_id,
            "method": METHODS[row.payment.method][0],
            "customerKey": row.payment.customer_key,
            "useEscrow": False,
            "receiptUrl": f"{self.base_url}/receipt",
            "status": row.status,
            "transactionAt": iso(row.at),
            "currency": "KRW",
            "amount": -row.amount_krw if is_negative else row.amount_krw,
        }


def _fits_taxes(payment: Payment, amount_krw: int, tax_free_krw: int) -> bool:
    """Whether as much is left of the taxed and of the tax-free part; the whole rest always fits."""
    taxed_left_krw = payment.balance_krw - payment.tax_free_left_krw
    is_rest = amount_krw == payment.balance_krw
    return is_rest or (tax_free_krw <= payment.tax_free_left_krw and 0 <= amount_krw - tax_free_krw <= taxed_left_krw)


def _check_refund_account(account: dict | None) -> None:
    """Source: the fact sheet, section 2.6: `bank` (not `bankCode`), `accountNumber`, `holderName`."""
    if not isinstance(account, dict):
        raise TossError("INVALID_REFUND_ACCOUNT_INFO")
    if account.get("bank") not in BANKS:
        raise TossError("INVALID_BANK")
    number, holder = account.get("accountNumber"), account.get("holderName")
    if not (isinstance(number, str) and re.fullmatch(r"[0-9]{1,20}", number)):
        raise TossError("INVALID_REFUND_ACCOUNT_NUMBER")
    if not (isinstance(holder, str) and 1 <= len(holder) <= 60):
        raise TossError("INVALID_REFUND_ACCOUNT_INFO")
