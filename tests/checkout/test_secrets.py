"""No answer of the shop carries a text or a file's address to somebody who does not own it, and no table, mail, log or
page of the admin a secret of a payment."""

import base64
import json
import logging
import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from checkout.library import revoke_entitlement
from checkout.models import CartItem, Entitlement, Order, Payment, PaymentEvent, Refund
from checkout.payments import check_payment, start_payment
from tests.factories import NOON, make_order, make_payment, make_prompt, make_purchase, make_user
from tests.toss.fixtures import toss, toss_process  # noqa: F401

pytestmark = pytest.mark.django_db

TEXT, FILE = "zq7-text-4471-only-for-owners", "zq7-file-9902-only-for-owners"


def checkout_names() -> set[str]:
    patterns = get_resolver().url_patterns
    return {
        pattern.name
        for resolver in patterns
        if getattr(resolver, "namespace", None) == "checkout"
        for pattern in resolver.url_patterns
    }


@pytest.fixture
def prompt():
    secret = make_prompt(slug="secret", prompt_text=f"{TEXT} {{{{x}}}}", file_url=f"private://{FILE}.zip")
    secret.versions.update(file_url=secret.file_url)
    return secret


@pytest.mark.parametrize("person", ["visitor", "stranger", "sealed", "refunded"])
def test_every_address_of_the_shop_keeps_text_and_file_to_itself(prompt, person, settings):
    settings.DEBUG = False
    client, user = Client(), make_user(email=f"{person}@example.com")
    if person != "visitor":
        client.force_login(user)
    if person == "sealed":
        make_purchase(buyer=user, prompt=prompt)
    if person == "refunded":
        revoke_entitlement(
            entitlement_id=make_purchase(buyer=user, prompt=prompt, is_open=True).pk, reason="refunded", now=NOON
        )
    if person in ("stranger", "refunded"):
        CartItem.objects.create(user=user, prompt=prompt)
    order = make_order(buyer=user, prompts=[prompt])
    window = make_payment(order=order)
    numbers = [order.number, *user.orders.exclude(pk=order.pk).values_list("number", flat=True)]
    reference = window.reference
    addresses = {
        "cart": ["/cart/", "/cart/?removed=secret"],
        "cart_add": ["/cart/add/secret/"],
        "cart_remove": ["/cart/remove/secret/"],
        "cart_restore": ["/cart/restore/secret/"],
        "checkout": ["/checkout/", "/checkout/?buy=secret"],
        "order_list": ["/orders/"],
        "order_detail": [f"/orders/{number}/" for number in numbers],
        "order_state": [f"/orders/{number}/state/" for number in numbers],
        "order_receipt": [f"/orders/{number}/receipt/" for number in numbers],
        "payment_start": [f"/orders/{number}/payment/" for number in numbers],
        "payment_window": [f"/payments/{reference}/"],
        "payment_webhook": ["/payments/webhook/"],
        "payment_webhook_without_slash": ["/payments/webhook"],
        "payment_return": [f"/payments/{reference}/return/?paymentKey=x&orderId={order.number}&amount=5000"],
        "payment_fail": [f"/payments/{reference}/fail/?code=x"],
        "sandbox_window": [f"/sandbox/{reference}/"],
        "library": ["/library/", "/library/?q=secret"],
        "library_prompt": ["/library/secret/", "/library/secret/?version=1"],
        "library_text": ["/library/secret/text.md", "/library/secret/text.txt"],
        "library_file": ["/library/secret/file/"],
        "library_copied": ["/library/secret/copied/"],
        "library_fill": ["/library/secret/fill/"],
        "library_cancel": ["/library/secret/cancel/"],
        "review_edit": ["/library/secret/review/"],
        "review_delete": ["/library/secret/review/delete/"],
        "order_cancel": [f"/orders/{number}/cancel/" for number in numbers],
        "order_give_up": [f"/orders/{number}/give-up/" for number in numbers],
    }
    opening = {"library_open"}  # the one address after which the owner of a sealed purchase does own the text
    assert set(addresses) | opening == checkout_names()

    for paths in addresses.values():
        for path in paths:
            for headers in ({}, {"HX-Request": "true"}):
                for answer in (client.get(path, headers=headers), client.post(path, {}, headers=headers)):
                    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
                    told = body.decode() + json.dumps(dict(answer.headers))
                    assert TEXT not in told, path
                    assert FILE not in told, path
                    assert answer.status_code < 500


