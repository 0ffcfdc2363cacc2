"""A request with an Idempotency-Key is carried out once. Source: the fact sheet, section 2.2."""

import threading

import pytest

from tests.toss.caller import Caller, refusal


def test_an_idempotency_key_replays_a_success_to_the_byte(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    first = shop.confirm(payment_key, Idempotency_Key="attempt-1")
    again = shop.confirm(payment_key, "order-9999", 1, Idempotency_Key="attempt-1")  # the body is no part of it

    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert toss.books()["totals"]["charges"] == 1


def test_an_idempotency_key_replays_a_refusal_too(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    first = shop.confirm(payment_key, amount=1, Idempotency_Key="attempt-1")
    again = shop.confirm(payment_key, Idempotency_Key="attempt-1")

    assert (again.status_code, again.content) == (403, first.content)
    assert shop.confirm(payment_key, Idempotency_Key="attempt-2").status_code == 200


def test_an_idempotency_key_counts_per_path_per_key_and_for_fifteen_days(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    form = Caller(toss, toss.pair_of("test_gck_")[1])

    assert shop.confirm(payment_key, Idempotency_Key="k").status_code == 200
    assert shop.cancel(payment_key, {"cancelAmount": 1_000}, Idempotency_Key="k").json()["balanceAmount"] == 14_000
    assert refusal(form.confirm(payment_key, Idempotency_Key="k")) == (403, "FORBIDDEN_REQUEST")
    toss.advance(seconds=15 * 86_400 - 60)
    assert shop.confirm(payment_key, Idempotency_Key="k").status_code == 200
    toss.advance(seconds=120)
    assert refusal(shop.confirm(payment_key, Idempotency_Key="k")) == (404, "NOT_FOUND_PAYMENT_SESSION")
    form.session.close()


def test_an_idempotency_key_has_at_most_300_characters(toss, shop):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)

    assert refusal(shop.confirm(payment_key, Idempotency_Key="k" * 301)) == (400, "INVALID_IDEMPOTENCY_KEY")
    assert shop.confirm(payment_key, Idempotency_Key="k" * 300).status_code == 200


@pytest.mark.parametrize("executed", [False, True])
def test_while_the_first_request_runs_its_repeat_is_told_so(toss, shop, executed):
    payment_key = toss.authorise(order_id="order-0001", amount=15_000)
    toss.fault(kind="hold", on="confirm", executed=executed)
    first = []
    other = Caller(toss)
    thread = threading.Thread(target=lambda: first.append(other.confirm(payment_key, Idempotency_Key="k")))
    thread.start()
    assert toss.await_held() is True

    meanwhile = shop.confirm(payment_key, Idempotency_Key="k")
    charges_meanwhile = toss.books()["totals"]["charges"]
    toss.release()
    thread.join()

    assert refusal(meanwhile) == (409, "IDEMPOTENT_REQUEST_PROCESSING")
    assert charges_meanwhile == int(executed)
    assert first[0].status_code == 200
    assert shop.confirm(payment_key, Idempotency_Key="k").content == first[0].content
    assert toss.books()["totals"]["charges"] == 1
    other.session.close()


def test_more_requests_than_a_minute_allows_are_refused_when_switched_on(toss, shop, paid):
    toss.settings(requests_per_minute=2)

    statuses = [shop.look_up(paid).status_code for _ in range(3)]
    toss.advance(seconds=61)

    assert [*statuses, shop.look_up(paid).status_code] == [200, 200, 429, 200]
