"""An order's page in every state, cancelling from it, deposits, the receipt."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils.html import strip_tags

from checkout import sandbox
from checkout.gateway import make_sandbox_gateway
from checkout.library import open_entitlement
from checkout.models import Entitlement, Order, Payment, Refund, SandboxPayment
from checkout.provider import GatewayUnknown, RefundAccount
from checkout.views import orders as order_views
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_refund,
    make_sandbox_payment,
    make_seller,
)

pytestmark = pytest.mark.django_db

ENGLISH = {"Accept-Language": "en"}
ACCOUNT = {"bank_code": "88", "account_number": "110-123 456789", "holder_name": "Mina Kim"}


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON + timedelta(minutes=1), tick=False)


def read(client, path) -> str:
    """The words of the page's main part."""
    response = client.get(path, headers=ENGLISH)
    assert response.status_code == 200
    return words_of(response)


def words_of(response) -> str:
    main = re.search(r"<main.*</main>", response.content.decode(), re.DOTALL).group()
    main = re.sub(r"</?time[^>]*>", "", main)  # the only tag inside of sentences
    return unescape(" ".join(strip_tags(main.replace("<", " <")).split()))


def page_of(order) -> str:
    return f"/orders/{order.number}/"


def two_prompts():
    seller = make_seller(name="Paper Desk")
    return [
        make_prompt(title="Letter", slug="letter", price=9_900, seller=seller),
        make_prompt(title="Reply", price=4_900),
    ]


@pytest.fixture
def paid(buyer):
    return make_paid_order(buyer=buyer, prompts=two_prompts(), email=buyer.email)


@pytest.fixture
def deposit(buyer, buyer_client):
    """An order that waits for a deposit in the sandbox."""
    order = make_order(buyer=buyer, prompts=two_prompts(), email=buyer.email)
    window = buyer_client.post(f"/orders/{order.number}/payment/")["Location"]
    back = buyer_client.post(window, {"choice": "deposit"})["Location"]
    buyer_client.get(back.removeprefix("http://testserver"))
    order.refresh_from_db()
    assert order.status == "waiting"
    return order


def open_line(order, position: int) -> None:
    entitlement = Entitlement.objects.get(order_line__order=order, order_line__position=position)
    open_entitlement(entitlement=entitlement, wording_version="test", now=NOON)


# --- What each state says


@pytest.mark.parametrize(
    ("status", "payment_fields", "said", "is_payable"),
    [
        ("pending", None, "Waiting for your payment Nothing was charged so far.", True),
        ("pending", {}, "Waiting for your payment Nothing was charged so far.", True),
        ("pending", {"failure_code": "PAY_PROCESS_CANCELED"}, "Not paid yet You closed the payment window.", True),
        ("pending", {"failure_code": "amount_differs"}, "Not paid yet The amount differed from your order", True),
        ("failed", {"status": "failed", "failure_code": "REJECT_CARD_PAYMENT"}, "Not paid yet The card's limit", True),
        (
            "failed",
            {"status": "failed", "failure_code": "NEW_CODE"},
            "Not paid yet The payment was not",
            True,
        ),
        (
            "cancelled",
            {"failure_code": "not_buyable"},
            "Order cancelled A prompt of this order is already",
            False,
        ),
        ("cancelled", None, "Order cancelled Nothing was charged.", False),
        ("expired", {}, "This order has lapsed It waited an hour for its payment. Nothing was charged", False),
        (
            "cancelled",
            {"status": "failed", "failure_code": "cancelled", "deposit_account": "X1", "payment_key": "k"},
            "Order given up The account is closed, and nothing was charged.",
            False,
        ),
        (
            "expired",
            {"status": "failed", "failure_code": "deposit_overdue", "deposit_account": "X1", "payment_key": "k"},
            "This order has lapsed Nobody paid into the account in time",
            False,
        ),
    ],
)
def test_an_unpaid_order_says_why_and_whether_it_can_be_paid(
    buyer, buyer_client, status, payment_fields, said, is_payable
):
    order = make_order(buyer=buyer, status=status)
    if payment_fields is not None:
        make_payment(order=order, **payment_fields)

    page = read(buyer_client, page_of(order))

    assert said in page
    assert ("Pay ₩5,000" in page) is is_payable
    assert "help@example.com" in page
    assert "NEW_CODE" not in page


