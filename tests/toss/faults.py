"""Faults on demand: what goes wrong with the next n requests of a kind, before or after they were carried out."""

import json
import socket
import threading
from dataclasses import dataclass, field

from tests.toss.errors import STATUS_BY_CODE, message_of

ROUTES = ("confirm", "cancel", "lookup", "transactions", "settlements")
LONGEST_WAIT_S = 30

# Whether the request is carried out before the fault, unless the test says otherwise. None: the test must say.
KINDS: dict[str, bool | None] = {
    "drop": None,  # the connection closes without an answer
    "reset": None,  # the same, with RST
    "error": False,  # `code`, FAILED_INTERNAL_SYSTEM_PROCESSING (500) unless given
    "conflict": False,  # 409 IDEMPOTENT_REQUEST_PROCESSING
    "too_many": False,  # 429
    "garbage": True,  # bytes that are neither UTF-8 nor JSON
    "html": True,  # a page of some proxy
    "redirect": False,  # 302 to `location`
    "truncated": True,  # half of the JSON, in an answer that is whole for HTTP
    "cut_short": True,  # the connection closes in the middle of the body
    "missing": True,  # without `member`
    "wrong_type": True,  # with `value` as `member`
    "slow": False,  # `seconds` later, before or after it was carried out
    "hold": False,  # waits until `release`, before or after it was carried out
}
NEEDS_AN_ANSWER = ("truncated", "cut_short", "missing", "wrong_type")


@dataclass
class Reply:
    """An answer on its way. `fate`: "send", "drop", "reset" or "cut" (half of the body, then the end)."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    headers: dict = field(default_factory=dict)
    fate: str = "send"
    messages: list = field(default_factory=list)  # webhooks that leave after the answer


@dataclass
class Fault:
    """One kind for the next `times` requests of `on` ("any": of each), of `payment_key` only when that is given.

    `is_stored`: a repeat with the same Idempotency-Key gets the faulty answer again; otherwise it gets the true one.
    """

    kind: str
    on: str = "any"
    executed: bool | None = None
    times: int = 1
    payment_key: str = ""
    is_stored: bool = False
    code: str = ""
    status: int = 200
    member: str = "status"
    value: object = 12345
    seconds: float = 0.0
    location: str = "/elsewhere"

    def __post_init__(self):
        if self.kind not in KINDS or self.on not in (*ROUTES, "any"):
            raise ValueError(f"no such fault: {self.kind} on {self.on}")
        if self.executed is None:
            self.executed = KINDS[self.kind]
        if self.executed is None:
            raise ValueError(f"say whether the request is carried out before the {self.kind}")
        if not self.executed and self.kind in NEEDS_AN_ANSWER:
            raise ValueError(f"{self.kind} spoils an answer, so the request must be carried out")
        if self.code:
            self.status = STATUS_BY_CODE[self.code]
        if not 0 <= self.seconds <= LONGEST_WAIT_S:
            raise ValueError(f"at most {LONGEST_WAIT_S} seconds")

    @property
    def waits(self) -> bool:
        return self.kind in ("slow", "hold")

    def spoil(self, reply: Reply) -> Reply:
        """The answer as the shop sees it instead of `reply`."""
        match self.kind:
            case "drop" | "reset":
                reply.fate = self.kind
            case "cut_short":
                reply.fate = "cut"
            case "error":
                self._refuse(reply, self.code or "FAILED_INTERNAL_SYSTEM_PROCESSING")
            case "conflict":
                self._refuse(reply, "IDEMPOTENT_REQUEST_PROCESSING")
            case "too_many":
                self._refuse(reply, "TOO_MANY_REQUESTS")
            case "garbage":
                reply.status, reply.body = self.status, b"\x00\xff\xfe\x80 not json {" * 4
            case "html":
                reply.status, reply.content_type = self.status, "text/html;charset=UTF-8"
                reply.body = "<!doctype html><title>점검 중</title><h1>서비스 점검 중입니다</h1>".encode()
            case "redirect":
                reply.status, reply.body, reply.headers = 302, b"", {"Location": self.location}
            case "truncated":
                reply.body = reply.body[: len(reply.body) // 2]
            case "missing" | "wrong_type":
                self._change_member(reply)
        return reply

    def _refuse(self, reply: Reply, code: str) -> None:
        reply.status = STATUS_BY_CODE[code]
        reply.body = json.dumps({"code": code, "message": message_of(code)}, ensure_ascii=False).encode()

    def _change_member(self, reply: Reply) -> None:
        """In the object, or in the first one of an array; an answer without the member stays as it is."""
        answer = json.loads(reply.body)
        target = (answer[0] if answer else {}) if isinstance(answer, list) else answer
        if self.kind == "missing":
            target.pop(self.member, None)
        elif self.member in target:
            target[self.member] = self.value
        reply.body = json.dumps(answer, ensure_ascii=False).encode()


class Faults:
    """The faults still to happen, oldest first, and the requests that are held."""

    def __init__(self):
        self.condition = threading.Condition()
        self.pending: list[Fault] = []
        self.held = 0
        self.releases = 0

    def add(self, fault: Fault) -> None:
        with self.condition:
            self.pending.append(fault)

    def clear(self) -> None:
        with self.condition:
            self.pending.clear()
        self.release()

    def take(self, route: str, payment_key: str) -> Fault | None:
        if not self.pending:
            return None
        with self.condition:
            for fault in self.pending:
                if fault.on in (route, "any") and fault.payment_key in ("", payment_key):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.pending.remove(fault)
                    return fault
            return None

    def wait(self, fault: Fault) -> None:
        """Sleep as long as the fault says, or until `release`; a release ends a sleep as well. Bounded."""
        with self.condition:
            releases = self.releases
            self.held += 1
            self.condition.notify_all()
            longest_s = fault.seconds if fault.kind == "slow" else LONGEST_WAIT_S
            self.condition.wait_for(lambda: self.releases != releases, timeout=longest_s)
            self.held -= 1
            self.condition.notify_all()

    def release(self) -> None:
        with self.condition:
            self.releases += 1
            self.condition.notify_all()

    def await_held(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` requests are held (or slow) at the same time; false when that did not come about."""
        with self.condition:
            return self.condition.wait_for(lambda: self.held >= count, timeout=min(timeout_s, LONGEST_WAIT_S))


def reset_connection(connection: socket.socket) -> None:
    """Close so that the other side gets RST instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    socket.close(connection.detach())
