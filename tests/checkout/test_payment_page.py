"""The page that opens Toss Payments: who sees it, what it hands over, and the policy that it alone has."""

import json
import re
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client

from checkout.models import Order, Payment
from checkout.views.payments import make_customer_key
from tests.factories import NOON, make_order, make_payment, make_prompt, make_purchase, make_seller, make_user

pytestmark = pytest.mark.django_db

SDK_ORIGIN = "https://js.tosspayments.com"


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON + timedelta(minutes=1), tick=False)


@pytest.fixture(autouse=True)
def _toss(settings):
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = "test_ck_x", "test_sk_x"


@pytest.fixture
def payment(buyer):
    prompts = [
        make_prompt(slug="letter", title="Letter", price=9_900, seller=make_seller(name="Paper Desk")),
        make_prompt(title="Reply", price=4_900),
    ]
    return make_payment(order=make_order(buyer=buyer, email=buyer.email, prompts=prompts), provider="toss")


def address(payment) -> str:
    return f"/payments/{payment.reference}/"


def read_config(response) -> dict:
    script = r'<script id="toss-payment" type="application/json">(.*?)</script>'
    return json.loads(re.search(script, response.content.decode()).group(1))


def test_it_shows_what_is_paid_for_and_the_amount_on_the_button(buyer_client, payment):
    page = buyer_client.get(address(payment), headers={"Accept-Language": "en"}).content.decode()

    for words in ("Letter", "Reply", "Paper Desk", "₩9,900", "₩4,900", payment.order.number, "buyer@example.com"):
        assert words in page
    assert re.search(r"<button[^>]*data-toss-pay[^>]*>Pay ₩14,800</button>", page)
    assert "<noscript><p" in page
    assert "Your order is kept" in page


def test_what_is_handed_over_comes_from_the_database(buyer, buyer_client, payment):
    config = read_config(buyer_client.get(address(payment), headers={"Accept-Language": "en"}))

    assert config == {
        "sdkUrl": "https://js.tosspayments.com/v2/standard",
        "clientKey": "test_ck_x",
        "product": "payment",
        "customerKey": make_customer_key(buyer.pk),
        "amount": {"currency": "KRW", "value": 14_800},
        "request": {
            "orderId": payment.order.number,
            "orderName": "Letter and 1 more",
            "successUrl": f"http://testserver/payments/{payment.reference}/return/",
            "failUrl": f"http://testserver/payments/{payment.reference}/fail/",
            "customerEmail": "buyer@example.com",
        },
        "reference": payment.reference,
    }


def test_the_secret_key_is_not_in_the_page(buyer_client, payment):
    assert "test_sk_x" not in buyer_client.get(address(payment)).content.decode()


def test_an_address_that_is_too_long_for_the_provider_is_left_out(buyer_client, payment):
    Order.objects.update(email=f"{'a' * 60}@{'b' * 60}.example.com")

    assert "customerEmail" not in read_config(buyer_client.get(address(payment)))["request"]


def test_a_title_cannot_break_out_of_the_data(buyer_client, payment):
    payment.order.lines.filter(position=1).update(title="</script><script>alert(1)</script>")

    response = buyer_client.get(address(payment), headers={"Accept-Language": "en"})

    assert "<script>alert" not in response.content.decode()
    assert read_config(response)["request"]["orderName"] == "</script><script>alert(1)</script> and 1 more"


@pytest.mark.parametrize(
    ("keys", "product", "has_slots"),
    [(("test_ck_x", "test_sk_x"), "payment", False), (("test_gck_x", "test_gsk_x"), "widgets", True)],
)
def test_the_keys_decide_between_window_and_widgets(buyer_client, payment, settings, keys, product, has_slots):
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = keys

    response = buyer_client.get(address(payment))

    assert read_config(response)["product"] == product
    assert ('id="toss-methods"' in response.content.decode()) is has_slots
    assert ('id="toss-agreement"' in response.content.decode()) is has_slots


def test_a_persons_name_at_the_provider_stays_and_gives_nothing_away(buyer, stranger, settings):
    name = make_customer_key(buyer.pk)

    assert name == make_customer_key(buyer.pk)
    assert uuid.UUID(name).version == 4
    assert name != str(buyer.pk)
    assert name != make_customer_key(stranger.pk)
    settings.SECRET_KEY = "another"
    assert name != make_customer_key(buyer.pk)