def test_an_order_past_its_hour_has_lapsed_before_anybody_expires_it(buyer, buyer_client, time_machine):
    order = make_order(buyer=buyer, status="failed")
    make_payment(order=order, status="failed", failure_code="REJECT_CARD_PAYMENT")
    time_machine.move_to(NOON + timedelta(hours=2), tick=False)

    page = read(buyer_client, page_of(order))

    assert "This order has lapsed" in page
    assert "Pay ₩5,000" not in page


def test_a_new_attempt_is_not_called_failed_because_an_earlier_one_was(buyer, buyer_client):
    order = make_order(buyer=buyer, status="failed")
    make_payment(order=order, status="failed", failure_code="REJECT_CARD_PAYMENT")
    make_payment(order=order, requested_at=NOON + timedelta(seconds=30))

    page = read(buyer_client, page_of(order))

    assert "Waiting for your payment" in page
    assert "limit" not in page


def test_an_unknown_outcome_is_checked_and_never_called_failed(buyer, buyer_client):
    order = make_order(buyer=buyer, status="confirming")
    payment = make_payment(order=order, status="confirming", payment_key="k", confirmed_at=NOON)
    make_sandbox_payment(payment=payment, silent_until=NOON + timedelta(hours=1))

    response = buyer_client.get(page_of(order), headers=ENGLISH)

    page = words_of(response)
    assert "We are checking your payment" in page
    assert "Please do not pay again" in page
    assert "failed" not in page.lower()
    assert "Pay ₩" not in page
    assert f'hx-get="/orders/{order.number}/state/?step=1" hx-trigger="load delay:2s"' in response.content.decode()


def test_a_reason_stands_on_the_page_once_and_in_no_toast(buyer, buyer_client):
    order = make_order(buyer=buyer)
    window = buyer_client.post(f"/orders/{order.number}/payment/")["Location"]
    back = buyer_client.post(window, {"choice": "refuse"})["Location"]

    response = buyer_client.get(back, follow=True, headers=ENGLISH)

    assert list(response.context["messages"]) == []
    assert response.content.decode().count("limit or balance is not enough") == 1


# --- A paid one, line by line


def test_a_paid_order_offers_to_open_or_cancel_each_unopened_line(buyer_client, paid):
    response = buyer_client.get(page_of(paid), headers=ENGLISH)

    page = words_of(response)
    assert "Paid The receipt went to b***@example.com. As long as you have not opened a prompt" in page
    assert page.count("Unopened. You can cancel it.") == 2
    assert "Cancel the whole order" in page
    assert "Paid with Test payment" in page
    for position in (1, 2):
        assert f'href="/orders/{paid.number}/cancel/?line={position}"' in response.content.decode()


def test_an_opened_line_says_why_it_cannot_be_cancelled(buyer_client, paid):
    open_line(paid, 1)

    response = buyer_client.get(page_of(paid), headers=ENGLISH)

    page = words_of(response)
    assert "Letter Paper Desk Opened on Nov. 22, 2026, so it can no longer be cancelled." in page
    assert f"/orders/{paid.number}/cancel/?line=1" not in response.content.decode()
    assert f"/orders/{paid.number}/cancel/?line=2" in response.content.decode()
    assert "Cancel the whole order" not in page
    assert "Cancel everything unopened" not in page  # one is left, and it has its own button


def test_after_seven_days_nothing_can_be_cancelled_any_more(buyer_client, paid, time_machine):
    time_machine.move_to(NOON + timedelta(days=7, seconds=1), tick=False)

    page = read(buyer_client, page_of(paid))

    assert page.count("The seven days to cancel it are over.") == 2
    assert "Cancel" not in page


@pytest.mark.parametrize(
    ("reason", "note", "said"),
    [
        ("buyer_cancelled", "", "You cancelled this unopened, and ₩9,900 went back to you on Nov. 22, 2026."),
        ("bought_twice", "", "You had this already from another order, so ₩9,900 went back to you on Nov. 22, 2026."),
        ("staff", "It was empty.", "We refunded ₩9,900 on Nov. 22, 2026. Reason: It was empty."),
        (
            "provider",
            "",
            "₩9,900 went back to you on Nov. 22, 2026: the payment was cancelled at the payment provider.",
        ),
    ],
)
def test_a_refunded_line_says_how_much_when_and_why(buyer_client, paid, reason, note, said):
    make_refund(order=paid, lines=[paid.lines.get(position=1)], status="done", reason=reason, note=note)

    page = read(buyer_client, page_of(paid))

    assert said in page
    assert "Refunded in part ₩9,900 of ₩14,800 went back to you. The rest is yours." in page
    assert "Paid after refunds ₩4,900" in page


