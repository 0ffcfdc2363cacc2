"""From the product to the text, through the addresses a browser visits."""

import re
from concurrent.futures import Future
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.test import Client

from checkout.models import CartItem, Entitlement, Order, Payment, Purchase, SandboxPayment
from checkout.payments import PaymentRefused
from checkout.views import payments as payment_views
from tests.factories import NOON, make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db


def hidden_values(response) -> dict:
    page = response.content.decode()
    return {name: re.search(rf'name="{name}" value="([^"]*)"', page).group(1) for name in ("seen", "token")}


def agree_to_all(response) -> dict:
    page = response.content.decode()
    return hidden_values(response) | dict.fromkeys(re.findall(r'name="(consent_\w+)"', page), "on")


def order(client, address="/checkout/"):
    """Fill in and send the checkout page; the answer to the POST."""
    return client.post(address, agree_to_all(client.get(address)))


def choose(client, window, choice):
    """Press a button in the test window; the address the browser is sent to, without the host."""
    answer = client.post(window, {"choice": choice})
    parts = urlsplit(answer["Location"])
    return f"{parts.path}?{parts.query}"


def test_a_prompt_goes_from_the_cart_through_the_sandbox_into_the_library(buyer, buyer_client, on_commit):
    prompt = make_prompt(slug="letter", price=9_900, title="Letter to guests")

    buyer_client.post("/cart/add/letter/")
    window = order(buyer_client)
    back = choose(buyer_client, window["Location"], "approve")
    answer = buyer_client.get(back)

    paid = Order.objects.get()
    assert answer["Location"] == f"/orders/{paid.number}/"
    assert (paid.status, paid.total_krw) == ("paid", 9_900)
    assert Purchase.objects.get().payment_order_id == paid.number
    assert Entitlement.objects.get().is_sealed
    assert not CartItem.objects.exists()
    assert prompt.listing.__class__.objects.get().sales_count == 1
    assert [message.to for message in mail.outbox] == [["buyer@example.com"]]
    page = buyer_client.get(answer["Location"]).content.decode()
    assert paid.number in page
    assert "/library/letter/" in page


def test_several_prompts_of_one_order_get_numbered_purchases(buyer, buyer_client):
    for slug in ("one", "two", "three"):
        make_prompt(slug=slug, price=1_000)
        buyer_client.post(f"/cart/add/{slug}/")

    buyer_client.get(choose(buyer_client, order(buyer_client)["Location"], "approve"))

    number = Order.objects.get().number
    bought = Purchase.objects.order_by("payment_order_id").values_list("payment_order_id", flat=True)
    assert list(bought) == [number, f"{number}-2", f"{number}-3"]


def test_a_free_order_is_delivered_without_a_payment_and_open(buyer, buyer_client, on_commit):
    make_prompt(slug="gift", price=0)

    answer = order(buyer_client, "/checkout/?buy=gift")

    assert answer["Location"] == f"/orders/{Order.objects.get().number}/"
    assert Order.objects.get().status == "paid"
    assert not Payment.objects.exists()
    assert not Entitlement.objects.get().is_sealed
    assert buyer_client.get("/library/gift/").status_code == 200
    assert len(mail.outbox) == 1


def test_buy_now_orders_one_prompt_and_leaves_the_rest_of_the_cart(buyer, buyer_client):
    make_prompt(slug="waiting")
    make_prompt(slug="wanted")
    buyer_client.post("/cart/add/waiting/")

    buyer_client.get(choose(buyer_client, order(buyer_client, "/checkout/?buy=wanted")["Location"], "approve"))

    assert Purchase.objects.get().prompt.listing.slug == "wanted"
    assert CartItem.objects.get().prompt.listing.slug == "waiting"


def test_a_visitor_who_buys_now_comes_back_to_the_checkout_after_signing_in(client):
    make_prompt(slug="letter")

    answer = client.get("/checkout/?buy=letter")

    assert urlsplit(answer["Location"]).path == "/accounts/login/"
    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == ["/checkout/?buy=letter"]


def test_missing_consents_are_named_and_nothing_is_ordered(buyer, buyer_client):
    make_prompt(slug="letter")
    page = buyer_client.get("/checkout/?buy=letter")

    answer = buyer_client.post("/checkout/?buy=letter", hidden_values(page) | {"consent_order": "on"})

    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#id_consent_withdrawal"' in text
    assert 'href="#id_consent_privacy"' in text
    assert 'href="#id_consent_order"' not in text
    assert re.search(r'<input[^>]*name="consent_order"[^>]*checked', text)
    assert not Order.objects.exists()


