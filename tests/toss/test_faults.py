"""What goes wrong on demand goes wrong exactly so often, and the books say what happened in truth."""

import json
import threading

import pytest
import requests

from tests.toss.caller import Caller, refusal


@pytest.fixture
def payment_key(toss):
    return toss.authorise(order_id="order-0001", amount=15_000)


def charges(toss) -> int:
    return toss.books()["totals"]["charges"]


@pytest.mark.parametrize("kind", ["drop", "reset"])
@pytest.mark.parametrize("executed", [False, True])
def test_an_answer_is_lost_before_or_after_the_charge(toss, shop, payment_key, kind, executed):
    toss.fault(kind=kind, on="confirm", executed=executed)

    with pytest.raises(requests.ConnectionError) as lost:
        shop.confirm(payment_key, Idempotency_Key="k")

    assert ("reset by peer" in str(lost.value)) == (kind == "reset")
    assert charges(toss) == int(executed)
    assert shop.confirm(payment_key, Idempotency_Key="k").json()["status"] == "DONE"
    assert charges(toss) == 1


@pytest.mark.parametrize("executed", [False, True])
def test_an_error_of_the_server_and_then_success(toss, shop, payment_key, executed):
    toss.fault(kind="error", on="confirm", executed=executed, times=2)

    first, second, third = (shop.confirm(payment_key, Idempotency_Key="k") for _ in range(3))

    assert refusal(first) == refusal(second) == (500, "FAILED_INTERNAL_SYSTEM_PROCESSING")
    assert third.json()["status"] == "DONE"
    assert charges(toss) == 1


def test_an_error_after_the_charge_can_be_what_a_repeat_gets_again(toss, shop, payment_key):
    toss.fault(kind="error", on="confirm", executed=True, is_stored=True)

    first, again = (shop.confirm(payment_key, Idempotency_Key="k") for _ in range(2))

    assert (first.status_code, again.status_code, again.content) == (500, 500, first.content)
    assert shop.look_up(payment_key).json()["status"] == "DONE"


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("conflict", (409, "IDEMPOTENT_REQUEST_PROCESSING")), ("too_many", (429, "TOO_MANY_REQUESTS"))],
)
def test_the_provider_asks_to_wait(toss, shop, payment_key, kind, expected, executed):
    toss.fault(kind=kind, on="confirm", executed=executed)

    assert refusal(shop.confirm(payment_key)) == expected
    assert charges(toss) == int(executed)


def test_any_documented_refusal_can_be_given(toss, shop, payment_key):
    toss.fault(kind="error", on="confirm", code="NOT_AVAILABLE_PAYMENT")

    assert refusal(shop.confirm(payment_key)) == (400, "NOT_AVAILABLE_PAYMENT")
    assert shop.confirm(payment_key).status_code == 200


def test_a_body_can_be_no_json_at_all(toss, shop, payment_key):
    toss.fault(kind="garbage", on="confirm")
    toss.fault(kind="html", on="lookup", status=502)

    garbage, page = shop.confirm(payment_key), shop.look_up(payment_key)

    with pytest.raises(ValueError):
        garbage.json()
    assert (garbage.status_code, charges(toss)) == (200, 1)
    assert page.status_code == 502
    assert page.headers["Content-Type"].startswith("text/html")


def test_a_body_can_end_too_early_in_two_ways(toss, shop, payment_key):
    toss.fault(kind="truncated", on="confirm")
    toss.fault(kind="cut_short", on="lookup")

    half = shop.confirm(payment_key)

    assert half.status_code == 200
    with pytest.raises(ValueError):
        half.json()
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        shop.look_up(payment_key)
    assert charges(toss) == 1


