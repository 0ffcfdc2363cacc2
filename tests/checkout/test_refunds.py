"""Cancelling a sealed purchase with one button."""

from datetime import timedelta

import pytest
from django.core import mail

from checkout.gateway import GatewayRefused, GatewayUnknown
from checkout.library import grant_missing_entitlements, open_entitlement, owned_prompt_ids
from checkout.models import Order, Purchase, Refund, SandboxPayment
from checkout.orders import fulfil_order
from checkout.refunds import RefundRefused, cancel_sealed_purchase, carry_out_refund
from checkout.sandbox import SandboxGateway
from tests.factories import NOON, make_order, make_payment, make_prompt, make_purchase, make_seller

pytestmark = pytest.mark.django_db


class BrokenGateway(SandboxGateway):
    """Fails to answer, before or after it has given the money back, or refuses."""

    def __init__(self, *errors, after: bool = False):
        self.errors, self.after = list(errors), after

    def cancel(self, **request):
        error = self.errors.pop(0) if self.errors else None
        if error and not self.after:
            raise error
        answer = super().cancel(**request)
        if error:
            raise error
        return answer


def test_a_sealed_purchase_is_given_back_in_full(buyer, on_commit):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(price=9_900))
    mail.outbox.clear()

    refund = cancel_sealed_purchase(entitlement=entitlement, now=NOON + timedelta(days=6), gateway=SandboxGateway())

    assert (refund.status, refund.amount_krw) == ("done", 9_900)
    assert SandboxPayment.objects.get().balance_krw == 0
    order = Order.objects.get()
    assert (order.status, order.refunded_krw) == ("refunded", 9_900)
    entitlement.refresh_from_db()
    assert (entitlement.is_revoked, entitlement.revoked_reason) == (True, "refunded")
    assert Purchase.objects.count() == 1
    assert owned_prompt_ids(buyer, [entitlement.prompt_id]) == set()
    assert entitlement.prompt.listing.__class__.objects.get().sales_count == 0
    assert len(mail.outbox) == 1
    assert "9,900" in mail.outbox[0].body


def test_cancelling_twice_gives_back_once(buyer):
    entitlement = make_purchase(buyer=buyer)

    refunds = {
        cancel_sealed_purchase(
            entitlement=entitlement, now=NOON + timedelta(seconds=5 * n), gateway=SandboxGateway()
        ).pk
        for n in range(3)
    }

    assert len(refunds) == 1
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_one_line_of_an_order_can_be_cancelled_and_then_the_other(buyer, buyer_client, time_machine):
    time_machine.move_to(NOON, tick=False)
    order = make_order(buyer=buyer, prompts=[make_prompt(slug="a", price=3_000), make_prompt(slug="b", price=4_000)])
    charged = SandboxPayment.objects.create(
        reference="r", order_number=order.number, order_name="x", amount_krw=7_000, balance_krw=7_000, status="done"
    )
    payment = make_payment(order=order, status="paid", payment_key=charged.pk, approved_at=NOON)
    fulfil_order(order=order, payment=payment, now=NOON)

    assert buyer_client.post("/library/a/cancel/")["Location"] == f"/orders/{order.number}/"
    order.refresh_from_db()
    assert (order.status, order.refunded_krw, order.balance_krw) == ("partly_refunded", 3_000, 4_000)
    buyer_client.post("/library/b/cancel/")
    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("refunded", 7_000)
    charged.refresh_from_db()
    assert charged.balance_krw == 0
    assert buyer_client.get(f"/orders/{order.number}/").status_code == 200
    assert buyer_client.get(f"/orders/{order.number}/receipt/").status_code == 200


def test_an_opened_purchase_cannot_be_cancelled(buyer, buyer_client):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(slug="letter"), is_open=True)

    buyer_client.post("/library/letter/cancel/")

    entitlement.refresh_from_db()
    assert not entitlement.is_revoked
    assert not Refund.objects.exists()


def test_after_seven_days_it_cannot_be_cancelled(buyer):
    entitlement = make_purchase(buyer=buyer)

    with pytest.raises(RefundRefused):
        cancel_sealed_purchase(
            entitlement=entitlement, now=NOON + timedelta(days=7, seconds=1), gateway=SandboxGateway()
        )


def test_what_was_free_has_nothing_to_give_back(buyer):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(price=0))

    with pytest.raises(RefundRefused):
        cancel_sealed_purchase(entitlement=entitlement, now=NOON, gateway=SandboxGateway())