def test_a_refund_without_an_answer_is_being_refunded_until_it_is_certain(buyer_client, paid, time_machine):
    SandboxPayment.objects.update(silent_until=NOON + timedelta(hours=1))
    make_refund(order=paid, lines=[paid.lines.get(position=1)], asked_at=NOON)

    assert "Being refunded: ₩9,900 is on its way back to you." in read(buyer_client, page_of(paid))
    SandboxPayment.objects.update(silent_until=None)
    time_machine.move_to(NOON + timedelta(minutes=2), tick=False)
    assert "You cancelled this unopened, and ₩9,900 went back to you" in read(buyer_client, page_of(paid))


def test_a_refused_refund_says_so_and_can_be_tried_again(buyer_client, paid):
    make_refund(order=paid, lines=[paid.lines.get(position=1)], status="failed")

    page = read(buyer_client, page_of(paid))

    assert "The refund was refused. Please write to us. Unopened. You can cancel it." in page


def test_a_wholly_refunded_order_says_when_and_shows_no_zero(buyer_client, paid):
    make_refund(order=paid, status="done")

    page = read(buyer_client, page_of(paid))

    assert "Refunded in full ₩14,800 went back to you on Nov. 22, 2026." in page
    assert "Refunded −₩14,800" in page
    assert not re.search(r"₩0\b", page)
    receipt = read(buyer_client, f"{page_of(paid)}receipt/")
    assert "Refunded in full −₩14,800" in receipt
    assert not re.search(r"₩0\b", receipt)


def test_a_free_order_speaks_of_no_money(buyer, buyer_client):
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(price=0)])

    for path in (page_of(order), f"{page_of(order)}receipt/"):
        page = read(buyer_client, path)
        assert "Free" in page
        assert not re.search(r"₩0\b", page)
        assert "Cancel" not in page


@pytest.mark.parametrize("url", ["https://dashboard.tosspayments.com/receipt/x", ""])
def test_the_providers_receipt_is_linked_where_there_is_one(buyer_client, paid, url):
    Payment.objects.update(receipt_url=url)

    for path in (page_of(paid), f"{page_of(paid)}receipt/"):
        page = buyer_client.get(path).content.decode()
        assert ('href="https://dashboard.tosspayments.com/receipt/x"' in page) is bool(url)


def test_one_page_asks_as_often_whatever_the_number_of_lines(buyer, buyer_client, django_assert_num_queries):
    few = make_paid_order(buyer=buyer, prompts=[make_prompt()])
    many = make_paid_order(buyer=buyer, prompts=[make_prompt() for _ in range(5)])
    buyer_client.get(page_of(few))

    with django_assert_num_queries(11):
        buyer_client.get(page_of(few))
    with django_assert_num_queries(11):
        buyer_client.get(page_of(many))


# --- A charge that was given back


def test_a_charge_that_came_too_late_says_how_much_goes_back_and_when(buyer, buyer_client):
    order = make_order(buyer=buyer, status="expired")
    payment = make_payment(order=order, payment_key="late", status="confirming")
    Order.objects.update(status="confirming")
    make_sandbox_payment(payment=payment, amount_krw=3_000)

    page = read(buyer_client, page_of(order))

    assert "Order cancelled, payment given back" in page
    assert "The payment was not over the amount of your order" in page
    assert "₩3,000 went back to you" in page
    assert "on Nov. 22, 2026 the way you paid" in page
    assert "Pay ₩" not in page


def test_a_second_charge_of_a_paid_order_is_named_beside_what_was_delivered(buyer_client, paid):
    second = make_payment(
        order=paid, payment_key="second", status="returning", approved_at=NOON, failure_code="given_back"
    )
    Refund.objects.create(order=paid, payment=second, reason="not_deliverable", amount_krw=14_800, asked_at=NOON)
    make_sandbox_payment(payment=second, silent_until=NOON + timedelta(hours=1))

    page = read(buyer_client, page_of(paid))

    assert page.startswith("Paid The receipt went to")
    assert "₩14,800 is on its way back to you" in page
    assert "Please do not pay again" in page
    assert "Unopened. You can cancel it." in page


