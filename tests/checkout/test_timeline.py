"""The timeline of an order: all that happened, in the order of time, in plain words."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from checkout import sandbox
from checkout.consents import order_wordings
from checkout.gateway import make_sandbox_gateway
from checkout.library import count_download, log_visit, open_entitlement, revoke_entitlement, unlock
from checkout.models import Entitlement, OrderMail, Payment, PaymentEvent, SandboxPayment
from checkout.orders import digest_lines, place_order
from checkout.payments import PaymentRefused, check_payment, confirm_payment, note_failure, open_window, start_payment
from checkout.refunds import cancel_sealed_lines, refund_by_staff
from checkout.timeline import build_timeline
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_purchase,
    make_refund,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def gateway():
    return make_sandbox_gateway(timeout_s=5)


def tell(order) -> list[str]:
    return [entry.text for entry in build_timeline(order)]


def order_through_the_page(*, buyer, prompts):
    return place_order(
        buyer=buyer,
        prompts=prompts,
        seen=digest_lines(prompts),
        email=buyer.email,
        wordings=order_wordings(total_krw=1),
        request_token="a" * 32,
        language="en",
        now=NOON,
    )


def authorise(*, order, choice="approve", now=NOON) -> tuple[Payment, SandboxPayment]:
    payment = start_payment(order=order, now=now)
    open_window(payment=payment, base_url="http://testserver")
    window = SandboxPayment.objects.get(reference=payment.reference)
    sandbox.choose(window, choice)
    window.refresh_from_db()
    return payment, window


def pay(*, order, gateway, choice="approve", now=NOON) -> Payment:
    payment, window = authorise(order=order, choice=choice, now=now)
    confirm_payment(
        payment=payment,
        payment_key=window.pk,
        order_id=payment.provider_order_id,
        amount_krw=order.total_krw,
        now=now,
        gateway=gateway,
    )
    payment.refresh_from_db()
    order.refresh_from_db()
    return payment


def test_a_purchase_is_told_from_the_order_to_the_download(buyer, gateway, time_machine, on_commit):
    time_machine.move_to(NOON, tick=False)
    letter = make_prompt(title="Letter", price=9_900, slug="letter")
    order = order_through_the_page(buyer=buyer, prompts=[letter])
    note_failure(payment=authorise(order=order)[0], code="PAY_PROCESS_CANCELED", now=NOON + timedelta(minutes=1))
    pay(order=order, gateway=gateway, now=NOON + timedelta(minutes=2))
    right = Entitlement.objects.get()
    open_entitlement(entitlement=right, wording_version="2026-11", now=NOON + timedelta(minutes=3))
    unlocked = unlock(user=buyer, slug="letter", kind="read", now=NOON + timedelta(minutes=4))
    count_download(unlocked=unlocked, kind="file_downloaded", now=NOON + timedelta(minutes=5))

    assert tell(order) == [
        "Ordered 1 prompt for ₩9,900.",
        "Agreed to “I have checked the prompts and the price, and I agree to the terms of use.”",
        "Agreed to “I know that I can cancel within seven days as long as I have not opened a prompt, and that I can "
        "no longer cancel it once I have opened it.”",
        "Agreed to “I agree that my e-mail address and this order are used to handle it and are kept for five years, "
        "as the law asks.”",
        "The payment window was opened.",
        "Mail sent: receipt",  # the clock of the mails stands still in this test
        "The buyer came back without having paid.",
        "The payment window was opened.",
        "The buyer came back from the payment window.",
        "The order is now: payment being checked",
        "The provider was asked to charge ₩9,900.",
        "The payment is charged.",
        "The order is now: paid",
        "Mail to be sent: receipt",
        "Opened “Letter”, which ended the right to cancel.",
        "Read “Letter”.",
        "Downloaded the file of “Letter”.",
    ]


def test_every_entry_says_who_and_when(buyer, gateway):
    order = order_through_the_page(buyer=buyer, prompts=[make_prompt(price=5_000)])
    pay(order=order, gateway=gateway)

    entries = build_timeline(order)

    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert {entry.who for entry in entries} == {"buyer", "shop", "provider"}
    charged = next(entry for entry in entries if entry.text == "The payment is charged.")
    assert (charged.detail, charged.who, charged.tone) == ("₩5,000 · Card", "provider", "good")


def test_a_lost_answer_and_the_look_up_that_followed_are_told(buyer, gateway):
    order = make_order(buyer=buyer)
    payment = pay(order=order, gateway=gateway, choice="lost_after")
    SandboxPayment.objects.update(silent_until=None)
    check_payment(payment=payment, now=NOON + timedelta(minutes=1), gateway=gateway)

    told = [(entry.text, entry.tone) for entry in build_timeline(order)]

    assert ("No clear answer came: it may have happened.", "doubt") in told
    assert told.index(("Looked up: The payment is charged.", "good")) < told.index(("The order is now: paid", "good"))


def test_a_refusal_is_told_with_the_code_of_the_provider(buyer, gateway):
    order = make_order(buyer=buyer)
    with pytest.raises(PaymentRefused):
        pay(order=order, gateway=gateway, choice="refuse")

    entry = next(entry for entry in build_timeline(order) if entry.text == "The provider refused.")
    assert entry.tone == "bad"
    assert entry.detail.startswith("REJECT_CARD_PAYMENT · ")


def test_a_deposit_is_told_with_four_digits_of_the_account(buyer, gateway):
    order = make_order(buyer=buyer)
    payment = pay(order=order, gateway=gateway, choice="deposit")
    window = SandboxPayment.objects.get()
    sandbox.deposit(window)
    check_payment(payment=payment, now=timezone.now() + timedelta(minutes=1), gateway=gateway)

    entries = build_timeline(order)
    told = [entry.text for entry in entries]

    assert "An account was given out; nobody has paid into it yet." in told
    assert sum(text.startswith("The buyer can pay into the account until ") for text in told) == 1
    came_in = next(entry for entry in entries if entry.text == "₩5,000 came into the account.")
    assert came_in.detail.endswith(f"account ending in {window.deposit_account[-4:]}")
    assert not any(window.deposit_account in entry.text + entry.detail for entry in entries)


def test_a_cancellation_of_one_line_is_told_in_its_order(buyer, gateway):
    order = make_paid_order(
        buyer=buyer, prompts=[make_prompt(title="A", price=3_000), make_prompt(title="B", price=4_000)]
    )
    line = order.lines.get(title="B")
    cancel_sealed_lines(order=order, lines=[line], now=NOON + timedelta(hours=1), gateway=gateway)

    told = [entry for entry in build_timeline(order) if entry.at == NOON + timedelta(hours=1)]

    assert [(entry.text, entry.detail, entry.who) for entry in told] == [
        (
            "A refund of ₩4,000 was begun. The buyer can no longer open “B”.",
            "cancelled by the buyer before opening",
            "buyer",
        ),
        ("The provider was asked to give back ₩4,000.", "", "shop"),
        ("A part of the payment is given back.", "₩7,000 · ₩3,000 of it left · Card", "provider"),
        ("₩4,000 went back to the buyer.", "", "provider"),
        ("The order is now: partly refunded", "", "shop"),
        ("Mail to be sent: refund", "", "shop"),
    ]


def test_a_refund_by_staff_is_told_once_with_who_and_why(buyer, gateway):
    staff = make_user(email="staff@example.com")
    order = make_paid_order(buyer=buyer)
    refund_by_staff(
        order=order, lines=order.lines.all(), note="It did not work.", staff=staff, now=NOON, gateway=gateway
    )

    begun = [entry for entry in build_timeline(order) if entry.who == "staff@example.com"]
    assert [(entry.text, entry.detail) for entry in begun] == [
        (
            f"A refund of ₩5,000 was begun. The buyer can no longer open “{order.lines.get().title}”.",
            "refunded by staff · It did not work.",
        )
    ]


def test_a_refused_refund_says_that_the_buyer_keeps_the_prompt(buyer):
    order = make_paid_order(buyer=buyer)
    make_refund(order=order, status="failed", reason="staff")

    failed = [entry for entry in build_timeline(order) if entry.text.startswith("The refund of ₩5,000 failed")]
    assert [(entry.text, entry.tone) for entry in failed] == [
        ("The refund of ₩5,000 failed, so the buyer keeps what they bought.", "bad")
    ]


def test_a_free_prompt_is_not_said_to_have_ended_a_right(buyer):
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(title="Gift", price=0)])

    assert "Got “Gift”, which was free and open at once." in tell(order)


def test_a_hint_says_how_it_came_and_whether_it_was_looked_into():
    order = make_order()
    seen = {"event": "PAYMENT_STATUS_CHANGED", "received_count": 3}
    for key, handled_at, detail in (("a", None, seen), ("b", NOON, {"event": "CANCEL_STATUS_CHANGED"})):
        PaymentEvent.objects.create(
            order=order, kind="webhook", outcome="DONE", dedup_key=key, at=NOON, handled_at=handled_at, detail=detail
        )

    hints = [entry for entry in build_timeline(order) if entry.text.startswith("A message that claims")]
    claim = "A message that claims to come from the provider says:"
    assert [(entry.text, entry.who, entry.tone) for entry in hints] == [
        (f"{claim} The payment is charged.", "unverified sender", "doubt"),
        (f"{claim} DONE", "unverified sender", ""),  # a cancel's state
    ]
    assert hints[0].detail == "not believed · PAYMENT_STATUS_CHANGED · received 3 times · not looked into yet"
    looked_up_at = timezone.localtime(NOON).strftime("%Y-%m-%d %H:%M:%S")
    assert hints[1].detail == f"not believed · CANCEL_STATUS_CHANGED · looked up at {looked_up_at}"


@pytest.mark.parametrize(
    ("code", "text", "detail"),
    [
        ("amount_differs", "The buyer came back with another amount or order, so nothing was charged.", ""),
        (
            "PAY_PROCESS_CANCELED",
            "The buyer came back without having paid.",
            "was told: You closed the payment window. No money moved, and your order is still here.",
        ),
        ("NEW_WORD", "The buyer came back without having paid.", "NEW_WORD"),
    ],
)
def test_an_attempt_that_was_turned_back_says_why_in_words(code, text, detail):
    order = make_order()
    note_failure(payment=make_payment(order=order), code=code, now=NOON)

    entry = build_timeline(order)[-1]
    assert (entry.text, entry.detail, entry.who) == (text, detail, "buyer")


@pytest.mark.parametrize(
    ("status", "fields", "text"),
    [
        ("sent", {"sent_at": NOON}, "Mail sent: receipt"),
        ("failed", {"tried_at": NOON, "try_count": 5}, "Mail not sent: receipt"),
        ("sending", {"tried_at": NOON}, "Mail on its way out, or lost in a crash: receipt"),
    ],
)
def test_a_mail_is_told_with_what_became_of_it(status, fields, text):
    order = make_order()
    OrderMail.objects.create(order=order, kind="receipt", key="r", status=status, queued_at=NOON, **fields)

    assert tell(order)[-2:] == ["Mail to be sent: receipt", text]


def test_a_right_that_staff_took_back_is_told(buyer):
    right = make_purchase(buyer=buyer, prompt=make_prompt(title="A"))
    revoke_entitlement(entitlement_id=right.pk, reason="staff", now=NOON + timedelta(days=1))

    assert tell(right.order_line.order)[-1] == "The right to open “A” was taken back."


def test_whatever_stands_in_an_event_is_told_without_an_error():
    order = make_order()
    payment = make_payment(order=order)
    for kind in PaymentEvent.Kind:
        for detail in ({}, [], {"amount_krw": None}, {"error": "refused"}, {"amount_krw": 1, "balance_krw": 0}):
            PaymentEvent.objects.create(order=order, payment=payment, kind=kind, outcome="NEW_WORD", detail=detail)

    assert len(build_timeline(order)) == 1 + 5 * len(PaymentEvent.Kind)


@pytest.mark.parametrize("count", [1, 20])
def test_it_costs_the_same_however_much_happened(buyer, count, django_assert_num_queries):
    order = make_paid_order(buyer=buyer, prompts=[make_prompt(price=1_000) for _ in range(count)])
    for right in Entitlement.objects.all():
        open_entitlement(entitlement=right, wording_version="x", now=NOON)
        log_visit(entitlement=right, kind="read", version=right.version, now=NOON)
    for line in order.lines.all():
        make_refund(order=order, lines=[line], reason="staff", note="x", requested_by=make_user())
        PaymentEvent.objects.create(order=order, kind="staff", outcome="ask_again", actor=make_user())

    with django_assert_num_queries(9):  # lines, payments, events, refunds, their lines, consents, mails, access, rights
        build_timeline(order)
