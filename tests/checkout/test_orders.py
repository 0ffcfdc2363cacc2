"""Placing an order, the one that waits already, and the moment in which it is paid."""

from datetime import timedelta

import pytest
from django.utils import translation

from catalog.models import Listing, Prompt, PromptVersion
from checkout import orders
from checkout.carts import UserCart, add_to_cart
from checkout.consents import order_wordings
from checkout.failures import explain_failure
from checkout.models import CartItem, Entitlement, Order, OrderMail, Payment, PaymentEvent, Purchase, Refund
from checkout.orders import PAYABLE_FOR, OrderRefused, digest_lines, fulfil_order, move_order, place_order
from checkout.payments import PaymentRefused, expire_order, start_payment
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_purchase,
    make_seller,
    make_user,
)

pytestmark = pytest.mark.django_db


def place(*, buyer, prompts, token, now=NOON, **changes):
    """An order for prompts as they are now, agreed to in the wordings of today."""
    loaded = list(Prompt.objects.filter(pk__in=[prompt.pk for prompt in prompts]).for_cards().order_by("title"))
    values = {
        "buyer": buyer,
        "prompts": loaded,
        "seen": digest_lines(loaded),
        "email": "buyer@example.com",
        "wordings": order_wordings(total_krw=sum(prompt.price for prompt in loaded)),
        "request_token": token,
        "language": "ko",
        "now": now,
    }
    return place_order(**values | changes)


def after(**distance):
    return NOON + timedelta(**distance)


# --- Placing


def test_titles_prices_versions_sellers_and_the_fee_are_frozen(buyer, settings):
    settings.PLATFORM_FEE_BP = 1_500
    seller = make_seller()
    sold = make_prompt(title="A", price=9_000, seller=seller)
    newest = PromptVersion.objects.create(prompt=sold, number=2, title="A", prompt_text="x")
    house = make_prompt(title="B", price=1_000)

    order = place(buyer=buyer, prompts=[sold, house], token="1" * 32)

    lines = order.lines.order_by("position").values_list("title", "price_krw", "version", "seller", "fee_bp")
    assert list(lines) == [
        ("A", 9_000, newest.pk, seller.pk, 1_500),
        ("B", 1_000, house.versions.get().pk, None, 0),
    ]
    assert (order.total_krw, order.status, order.expires_at) == (10_000, "pending", NOON + PAYABLE_FOR)
    assert order.consents.count() == len(order_wordings(total_krw=10_000))


def test_the_same_token_orders_once(buyer):
    prompt = make_prompt()

    first, again = (place(buyer=buyer, prompts=[prompt], token="1" * 32) for _ in range(2))

    assert first == again
    assert Order.objects.count() == 1


def test_an_order_for_the_same_that_waits_for_its_payment_is_taken_up_again(buyer, django_capture_on_commit_callbacks):
    prompts = [make_prompt(price=1_000), make_prompt(price=2_000)]
    first = place(buyer=buyer, prompts=prompts, token="1" * 32)
    window = start_payment(order=first, now=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        again = place(buyer=buyer, prompts=prompts[::-1], token="2" * 32, now=after(minutes=50), language="en")

    assert again == first
    again.refresh_from_db()
    assert (again.expires_at, again.language) == (after(minutes=50) + PAYABLE_FOR, "en")
    assert start_payment(order=again, now=after(minutes=50)) == window


def test_one_whose_payment_failed_is_taken_up_as_well(buyer):
    prompt = make_prompt()
    first = place(buyer=buyer, prompts=[prompt], token="1" * 32)
    Order.objects.update(status="failed")

    assert place(buyer=buyer, prompts=[prompt], token="2" * 32) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda first, prompts: Order.objects.update(status="expired"),
        lambda first, prompts: Order.objects.update(status="cancelled"),
        lambda first, prompts: Order.objects.update(expires_at=after(minutes=1)),
        lambda first, prompts: Order.objects.update(email="old@example.com"),
        lambda first, prompts: first.consents.update(version="of last year"),
        lambda first, prompts: first.consents.filter(pk=first.consents.first().pk).delete(),
        lambda first, prompts: Prompt.objects.filter(pk=prompts[0].pk).update(price=1_500),
        lambda first, prompts: (  # the same total, shared out in another way
            Prompt.objects.filter(pk=prompts[0].pk).update(price=1_500),
            Prompt.objects.filter(pk=prompts[1].pk).update(price=1_500),
        ),
        lambda first, prompts: prompts.pop(),
        lambda first, prompts: prompts.append(make_prompt()),
        lambda first, prompts: Order.objects.update(buyer=make_user()),
    ],
)
def test_an_order_that_differs_in_anything_is_not_taken_up(buyer, change):
    prompts = [make_prompt(price=1_000), make_prompt(price=2_000)]
    first = place(buyer=buyer, prompts=prompts, token="1" * 32)
    change(first, prompts)

    second = place(buyer=buyer, prompts=prompts, token="2" * 32, now=after(minutes=5))

    assert second != first
    assert second.total_krw == sum(Prompt.objects.get(pk=prompt.pk).price for prompt in prompts)