# --- Cancelling


def test_cancelling_asks_first_with_two_equal_answers(buyer_client, paid):
    response = buyer_client.get(f"{page_of(paid)}cancel/?line=1", headers=ENGLISH)

    page = words_of(response)
    assert "Cancel this purchase?" in page
    assert "Letter" in page
    assert "Reply" not in page
    assert "Goes back to you ₩9,900" in page
    assert "Bank" not in page.replace("Banks", "")
    assert re.findall(r'<(button|a) class="(button button--large)"', response.content.decode()) == [
        ("button", "button button--large"),
        ("a", "button button--large"),
    ]
    assert Refund.objects.count() == 0


def test_one_line_is_cancelled_and_its_money_goes_back(buyer_client, paid):
    answer = buyer_client.post(f"{page_of(paid)}cancel/", {"line": "1"}, headers=ENGLISH)

    assert answer["Location"] == page_of(paid)
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_krw, refund.reason) == ("done", 9_900, "buyer_cancelled")
    assert SandboxPayment.objects.get().balance_krw == 4_900
    assert "Cancelled. Your money is on its way back." in buyer_client.get(page_of(paid), headers=ENGLISH).text


def test_the_whole_order_is_cancelled_in_one_refund(buyer_client, paid):
    page = buyer_client.get(f"{page_of(paid)}cancel/", headers=ENGLISH)
    lines = re.findall(r'name="line" value="(\d)"', page.content.decode())

    buyer_client.post(f"{page_of(paid)}cancel/", {"line": lines})

    paid.refresh_from_db()
    assert (paid.status, Refund.objects.get().amount_krw) == ("refunded", 14_800)


def test_the_rest_of_an_order_is_cancelled_without_what_was_opened(buyer, buyer_client):
    order = make_paid_order(
        buyer=buyer, prompts=[make_prompt(price=1_000, title=title) for title in ("A1", "B2", "C3")]
    )
    open_line(order, 2)
    assert "Cancel everything unopened" in read(buyer_client, page_of(order))

    page = read(buyer_client, f"{page_of(order)}cancel/")
    answer = buyer_client.post(f"{page_of(order)}cancel/", {"line": ["1", "3"]})

    assert "Cancel these 2 purchases?" in page
    assert "B2" not in page
    assert answer.status_code == 302
    order.refresh_from_db()
    assert (order.status, order.refunded_krw) == ("partly_refunded", 2_000)


def test_a_second_click_on_cancel_gives_the_money_back_once(buyer_client, paid):
    for _ in range(2):
        assert buyer_client.post(f"{page_of(paid)}cancel/", {"line": "1"})["Location"] == page_of(paid)

    assert Refund.objects.get().status == "done"
    assert SandboxPayment.objects.get().balance_krw == 4_900


def test_what_was_opened_meanwhile_is_not_cancelled_and_the_page_says_why(buyer_client, paid):
    open_line(paid, 1)

    response = buyer_client.post(f"{page_of(paid)}cancel/", {"line": ["1", "2"]}, headers=ENGLISH, follow=True)

    assert Refund.objects.count() == 0
    assert [str(message) for message in response.context["messages"]] == [
        "This purchase was opened or is older than seven days, so it can no longer be cancelled."
    ]
    assert "Opened on Nov. 22, 2026" in words_of(response)


@pytest.mark.parametrize("query", ["?line=1", "?line=9", "?line=x"])
def test_nothing_to_cancel_leads_back_to_the_order(buyer_client, paid, query):
    open_line(paid, 1)

    response = buyer_client.get(f"{page_of(paid)}cancel/{query}", headers=ENGLISH, follow=True)

    assert response.redirect_chain == [(page_of(paid), 302)]
    assert [str(message) for message in response.context["messages"]] == ["This prompt can no longer be cancelled."]


def test_the_rest_of_a_partly_cancelled_order_is_not_called_the_whole(buyer, buyer_client):
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(price=1_000) for _ in range(3)])
    buyer_client.post(f"{page_of(order)}cancel/", {"line": "1"})

    page = read(buyer_client, page_of(order))

    assert "Cancel the rest" in page
    assert "Cancel the whole order" not in page