# --- Who sees it, and when


def test_a_stranger_gets_nothing_and_a_visitor_signs_in_first(stranger_client, payment):
    assert stranger_client.get(address(payment)).status_code == 404
    visited = Client().get(address(payment))
    assert urlsplit(visited["Location"]).path == "/accounts/login/"
    assert stranger_client.get(f"/payments/{uuid.uuid4().hex}/").status_code == 404


@pytest.mark.parametrize(
    ("order_fields", "payment_fields"),
    [
        ({"status": "paid", "paid_at": NOON}, {"status": "paid", "payment_key": "k", "approved_at": NOON}),
        ({"status": "confirming"}, {"status": "confirming", "payment_key": "k"}),
        ({"status": "waiting"}, {"status": "waiting", "payment_key": "k", "deposit_account": "X1"}),
        ({"status": "expired"}, {}),
        ({"status": "cancelled"}, {}),
        ({"expires_at": NOON + timedelta(seconds=30)}, {}),
        ({"status": "failed"}, {"status": "failed", "failure_code": "REJECT_CARD_PAYMENT"}),
        ({}, {"failure_code": "PAY_PROCESS_CANCELED"}),
    ],
)
def test_once_the_order_went_on_it_leads_to_the_orders_page(buyer_client, payment, order_fields, payment_fields):
    Order.objects.update(**order_fields)
    Payment.objects.update(**payment_fields)

    assert buyer_client.get(address(payment))["Location"] == f"/orders/{payment.order.number}/"


def test_a_sandbox_payment_leads_to_its_order_where_real_keys_are_set(buyer_client, payment):
    Payment.objects.update(provider="sandbox")

    assert buyer_client.get(address(payment))["Location"] == f"/orders/{payment.order.number}/"


def test_the_button_of_the_order_leads_to_one_page_until_that_attempt_failed(buyer_client, payment):
    start = f"/orders/{payment.order.number}/payment/"
    assert [buyer_client.post(start)["Location"] for _ in range(2)] == [address(payment)] * 2

    Client().get(f"/payments/{payment.reference}/fail/?code=REJECT_CARD_COMPANY&message=x")
    second = buyer_client.post(start)["Location"]

    assert second != address(payment)
    config = read_config(buyer_client.get(second))
    assert config["request"]["orderId"] == f"{payment.order.number}_2"


def test_the_fail_address_takes_only_the_providers_own_reasons(buyer_client, payment):
    Client().get(f"/payments/{payment.reference}/fail/?code=given_back")

    page = buyer_client.get(f"/orders/{payment.order.number}/", headers={"Accept-Language": "en"}).content.decode()

    assert "goes back to you" not in page
    assert "The payment was not approved. No money moved." in page


# --- Headers


def test_this_page_lets_the_providers_script_and_frames_in(buyer_client, payment):
    response = buyer_client.get(address(payment))

    policy = dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == f"'self' {SDK_ORIGIN}"
    assert "https://*.tosspayments.com" in policy["frame-src"]
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert "no-store" in response["Cache-Control"]


def test_the_policy_follows_the_setting(buyer_client, payment, settings):
    settings.TOSS_CSP = {"default-src": ["'self'"], "script-src": ["'self'", "http://127.0.0.1:9"]}

    response = buyer_client.get(address(payment))

    assert response["Content-Security-Policy"] == "default-src 'self'; script-src 'self' http://127.0.0.1:9"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/prompts/",
        "/prompts/letter/",
        "/cart/",
        "/checkout/?buy=letter",
        "/orders/",
        "/orders/{number}/",
        "/library/",
        "/library/owned/",
        "/payments/{other}/",
        "/no-such-page/",
    ],
)
def test_every_other_page_keeps_the_strict_headers(buyer, buyer_client, payment, path):
    make_purchase(buyer=buyer, prompt=make_prompt(slug="owned"))
    other = make_payment(order=make_order(buyer=make_user()), provider="toss")

    response = buyer_client.get(path.format(number=payment.order.number, other=other.reference))

    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "tosspayments" not in response["Content-Security-Policy"]
    assert "frame-src" not in response["Content-Security-Policy"]