def test_a_free_order_is_never_taken_up_because_it_never_waits(buyer):
    first = place(buyer=buyer, prompts=[make_prompt(price=0)], token="1" * 32)

    assert first.status == "paid"
    assert place(buyer=buyer, prompts=[make_prompt(price=0)], token="2" * 32) != first


def test_another_sum_than_the_page_showed_is_not_ordered(buyer):
    prompt = make_prompt(price=1_000)

    with pytest.raises(OrderRefused):
        place(buyer=buyer, prompts=[prompt], token="1" * 32, seen="0" * 16)
    assert not Order.objects.exists()


def test_the_name_of_what_was_seen_depends_on_prompts_and_prices_and_not_on_their_order():
    one, two = make_prompt(price=1_000), make_prompt(price=2_000)

    seen = digest_lines([one, two])

    assert digest_lines([two, one]) == seen
    one.price += 1
    assert digest_lines([one, two]) != seen
    assert digest_lines([two]) != seen


def test_nothing_what_is_owned_ones_own_or_withdrawn_is_not_ordered(buyer):
    owned = make_purchase(buyer=buyer).prompt
    own = make_prompt(seller=make_seller(user=buyer))
    withdrawn = make_prompt(state=Listing.State.WITHDRAWN)

    for prompts in ([], [owned], [own], [withdrawn], [make_prompt(), withdrawn]):
        with pytest.raises(OrderRefused):
            place(buyer=buyer, prompts=prompts, token="1" * 32)
    assert Order.objects.count() == 1


@pytest.mark.parametrize("status", ["confirming", "waiting"])
def test_what_may_be_paid_already_is_not_ordered_again(buyer, status):
    prompt = make_prompt()
    make_order(buyer=buyer, prompts=[prompt], status=status)

    with pytest.raises(OrderRefused):
        place(buyer=buyer, prompts=[prompt], token="1" * 32)
    assert place(buyer=make_user(), prompts=[prompt], token="1" * 32).status == "pending"


def test_a_wording_is_stored_in_the_language_of_the_order(buyer):
    wordings = order_wordings(total_krw=5_000)
    korean = place(buyer=buyer, prompts=[make_prompt()], token="1" * 32, wordings=wordings)
    english = place(buyer=buyer, prompts=[make_prompt()], token="2" * 32, wordings=wordings, language="en")

    keys = [wording.key for wording in wordings]
    texts = [{row.key: row.text for row in order.consents.all()} for order in (korean, english)]
    assert set(texts[0]) == set(texts[1]) == set(keys)
    assert all(texts[0][key] != texts[1][key] for key in keys)


# --- Moving


def test_a_move_is_made_once_and_written_down(buyer):
    order = make_order()
    stale = Order.objects.get(pk=order.pk)

    assert move_order(order=order, to="cancelled", now=after(minutes=1))
    assert not move_order(order=stale, to="expired", now=after(minutes=2))

    assert (order.status, order.updated_at) == ("cancelled", after(minutes=1))
    assert list(PaymentEvent.objects.values_list("kind", "outcome")) == [("moved", "cancelled")]


@pytest.mark.parametrize(
    ("status", "minutes", "moved"),
    [("pending", 60, True), ("failed", 61, True), ("pending", 59, False), ("confirming", 99, False)],
)
def test_an_unpaid_order_expires_after_its_hour_and_not_while_it_is_being_checked(status, minutes, moved):
    order = make_order(status=status)

    assert expire_order(order=order, now=after(minutes=minutes)) == moved
    assert Order.objects.get().status == ("expired" if moved else status)
    assert not expire_order(order=order, now=after(minutes=minutes))


# --- Paying


