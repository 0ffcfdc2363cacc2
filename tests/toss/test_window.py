"""The payment window without a browser: what may be asked of it, and where its buttons lead.

Source: the fact sheet, sections 1.1, 1.3 and 1.5.
"""

from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.toss.caller import refusal

REQUEST = {
    "method": "CARD",
    "amount": {"currency": "KRW", "value": 15_000},
    "orderId": "order-0001",
    "orderName": "프롬프트 외 1건",
    "successUrl": "http://shop.test/return/abc/",
    "failUrl": "http://shop.test/fail/abc/",
}


def ask(toss, *, client_key=None, product="payment", customer_key="@@ANONYMOUS", is_mobile=False, **changes):
    request = {name: value for name, value in (REQUEST | changes).items() if value is not None}
    asked = {
        "clientKey": client_key or toss.client_key,
        "product": product,
        "customerKey": customer_key,
        "isMobile": is_mobile,
        "request": request,
    }
    return requests.post(f"{toss.url}/sdk/payments", json=asked, timeout=10)


def press(toss, action, **changes) -> dict:
    """Open a window and press its button: the address it leads to, and its query in order."""
    opened = ask(toss, **changes).json()
    answer = requests.post(opened["windowUrl"], data={"action": action}, timeout=10, allow_redirects=False)
    assert answer.status_code == 303
    parts = urlsplit(answer.headers["Location"])
    return {"path": parts.path, "query": parse_qsl(parts.query), "payment_key": opened["paymentKey"]}


