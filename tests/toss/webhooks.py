"""The provider's webhooks: both documented bodies, the three transmission headers, no signature, retries.

Retries are due on the books' clock (after 1, 4, 16, ... minutes), so moving that clock makes them leave at once.
Source: the fact sheet, section 3.
"""

import http.client
import itertools
import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from tests.toss.payments import KST, Payment, iso

EVENTS = ("PAYMENT_STATUS_CHANGED", "DEPOSIT_CALLBACK")
TIMINGS = ("after", "before", "held")
RETRY_AFTER_MINUTES = (1, 4, 16, 64, 256, 1024, 4096)
HEADER = "tosspayments-webhook-transmission-"


@dataclass
class Message:
    """`state`: "made" (leaves with its request), "held", "queued", "sending", "delivered" or "given up"."""

    number: int
    event: str
    payment_key: str
    body: bytes
    transmission_id: str
    transmission_time: str
    state: str = "made"
    retried_count: int = 0
    due_at: datetime | None = None

    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            f"{HEADER}id": self.transmission_id,
            f"{HEADER}time": self.transmission_time,
            f"{HEADER}retried-count": str(self.retried_count),
        }

    def to_json(self) -> dict:
        return {
            "number": self.number,
            "event": self.event,
            "payment_key": self.payment_key,
            "state": self.state,
            "retried_count": self.retried_count,
            "due_at": iso(self.due_at),
            "headers": self.headers(),
            "body": self.body.decode(),
        }