def test_an_empty_answer_cancels_nothing(buyer_client, paid):
    assert buyer_client.post(f"{page_of(paid)}cancel/", {})["Location"] == page_of(paid)
    assert Refund.objects.count() == 0


def test_an_unpaid_order_has_nothing_to_cancel(buyer, buyer_client):
    order = make_order(buyer=buyer)

    assert buyer_client.get(f"{page_of(order)}cancel/")["Location"] == page_of(order)


@pytest.mark.parametrize("part", ["cancel/", "give-up/"])
def test_strangers_and_visitors_cancel_nothing(stranger_client, client, paid, part):
    assert stranger_client.post(f"{page_of(paid)}{part}", {"line": "1"}).status_code == 404
    assert Refund.objects.count() == 0


# --- Deposits


def test_a_waiting_order_says_where_to_pay_how_much_and_until_when(buyer_client, deposit):
    Payment.objects.update(deposit_bank="88")

    response = buyer_client.get(page_of(deposit), headers=ENGLISH)

    page = words_of(response)
    account = Payment.objects.get().deposit_account
    assert "Waiting for your deposit Pay exactly ₩14,800 in one go" in page
    assert f"Bank Shinhan Bank Account number {account}" in page
    assert "Pay until Nov. 29, 2026, 9:01 p.m." in page
    assert 'data-copy="#deposit-account"' in response.content.decode()
    assert "/state/?shown=waiting&amp;step=1" in response.content.decode()
    assert "Give the order up Keep the order" in page
    assert "Pay ₩14,800" not in page.replace("Pay exactly ₩14,800", "")


@pytest.mark.parametrize(
    ("code", "name"), [("06", "KB국민은행"), ("92", "토스뱅크"), ("99", "시험 은행"), ("77", "은행 코드 77")]
)
def test_a_bank_is_named_and_an_unknown_one_shows_its_code(buyer_client, deposit, code, name):
    Payment.objects.update(deposit_bank=code)

    assert name in buyer_client.get(page_of(deposit)).content.decode()


def test_a_waiting_page_asks_slowly_and_goes_on_by_itself_when_the_deposit_came(buyer_client, deposit, time_machine):
    state = f"{page_of(deposit)}state/?shown=waiting&step=1"
    time_machine.move_to(NOON + timedelta(minutes=2), tick=False)

    waiting = buyer_client.get(state, headers={"HX-Request": "true"})
    sandbox.deposit(SandboxPayment.objects.get())
    time_machine.move_to(NOON + timedelta(minutes=3), tick=False)
    paid = buyer_client.get(state, headers={"HX-Request": "true"})

    assert "load delay:15s" in waiting.text
    assert "step=2" in waiting.text
    assert strip_tags(waiting.text).strip() == ""
    assert paid["HX-Redirect"] == page_of(deposit)
    assert "hx-get" not in buyer_client.get(state.replace("step=1", "step=13"), headers={"HX-Request": "true"}).text
    assert Order.objects.get().status == "paid"


def test_a_page_that_shows_a_check_moves_on_when_it_turns_out_to_wait_for_a_deposit(buyer_client, deposit):
    answer = buyer_client.get(f"{page_of(deposit)}state/?step=1", headers={"HX-Request": "true"})

    assert answer["HX-Redirect"] == page_of(deposit)


def test_a_waiting_order_is_given_up_and_its_account_closed(buyer_client, deposit):
    answer = buyer_client.post(f"{page_of(deposit)}give-up/")

    assert answer["Location"] == page_of(deposit)
    assert SandboxPayment.objects.get().status == "cancelled"
    assert "Order given up" in read(buyer_client, page_of(deposit))
    buyer_client.post(f"{page_of(deposit)}give-up/")
    assert Order.objects.get().status == "cancelled"


def test_giving_up_after_the_deposit_came_delivers_the_order(buyer_client, deposit):
    sandbox.deposit(SandboxPayment.objects.get())

    response = buyer_client.post(f"{page_of(deposit)}give-up/", follow=True, headers=ENGLISH)

    assert "given up" not in words_of(response)
    assert Order.objects.get().status == "paid"
    assert SandboxPayment.objects.get().balance_krw == 14_800


@pytest.fixture
def deposited(buyer_client, deposit, time_machine):
    """The deposit came: paid into a virtual account."""
    sandbox.deposit(SandboxPayment.objects.get())
    time_machine.move_to(NOON + timedelta(minutes=2), tick=False)
    buyer_client.get(page_of(deposit))
    deposit.refresh_from_db()
    assert deposit.status == "paid"
    return deposit