def test_opened_in_the_other_tab_just_now_it_is_not_cancelled(buyer):
    entitlement = make_purchase(buyer=buyer)
    open_entitlement(entitlement=entitlement, wording_version="x", now=NOON)  # `entitlement` still looks sealed

    with pytest.raises(RefundRefused):
        cancel_sealed_purchase(entitlement=entitlement, now=NOON, gateway=SandboxGateway())
    assert not Refund.objects.exists()


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_leaves_the_refund_open_and_the_next_look_finishes_it_once(
    buyer, buyer_client, after, time_machine
):
    time_machine.move_to(NOON, tick=False)
    entitlement = make_purchase(buyer=buyer)
    gateway = BrokenGateway(GatewayUnknown("connection_lost"), after=after)

    refund = cancel_sealed_purchase(entitlement=entitlement, now=NOON, gateway=gateway)

    assert refund.status == "requested"
    assert Order.objects.get().status == "paid"
    time_machine.move_to(NOON + timedelta(minutes=1), tick=False)
    buyer_client.get(f"/orders/{Order.objects.get().number}/")
    assert Refund.objects.get().status == "done"
    assert Order.objects.get().status == "refunded"
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_a_refused_refund_gives_the_sealed_prompt_back(buyer):
    entitlement = make_purchase(buyer=buyer)

    refund = cancel_sealed_purchase(
        entitlement=entitlement, now=NOON, gateway=BrokenGateway(GatewayRefused("EXCEED_MAX_REFUND_DUE"))
    )

    entitlement.refresh_from_db()
    assert refund.status == "failed"
    assert (entitlement.is_revoked, entitlement.is_sealed) == (False, True)
    again = cancel_sealed_purchase(entitlement=entitlement, now=NOON + timedelta(hours=1), gateway=SandboxGateway())
    assert again.status == "done"
    assert Order.objects.get().status == "refunded"


def test_a_prompt_delivered_by_another_order_meanwhile_is_given_back_by_itself(buyer):
    prompt = make_prompt(price=5_000)
    other = make_prompt(price=1_000)
    make_purchase(buyer=buyer, prompt=prompt)
    order = make_order(buyer=buyer, prompts=[prompt, other], status="confirming")
    charged = SandboxPayment.objects.create(
        reference="r", order_number=order.number, order_name="x", amount_krw=6_000, balance_krw=6_000, status="done"
    )
    payment = make_payment(order=order, status="confirming", payment_key=charged.pk)

    fulfilled = fulfil_order(order=order, payment=payment, now=NOON)
    for refund in fulfilled.refunds:
        carry_out_refund(refund=refund, now=NOON, gateway=SandboxGateway())

    order.refresh_from_db()
    charged.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("partly_refunded", 5_000)
    assert charged.balance_krw == 1_000
    bought = Purchase.objects.filter(payment_order_id__startswith=order.number)
    assert [purchase.payment_order_id for purchase in bought] == [f"{order.number}-2"]


def test_a_purchase_of_another_program_has_nothing_to_cancel(buyer, buyer_client, settings):
    settings.TOSS_SANDBOX = False  # and no gateway is asked for one
    prompt = make_prompt(slug="letter")
    Purchase.objects.create(buyer=buyer, prompt=prompt, payment_order_id="old-1", created_at=NOON)
    grant_missing_entitlements(now=NOON)

    assert buyer_client.post("/library/letter/cancel/").status_code == 302
    assert owned_prompt_ids(buyer, [prompt.pk]) == {prompt.pk}


@pytest.mark.parametrize("count", [1, 50])
def test_the_pages_of_an_order_cost_the_same_however_long_it_is(buyer, buyer_client, count, django_assert_num_queries):
    seller = make_seller()
    order = make_order(buyer=buyer, prompts=[make_prompt(seller=seller, price=1_000) for _ in range(count)])
    payment = make_payment(order=order, status="paid", payment_key="k", approved_at=NOON)
    fulfil_order(order=order, payment=payment, now=NOON)

    with django_assert_num_queries(8):  # session, user, order, open refunds, lines, their refunds, payment, badge
        buyer_client.get(f"/orders/{order.number}/")
    with django_assert_num_queries(7):  # session, user, order, lines, refunds, payment, badge
        buyer_client.get(f"/orders/{order.number}/receipt/")