def test_consents_are_unticked_and_stored_with_wording_and_time(buyer, buyer_client):
    make_prompt(slug="letter")
    page = buyer_client.get("/checkout/?buy=letter", headers={"Accept-Language": "en"})
    assert not re.search(r"<input[^>]*\schecked", page.content.decode())

    buyer_client.post("/checkout/?buy=letter", agree_to_all(page), headers={"Accept-Language": "en"})

    consents = Order.objects.get().consents.order_by("pk")
    assert [consent.key for consent in consents] == ["order", "withdrawal", "privacy"]
    assert [consent.version for consent in consents] == ["2026-11"] * 3
    assert "within seven days" in consents[1].text
    assert all(consent.accepted_at for consent in consents)


def test_a_price_that_moved_while_the_page_was_open_is_shown_and_not_charged(buyer, buyer_client):
    prompt = make_prompt(slug="letter", price=1_000)
    filled = agree_to_all(buyer_client.get("/checkout/?buy=letter"))
    prompt.price = 50_000
    prompt.save(update_fields=["price"])

    answer = buyer_client.post("/checkout/?buy=letter", filled)

    assert answer.status_code == 422
    assert "50,000" in answer.content.decode()
    assert not Order.objects.exists()
    again = hidden_values(answer) | {name: "on" for name in filled if name.startswith("consent")}
    assert buyer_client.post("/checkout/?buy=letter", again).status_code == 302
    assert Order.objects.get().total_krw == 50_000


def test_two_clicks_on_pay_make_one_order_and_one_window(buyer, buyer_client):
    make_prompt(slug="letter")
    filled = agree_to_all(buyer_client.get("/checkout/?buy=letter"))

    first = buyer_client.post("/checkout/?buy=letter", filled)
    second = buyer_client.post("/checkout/?buy=letter", filled)

    assert first["Location"] == second["Location"]
    assert Order.objects.count() == Payment.objects.count() == SandboxPayment.objects.count() == 1


def test_the_return_address_opened_again_changes_nothing(buyer, buyer_client, on_commit):
    make_prompt(slug="letter")
    back = choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "approve")

    answers = [buyer_client.get(back) for _ in range(3)]

    assert len({answer["Location"] for answer in answers}) == 1
    assert Purchase.objects.count() == 1
    assert SandboxPayment.objects.get().charge_count == 1
    assert len(mail.outbox) == 1


def test_the_return_address_works_in_a_browser_that_is_not_signed_in(buyer, buyer_client):
    make_prompt(slug="letter")
    back = choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "approve")

    answer = Client().get(back)

    assert answer.status_code == 302
    assert Order.objects.get().status == "paid"
    assert urlsplit(Client().get(answer["Location"])["Location"]).path == "/accounts/login/"


@pytest.mark.parametrize("choice", ["decline", "close"])
def test_a_window_left_without_paying_keeps_order_and_cart(buyer, buyer_client, choice):
    make_prompt(slug="letter")
    buyer_client.post("/cart/add/letter/")
    window = order(buyer_client)["Location"]

    answer = buyer_client.get(choose(buyer_client, window, choice))

    assert Order.objects.get().status == "pending"
    assert CartItem.objects.count() == 1
    page = buyer_client.get(answer["Location"]).content.decode()
    number = Order.objects.get().number
    assert f'action="/orders/{number}/payment/"' in page
    retry = buyer_client.post(f"/orders/{number}/payment/")["Location"]
    assert retry != window
    buyer_client.get(choose(buyer_client, retry, "approve"))
    assert Order.objects.get().status == "paid"


def test_a_card_refused_when_charged_fails_the_order_which_can_be_tried_again(buyer, buyer_client):
    make_prompt(slug="letter")
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]

    buyer_client.get(choose(buyer_client, window, "refuse"))

    failed = Order.objects.get()
    assert (failed.status, Purchase.objects.count()) == ("failed", 0)
    retry = buyer_client.post(f"/orders/{failed.number}/payment/")["Location"]
    buyer_client.get(choose(buyer_client, retry, "approve"))
    assert Order.objects.get().status == "paid"
    assert SandboxPayment.objects.filter(charge_count=1).count() == 1


def test_an_edited_amount_is_not_charged(buyer, buyer_client):
    make_prompt(slug="letter", price=50_000)
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]

    buyer_client.get(choose(buyer_client, window, "edited"))

    assert Order.objects.get().status == "pending"
    assert SandboxPayment.objects.get().charge_count == 0
    assert not Purchase.objects.exists()


