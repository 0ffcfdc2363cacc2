"""The webhooks have the documented bodies and headers, no signature, and every bad habit on demand.

Source: the fact sheet, section 3.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

HEADER = "tosspayments-webhook-transmission-"


class Listener(ThreadingHTTPServer):
    """The shop's address for webhooks: keeps what comes and answers what `answers` says, 200 when that is used up."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hooks?from=toss"
        self.received = []
        self.answers = []
        self.when_asked = lambda: None


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.server.when_asked()
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def listener():
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def payment_key(toss):
    return toss.authorise(order_id="order-0001", amount=15_000)


def bodies(listener) -> list[dict]:
    return [json.loads(body) for _, _, body in listener.received]


def test_a_change_of_status_is_told_with_three_headers_and_no_signature(toss, shop, listener, payment_key):
    toss.set_webhooks(url=listener.url)

    shop.confirm(payment_key)
    assert toss.flush_webhooks() is True

    (path, headers, body), *others = listener.received
    told = json.loads(body)
    assert (path, others) == ("/hooks?from=toss", [])
    assert set(told) == {"eventType", "createdAt", "data"}
    assert told["eventType"] == "PAYMENT_STATUS_CHANGED"
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{5,6}", told["createdAt"])
    assert (told["data"]["paymentKey"], told["data"]["status"]) == (payment_key, "DONE")
    sent = {name for name in headers if name.startswith("tosspayments")}
    assert sent == {f"{HEADER}id", f"{HEADER}time", f"{HEADER}retried-count"}
    assert headers[f"{HEADER}retried-count"] == "0"
    assert [attempt["status"] for attempt in toss.webhooks_sent()] == [200]


def test_the_five_statuses_of_a_card_are_told_and_the_others_are_not(toss, shop):
    keys = [toss.authorise(order_id=f"order-000{number}", amount=15_000) for number in range(4)]
    toss.authenticate(payment_key=keys[0])
    shop.confirm(keys[0], "order-0000")
    shop.cancel(keys[0], {"cancelAmount": 1_000})
    shop.confirm(keys[1], "order-0001")
    shop.cancel(keys[1])
    refused = toss.authorise(order_id="order-0009", amount=15_000, refuse_with="REJECT_CARD_PAYMENT")
    shop.confirm(refused, "order-0009")
    toss.advance(seconds=601)

    told = [
        (json.loads(made["body"])["data"]["orderId"], json.loads(made["body"])["data"]["status"])
        for made in toss.webhooks_made()
    ]

    assert told == [
        ("order-0000", "DONE"),
        ("order-0000", "PARTIAL_CANCELED"),
        ("order-0001", "DONE"),
        ("order-0001", "CANCELED"),
        ("order-0009", "ABORTED"),
        ("order-0002", "EXPIRED"),
        ("order-0003", "EXPIRED"),
    ]


def test_a_virtual_account_is_told_twice_the_second_time_flat(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, method="가상계좌")
    secret = shop.confirm(payment_key).json()["secret"]
    toss.deposit(payment_key=payment_key)
    toss.revert_deposit(payment_key=payment_key)
    toss.advance(seconds=2)
    shop.cancel(payment_key)

    made = toss.webhooks_made()
    flat = [json.loads(one["body"]) for one in made if one["event"] == "DEPOSIT_CALLBACK"]

    assert [one["event"] for one in made] == ["PAYMENT_STATUS_CHANGED", "DEPOSIT_CALLBACK"] * 4
    assert {tuple(sorted(body)) for body in flat} == {("createdAt", "orderId", "secret", "status", "transactionKey")}
    assert [body["status"] for body in flat] == ["WAITING_FOR_DEPOSIT", "DONE", "WAITING_FOR_DEPOSIT", "CANCELED"]
    assert {(body["secret"], body["orderId"]) for body in flat} == {(secret, "order-0001")}


def test_only_the_events_asked_for_are_made(toss, shop):
    toss.set_webhooks(events=["DEPOSIT_CALLBACK"])
    payment_key = toss.authorise(order_id="order-0001", amount=15_000, method="가상계좌")
    shop.confirm(payment_key)

    assert [one["event"] for one in toss.webhooks_made()] == ["DEPOSIT_CALLBACK"]