def paid_payment(order):
    return make_payment(order=order, status="paid", payment_key="k", approved_at=NOON)


def test_delivering_writes_everything_at_once(buyer):
    prompts = [make_prompt(price=1_000), make_prompt(price=2_000)]
    for prompt in [*prompts, make_prompt()]:
        add_to_cart(cart=UserCart(buyer), user=buyer, prompt=prompt, now=NOON)
    order = make_order(buyer=buyer, prompts=prompts, status="confirming")

    fulfilled = fulfil_order(order=order, payment=paid_payment(order), now=NOON)

    assert (fulfilled.became_paid, fulfilled.refund) == (True, None)
    assert (order.status, order.paid_at) == ("paid", NOON)
    names = Purchase.objects.order_by("payment_order_id").values_list("payment_order_id", flat=True)
    assert list(names) == [order.number, f"{order.number}-2"]
    assert Entitlement.objects.filter(opened_at=None, revoked_at=None, user=buyer).count() == 2
    assert CartItem.objects.count() == 1
    assert set(Listing.objects.filter(prompt__in=prompts).values_list("sales_count", flat=True)) == {1}
    assert list(OrderMail.objects.values_list("kind", "order")) == [("receipt", order.pk)]
    assert order.ledger_entries.exists()


def test_who_delivers_second_finds_it_done(buyer):
    order = make_order(buyer=buyer, status="confirming")
    stale, payment = Order.objects.get(), paid_payment(order)
    fulfil_order(order=order, payment=payment, now=NOON)

    again = fulfil_order(order=stale, payment=payment, now=after(minutes=1))

    assert (again.became_paid, again.refund) == (False, None)
    assert (Purchase.objects.count(), OrderMail.objects.count()) == (1, 1)
    assert Order.objects.get().paid_at == NOON


def test_a_free_line_that_the_buyer_has_already_needs_no_refund(buyer):
    free = make_prompt(price=0)
    make_purchase(buyer=buyer, prompt=free)
    order = make_order(buyer=buyer, prompts=[free, make_prompt(price=1_000)], status="confirming")

    fulfilled = fulfil_order(order=order, payment=paid_payment(order), now=NOON)

    assert fulfilled.refund is None
    assert not Refund.objects.exists()
    assert Purchase.objects.filter(payment_order_id__startswith=order.number).count() == 1


def test_the_purchases_of_an_order_are_named_as_the_provider_knows_its_attempt(buyer):
    order = make_order(buyer=buyer, prompts=[make_prompt(), make_prompt()], status="failed")
    make_payment(order=order, status="failed")
    second = make_payment(order=order, status="confirming", payment_key="k")
    Payment.objects.filter(pk=second.pk).update(status="paid", approved_at=NOON)
    Order.objects.update(status="confirming")
    order.refresh_from_db()

    fulfil_order(order=order, payment=second, now=NOON)

    names = Purchase.objects.order_by("payment_order_id").values_list("payment_order_id", flat=True)
    assert list(names) == [f"{order.number}_2", f"{order.number}_2-2"]


def test_a_count_of_sales_that_fails_does_not_cost_the_purchase(buyer, monkeypatch):
    from django.db import DatabaseError

    def fail(**arguments):
        raise DatabaseError("locked")

    monkeypatch.setattr(orders, "add_sales", fail)

    order = make_paid_order(buyer=buyer)

    assert order.status == "paid"
    assert Purchase.objects.count() == 1


def test_an_order_with_a_prompt_that_is_owned_by_now_never_gets_to_the_window(buyer):
    prompt = make_prompt()
    order = make_order(buyer=buyer, prompts=[prompt, make_prompt()])
    start_payment(order=order, now=NOON)
    make_purchase(buyer=buyer, prompt=prompt)

    with pytest.raises(PaymentRefused, match=str(explain_failure("not_buyable"))):
        start_payment(order=order, now=NOON)

    order.refresh_from_db()
    assert (order.status, order.payments.get().failure_code) == ("cancelled", "not_buyable")


def test_what_waits_for_a_deposit_is_not_said_to_be_paid(buyer):
    prompt = make_prompt()
    waiting = make_order(buyer=buyer, prompts=[prompt], status="waiting")

    with translation.override("en"), pytest.raises(OrderRefused, match=f"deposit in order {waiting.number}"):
        place(buyer=buyer, prompts=[prompt], token="1" * 32)
