"""What the gateway sends, and which value or which of three errors every answer becomes. Over TCP."""

import base64
import copy
import gzip
import json
import logging
import socket
import threading
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import gateway as gateway_module
from checkout.answers import CANCEL_CODES, CONFIRM_CODES, LIST_CODES, LOOK_UP_CODES, read_error
from checkout.gateway import Gateway, get_gateway, provider_in_use
from checkout.provider import (
    Deposit,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnknown,
    ProviderCancel,
    ProviderPayment,
    ProviderState,
    ProviderTransaction,
    RefundAccount,
)
from tests.checkout.scripted import ScriptedServer, answer, http, raw, refuse, reset, silence, trickle

KEY, ORDER = "tpay20261122abcdefgh12345", "PJ261122-K7QM2F9X"
APPROVED = datetime(2026, 11, 22, 3, 0, 5, tzinfo=UTC)

PAYMENT = {
    "version": "2024-06-01",
    "paymentKey": KEY,
    "orderId": ORDER,
    "orderName": "글쓰기 외 1건",
    "currency": "KRW",
    "method": "카드",
    "status": "DONE",
    "totalAmount": 12900,
    "balanceAmount": 12900,
    "requestedAt": "2026-11-22T11:59:00+09:00",
    "approvedAt": "2026-11-22T12:00:05+09:00",
    "cancels": None,
    "virtualAccount": None,
    "failure": None,
    "receipt": {"url": "https://dashboard.tosspayments.com/receipt/1"},
    "aMemberOfTomorrow": {"totalAmount": "x"},
}
PAID = ProviderPayment(
    payment_key=KEY,
    order_id=ORDER,
    state=ProviderState.DONE,
    amount_krw=12900,
    balance_krw=12900,
    method="카드",
    approved_at=APPROVED,
    receipt_url="https://dashboard.tosspayments.com/receipt/1",
)
ROW = {
    "transactionKey": "T1",
    "paymentKey": KEY,
    "orderId": ORDER,
    "method": "카드",
    "status": "DONE",
    "transactionAt": "2026-11-22T12:00:05+09:00",
    "currency": "KRW",
    "amount": 12900,
}