class Webhooks:
    """An outbox and one thread that empties it. Without an address messages are held, to be read or delivered."""

    def __init__(self, now: Callable[[], datetime], to_json: Callable[[Payment], dict]):
        self.now = now
        self.to_json = to_json
        self.condition = threading.Condition(threading.RLock())
        self.gathered = threading.local()
        self.sender: threading.Thread | None = None
        self.sending = 0
        self.generation = 0
        self.reset()

    def reset(self) -> None:
        """Forget every message and the address, after those on their way have arrived."""
        with self.condition:
            self.generation += 1
            self.messages: deque[Message] = deque(maxlen=10_000)
            self.attempts: deque[dict] = deque(maxlen=10_000)
            self.numbers = itertools.count(1)
            self.configure()
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.sending == 0, timeout=self.timeout_s + 1)

    def configure(
        self,
        *,
        url: str = "",
        events: list[str] = EVENTS,
        timing: str = "after",
        copies: int = 1,
        delay_s: float = 0,
        timeout_s: float = 10,
        keeps_transmission_id: bool = True,
    ) -> None:
        """Replaces the whole configuration. `delay_s` counts on the books' clock, `timeout_s` on the real one.

        timing: "after" the answer of the request that caused it, "before" that answer, or "held" for `deliver`.
        keeps_transmission_id: whether a retry repeats the id; the documents do not say.
        """
        if url and (urlsplit(url).scheme != "http" or urlsplit(url).hostname not in ("127.0.0.1", "localhost")):
            raise ValueError("webhooks go to this machine only, over http")
        if timing not in TIMINGS or set(events) - set(EVENTS) or not 1 <= copies <= 10:
            raise ValueError("no such timing, event or number of copies")
        with self.condition:
            self.url, self.events, self.timing, self.copies = url, tuple(events), timing, copies
            self.delay = timedelta(seconds=delay_s)
            self.timeout_s, self.keeps_transmission_id = timeout_s, keeps_transmission_id

    # Made

    @contextmanager
    def gathering(self) -> Iterator[list[Message]]:
        """Messages made by this thread meanwhile wait in the list that this gives, for `release`."""
        self.gathered.messages = messages = []
        try:
            yield messages
        finally:
            self.gathered.messages = None

    def announce(self, payment: Payment, is_deposit_event: bool) -> None:
        """A payment entered a status. Called under the lock of the books; makes the bodies at once."""
        made = []
        if "PAYMENT_STATUS_CHANGED" in self.events:
            body = {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": None, "data": self.to_json(payment)}
            made.append(("PAYMENT_STATUS_CHANGED", body))
        if is_deposit_event and "DEPOSIT_CALLBACK" in self.events:
            body = {
                "createdAt": None,
                "secret": payment.secret,
                "status": payment.status,
                "transactionKey": payment.last_transaction_key,
                "orderId": payment.order_id,
            }
            made.append(("DEPOSIT_CALLBACK", body))
        with self.condition:
            messages = [self._make(event, body, payment) for event, body in made]
        gathered = getattr(self.gathered, "messages", None)
        if gathered is None:
            self.release(messages)
        else:
            gathered.extend(messages)

    def _make(self, event: str, body: dict, payment: Payment) -> Message:
        number = next(self.numbers)
        now = self.now()
        body["createdAt"] = self._created_at(number, now)
        encoded = json.dumps(body, ensure_ascii=False).encode()
        message = Message(number, event, payment.payment_key, encoded, uuid.uuid4().hex, iso(now))
        if self.timing == "held" or not self.url:
            message.state = "held"
        self.messages.append(message)
        return message

    @staticmethod
    def _created_at(number: int, now: datetime) -> str:
        """Korean time without an offset, with six digits after the second or with five."""
        written = f"{now.astimezone(KST):%Y-%m-%dT%H:%M:%S.%f}"
        return written[: -1 if number % 2 else None]

    # Sent

    def release(self, messages: list[Message]) -> None:
        """Let messages leave that are neither held nor sent before the answer."""
        if not messages:
            return
        with self.condition:
            for message in messages:
                if message.state != "made":
                    continue
                message.state = "queued"
                message.due_at = self.now() + self.delay
                for _ in range(self.copies - 1):
                    self.messages.append(Message(**(vars(message) | {"number": next(self.numbers)})))
                self._start_sender()
            self.condition.notify_all()

    def deliver_before_the_answer(self, messages: list[Message]) -> None:
        """Send what this request caused while its caller still waits, if that is the timing."""
        if self.timing == "before" and self.url:
            for message in messages:
                for _ in range(self.copies):
                    self._attempt(message)

    def deliver(self, *, order: str = "made", until_accepted: bool = False, copies: int = 1) -> list[dict]:
        """Send now, one after the other, all that is held or still waits. Gives the attempts made.

        order: "made" or "reversed". until_accepted: run through the retries without waiting for their time.
        """
        if not self.url:
            raise ValueError("there is no address to deliver to")
        with self.condition:
            before = len(self.attempts)
            waiting = [message for message in self.messages if message.state in ("held", "queued")]
            for message in waiting:
                message.state = "sending"
        for message in reversed(waiting) if order == "reversed" else waiting:
            for _ in range(copies):
                self._attempt(message)
            while until_accepted and message.state == "queued":
                self._attempt(message)
        return list(self.attempts)[before:]

    def flush(self, timeout_s: float = 10) -> bool:
        """Wait until nothing is due, on its way or about to leave; false when that took too long."""
        with self.condition:
            return self.condition.wait_for(self._is_idle, timeout_s)

    def _is_idle(self) -> bool:
        is_leaving = any(message.state == "made" for message in self.messages)
        return not is_leaving and self.sending == 0 and self._next_due(self.now()) is None

    def send(self, *, body: str, headers: dict | None = None, url: str = "") -> dict:
        """Post any bytes once, as a forger would: nothing of the books is in it. Gives the attempt."""
        forged = Message(0, "FORGED", "", body.encode(), uuid.uuid4().hex, iso(self.now()))
        return self._post(forged, headers=forged.headers() if headers is None else headers, url=url)

    def clock_moved(self) -> None:
        with self.condition:
            self.condition.notify_all()

    def _next_due(self, now: datetime) -> Message | None:
        due = [message for message in self.messages if message.state == "queued" and message.due_at <= now]
        return min(due, key=lambda message: (message.due_at, message.number), default=None)

    def _start_sender(self) -> None:
        if self.sender is None:
            self.sender = threading.Thread(target=self._send_what_is_due, name="webhooks", daemon=True)
            self.sender.start()

    def _send_what_is_due(self) -> None:
        while True:
            with self.condition:
                while (message := self._next_due(self.now())) is None:
                    queued = [message.due_at for message in self.messages if message.state == "queued"]
                    wait_s = (min(queued) - self.now()).total_seconds() if queued else None
                    self.condition.wait(wait_s)
                message.state = "sending"
                self.sending += 1
            try:
                self._attempt(message)
            finally:
                with self.condition:
                    self.sending -= 1
                    self.condition.notify_all()

    def _attempt(self, message: Message) -> None:
        generation = self.generation
        attempt = self._post(message, headers=message.headers(), url="")
        with self.condition:
            if generation != self.generation:
                return
            if attempt["status"] == 200 or message.state == "delivered":
                message.state = "delivered"
            elif message.retried_count >= len(RETRY_AFTER_MINUTES):
                message.state = "given up"
            else:
                message.state = "queued"
                message.due_at = self.now() + timedelta(minutes=RETRY_AFTER_MINUTES[message.retried_count])
                message.retried_count += 1
                if not self.keeps_transmission_id:
                    message.transmission_id = uuid.uuid4().hex
                self._start_sender()
            self.condition.notify_all()

    def _post(self, message: Message, *, headers: dict, url: str) -> dict:
        """One request; `status` is None when no answer came."""
        attempt = message.to_json() | {"headers": headers, "status": None, "error": ""}
        target = urlsplit(url or self.url)
        connection = http.client.HTTPConnection(target.hostname or "127.0.0.1", target.port, timeout=self.timeout_s)
        try:
            path = target.path + (f"?{target.query}" if target.query else "")
            connection.request("POST", path or "/", message.body, headers)
            attempt["status"] = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            attempt["error"] = repr(error)
        finally:
            connection.close()
        with self.condition:
            self.attempts.append(attempt)
        return attempt
