"""No answer of the shop carries a text or a file's address to somebody who does not own it."""

import json
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import get_resolver

from checkout.library import revoke_entitlement
from checkout.models import CartItem, Payment
from tests.factories import NOON, make_order, make_payment, make_prompt, make_purchase, make_user

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
        "payment_return": [f"/payments/{reference}/return/?paymentKey=x&orderId={order.number}&amount=5000"],
        "payment_fail": [f"/payments/{reference}/fail/?code=x"],
        "sandbox_window": [f"/sandbox/{reference}/"],
        "library": ["/library/", "/library/?q=secret"],
        "library_prompt": ["/library/secret/", "/library/secret/?version=1"],
        "library_text": ["/library/secret/text.md", "/library/secret/text.txt"],
        "library_file": ["/library/secret/file/"],
        "library_copied": ["/library/secret/copied/"],
        "library_cancel": ["/library/secret/cancel/"],
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