def test_an_edited_amount_is_not_charged_when_the_address_claims_the_right_one(buyer, buyer_client):
    make_prompt(slug="letter", price=50_000)
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]
    back = choose(buyer_client, window, "edited").replace("amount=100", "amount=50000")

    buyer_client.get(back)

    assert Order.objects.get().status == "failed"
    assert SandboxPayment.objects.get().charge_count == 0


def test_the_payment_of_another_order_cannot_pay_this_one(buyer, buyer_client):
    make_prompt(slug="cheap", price=5_000)
    make_prompt(slug="same-price", price=5_000)
    first = choose(buyer_client, order(buyer_client, "/checkout/?buy=cheap")["Location"], "approve")
    key = parse_qs(urlsplit(first).query)["paymentKey"][0]
    second = choose(buyer_client, order(buyer_client, "/checkout/?buy=same-price")["Location"], "approve")

    stolen = re.sub(r"paymentKey=\w+", f"paymentKey={key}", second)
    buyer_client.get(stolen)

    assert not Purchase.objects.exists()
    buyer_client.get(first)
    assert Purchase.objects.get().prompt.listing.slug == "cheap"


@pytest.mark.parametrize(("choice", "charged_at_first"), [("lost_after", 1), ("lost_before", 0)])
def test_an_unknown_outcome_is_shown_as_being_checked_and_finished_by_a_look_up(
    buyer, buyer_client, time_machine, choice, charged_at_first
):
    time_machine.move_to(NOON, tick=False)
    make_prompt(slug="letter")
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]

    answer = buyer_client.get(choose(buyer_client, window, choice), headers={"Accept-Language": "en"})

    assert Order.objects.get().status == "confirming"
    assert SandboxPayment.objects.get().charge_count == charged_at_first
    page = buyer_client.get(answer["Location"], headers={"Accept-Language": "en"}).content.decode()
    assert "We are checking your payment" in page
    assert "failed" not in page.lower()
    state = f"{answer['Location']}state/?step=1"
    time_machine.move_to(NOON + timedelta(seconds=3), tick=False)
    assert buyer_client.get(state, headers={"HX-Request": "true"}).status_code == 200
    assert Order.objects.get().status == "confirming"
    time_machine.move_to(NOON + timedelta(seconds=9), tick=False)
    polled = buyer_client.get(state, headers={"HX-Request": "true"})
    assert polled["HX-Redirect"] == answer["Location"]
    assert Order.objects.get().status == "paid"
    assert SandboxPayment.objects.get().charge_count == 1
    assert Purchase.objects.count() == 1


def test_what_may_be_paid_already_cannot_be_ordered_again(buyer, buyer_client, time_machine):
    time_machine.move_to(NOON, tick=False)
    make_prompt(slug="letter", title="Letter")
    make_prompt(slug="other")
    buyer_client.get(choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "lost_after"))
    in_doubt = Order.objects.get()

    refused = order(buyer_client, "/checkout/?buy=letter")
    other = order(buyer_client, "/checkout/?buy=other")

    assert refused.status_code == 422
    assert in_doubt.number in refused.content.decode()
    assert other.status_code == 302
    assert SandboxPayment.objects.count() == 2


def test_polling_stops_after_a_minute_and_still_does_not_call_it_failed(buyer, buyer_client, time_machine):
    time_machine.move_to(NOON, tick=False)
    make_prompt(slug="letter")
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]
    answer = buyer_client.get(choose(buyer_client, window, "lost_after"))

    for step in ("11", "12", "²", "9" * 5_000):
        last = buyer_client.get(f"{answer['Location']}state/?step={step}", headers={"HX-Request": "true"}).text
        assert "hx-trigger" not in last
    assert Order.objects.get().status == "confirming"


def test_an_order_past_its_hour_is_not_payable_and_not_charged(buyer, buyer_client, time_machine):
    time_machine.move_to(NOON, tick=False)
    make_prompt(slug="letter")
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]
    time_machine.move_to(NOON + timedelta(hours=1), tick=False)
    back = choose(buyer_client, window, "approve")

    answer = buyer_client.get(back)

    assert SandboxPayment.objects.get().charge_count == 0
    assert not Purchase.objects.exists()
    number = Order.objects.get().number
    assert f"/orders/{number}/payment/" not in buyer_client.get(answer["Location"]).content.decode()
    assert buyer_client.post(f"/orders/{number}/payment/")["Location"] == f"/orders/{number}/"


def test_the_same_prompts_ordered_in_two_tabs_are_one_order_and_one_window(buyer, buyer_client):
    make_prompt(slug="letter")
    windows = [order(buyer_client, "/checkout/?buy=letter")["Location"] for _ in range(2)]
    back = choose(buyer_client, windows[0], "approve")

    answers = [buyer_client.get(back), buyer_client.get(choose(buyer_client, windows[1], "approve"))]

    assert windows[0] == windows[1]
    assert Order.objects.get().status == "paid"
    assert SandboxPayment.objects.get().charge_count == 1
    assert Purchase.objects.count() == 1
    assert answers[0]["Location"] == answers[1]["Location"]