def test_mails_carry_neither(prompt, on_commit, mailoutbox):
    make_purchase(prompt=prompt)

    told = mailoutbox[0].body + mailoutbox[0].alternatives[0].content
    assert TEXT not in told
    assert FILE not in told


def test_the_payment_key_does_not_stay_in_the_address(client, prompt):
    window = make_payment(order=make_order(prompts=[prompt]))

    answer = client.get(f"/payments/{window.reference}/return/?paymentKey=secret-key&orderId=x&amount=5000")

    assert urlsplit(answer["Location"]).query == ""
    assert Payment.objects.get().payment_key is None


# --- Payments: what the provider and the shop tell each other stays between them


@pytest.fixture
def shop(settings, toss):  # noqa: F811
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = toss.client_key, toss.secret_key
    settings.TOSS_API_URL, settings.TOSS_TIMEOUT_S = toss.url, 5
    return toss


@pytest.fixture
def staff_client():
    client = Client()
    client.force_login(make_user(email="staff@example.com", is_staff=True, is_superuser=True))
    return client


ACCOUNT = {"bank_code": "88", "account_number": "110998877665", "holder_name": "Buyer Holder"}


def come_back(client, shop, *, order, **authorised) -> str:
    """The buyer authorises at the provider and comes back; the provider's key."""
    payment = start_payment(order=order, now=timezone.now())
    key = shop.authorise(order_id=payment.provider_order_id, amount=order.total_krw, **authorised)
    client.get(
        f"/payments/{payment.reference}/return/?paymentKey={key}&orderId={payment.provider_order_id}"
        f"&amount={order.total_krw}&paymentType=NORMAL"
    )
    return key


def send_hints(client, shop) -> list[str]:
    """What the provider has to tell, as it tells it; the bodies."""
    bodies = [message["body"] for message in shop.webhooks_made()]
    for body in bodies:
        assert client.post("/payments/webhook/", body, content_type="application/json").status_code == 200
    return bodies


def look_up_all():
    from checkout.gateway import get_gateway

    Payment.objects.update(looked_up_at=None)
    for payment in Payment.objects.select_related("order__buyer"):
        check_payment(payment=payment, now=timezone.now(), gateway=get_gateway(payment.provider))


def buy_and_give_back(client, staff_client, shop) -> dict[str, list[str]]:
    """By card: refused once, then paid, one of two opened, both given back by staff. Into an account: paid, given back
    to an account of the buyer's. All that both sides said is collected under names of what nobody else may know."""
    now = timezone.now()
    times = {"created_at": now, "expires_at": now + timedelta(hours=1)}
    buyer = make_user(email="buyer@example.com")
    client.force_login(buyer)
    prompts = [make_prompt(slug="one"), make_prompt(slug="two")]
    by_card = make_order(buyer=buyer, prompts=prompts, **times)
    by_deposit = make_order(buyer=buyer, prompts=[make_prompt()], **times)

    come_back(client, shop, order=by_card, refuse_with="REJECT_CARD_PAYMENT")
    by_card.refresh_from_db()
    card_key = come_back(client, shop, order=by_card)
    account_key = come_back(client, shop, order=by_deposit, method="가상계좌")
    shop.deposit(payment_key=account_key)
    bodies = send_hints(client, shop)
    look_up_all()
    client.post("/library/one/open/")
    line = by_card.lines.get(position=2)
    staff_client.post(
        f"/admin/checkout/order/{by_card.pk}/refund/",
        {"scope": "some", "lines": [line.pk], "note": "One does not work.", "confirm": "1"},
    )
    staff_client.post(
        f"/admin/checkout/order/{by_deposit.pk}/refund/",
        {"scope": "all", "note": "Sorry.", "confirm": "1"} | ACCOUNT,
    )
    staff_client.post(f"/admin/checkout/order/{by_card.pk}/receipt/", {"token": "a" * 32})
    staff_client.post(f"/admin/checkout/order/{by_card.pk}/ask/", {"token": "b" * 32})
    bodies += send_hints(client, shop)

    by_card.refresh_from_db()
    by_deposit.refresh_from_db()
    assert (by_card.status, by_deposit.status) == ("partly_refunded", "refunded")
    card, account = shop.payment(payment_key=card_key), shop.payment(payment_key=account_key)
    assert card["card"]["number"] in "".join(bodies)
    assert account["secret"] in "".join(bodies)
    keys = [seen["idempotency_key"] for seen in shop.requests() if seen["idempotency_key"]]
    assert len(keys) >= 4
    return {
        "card": [card["card"]["number"]],
        "webhook secret": [card["secret"], account["secret"]],
        "secret key": [
            shop.secret_key,
            base64.b64encode(f"{shop.secret_key}:".encode()).decode(),
            base64.b64encode(shop.secret_key.encode()).decode().rstrip("="),
        ],
        "account of the buyer": [ACCOUNT["account_number"], ACCOUNT["holder_name"]],
        "idempotency key": keys,
        "payment key": [card_key, account_key],
    }