def test_a_member_can_be_missing_or_of_another_type(toss, shop, paid):
    toss.fault(kind="missing", on="lookup", member="totalAmount")
    toss.fault(kind="wrong_type", on="lookup", member="totalAmount", value="15000")
    toss.fault(kind="missing", on="transactions", member="paymentKey")

    assert "totalAmount" not in shop.look_up(paid).json()
    assert shop.look_up(paid).json()["totalAmount"] == "15000"
    assert shop.look_up(paid).json()["totalAmount"] == 15_000
    rows = shop.get("/v1/transactions", startDate="2000-01-01", endDate="2100-01-01").json()
    assert "paymentKey" not in rows[0]


@pytest.mark.parametrize("executed", [False, True])
def test_the_answer_can_come_after_the_caller_has_given_up(toss, payment_key, executed):
    shop = Caller(toss)
    toss.fault(kind="slow", on="confirm", executed=executed, seconds=20)

    with pytest.raises(requests.ReadTimeout):
        shop.session.post(
            f"{toss.url}/v1/payments/confirm",
            json={"paymentKey": payment_key, "orderId": "order-0001", "amount": 15_000},
            timeout=0.1,
        )

    assert charges(toss) == int(executed)
    toss.release()
    shop.session.close()


def test_a_held_request_goes_on_when_it_is_let(toss, shop, payment_key):
    answers = []
    toss.fault(kind="hold", on="confirm")
    thread = threading.Thread(target=lambda: answers.append(shop.confirm(payment_key)))
    thread.start()

    assert toss.await_held(count=1) is True
    assert charges(toss) == 0
    toss.release()
    thread.join()

    assert (answers[0].status_code, charges(toss)) == (200, 1)
    assert toss.await_held(count=1, timeout_s=0) is False


def test_a_redirect_leads_elsewhere(toss, shop, payment_key):
    toss.fault(kind="redirect", on="confirm", location="http://127.0.0.1:9/elsewhere")

    answer = shop.confirm(payment_key)

    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")
    assert charges(toss) == 0


def test_a_fault_meets_its_kind_of_request_and_its_payment_only(toss, shop, payment_key):
    other = toss.authorise(order_id="order-0002", amount=15_000)
    toss.fault(kind="error", on="confirm", payment_key=payment_key)
    toss.fault(kind="error", on="cancel", payment_key=payment_key)

    toss.fault(kind="error", on="lookup", payment_key=payment_key)

    assert shop.get("/v1/payments/orders/order-0002").status_code == 200
    assert shop.get("/v1/payments/orders/order-0001").status_code == 500
    assert shop.confirm(other, "order-0002").status_code == 200
    assert shop.confirm(payment_key).status_code == 500
    assert shop.confirm(payment_key).status_code == 200
    assert shop.cancel(other).status_code == 200
    assert shop.cancel(payment_key).status_code == 500
    assert toss.faults_pending() == 0
    assert [seen["fault"] for seen in toss.requests(route="confirm")] == [None, "error", None]


def test_a_refund_is_lost_after_it_was_made(toss, shop, paid):
    toss.fault(kind="drop", on="cancel", executed=True)

    with pytest.raises(requests.ConnectionError):
        shop.cancel(paid, {"cancelAmount": 5_000}, Idempotency_Key="refund-1")

    assert toss.books()["totals"]["given_back_krw"] == 5_000
    assert shop.cancel(paid, {"cancelAmount": 5_000}, Idempotency_Key="refund-1").json()["balanceAmount"] == 10_000
    assert toss.books()["totals"]["given_back_krw"] == 5_000


def test_faults_can_be_taken_back(toss, shop, payment_key):
    toss.fault(kind="error", times=5)
    toss.clear_faults()

    assert shop.confirm(payment_key).status_code == 200


def test_many_callers_at_once_charge_once(toss, payment_key):
    answers = []

    def confirm():
        caller = Caller(toss)
        answers.append(caller.confirm(payment_key))
        caller.session.close()

    threads = [threading.Thread(target=confirm) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15
    assert charges(toss) == 1
    assert json.loads(answers[0].content)