def test_a_prompt_bought_with_another_order_meanwhile_is_not_charged_again(buyer, buyer_client):
    make_prompt(slug="letter")
    make_prompt(slug="other")
    for slug in ("letter", "other"):
        buyer_client.post(f"/cart/add/{slug}/")
    first = choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "approve")
    second = choose(buyer_client, order(buyer_client)["Location"], "approve")

    buyer_client.get(first)
    answer = buyer_client.get(second, follow=True, headers={"Accept-Language": "en"})

    assert sorted(SandboxPayment.objects.values_list("charge_count", flat=True)) == [0, 1]
    assert Purchase.objects.count() == 1
    assert answer.content.decode().count("already yours or no longer sold") == 1


def test_a_line_paid_in_two_orders_is_refunded_by_itself_and_the_buyer_is_told(
    buyer, buyer_client, on_commit, time_machine
):
    time_machine.move_to(NOON, tick=False)
    make_prompt(slug="letter", price=5_000, title="Letter")
    make_prompt(slug="other", price=3_000)
    for slug in ("letter", "other"):
        buyer_client.post(f"/cart/add/{slug}/")
    late = choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "lost_after")
    both = choose(buyer_client, order(buyer_client)["Location"], "approve")

    late_page = buyer_client.get(late)["Location"]
    buyer_client.get(both)
    time_machine.move_to(NOON + timedelta(minutes=1), tick=False)
    page = buyer_client.get(late_page, headers={"Accept-Language": "en"}).content.decode()

    assert Purchase.objects.count() == 2
    assert sorted(SandboxPayment.objects.values_list("charge_count", "balance_krw")) == [(1, 0), (1, 8_000)]
    assert "You had this already from another order, so ₩5,000 went back to you" in page
    subjects = [message.subject for message in mail.outbox if late_page.split("/")[2] in message.body]
    assert len(subjects) == 2  # a receipt and a refund


def test_a_prompt_withdrawn_before_paying_is_not_charged(buyer, buyer_client):
    prompt = make_prompt(slug="letter")
    back = choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "approve")
    prompt.is_published = False
    prompt.save(update_fields=["is_published"])

    buyer_client.get(back)

    assert Order.objects.get().status == "cancelled"
    assert SandboxPayment.objects.get().charge_count == 0


def test_the_fail_address_of_a_paid_order_changes_nothing(buyer, buyer_client):
    make_prompt(slug="letter")
    buyer_client.get(choose(buyer_client, order(buyer_client, "/checkout/?buy=letter")["Location"], "approve"))
    payment = Payment.objects.get()

    Client().get(f"/payments/{payment.reference}/fail/?code=PAY_PROCESS_ABORTED&message=x&orderId=y")

    payment.refresh_from_db()
    assert (payment.status, payment.failure_code) == ("paid", "")
    assert Order.objects.get().status == "paid"


def test_the_message_of_the_fail_address_is_never_shown(buyer, buyer_client):
    make_prompt(slug="letter")
    order(buyer_client, "/checkout/?buy=letter")
    reference = Payment.objects.get().reference

    answer = buyer_client.get(
        f"/payments/{reference}/fail/?code=CALL_THIS_NUMBER&message=pay+me+elsewhere", follow=True
    )

    assert "pay me elsewhere" not in answer.content.decode()
    assert "CALL_THIS_NUMBER" not in answer.content.decode()


@pytest.mark.parametrize("part", ["", "state/", "receipt/"])
def test_an_order_is_its_buyers_alone(buyer, stranger_client, client, part):
    number = make_purchase(buyer=buyer).order_line.order.number

    assert stranger_client.get(f"/orders/{number}/{part}").status_code == 404
    assert urlsplit(client.get(f"/orders/{number}/{part}")["Location"]).path == "/accounts/login/"


def test_a_stranger_cannot_start_a_payment_of_somebody_elses_order(buyer, buyer_client, stranger_client):
    make_prompt(slug="letter")
    order(buyer_client, "/checkout/?buy=letter")

    assert stranger_client.post(f"/orders/{Order.objects.get().number}/payment/").status_code == 404


@pytest.mark.parametrize("token", ["a\0b", "a" * 37])
def test_a_token_that_no_page_sent_orders_nothing(buyer_client, token):
    make_prompt(slug="letter")

    answer = buyer_client.post("/checkout/?buy=letter", {"token": token, "seen": "x"})

    assert answer.status_code == 422
    assert not Order.objects.exists()