OWN_COLUMNS = {  # where a secret has to stand, because it is needed again
    "idempotency key": {("payments", "idempotency_key"), ("refunds", "idempotency_key")},
    "payment key": {("payments", "payment_key")},
}


def find_in_tables(texts: list[str]) -> set[tuple[str, str]]:
    """(table, column) of every cell of the database that holds one of the texts."""
    found = set()
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                cells = zip(columns, (str(cell) for cell in row), strict=True)
                found |= {(table, column) for column, cell in cells for text in texts if text in cell}
    return found


def read_admin(client) -> dict[str, str]:
    """Every list and every page of the admin of buying, by address."""
    pages = {}
    for model in admin.site._registry:
        if model._meta.app_label == "checkout":
            address = f"/admin/checkout/{model._meta.model_name}/"
            addresses = [address, *(f"{address}{pk}/change/" for pk in model.objects.values_list("pk", flat=True))]
            pages |= {each: client.get(each).content.decode() for each in addresses}
    for order in Order.objects.all():
        for name in ("history", "refund", "receipt", "ask"):
            address = f"/admin/checkout/order/{order.pk}/{name}/"
            pages[address] = client.get(address).content.decode()
    return pages


def test_no_secret_of_a_payment_is_kept_told_or_shown(client, staff_client, shop, on_commit, mailoutbox, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = buy_and_give_back(client, staff_client, shop)
    pages = read_admin(staff_client)
    mails = "".join(str(message.message()) + message.body for message in mailoutbox)
    numbers = [order.number for order in Order.objects.all()]
    shown = "".join(client.get(f"/orders/{number}/").content.decode() for number in numbers)

    for name, texts in secrets.items():
        assert find_in_tables(texts) == OWN_COLUMNS.get(name, set()), name
        holding = {address for address, page in pages.items() if any(text in page for text in texts)}
        payment_pages = {
            f"/admin/checkout/payment/{pk}/change/"
            for pk in Payment.objects.exclude(payment_key=None).values_list("pk", flat=True)
        }
        assert holding <= (payment_pages if name == "payment key" else set()), name
        assert not any(text in mails for text in texts), name
        assert not any(text in shown for text in texts), name
        assert not any(text in caplog.text for text in texts), name
    references = [
        *Payment.objects.values_list("reference", flat=True),
        *Order.objects.values_list("request_token", flat=True),
    ]
    assert not [address for address, page in pages.items() if any(text in page for text in references)]
    assert len(pages) > 60
    assert Entitlement.objects.exclude(opened_at=None).exists()
    assert {"done"} == set(Refund.objects.values_list("status", flat=True))
    assert set(PaymentEvent.objects.values_list("kind", flat=True)) >= {"webhook", "staff", "cancel_answered"}


def test_no_event_has_room_for_a_card_number(client, staff_client, shop, on_commit):
    buy_and_give_back(client, staff_client, shop)

    for event in PaymentEvent.objects.all():
        assert not re.search(r"[0-9*]{13,}", json.dumps(event.detail)), event.detail


def test_every_table_is_looked_through(client, staff_client, shop, on_commit):
    """The search above finds what is there."""
    buy_and_give_back(client, staff_client, shop)
    order = Order.objects.first()

    assert ("orders", "number") in find_in_tables([order.number])
    tables = {model._meta.db_table for model in apps.get_models()}
    assert tables <= set(connection.introspection.table_names())