def test_opening_makes_a_payment_that_is_ready(toss, shop):
    answer = ask(toss, metadata={"cart": "7"}, customerEmail="buyer@example.com", customerMobilePhone="01000000000")

    shown = shop.look_up(answer.json()["paymentKey"]).json()
    assert (shown["status"], shown["totalAmount"], shown["method"]) == ("READY", 15_000, None)
    assert (shown["orderName"], shown["metadata"]) == ("프롬프트 외 1건", {"cart": "7"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_key": "test_ck_unknown"}, "INVALID_CLIENT_KEY"),
        ({"product": "widgets"}, "NOT_SUPPORTED_API_INDIVIDUAL_KEY"),
        ({"customer_key": "한글"}, "INVALID_CUSTOMER_KEY"),
        ({"customer_key": "test_sk_StandInWindowAAAAAAAAAAAA"}, "INSECURE_KEY_USAGE"),
        ({"method": "카드"}, "NOT_SUPPORTED_METHOD"),
        ({"method": None}, "NOT_SUPPORTED_METHOD"),
        ({"amount": 15_000}, "INVALID_AMOUNT_CURRENCY"),
        ({"amount": {"currency": "USD", "value": 10}}, "INVALID_AMOUNT_CURRENCY"),
        ({"amount": {"currency": "KRW", "value": "15000"}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": 10.5}}, "INVALID_AMOUNT_VALUE"),
        ({"amount": {"currency": "KRW", "value": 0}}, "BELOW_ZERO_AMOUNT"),
        ({"orderId": "short"}, "INVALID_PARAMETERS"),
        ({"orderId": "order=0001"}, "INVALID_PARAMETERS"),
        ({"orderId": "o" * 65}, "INVALID_PARAMETERS"),
        ({"orderName": None}, "INVALID_PARAMETERS"),
        ({"orderName": "x" * 101}, "INVALID_PARAMETERS"),
        ({"successUrl": "/return/"}, "INCORRECT_SUCCESS_URL_FORMAT"),
        ({"failUrl": "javascript:alert(1)"}, "INCORRECT_FAIL_URL_FORMAT"),
        ({"customerEmail": "x" * 101}, "INVALID_PARAMETERS"),
        ({"customerMobilePhone": "010-0000-0000"}, "INVALID_PARAMETERS"),
        ({"metadata": {str(number): "" for number in range(6)}}, "INVALID_METADATA"),
        ({"metadata": {"a[b]": ""}}, "INVALID_METADATA"),
        ({"metadata": {"a": "x" * 2001}}, "INVALID_METADATA"),
        ({"windowTarget": "popup"}, "INVALID_PARAMETERS"),
        ({"windowTarget": "iframe", "is_mobile": True}, "INVALID_PARAMETERS"),
        ({"card": {"flowMode": "DIRECT"}}, "INVALID_PARAMETERS"),
        ({"virtualAccount": {"validHours": 2161}}, "INVALID_PARAMETERS"),
        ({"virtualAccount": {"validHours": 1, "dueDate": "2026-01-01T00:00:00"}}, "INVALID_PARAMETERS"),
    ],
)
def test_a_request_against_the_rules_opens_nothing(toss, changes, code):
    assert refusal(ask(toss, **changes)) == (400, code)
    assert toss.books()["payments"] == {}


def test_a_key_of_the_order_form_does_not_open_the_window(toss):
    assert refusal(ask(toss, client_key=toss.pair_of("test_gck_")[0])) == (400, "NOT_SUPPORTED_WIDGET_KEY")


@pytest.mark.parametrize(
    ("asked", "is_mobile", "expected"),
    [(None, False, "iframe"), (None, True, "self"), ("self", False, "self"), ("iframe", False, "iframe")],
)
def test_the_window_opens_in_a_frame_unless_on_a_phone(toss, asked, is_mobile, expected):
    assert ask(toss, windowTarget=asked, is_mobile=is_mobile).json()["windowTarget"] == expected


def test_approving_leads_to_the_success_address_with_four_members(toss, shop):
    left = press(toss, "approve")

    assert left["path"] == "/return/abc/"
    assert left["query"] == [
        ("paymentType", "NORMAL"),
        ("orderId", "order-0001"),
        ("paymentKey", left["payment_key"]),
        ("amount", "15000"),
    ]
    assert shop.look_up(left["payment_key"]).json()["status"] == "IN_PROGRESS"
    assert shop.confirm(left["payment_key"]).status_code == 200


def test_the_type_of_payment_can_be_left_out(toss):
    toss.settings(has_payment_type=False)

    assert [name for name, _ in press(toss, "approve")["query"]] == ["orderId", "paymentKey", "amount"]


def test_an_edited_amount_is_bound_and_told(toss, shop):
    left = press(toss, "approve", amount={"currency": "KRW", "value": 100})

    assert ("amount", "100") in left["query"]
    assert refusal(shop.confirm(left["payment_key"])) == (403, "FORBIDDEN_REQUEST")


@pytest.mark.parametrize(
    ("action", "names"),
    [
        ("decline", {"code": "REJECT_CARD_COMPANY", "orderId": "order-0001"}),
        ("abort", {"code": "PAY_PROCESS_ABORTED", "orderId": "order-0001"}),
        ("cancel", {"code": "PAY_PROCESS_CANCELED"}),
    ],
)
def test_failing_leads_to_the_fail_address_and_changes_nothing(toss, shop, action, names):
    left = press(toss, action)

    query = dict(left["query"])
    assert left["path"] == "/fail/abc/"
    assert query.pop("message")
    assert query == names
    assert shop.look_up(left["payment_key"]).json()["status"] == "READY"


def test_a_query_of_the_shop_s_address_is_kept(toss):
    left = press(toss, "cancel", failUrl="http://shop.test/fail/?ref=abc")

    assert [name for name, _ in left["query"]] == ["ref", "code", "message"]


def test_a_card_over_its_limit_is_refused_at_the_confirm(toss, shop):
    left = press(toss, "approve_refused")

    assert refusal(shop.confirm(left["payment_key"])) == (403, "REJECT_CARD_PAYMENT")


def test_a_window_shows_its_choices_until_its_time_is_over(toss):
    url = ask(toss).json()["windowUrl"]
    before = requests.get(url, timeout=10)
    toss.advance(seconds=30 * 60 + 1)
    after = requests.get(url, timeout=10)
    pressed = requests.post(url, data={"action": "approve"}, timeout=10, allow_redirects=False)

    assert (before.status_code, before.text.count("<button")) == (200, 5)
    assert "15,000원" in before.text
    assert "<form" not in after.text
    assert pressed.status_code == 409


def test_a_window_in_a_frame_can_be_closed_and_leaves_through_the_shop_s_page(toss):
    url = ask(toss).json()["windowUrl"]

    shown = requests.get(url, params={"framed": "1"}, timeout=10)
    left = requests.post(url, data={"action": "approve", "framed": "1"}, timeout=10)

    assert "data-close" in shown.text
    assert left.status_code == 200
    assert 'data-leave="http://shop.test/return/abc/?paymentType=NORMAL&amp;orderId=order-0001' in left.text


def test_the_script_may_ask_from_another_origin(toss):
    asked = requests.options(f"{toss.url}/sdk/payments", headers={"Origin": "http://shop.test"}, timeout=10)
    script = requests.get(toss.sdk_url, timeout=10)

    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert ask(toss).headers["Access-Control-Allow-Origin"] == "*"