@pytest.mark.parametrize("timing", ["before", "after"])
def test_a_webhook_comes_before_the_answer_or_after_it(toss, shop, listener, payment_key, timing):
    toss.set_webhooks(url=listener.url, timing=timing)
    seen = []
    listener.when_asked = lambda: seen.append((toss.requests(route="confirm")[0]["status"], toss.books()["totals"]))

    shop.confirm(payment_key)
    toss.flush_webhooks()

    (status_of_the_answer, totals), *others = seen
    assert status_of_the_answer == (None if timing == "before" else 200)
    assert (totals["charges"], others) == (1, [])


def test_a_webhook_can_be_doubled(toss, shop, listener, payment_key):
    toss.set_webhooks(url=listener.url, copies=2)

    shop.confirm(payment_key)
    toss.flush_webhooks()

    first, second = listener.received
    assert first[2] == second[2]


def test_a_webhook_can_be_late(toss, shop, listener, payment_key):
    toss.set_webhooks(url=listener.url, delay_s=3_600)
    shop.confirm(payment_key)
    toss.flush_webhooks()
    assert listener.received == []

    toss.advance(seconds=3_601)
    toss.flush_webhooks()

    assert [body["data"]["status"] for body in bodies(listener)] == ["DONE"]


def test_webhooks_can_be_held_and_come_out_of_order(toss, shop, listener, paid):
    toss.set_webhooks(url=listener.url, timing="held")
    shop.cancel(paid)
    assert listener.received == []

    attempts = toss.deliver_webhooks(order="reversed", copies=2)

    assert [body["data"]["status"] for body in bodies(listener)] == ["CANCELED", "CANCELED", "DONE", "DONE"]
    assert [attempt["status"] for attempt in attempts] == [200] * 4
    assert {one["state"] for one in toss.webhooks_made()} == {"delivered"}


def test_a_webhook_is_sent_again_until_it_is_answered_200(toss, shop, listener, payment_key):
    toss.set_webhooks(url=listener.url)
    listener.answers = [500, 404, 201]
    shop.confirm(payment_key)
    toss.flush_webhooks()
    assert len(listener.received) == 1

    for minutes in (1, 4, 16):
        toss.advance(seconds=minutes * 60 + 1)
        toss.flush_webhooks()

    assert [headers[f"{HEADER}retried-count"] for _, headers, _ in listener.received] == ["0", "1", "2", "3"]
    assert len({headers[f"{HEADER}id"] for _, headers, _ in listener.received}) == 1
    assert [attempt["status"] for attempt in toss.webhooks_sent()] == [500, 404, 201, 200]
    assert [one["state"] for one in toss.webhooks_made()] == ["delivered"]


def test_a_webhook_is_given_up_after_seven_repeats(toss, shop, listener, payment_key):
    toss.set_webhooks(url=listener.url, timing="held", keeps_transmission_id=False)
    listener.answers = [503] * 20
    shop.confirm(payment_key)

    toss.deliver_webhooks(until_accepted=True)

    assert len(listener.received) == 8
    assert len({headers[f"{HEADER}id"] for _, headers, _ in listener.received}) == 8
    assert [one["state"] for one in toss.webhooks_made()] == ["given up"]


def test_a_shop_that_does_not_listen_changes_nothing(toss, shop, payment_key):
    toss.set_webhooks(url="http://127.0.0.1:9/", timing="before")

    assert shop.confirm(payment_key).json()["status"] == "DONE"
    assert [attempt["status"] for attempt in toss.webhooks_sent()] == [None]


def test_webhooks_can_be_forged_malformed_and_huge(toss, listener):
    toss.set_webhooks(url=listener.url)
    forged = {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"status": "DONE", "orderId": "order-0001"}}

    answers = [
        toss.send_webhook(body=forged)["status"],
        toss.send_webhook(body="{not json", headers={"Content-Type": "text/plain"})["status"],
        toss.send_webhook(huge_bytes=3_000_000)["status"],
    ]

    assert answers == [200, 200, 200]
    (_, headers, body), malformed, huge = listener.received
    assert json.loads(body) == forged
    assert f"{HEADER}id" in headers
    assert (malformed[2], malformed[1]["content-type"]) == (b"{not json", "text/plain")
    assert len(huge[2]) > 3_000_000
    assert toss.books()["payments"] == {}


def test_without_an_address_webhooks_wait_to_be_read(toss, shop, paid):
    (made,) = toss.webhooks_made()

    assert made["state"] == "held"
    assert json.loads(made["body"])["data"]["paymentKey"] == paid
    assert set(made["headers"]) == {"Content-Type", f"{HEADER}id", f"{HEADER}time", f"{HEADER}retried-count"}
    assert toss.webhooks_sent() == []