def test_cancelling_a_deposit_asks_for_an_account_and_hands_it_on_unstored(buyer_client, deposited):
    page = read(buyer_client, f"{page_of(deposited)}cancel/")
    assert "Your account for the refund" in page

    buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1", "2"], **ACCOUNT})

    deposited.refresh_from_db()
    assert deposited.status == "refunded"
    stored = [str(row) for model in (Refund, Payment, Order) for row in model.objects.values()]
    stored += [str(event) for event in deposited.events.values()]
    assert "110123456789" not in " ".join(stored)
    assert "Mina Kim" not in " ".join(stored)
    assert "It reaches your account within two working days." in read(buyer_client, page_of(deposited))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"account_number": "110-12A-456"}, "account_number"),
        ({"account_number": "12345"}, "account_number"),
        ({"account_number": "1" * 21}, "account_number"),
        ({"account_number": ""}, "account_number"),
        ({"holder_name": ""}, "holder_name"),
        ({"bank_code": ""}, "bank_code"),
        ({"bank_code": "00"}, "bank_code"),
    ],
)
def test_a_wrong_account_is_named_and_nothing_typed_is_lost(buyer_client, deposited, changed, field):
    typed = {"line": ["2"], **ACCOUNT, **changed}

    response = buyer_client.post(f"{page_of(deposited)}cancel/", typed, headers=ENGLISH)

    page = response.content.decode()
    assert response.status_code == 422
    assert f'href="#id_{field}"' in page
    assert 'name="line" value="2"' in page
    assert 'name="line" value="1"' not in page
    for name in {"account_number", "holder_name"} - {field}:
        assert f'value="{typed[name]}"' in page
    assert Refund.objects.count() == 0


def test_digits_are_taken_however_they_are_typed(buyer_client, deposited):
    typed = {"line": ["1"], **ACCOUNT, "account_number": "１１０ 123-456789"}

    assert buyer_client.post(f"{page_of(deposited)}cancel/", typed).status_code == 302
    assert Refund.objects.get().status == "done"


def test_an_account_that_the_bank_refuses_stands_at_the_form_and_cancels_nothing(buyer_client, deposited, monkeypatch):
    refusal = (400, {"code": "INVALID_REFUND_ACCOUNT_INFO", "message": "x"})
    monkeypatch.setattr(sandbox, "_refuse_refund_account", lambda account: refusal)

    response = buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1"], **ACCOUNT}, headers=ENGLISH)

    assert response.status_code == 422
    assert "The bank did not accept this account, so nothing was cancelled." in words_of(response)
    assert 'value="Mina Kim"' in response.content.decode()
    assert list(response.context["messages"]) == []
    assert Entitlement.objects.live().count() == 2


def test_the_librarys_button_leads_a_deposit_to_the_account_form(buyer_client, deposited):
    answer = buyer_client.post("/library/letter/cancel/")

    assert answer["Location"] == f"{page_of(deposited)}cancel/?line=1"
    assert Refund.objects.count() == 0


def test_the_librarys_button_cancels_a_card_payment_at_once(buyer_client, paid):
    assert buyer_client.post("/library/letter/cancel/")["Location"] == page_of(paid)
    assert Refund.objects.get().amount_krw == 9_900


@pytest.mark.parametrize(
    ("reason", "note", "said"),
    [
        ("buyer_cancelled", "", "You cancelled on Nov. 22, 2026. ₩9,900 went back the way you paid."),
        ("staff", "It was empty.", "₩9,900 went back to you on Nov. 22, 2026. Reason: It was empty."),
    ],
)
def test_the_library_says_why_a_refunded_prompt_is_gone(buyer_client, paid, reason, note, said):
    make_refund(order=paid, lines=[paid.lines.get(position=1)], status="done", reason=reason, note=note)

    page = read(buyer_client, "/library/letter/")

    assert said in page
    assert "The text is no longer available to you." in page


def test_a_sealed_purchase_says_once_what_opening_ends_with_two_equal_answers(buyer_client, paid):
    response = buyer_client.get("/library/letter/", headers=ENGLISH)

    assert words_of(response).count("Once you open it, you can no longer cancel this purchase.") == 1
    buttons = re.findall(r'class="(button button--large[^"]*)"', response.content.decode())
    assert [name.replace(" button--wide", "") for name in buttons] == ["button button--large"] * 2