@pytest.fixture
def over():
    """Set when the test is over: silent servers wait for it."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def server(over):
    server = ScriptedServer()
    yield server
    over.set()
    server.close()


@pytest.fixture
def gateway(server):
    return Gateway(provider="toss", base_url=server.url, secret_key="test_sk_abc", timeout_s=5)


def confirm(gateway):
    return gateway.confirm(payment_key=KEY, order_id=ORDER, amount_krw=12900, idempotency_key="attempt-1")


def cancel(gateway, **changes):
    return gateway.cancel(
        **{"payment_key": KEY, "amount_krw": 5000, "reason": "구매자 취소", "idempotency_key": "refund-1"} | changes
    )


def look_up(gateway):
    return gateway.look_up(payment_key=KEY)


def look_up_order(gateway):
    return gateway.look_up_order(order_id=ORDER)


def list_transactions(gateway):
    return list(gateway.list_transactions(since=APPROVED - timedelta(days=1), until=APPROVED))


CALLS = [confirm, cancel, look_up, look_up_order, list_transactions]
by_name = {"ids": lambda call: call.__name__}


def error_of(gateway, call):
    with pytest.raises(GatewayError) as caught:
        call(gateway)
    return caught.value


# --- What is sent


def test_a_confirm_carries_key_order_amount_and_idempotency_key(server, gateway):
    server.steps = [answer(PAYMENT)]

    assert confirm(gateway) == PAID

    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/v1/payments/confirm")
    assert asked.payload == {"paymentKey": KEY, "orderId": ORDER, "amount": 12900}
    assert asked.headers["authorization"] == "Basic dGVzdF9za19hYmM6"  # the provider's own example: with the colon
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == "attempt-1"
    assert "accept-language" not in asked.headers
    assert "cookie" not in asked.headers


def test_a_look_up_sends_the_key_as_one_step_of_the_path(server, gateway):
    server.steps = [answer(PAYMENT | {"paymentKey": "a/b?c#d%2e e한"}), answer(PAYMENT)]

    assert gateway.look_up(payment_key="a/b?c#d%2e e한").payment_key == "a/b?c#d%2e e한"
    assert look_up_order(gateway) == PAID

    assert server.asked[0].target == "/v1/payments/a%2Fb%3Fc%23d%252e%20e%ED%95%9C"
    assert server.asked[1].target == f"/v1/payments/orders/{ORDER}"
    assert "idempotency-key" not in server.asked[0].headers


@pytest.mark.parametrize("key", ["", ".", "..", "x" * 201, "a\nb", "\ud800"])
def test_a_key_that_no_provider_gave_out_is_not_asked_for(server, gateway, key):
    assert gateway.look_up(payment_key=key) is None
    assert gateway.look_up_order(order_id=key) is None
    assert isinstance(error_of(gateway, lambda it: cancel(it, payment_key=key)), GatewayRefused)
    assert server.asked == []


def test_a_cancel_says_how_much_of_what_is_left_and_to_which_account(server, gateway):
    server.steps = [answer(PAYMENT), answer(PAYMENT)]

    cancel(gateway, reason="가" * 250, balance_krw=12900)
    cancel(gateway, amount_krw=None, refund_account=RefundAccount("20", "1234567890", "김구매"))

    assert server.asked[0].target == f"/v1/payments/{KEY}/cancel"
    assert server.asked[0].headers["idempotency-key"] == "refund-1"
    assert server.asked[0].payload == {"cancelReason": "가" * 200, "cancelAmount": 5000, "refundableAmount": 12900}
    assert server.asked[1].payload == {
        "cancelReason": "구매자 취소",
        "refundReceiveAccount": {"bank": "20", "accountNumber": "1234567890", "holderName": "김구매"},
    }


def test_neither_proxies_nor_netrc_nor_cookies_of_the_machine_are_used(server, gateway, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password x")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.steps = [answer(PAYMENT, more="Set-Cookie: a=b\r\n"), answer(PAYMENT)]

    assert look_up(gateway) == look_up(gateway) == PAID

    assert {asked.headers["authorization"] for asked in server.asked} == {"Basic dGVzdF9za19hYmM6"}
    assert "cookie" not in server.asked[1].headers


def test_connections_stay_open_within_a_thread(server, gateway):
    server.steps = [answer(PAYMENT, keep=True), answer(PAYMENT, keep=True)]

    assert look_up(gateway) == confirm(gateway) == PAID
    assert server.connections == 1


def test_no_two_threads_share_a_connection():
    found = []
    thread = threading.Thread(target=lambda: found.append(gateway_module._session_of_this_thread()))
    thread.start()
    thread.join()

    assert found != [gateway_module._session_of_this_thread()]


def test_a_fork_gets_connections_of_its_own(monkeypatch):
    mine = gateway_module._session_of_this_thread()
    assert gateway_module._session_of_this_thread() is mine

    monkeypatch.setattr(gateway_module.os, "getpid", lambda: -1)

    assert gateway_module._session_of_this_thread() is not mine


# --- What a payment becomes


def test_every_part_of_a_payment_is_read(server, gateway):
    server.steps = [
        answer(
            PAYMENT
            | {
                "status": "PARTIAL_CANCELED",
                "balanceAmount": 7900.0,
                "method": "가상계좌",
                "approvedAt": "2026-11-22T03:00:05Z",
                "virtualAccount": {
                    "accountNumber": "X6505636518308",
                    "bankCode": "20",
                    "dueDate": "2026-11-29T12:00:00",
                },
                "cancels": [
                    {
                        "cancelAmount": 5000,
                        "cancelReason": "환불 R1\u0000",
                        "transactionKey": "T2",
                        "canceledAt": "2026-11-23T12:00:05.123+09:00",
                        "cancelStatus": "DONE",
                    },
                    {"cancelAmount": 900, "cancelReason": "x", "cancelStatus": "ABORTED"},
                ],
                "failure": {"code": "REJECT_CARD_PAYMENT", "message": "한도 초과"},
                "receipt": {"url": "javascript:alert(1)"},
            }
        )
    ]

    assert look_up(gateway) == ProviderPayment(
        payment_key=KEY,
        order_id=ORDER,
        state=ProviderState.PARTLY_CANCELLED,
        amount_krw=12900,
        balance_krw=7900,
        method="가상계좌",
        approved_at=APPROVED,
        deposit=Deposit("20", "X6505636518308", datetime(2026, 11, 29, 3, tzinfo=UTC)),
        cancels=(ProviderCancel(5000, "환불 R1�", "T2", datetime(2026, 11, 23, 3, 0, 5, 123000, tzinfo=UTC)),),
        failure_code="REJECT_CARD_PAYMENT",
        failure_message="한도 초과",
    )


@pytest.mark.parametrize("status", [state.value for state in ProviderState])
def test_every_documented_status_is_known(server, gateway, status):
    server.steps = [answer(PAYMENT | {"status": status})]

    assert look_up(gateway).state.value == status


LONG = "x" * 300
WRONG = [
    *[
        (name, ...)
        for name in ("paymentKey", "orderId", "status", "totalAmount", "balanceAmount", "currency", "approvedAt")
    ],
    *[("paymentKey", value) for value in (None, "", 7, LONG, ["a"])],
    *[("orderId", value) for value in (None, "", LONG, {})],
    *[("status", value) for value in (None, "PAID", "done", 1, [], {})],
    *[("totalAmount", value) for value in (None, True, "12900", 12900.5, -1, 2**31, [])],
    *[("balanceAmount", value) for value in (None, True, "0", 0.5, -1, 12901)],
    *[("currency", value) for value in (None, "USD", "krw", 1)],
    *[("approvedAt", value) for value in ("2026-11-22T12:00:05", "yesterday", "", 5, "0001-01-01T00:00:00+09:00")],
    *[("method", value) for value in (5, [], True)],
    *[("cancels", value) for value in ({}, "x", [None], [{}], [{"cancelAmount": "1"}], [{"cancelAmount": True}])],
    ("cancels", [{"cancelAmount": 1, "canceledAt": "2026-11-22T12:00:05"}]),
    ("cancels", [{"cancelAmount": 1, "cancelStatus": "MAYBE"}]),
    ("cancels", [{"cancelAmount": 1, "cancelStatus": []}]),
    *[("virtualAccount", value) for value in (5, [], {"bankCode": "20"}, {"accountNumber": "1", "dueDate": "soon"})],
    *[("failure", value) for value in ("x", [1], {"code": 5})],
    *[("receipt", value) for value in ("x", {"url": 5})],
]


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("call", [confirm, cancel, look_up, look_up_order], **by_name)
def test_a_missing_or_wrong_member_is_an_unknown_outcome(server, gateway, call, name, value):
    changed = {key: kept for key, kept in PAYMENT.items() if key != name} | ({} if value is ... else {name: value})
    server.steps = [answer(json.dumps(changed).encode())]

    error = error_of(gateway, call)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "unreadable_answer", False)
    assert error.message != "the body is not JSON"
    assert LONG not in str(error)


def test_members_that_are_no_concern_of_ours_may_be_anything(server, gateway):
    server.steps = [answer(PAYMENT | {"card": 5, "vat": "x", "secret": [], "metadata": True, "orderName": None})]

    assert look_up(gateway) == PAID


@pytest.mark.parametrize("call", [confirm, cancel, look_up], **by_name)
def test_the_payment_of_another_key_is_not_taken_for_ours(server, gateway, call):
    server.steps = [answer(PAYMENT | {"paymentKey": KEY.upper()})]

    error = error_of(gateway, call)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "another_payment", False)


@pytest.mark.parametrize("call", [confirm, look_up_order], **by_name)
def test_the_payment_of_another_order_is_not_taken_for_ours(server, gateway, call):
    server.steps = [answer(PAYMENT | {"orderId": ORDER + "-1"})]

    assert error_of(gateway, call).code == "another_payment"


# --- Anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DEEP = {"cancels": [{"cancelAmount": 1, "cancelReason": "r", "transactionKey": "t", "canceledAt": None}]}


@st.composite
def damaged_payments(draw):
    """A good payment in which some members, also inside, are replaced or gone."""
    data = copy.deepcopy(PAYMENT | DEEP | {"virtualAccount": {"accountNumber": "1", "bankCode": "2", "dueDate": None}})
    for place in draw(st.lists(st.sampled_from([data, data["cancels"][0], data["virtualAccount"]]), max_size=3)):
        name = draw(st.sampled_from(sorted(place)))
        if draw(st.booleans()):
            place[name] = draw(JSON)
        else:
            place[name] = draw(st.sampled_from(["0", "2026-11-22T12:00:05+09:00", "DONE", 0, 2**31 - 1, KEY]))
    return data


def _body(data) -> bytes:
    return json.dumps(data).encode()


def understand(body, read):
    """The value or the unknown outcome; every other exception fails the test."""
    try:
        return gateway_module._understand(body, read)
    except GatewayUnknown as error:
        return error


@given(st.one_of(st.binary(), JSON.map(_body), damaged_payments().map(_body)))
def test_no_body_becomes_anything_but_a_payment_or_an_unknown_outcome(body):
    payment = understand(body, gateway_module._payment_of(payment_key=KEY))

    if isinstance(payment, GatewayUnknown):
        assert payment.code in ("unreadable_answer", "another_payment")
        assert not payment.keeps_key
    else:
        assert payment.payment_key == KEY
        assert 0 <= payment.balance_krw <= payment.amount_krw < 2**31
        assert payment.approved_at is None or payment.approved_at.utcoffset() == timedelta(0)
        texts = [payment.method, payment.order_id, payment.failure_message, *(it.reason for it in payment.cancels)]
        assert "\x00" not in "".join(texts)
        "".join(texts).encode()  # a log and a database take it


@given(st.one_of(st.binary(), JSON.map(_body), st.lists(st.just(ROW) | JSON, max_size=3).map(_body)))
def test_no_list_becomes_anything_but_transactions_or_an_unknown_outcome(body):
    found = understand(body, gateway_module.read_transactions)

    if isinstance(found, GatewayUnknown):
        assert found.code == "unreadable_answer"
    else:
        assert all(0 <= row.amount_krw < 2**31 for row in found)


ANY_CODES = st.sampled_from(sorted(CONFIRM_CODES.refused | CONFIRM_CODES.misconfigured | {"NEW_CODE", "ALREADY_X"}))
ERRORS = st.fixed_dictionaries({"code": ANY_CODES | JSON, "message": JSON})


@given(
    st.integers(201, 599),
    st.one_of(st.binary(), JSON.map(_body), ERRORS.map(_body)),
    st.sampled_from([CONFIRM_CODES, CANCEL_CODES, LOOK_UP_CODES, LIST_CODES]),
)
def test_an_error_is_definite_only_with_a_listed_code_under_a_4xx(status, body, codes):
    error = read_error(status, body, codes)

    assert type(error) in (GatewayRefused, GatewayUnknown, GatewayMisconfigured)
    if not isinstance(error, GatewayUnknown):
        assert error.code in codes.refused | codes.misconfigured
        assert 400 <= status < 500
    str(error).encode()


# --- Errors by code

CONFIRM_TABLE = {
    GatewayRefused: [
        (400, "BELOW_MINIMUM_AMOUNT"),
        (400, "INVALID_REJECT_CARD"),
        (400, "INVALID_CARD_NUMBER"),
        (400, "INVALID_CARD_EXPIRATION"),
        (400, "INVALID_STOPPED_CARD"),
        (400, "INVALID_CARD_LOST_OR_STOLEN"),
        (400, "NOT_ALLOWED_POINT_USE"),
        (400, "EXCEED_MAX_CARD_INSTALLMENT_PLAN"),
        (400, "INVALID_CARD_INSTALLMENT_PLAN"),
        (400, "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT"),
        (400, "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN"),
        (400, "EXCEED_MAX_AMOUNT"),
        (400, "EXCEED_MAX_PAYMENT_AMOUNT"),
        (400, "EXCEED_MAX_DAILY_PAYMENT_COUNT"),
        (400, "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT"),
        (400, "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT"),
        (400, "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT"),
        (400, "RESTRICTED_TRANSFER_ACCOUNT"),
        (400, "INVALID_ACCOUNT_INFO_RE_REGISTER"),
        (400, "NOT_AVAILABLE_PAYMENT"),
        (403, "REJECT_CARD_PAYMENT"),
        (403, "REJECT_CARD_COMPANY"),
        (403, "REJECT_ACCOUNT_PAYMENT"),
        (403, "REJECT_TOSSPAY_INVALID_ACCOUNT"),
        (403, "EXCEED_MAX_AUTH_COUNT"),
        (403, "EXCEED_MAX_ONE_DAY_AMOUNT"),
        (403, "INVALID_PASSWORD"),
        (403, "FDS_ERROR"),
        (403, "NOT_AVAILABLE_BANK"),
        (403, "FORBIDDEN_REQUEST"),
        (404, "NOT_FOUND_PAYMENT"),
        (404, "NOT_FOUND_PAYMENT_SESSION"),
        (422, "REJECT_CARD_PAYMENT"),  # the code decides, whichever 4xx it comes with
    ],
    GatewayMisconfigured: [
        (400, "INVALID_REQUEST"),
        (400, "INVALID_API_KEY"),
        (400, "NOT_FOUND_TERMINAL_ID"),
        (400, "INVALID_AUTHORIZE_AUTH"),
        (400, "INVALID_UNREGISTERED_SUBMALL"),
        (400, "NOT_REGISTERED_BUSINESS"),
        (400, "UNAPPROVED_ORDER_ID"),
        (400, "INVALID_IDEMPOTENCY_KEY"),
        (401, "UNAUTHORIZED_KEY"),
        (403, "UNAUTHORIZED_KEY"),
        (403, "INCORRECT_BASIC_AUTH_FORMAT"),
    ],
    GatewayUnknown: [
        (400, "ALREADY_PROCESSED_PAYMENT"),
        (400, "PROVIDER_ERROR"),
        (400, "CARD_PROCESSING_ERROR"),
        (409, "IDEMPOTENT_REQUEST_PROCESSING"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING"),
        (500, "FAILED_INTERNAL_SYSTEM_PROCESSING"),
        (500, "UNKNOWN_PAYMENT_ERROR"),
        (400, "A_CODE_OF_TOMORROW"),
        (401, "A_CODE_OF_TOMORROW"),
        (404, "A_CODE_OF_TOMORROW"),
        (503, "REJECT_CARD_PAYMENT"),  # a 5xx is never definite, whatever it says
        (500, "UNAUTHORIZED_KEY"),
        (429, "REJECT_CARD_PAYMENT"),
        (201, "REJECT_CARD_PAYMENT"),
    ],
}
CANCEL_TABLE = {
    GatewayRefused: [
        (400, "INVALID_REFUND_ACCOUNT_INFO"),
        (400, "INVALID_REFUND_ACCOUNT_NUMBER"),
        (400, "INVALID_BANK"),
        (400, "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT"),
        (400, "REFUND_REJECTED"),
        (400, "FORBIDDEN_BANK_REFUND_REQUEST"),
        (403, "NOT_CANCELABLE_PAYMENT"),
        (403, "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER"),
        (403, "EXCEED_MAX_REFUND_DUE"),
        (403, "EXCEED_CANCEL_LIMIT"),
        (403, "NOT_ALLOWED_PARTIAL_REFUND"),
        (403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"),
        (403, "NOT_AVAILABLE_BANK"),
        (404, "NOT_FOUND_PAYMENT"),
    ],
    GatewayMisconfigured: [
        (400, "INVALID_REQUEST"),
        (400, "INVALID_API_KEY"),
        (400, "INVALID_IDEMPOTENCY_KEY"),
        (401, "UNAUTHORIZED_KEY"),
        (403, "FORBIDDEN_REQUEST"),
        (403, "INCORRECT_BASIC_AUTH_FORMAT"),
    ],
    GatewayUnknown: [
        (400, "ALREADY_CANCELED_PAYMENT"),
        (400, "ALREADY_REFUND_PAYMENT"),
        (400, "NOT_MATCHES_REFUNDABLE_AMOUNT"),
        (400, "PROVIDER_ERROR"),
        (403, "NOT_CANCELABLE_AMOUNT"),
        (403, "FORBIDDEN_CONSECUTIVE_REQUEST"),
        (409, "IDEMPOTENT_REQUEST_PROCESSING"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "FAILED_INTERNAL_SYSTEM_PROCESSING"),
        (500, "FAILED_REFUND_PROCESS"),
        (500, "FAILED_METHOD_HANDLING_CANCEL"),
        (500, "FAILED_PARTIAL_REFUND"),
        (500, "COMMON_ERROR"),
        (500, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING"),
        (400, "A_CODE_OF_TOMORROW"),
        (500, "REFUND_REJECTED"),
        (403, "REJECT_CARD_PAYMENT"),  # listed for a confirm, not for a cancel
    ],
}
LOOK_UP_TABLE = {
    GatewayMisconfigured: [
        (401, "UNAUTHORIZED_KEY"),
        (400, "INVALID_API_KEY"),
        (403, "INCORRECT_BASIC_AUTH_FORMAT"),
        (403, "FORBIDDEN_REQUEST"),
    ],
    GatewayUnknown: [
        (403, "FORBIDDEN_CONSECUTIVE_REQUEST"),
        (400, "INVALID_REQUEST"),
        (400, "NOT_FOUND_PAYMENT"),
        (404, "NOT_FOUND_PAYMENT_SESSION"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING"),
        (500, "NOT_FOUND_PAYMENT"),
        (403, "REJECT_CARD_PAYMENT"),
    ],
}
TABLES = [
    pytest.param(call, kind, status, code, id=f"{call.__name__}-{status}-{code}")
    for call, table in (
        (confirm, CONFIRM_TABLE),
        (cancel, CANCEL_TABLE),
        (look_up, LOOK_UP_TABLE),
        (look_up_order, LOOK_UP_TABLE),
        (list_transactions, {GatewayMisconfigured: LOOK_UP_TABLE[GatewayMisconfigured] + [(400, "INVALID_REQUEST")]}),
        (list_transactions, {GatewayUnknown: [(404, "NOT_FOUND"), (429, "TOO_MANY"), (500, "COMMON_ERROR")]}),
    )
    for kind, rows in table.items()
    for status, code in rows
]


@pytest.mark.parametrize(("call", "kind", "status", "code"), TABLES)
def test_every_code_is_one_of_three_errors(server, gateway, call, kind, status, code):
    server.steps = [refuse(status, code)]

    error = error_of(gateway, call)

    assert (type(error), error.code, error.message) == (kind, code, "카드사에서 거절했습니다.")
    if kind is GatewayUnknown:
        assert error.keeps_key == (code == "IDEMPOTENT_REQUEST_PROCESSING")


def test_the_tables_hold_no_definite_code_that_no_test_expects():
    for codes, table in ((CONFIRM_CODES, CONFIRM_TABLE), (CANCEL_CODES, CANCEL_TABLE)):
        assert codes.refused == {code for _, code in table[GatewayRefused]}
        assert codes.misconfigured == {code for _, code in table[GatewayMisconfigured]}


@pytest.mark.parametrize("code", ["NOT_FOUND_PAYMENT", "NOT_FOUND"])
def test_a_payment_that_does_not_exist_is_none(server, gateway, code):
    server.steps = [refuse(404, code), refuse(404, code)]

    assert look_up(gateway) is None
    assert look_up_order(gateway) is None


@pytest.mark.parametrize("call", CALLS, **by_name)
@pytest.mark.parametrize("status", [404, 401, 400, 500, 502, 200, 204])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>404</html>",
        b"\xff\xfe\x00",
        b"null",
        b"[]{",
        b'{"message": "x"}',
        b'{"code": 5}',
        b'{"code": "a\\nb"}',
    ],
)
def test_garbage_says_nothing_whatever_its_status(server, gateway, call, status, body):
    server.steps = [answer(b"" if status == 204 else body, status=status)]

    error = error_of(gateway, call)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "unreadable_answer", False)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"1" * 5000,
        b'{"totalAmount": NaN}',
        b'{"currency": "KRW", "totalAmount": 1e400}',
        b'"\xed\xa0\x80"',
    ],
)
def test_json_that_only_hurts_the_reader_is_garbage(server, gateway, body):
    server.steps = [answer(body)]

    assert error_of(gateway, confirm).code == "unreadable_answer"


# --- Answers that do not come


@pytest.mark.parametrize("call", CALLS, **by_name)
@pytest.mark.parametrize(
    "step",
    [
        raw(b""),
        raw(b"HTTP/1.1 20"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        raw(b"\x16\x03\x01 not http at all\r\n\r\n"),
        raw(http(b'{"paymentKey": "tpay', length=900)),
        raw(http(b'{"code": "REJECT', status=403, length=900)),
        raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"pay\r\n'),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        reset(),
        reset(http(b'{"paymentKey": "tpay', length=900)),
    ],
    ids=[
        "end",
        "half-status",
        "half-head",
        "no-http",
        "cut",
        "cut-refusal",
        "cut-chunk",
        "bad-chunk",
        "rst",
        "rst-cut",
    ],
)
def test_an_answer_that_breaks_off_keeps_the_key(server, gateway, call, step):
    server.steps = [step]

    error = error_of(gateway, call)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "connection_lost", True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
@pytest.mark.parametrize("call", [confirm, look_up], **by_name)
def test_a_redirect_is_never_followed(server, gateway, call, status):
    server.steps = [raw(http(b"", status=status, more=f"Location: {server.url}/elsewhere\r\nConnection: close\r\n"))]

    error = error_of(gateway, call)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "redirected", True)
    assert len(server.asked) == 1


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", http(b"{", length=900)])
def test_silence_ends_after_the_time_limit(server, over, head):
    gateway = Gateway(provider="toss", base_url=server.url, secret_key="test_sk_abc", timeout_s=0.1)
    server.steps = [silence(over, head)]

    error = error_of(gateway, confirm)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "timeout", True)


def test_a_body_that_trickles_is_cut_off(server, over):
    gateway = Gateway(provider="toss", base_url=server.url, secret_key="test_sk_abc", timeout_s=0.2)
    server.steps = [trickle(over, http(b"{", length=100_000), every_s=0.02)]

    error = error_of(gateway, confirm)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "timeout", True)


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_body_that_never_ends_is_cut_off(server, gateway, is_packed):
    body = b" " * (3 * 1024 * 1024)
    server.steps = [answer(gzip.compress(body) if is_packed else body, more="Content-Encoding: gzip\r\n" * is_packed)]

    error = error_of(gateway, confirm)

    assert (error.code, error.message, error.keeps_key) == ("unreadable_answer", "the body is too large", False)


def test_a_packed_or_chunked_answer_is_read(server, gateway):
    body = json.dumps(PAYMENT).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    server.steps = [
        answer(gzip.compress(body), more="Content-Encoding: gzip\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks),
    ]

    assert confirm(gateway) == confirm(gateway) == PAID


def test_a_provider_that_is_not_there_was_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gateway = Gateway(provider="toss", base_url=f"http://127.0.0.1:{port}", secret_key="test_sk_abc", timeout_s=5)

    error = error_of(gateway, cancel)

    assert (type(error), error.code, error.keeps_key) == (GatewayUnknown, "not_reached", True)
    assert KEY not in "".join(traceback.format_exception(error))  # the cause would name the path


def test_a_name_that_does_not_exist_was_sent_nothing(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    gateway = Gateway(provider="toss", base_url="https://api.example", secret_key="test_sk_abc", timeout_s=5)

    assert error_of(gateway, confirm).code == "not_reached"


@pytest.mark.parametrize("url", ["", "api.example", "ftp://api.example", "https://"])
def test_an_address_that_is_none_is_for_staff(url):
    gateway = Gateway(provider="toss", base_url=url, secret_key="test_sk_abc", timeout_s=5)

    assert isinstance(error_of(gateway, confirm), GatewayMisconfigured)


def test_an_answer_after_a_broken_one_is_its_own(server, gateway):
    server.steps = [answer(b" " * 2_000_000, keep=True), answer(PAYMENT)]
    error_of(gateway, confirm)

    assert confirm(gateway) == PAID


# --- The list of transactions


def rows(*numbers):
    return [ROW | {"transactionKey": f"T{number}", "amount": number} for number in numbers]


def test_transactions_are_fetched_page_by_page_until_none_are_left(server, gateway):
    server.steps = [answer(rows(1, 2)), answer(rows(3)), answer([])]

    found = list_transactions(gateway)

    assert [row.transaction_key for row in found] == ["T1", "T2", "T3"]
    assert found[0] == ProviderTransaction("T1", KEY, ORDER, ProviderState.DONE, 1, APPROVED, "카드")
    assert [asked.query.get("startingAfter") for asked in server.asked] == [None, ["T2"], ["T3"]]


def test_the_period_is_asked_for_on_the_clock_of_seoul_and_never_cut(server, gateway):
    server.steps = [answer([])]
    since = datetime(2026, 11, 21, 15, 0, 0, 999_999, tzinfo=UTC)

    list(gateway.list_transactions(since=since, until=since + timedelta(days=1)))

    query = server.asked[0].query
    assert (query["startDate"], query["endDate"]) == (["2026-11-22T00:00:00"], ["2026-11-23T00:00:01"])


@pytest.mark.parametrize("amount", [12900, -12900])
def test_what_a_cancel_moved_has_no_sign(server, gateway, amount):
    server.steps = [answer([ROW | {"status": "CANCELED", "amount": amount}]), answer([])]

    assert [(row.state, row.amount_krw) for row in list_transactions(gateway)] == [(ProviderState.CANCELLED, 12900)]


def test_pages_that_go_in_circles_are_left(server, gateway):
    server.steps = [answer(rows(1, 2)), answer(rows(3)), answer(rows(2))]

    error = error_of(gateway, list_transactions)

    assert (type(error), error.code) == (GatewayUnknown, "page_repeats")


def test_pages_without_end_are_left(server, gateway, monkeypatch):
    monkeypatch.setattr(gateway_module, "PAGE_LIMIT", 3)
    server.steps = [answer(rows(1)), answer(rows(2)), answer(rows(3))]

    assert error_of(gateway, list_transactions).code == "too_many_pages"


@pytest.mark.parametrize(
    "changes",
    [{"amount": None}, {"amount": True}, {"currency": "USD"}, {"transactionAt": "2026-11-22T12:00:05"}, {"status": 1}],
)
def test_a_row_that_cannot_be_read_makes_the_list_unknown(server, gateway, changes):
    server.steps = [answer([*rows(1), ROW | changes])]

    assert error_of(gateway, list_transactions).code == "unreadable_answer"


# --- What the log and the errors tell


def test_one_line_is_logged_for_each_call_and_tells_no_secret(server, gateway, caplog):
    caplog.set_level(logging.INFO, logger="checkout")
    server.steps = [answer(PAYMENT), refuse(403, "REJECT_CARD_PAYMENT", "zebra"), raw(b""), refuse(404, "NOT_FOUND")]

    confirm(gateway)
    errors = [error_of(gateway, confirm), error_of(gateway, cancel)]
    look_up(gateway)

    lines = [record.getMessage().rpartition(" ms=") for record in caplog.records]
    assert [line for line, _, _ in lines] == [
        f"payment provider asked call=confirm provider=toss order={ORDER} status=200 code=ok",
        f"payment provider asked call=confirm provider=toss order={ORDER} status=403 code=REJECT_CARD_PAYMENT",
        "payment provider asked call=cancel provider=toss order=*h12345 status=- code=connection_lost",
        "payment provider asked call=look_up provider=toss order=*h12345 status=404 code=NOT_FOUND",
    ]
    assert all(spent.isdigit() for _, _, spent in lines)
    secret = base64.b64encode(b"test_sk_abc:").decode()
    traces = ["".join(traceback.format_exception(error)) for error in errors]  # where an address would have the key
    for told in [caplog.text, *traces, repr(gateway), repr(vars(gateway))]:
        assert not any(word in told for word in (KEY, "test_sk_abc", secret))
    assert "zebra" not in caplog.text


# --- Which provider


@pytest.fixture
def shop(settings):
    settings.DEBUG = settings.TOSS_SANDBOX = False
    settings.TOSS_CLIENT_KEY = settings.TOSS_SECRET_KEY = ""
    settings.TOSS_API_URL = "https://api.tosspayments.com"
    return settings


def refused_by(provider=None):
    with pytest.raises(GatewayMisconfigured) as caught:
        get_gateway(provider)
    return caught.value.code


def test_a_shop_without_keys_and_sandbox_has_no_gateway(shop):
    assert provider_in_use() == ""
    assert refused_by() == refused_by("toss") == refused_by("sandbox") == refused_by("other") == "no_gateway"


def test_keys_win_over_debug(shop):
    shop.DEBUG = True
    assert get_gateway().provider == provider_in_use() == "sandbox"

    shop.TOSS_SECRET_KEY = "test_sk_a"
    assert get_gateway().provider == provider_in_use() == "toss"
    assert get_gateway("sandbox").provider == "sandbox"  # payments from before stay reachable


def test_a_stored_payment_of_the_sandbox_is_out_of_reach_once_the_sandbox_is_off(shop):
    shop.TOSS_SANDBOX = True
    assert get_gateway("sandbox").provider == "sandbox"

    shop.TOSS_SANDBOX, shop.TOSS_SECRET_KEY = False, "live_sk_a"
    assert get_gateway().provider == "toss"
    assert refused_by("sandbox") == "no_gateway"


def test_the_time_limit_is_the_settings_unless_the_caller_has_less_time(shop):
    shop.TOSS_SECRET_KEY, shop.TOSS_TIMEOUT_S = "live_sk_a", 60

    assert get_gateway().timeout_s == 60
    assert get_gateway("toss", timeout_s=4).timeout_s == 4


def test_the_secret_key_never_travels_in_the_clear(shop):
    shop.TOSS_SECRET_KEY, shop.TOSS_API_URL = "live_sk_a", "http://api.tosspayments.com"

    assert refused_by() == "bad_address"