def test_the_token_of_somebody_elses_order_orders_for_oneself(buyer, buyer_client, stranger_client):
    make_prompt(slug="letter")
    filled = agree_to_all(buyer_client.get("/checkout/?buy=letter"))
    buyer_client.post("/checkout/?buy=letter", filled)

    stranger_client.post("/checkout/?buy=letter", filled)

    assert sorted(Order.objects.values_list("buyer__email", flat=True)) == ["buyer@example.com", "stranger@example.com"]


def test_ones_own_prompt_cannot_be_ordered(client):
    from tests.factories import make_seller

    seller = make_seller(user=make_user())
    make_prompt(slug="mine", seller=seller)
    client.force_login(seller.user)

    assert client.get("/checkout/?buy=mine")["Location"] == "/cart/"
    assert client.post("/checkout/?buy=mine", {}).status_code == 302
    assert not Order.objects.exists()


def test_an_owned_prompt_leads_to_the_library_instead_of_the_checkout(buyer, buyer_client):
    make_purchase(buyer=buyer, prompt=make_prompt(slug="letter"))

    assert buyer_client.get("/checkout/?buy=letter")["Location"] == "/library/letter/"


def test_the_sandbox_is_not_there_when_a_real_provider_is(buyer, buyer_client, settings):
    make_prompt(slug="letter")
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]
    settings.TOSS_SECRET_KEY = "test_sk_x"

    assert buyer_client.get(window).status_code == 404
    assert buyer_client.post(window, {"choice": "approve"}).status_code == 404


def test_the_sandbox_window_says_that_it_is_a_test(buyer, buyer_client):
    make_prompt(slug="letter", price=9_900)
    window = order(buyer_client, "/checkout/?buy=letter")["Location"]

    page = buyer_client.get(window, headers={"Accept-Language": "en"}).content.decode()

    assert "no money moves" in page
    assert "₩9,900" in page


@pytest.mark.parametrize("path", ["/orders/", "/checkout/?buy=letter", "/cart/", "/library/"])
def test_what_is_private_is_kept_by_no_cache(buyer_client, path):
    make_prompt(slug="letter")

    assert "no-store" in buyer_client.get(path)["Cache-Control"]


# --- A refusal that comes when nobody looks


def come_back(buyer_client, choice="refuse"):
    make_prompt(slug="letter", price=9_900)
    buyer_client.post("/cart/add/letter/")
    back = choose(buyer_client, order(buyer_client)["Location"], choice)
    mail.outbox.clear()
    return buyer_client.get(back)


def test_a_refusal_is_mailed_only_to_who_does_not_see_it(buyer, buyer_client, stranger_client, on_commit):
    come_back(buyer_client)
    assert (Order.objects.get().status, mail.outbox) == ("failed", [])

    order_again = buyer_client.post(f"/orders/{Order.objects.get().number}/payment/")
    stranger_client.get(choose(buyer_client, order_again["Location"], "refuse"))

    assert Order.objects.get().status == "failed"
    assert [message.to for message in mail.outbox] == [["buyer@example.com"]]


def test_a_refusal_after_the_page_stopped_waiting_is_mailed(buyer, buyer_client, on_commit, monkeypatch):
    """The call is held back until the way back has given up on it."""
    held = []

    class Slow(Future):
        def result(self, timeout=None):
            raise TimeoutError

    monkeypatch.setattr(payment_views, "run_soon", lambda call, **given: (held.append((call, given)), Slow())[1])
    answer = come_back(buyer_client)
    waiting = Order.objects.get()
    assert (answer["Location"], waiting.status) == (f"/orders/{waiting.number}/", "confirming")

    [(call, given)] = held
    with pytest.raises(PaymentRefused):
        call(**given)

    assert Order.objects.get().status == "failed"
    assert [message.to for message in mail.outbox] == [["buyer@example.com"]]


def test_a_return_to_a_process_that_is_ending_is_charged_later(buyer, buyer_client, monkeypatch, time_machine):
    def refuse(call, **given):
        raise RuntimeError("cannot schedule new futures after shutdown")

    time_machine.move_to(NOON, tick=False)
    with monkeypatch.context() as patch:
        patch.setattr(payment_views, "run_soon", refuse)
        answer = come_back(buyer_client, "approve")
    assert Order.objects.get().status == "confirming"

    time_machine.move_to(NOON + timedelta(seconds=30), tick=False)
    buyer_client.get(answer["Location"])

    assert Order.objects.get().status == "paid"
    assert SandboxPayment.objects.get().charge_count == 1