# --- Money that is not back yet


def make_returned_charge(buyer, *statuses, **fields) -> Order:
    """A cancelled order whose charge could not be delivered; one refund for each of the statuses, oldest first."""
    order = make_order(buyer=buyer, status="cancelled")
    status = "cancelled" if statuses[-1] == "done" else "returning"
    values = {"payment_key": "late", "approved_at": NOON, "failure_code": "given_back", **fields}
    payment = make_payment(order=order, status=status, **values)
    for n, status in enumerate(statuses):
        Refund.objects.create(
            requested_at=NOON + timedelta(seconds=n),
            order=order,
            payment=payment,
            reason="not_deliverable",
            amount_krw=5_000,
            status=status,
            asked_at=NOON + timedelta(minutes=1),
            done_at=NOON if status == "done" else None,
        )
    return order


@pytest.mark.parametrize(
    ("statuses", "heading", "notice"),
    [
        (["requested"], "Order cancelled, payment on its way back", "₩5,000 is on its way back to you"),
        (["failed"], "Order cancelled, payment still to be given back", "₩5,000 is still to go back to you"),
        (["done"], "Order cancelled, payment given back", "₩5,000 went back to you"),
        (["failed", "requested"], "Order cancelled, payment on its way back", "₩5,000 is on its way back to you"),
        (["failed", "done"], "Order cancelled, payment given back", "₩5,000 went back to you"),
    ],
)
def test_a_payment_is_called_given_back_only_when_it_is(buyer, buyer_client, statuses, heading, notice):
    order = make_returned_charge(buyer, *statuses)

    page = buyer_client.get(page_of(order), headers=ENGLISH)

    assert words_of(page).startswith(f"{heading} This order could no longer be paid")
    assert re.findall(r'class="notice__title">([^<]*)<', page.content.decode()) == [notice]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("requested", "Please write to help@example.com which bank, account number and account holder"),
        ("done", "to the account that you told us. It reaches your account within two working days."),
    ],
)
def test_a_deposit_that_could_not_be_delivered_goes_back_to_an_account(buyer, buyer_client, status, said):
    page = read(buyer_client, page_of(make_returned_charge(buyer, status, deposit_account="X1", deposit_bank="88")))

    assert said in page
    assert "Cards show" not in page
    assert "the way you paid" not in page


@pytest.fixture
def lost_refund(deposited, buyer_client, monkeypatch, time_machine):
    """The buyer cancelled both prompts of a deposit, and the provider never heard of it."""

    def lose(**request):
        raise GatewayUnknown("timeout")

    gateway = make_sandbox_gateway(timeout_s=5)
    gateway.cancel = lose
    with monkeypatch.context() as patch:
        patch.setattr(order_views, "get_gateway", lambda *args, **kwargs: gateway)
        buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1", "2"], **ACCOUNT})
    time_machine.move_to(NOON + timedelta(minutes=3), tick=False)
    refund = Refund.objects.get()
    assert refund.status == "requested"
    return refund


def test_a_refund_of_a_deposit_that_was_lost_asks_for_the_account_again_and_goes_on(
    buyer_client, deposited, lost_refund, time_machine
):
    page = buyer_client.get(page_of(deposited), headers=ENGLISH)
    assert "It is not certain that ₩9,900 went back, and we do not keep your account." in words_of(page)
    address = f"{page_of(deposited)}cancel/?line=1"
    assert f'<a href="{address}">Name the account</a>' in page.content.decode()

    form = buyer_client.get(address, headers=ENGLISH)
    assert words_of(form).startswith("Where should the money go?")
    assert "Goes back to you ₩14,800" in words_of(form)  # all of that refund
    assert re.findall(r'name="line" value="(\d)"', form.content.decode()) == ["1", "2"]
    time_machine.move_to(NOON + timedelta(minutes=4), tick=False)
    for _ in range(2):
        buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1", "2"], **ACCOUNT})

    lost_refund.refresh_from_db()
    assert (lost_refund.status, Refund.objects.count()) == ("done", 1)
    charge = SandboxPayment.objects.get()
    assert (charge.balance_krw, len(charge.cancels)) == (0, 1)


