"""The tests' hand on the stand-in. Each public method is one control endpoint.

`POST /control/<name>` takes its arguments; everything given and taken is JSON. It works without the server as well:
`Control()` makes the books, `control.api.handle` asks them.
"""

import json
from datetime import datetime

from tests.toss.api import Api
from tests.toss.engine import Engine
from tests.toss.errors import STATUS_BY_CODE
from tests.toss.faults import Fault, Faults
from tests.toss.payments import METHOD_BY_KOREAN, iso
from tests.toss.webhooks import Webhooks


class Control:
    """Wrong arguments raise ValueError, TypeError, KeyError or a refusal of the books."""

    def __init__(self):
        self.engine = Engine()
        self.webhooks = Webhooks(self.engine.now, self.engine.to_json)
        self.engine.announce = self.webhooks.announce
        self.faults = Faults()
        self.api = Api(self.engine, self.webhooks, self.faults)

    def reset(self) -> None:
        """As new: no payments, faults, webhooks or stored answers; the settings and the real time. The keys stay."""
        self.faults.clear()
        self.webhooks.reset()
        self.engine.reset()
        self.api.reset()

    def add_shop(self, client_key: str, secret_key: str) -> None:
        self.engine.add_shop(client_key, secret_key)

    def settings(self, **changes) -> dict:
        """Change some of `engine.Settings`; gives all of them."""
        self.engine.change_settings(**changes)
        return vars(self.engine.settings)

    # The clock

    def clock(self) -> str:
        return iso(self.engine.now())

    def advance(self, seconds: float) -> str:
        """Move the clock; what expires by that does so, and webhooks that become due leave."""
        now = self.engine.advance(seconds)
        self.webhooks.clock_moved()
        return iso(now)

    def set_clock(self, now: str) -> str:
        """now: ISO 8601 with an offset; the clock goes on from there."""
        return self.advance((datetime.fromisoformat(now) - self.engine.now()).total_seconds())

    # The buyer and the bank

    def open_payment(
        self,
        order_id: str,
        amount: int,
        client_key: str | None = None,
        method: str = "카드",
        order_name: str = "상품",
        customer_key: str = "@@ANONYMOUS",
        metadata: dict | None = None,
        tax_free: int = 0,
        partial_cancelable: bool = True,
        valid_hours: int = 168,
    ) -> str:
        """A buyer opened the window and is still there: READY. Gives the paymentKey."""
        payment = self.engine.open(
            client_key=client_key or self.engine.shops[0].client_key,
            order_id=order_id,
            amount_krw=amount,
            method=METHOD_BY_KOREAN[method],
            order_name=order_name,
            customer_key=customer_key,
            metadata=metadata,
            tax_free_krw=tax_free,
            is_partial_cancelable=partial_cancelable,
            valid_hours=valid_hours,
        )
        return payment.payment_key

    def authenticate(self, payment_key: str, method: str | None = None, refuse_with: str = "") -> None:
        """The buyer agreed. refuse_with: the code with which the confirm will be refused."""
        if refuse_with:
            STATUS_BY_CODE[refuse_with]
        self.engine.authenticate(payment_key, method=method and METHOD_BY_KOREAN[method], refuse_with=refuse_with)

    def authorise(self, order_id: str, amount: int, refuse_with: str = "", **members) -> str:
        """`open_payment` and `authenticate` in one: waiting for the confirm."""
        payment_key = self.open_payment(order_id, amount, **members)
        self.authenticate(payment_key, refuse_with=refuse_with)
        return payment_key

    def expire(self, payment_key: str) -> None:
        self.engine.expire(payment_key)

    def deposit(self, payment_key: str, amount: int | None = None) -> None:
        self.engine.deposit(payment_key, amount_krw=amount)

    def revert_deposit(self, payment_key: str) -> None:
        self.engine.revert_deposit(payment_key)

    def refuse_cancels(self, payment_key: str, code: str = "EXCEED_MAX_REFUND_DUE") -> None:
        """From now on each cancel that could be carried out is refused with the code; "" ends that."""
        if code:
            STATUS_BY_CODE[code]
        self.engine.payments[payment_key].refuse_cancel_with = code

    def cancel_in_dashboard(self, payment_key: str, amount: int | None = None, reason: str = "상점관리자 취소") -> None:
        """Staff of the shop cancel on the provider's own pages. No guard against the next cancel within the second."""
        payment = self.engine.payments[payment_key]
        payment.cancel_asked_at = None
        self.engine.cancel(shop=payment.shop, payment_key=payment_key, reason=reason, amount_krw=amount)
        payment.cancel_asked_at = None

    # Faults

    def fault(self, kind: str, **members) -> None:
        """The members of `faults.Fault`: on, executed, times, payment_key, code, seconds, ..."""
        self.faults.add(Fault(kind, **members))

    def faults_pending(self) -> int:
        return sum(fault.times for fault in self.faults.pending)

    def clear_faults(self) -> None:
        self.faults.clear()

    def await_held(self, count: int = 1, timeout_s: float = 10) -> bool:
        """Wait until so many requests are held at the same time."""
        return self.faults.await_held(count, timeout_s)

    def release(self) -> None:
        """Let the held and the slow requests go on."""
        self.faults.release()

    # Webhooks

    def set_webhooks(self, **members) -> None:
        """The members of `webhooks.Webhooks.configure`: url, events, timing, copies, delay_s, ..."""
        self.webhooks.configure(**members)

    def webhooks_made(self) -> list[dict]:
        """Every message so far, oldest first: body (text), headers, state, retried_count."""
        with self.webhooks.condition:
            return [message.to_json() for message in self.webhooks.messages]

    def webhooks_sent(self) -> list[dict]:
        """Every attempt so far, with the `status` it was answered (None: no answer)."""
        with self.webhooks.condition:
            return list(self.webhooks.attempts)

    def deliver_webhooks(self, order: str = "made", until_accepted: bool = False, copies: int = 1) -> list[dict]:
        return self.webhooks.deliver(order=order, until_accepted=until_accepted, copies=copies)

    def flush_webhooks(self, timeout_s: float = 10) -> bool:
        return self.webhooks.flush(timeout_s)

    def send_webhook(
        self, body: object = None, headers: dict | None = None, url: str = "", huge_bytes: int = 0
    ) -> dict:
        """Forge one: `body` as JSON, or as it is when it is text. huge_bytes: a member of that many letters in it."""
        if huge_bytes:
            body = {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"orderName": "x" * huge_bytes}} | (body or {})
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        attempt = self.webhooks.send(body=text, headers=headers, url=url)
        return attempt | {"body": attempt["body"][:1000]}

    # What tests read

    def books(self) -> dict:
        return self.engine.books()

    def payment(self, payment_key: str) -> dict:
        """The Payment object, whoever's it is."""
        return self.engine.to_json(self.engine.payments[payment_key])

    def requests(self, route: str = "") -> list[dict]:
        """The shop's requests so far: method, path, route, idempotency_key, body, fault, status, fate."""
        return [seen for seen in list(self.api.log) if route in ("", seen["route"])]