def test_a_lost_refund_that_reached_the_provider_is_given_once(buyer_client, deposited, lost_refund):
    make_sandbox_gateway(timeout_s=5).cancel(
        payment_key=SandboxPayment.objects.get().pk,
        amount_krw=None,
        reason=lost_refund.mark,
        idempotency_key="a" * 32,
        refund_account=RefundAccount("88", "110123456789", "Mina Kim"),
    )

    buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1"], **ACCOUNT})

    assert Refund.objects.get().status == "done"
    assert len(SandboxPayment.objects.get().cancels) == 1


def test_the_library_leads_a_lost_refund_of_a_deposit_to_the_account_form(buyer_client, deposited, lost_refund):
    page = buyer_client.get("/library/letter/", headers=ENGLISH)

    assert "It is not certain that ₩9,900 went back, and we do not keep your account." in words_of(page)
    assert f'href="{page_of(deposited)}cancel/?line=1"' in page.content.decode()


def test_a_prompt_bought_twice_by_deposit_asks_for_the_account(buyer_client, deposited):
    make_refund(order=deposited, lines=[deposited.lines.get(position=2)], reason="bought_twice")

    page = read(buyer_client, page_of(deposited))
    assert "You had this already from another order, so ₩4,900 goes back to you. Tell us the account" in page
    answer = buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["2"], **ACCOUNT}, headers=ENGLISH, follow=True)

    assert Refund.objects.get().status == "requested"  # the provider was asked just now
    assert [str(message) for message in answer.context["messages"]] == [
        "We are checking the refund. This page says how it stands."
    ]


def test_the_account_of_a_prompt_bought_twice_is_handed_on(buyer_client, deposited):
    make_refund(order=deposited, lines=[deposited.lines.get(position=2)], reason="bought_twice")

    answer = buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["2"], **ACCOUNT}, headers=ENGLISH, follow=True)

    assert Refund.objects.get().status == "done"
    assert [str(message) for message in answer.context["messages"]] == ["Your money is on its way back."]


def test_a_refused_account_of_a_prompt_bought_twice_leaves_the_money_owed(buyer_client, deposited, monkeypatch):
    refusal = (400, {"code": "INVALID_REFUND_ACCOUNT_INFO", "message": "x"})
    monkeypatch.setattr(sandbox, "_refuse_refund_account", lambda account: refusal)
    make_refund(order=deposited, lines=[deposited.lines.get(position=2)], reason="bought_twice")

    answer = buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["2"], **ACCOUNT}, headers=ENGLISH, follow=True)

    assert Refund.objects.get().status == "failed"
    assert [str(message) for message in answer.context["messages"]] == [
        "The refund was refused. We still owe you the money; please write to us."
    ]


def test_sealed_lines_are_not_cancelled_along_with_a_lost_refund(buyer_client, deposited):
    """A form that names both kinds cancels neither: what it showed is no longer so."""
    make_refund(order=deposited, lines=[deposited.lines.get(position=2)], asked_at=NOON)

    assert words_of(buyer_client.get(f"{page_of(deposited)}cancel/", headers=ENGLISH)).startswith("Cancel this")
    buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1", "2"], **ACCOUNT})

    assert (Refund.objects.get().status, Entitlement.objects.live().count()) == ("requested", 1)


def test_the_library_speaks_of_an_account_where_a_deposit_goes_back(buyer_client, deposited):
    sealed = read(buyer_client, "/library/letter/")
    buyer_client.post(f"{page_of(deposited)}cancel/", {"line": ["1"], **ACCOUNT})
    gone = read(buyer_client, "/library/letter/")

    assert "₩9,900 goes back to an account that you tell us on the next page" in sealed
    assert "₩9,900 went back to the account that you named." in gone
    assert "the way you paid" not in sealed + gone


@pytest.mark.parametrize(("reason", "promises"), [("buyer_cancelled", True), ("staff", False)])
def test_a_mail_is_promised_where_both_outcomes_are_mailed(buyer_client, paid, reason, promises):
    SandboxPayment.objects.update(silent_until=NOON + timedelta(hours=1))
    make_refund(order=paid, reason=reason, asked_at=NOON + timedelta(minutes=1))

    assert ("We will mail you" in read(buyer_client, page_of(paid))) is promises
    assert ("We will mail you" in read(buyer_client, "/library/letter/")) is promises
