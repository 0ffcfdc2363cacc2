"""What the mails about orders say, in both parts and both languages."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.core import mail
from django.utils import translation
from django.utils.html import strip_tags

from checkout.consents import order_wordings
from checkout.library import open_entitlement
from checkout.mails import build_message, queue_mail
from checkout.models import Entitlement, OrderConsent, OrderMail, Refund
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_refund,
    make_seller,
    make_user,
)

pytestmark = pytest.mark.django_db

HANGUL = re.compile("[가-힣]")


def agree(order):
    """What a buyer ticks on the checkout page."""
    for wording in order_wordings(total_krw=order.total_krw):
        with translation.override(order.language):
            text = str(wording.text)
        OrderConsent.objects.create(order=order, key=wording.key, version=wording.version, text=text, accepted_at=NOON)


def parts(message) -> list[str]:
    """The words of the text and of the HTML."""
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    return [" ".join(text.split()) for text in (message.body, unescape(strip_tags(html.replace("<", " <"))))]


def write(kind: str, *, order, **about):
    """The message as it goes out."""
    queued = queue_mail(kind=kind, order=order, now=NOON, **about)
    with translation.override(order.language):
        return build_message(queued)


def test_a_receipt_carries_the_terms_of_the_contract():
    seller = make_seller(name="Paper Desk")
    prompts = [
        make_prompt(title="Letter & <more>", price=9_900, seller=seller),
        make_prompt(title="Reply", price=5_100, seller=seller),
    ]
    order = make_paid_order(prompts=prompts, language="en")
    agree(order)

    message = write("receipt", order=order)
    for words in parts(message):
        assert "We received ₩15,000." in words
        assert "Letter & <more>" in words
        assert "₩9,900" in words
        assert words.count("Sold by Paper Desk") == 2
        assert "including ₩1,364 VAT" in words
        assert "I have checked the prompts and the price" in words  # as agreed to
        assert "you can cancel it within seven days with one button" in words
        assert "not as described" in words
        assert f"Order number: {order.number}" in words
        assert "000-00-00000 · 2026-Seoul-00000 (example)" in words  # who answers for the shop
        assert "help@example.com; name the order number" in words
    assert f"http://localhost:8000/orders/{order.number}/" in message.body
    assert "http://localhost:8000/refund-policy/" in message.body
    assert message.subject == f"[Promptjang] Your order {order.number}"


@pytest.mark.parametrize("url", ["https://dashboard.tosspayments.com/receipt/x", ""])
def test_a_receipt_links_to_the_providers_when_there_is_one(url):
    order = make_paid_order(language="en")
    order.payments.update(receipt_url=url, provider="toss")

    message = write("receipt", order=order)

    assert ["Receipt of Toss Payments" in part for part in parts(message)] == [bool(url)] * 2
    assert (f'href="{url}"' in message.alternatives[0][0]) is bool(url)
    assert all("Paid with: Card" in part for part in parts(message))


def test_the_receipt_of_a_free_order_speaks_of_no_money():
    order = make_paid_order(prompts=[make_prompt(price=0)], language="en")

    for words in parts(write("receipt", order=order)):
        assert "Total: Free" in words or "Total Free" in words
        assert "₩0" not in words
        assert "VAT" not in words
        assert "cancel" not in words


def test_a_receipt_sent_again_is_another_mail_with_the_same_words(on_commit):
    order = make_paid_order(language="en")

    queue_mail(kind="receipt", order=order, now=NOON, requested_by=make_user(is_staff=True))

    assert OrderMail.objects.filter(kind="receipt", status="sent").count() == 2
    first, second = mail.outbox
    assert parts(first) == parts(second)


@pytest.mark.parametrize(
    ("reason", "note", "said"),
    [
        ("buyer_cancelled", "", "You cancelled before opening. The prompt is no longer in your library."),
        ("bought_twice", "", "You had this prompt already from another order, so you paid for it once only."),
        ("staff", "It was <b>empty</b>", "Reason: It was <b>empty</b>"),
        ("provider", "", "The payment was cancelled at the payment provider."),
    ],
)
def test_a_refund_says_how_much_goes_back_for_what_and_why(on_commit, reason, note, said):
    order = make_paid_order(prompts=[make_prompt(title="Letter", price=9_900), make_prompt()], language="en")
    order.payments.update(provider="toss")
    mail.outbox.clear()

    make_refund(order=order, lines=[order.lines.get(position=1)], status="done", reason=reason, note=note)

    [message] = mail.outbox
    assert message.subject == f"[Promptjang] Refund for your order {order.number}"
    for words in parts(message):
        assert "₩9,900 went back the way you paid." in words
        assert "Letter" in words
        assert said in words
        assert "three to five working days" in words


def test_the_reason_of_staff_stands_in_a_paragraph_of_its_own():
    order = make_paid_order(language="en")
    message = write("refund", order=order, refund=make_refund(order=order, reason="staff", note="It was empty"))

    assert "We refunded it. The prompt is no longer in your library.\n\nReason: It was empty\n\n" in message.body
    assert ">Reason: It was empty</p>" in message.alternatives[0][0]


@pytest.mark.parametrize("kind", ["receipt", "refund", "payment_failed"])
@pytest.mark.parametrize("note", ["", "It was empty"])
@pytest.mark.parametrize("status", ["done", "failed"])
def test_no_text_has_two_blank_lines_in_a_row(kind, note, status):
    order = make_paid_order(language="en")
    refund = make_refund(order=order, reason="staff", note=note, status=status)
    about = {"refund": {"refund": refund}, "payment_failed": {"payment": order.payments.get()}}.get(kind, {})
    order.refresh_from_db()

    body = write(kind, order=order, **about).body

    assert "\n\n" in body
    assert "\n\n\n" not in body


def test_mails_of_a_test_payment_promise_no_money():
    order = make_paid_order(language="en")
    refund = make_refund(order=order)
    assert refund.payment.provider == "sandbox"

    for words in [*parts(write("receipt", order=order)), *parts(write("refund", order=order, refund=refund))]:
        assert "This was a test payment, so no money moved." in words
        assert "working days" not in words


@pytest.mark.parametrize(
    ("positions", "said", "rest"),
    [
        ([1], "Since then ₩9,900 went back to you, so you paid ₩5,000 in the end.", "₩5,000"),
        ([1, 2], "Since then all of it, ₩14,900, went back to you.", "₩0"),
    ],
)
def test_a_receipt_after_a_refund_says_what_went_back(on_commit, positions, said, rest):
    order = make_paid_order(prompts=[make_prompt(price=9_900), make_prompt(price=5_000)], language="en")
    make_refund(order=order, lines=order.lines.filter(position__in=positions), status="done", reason="staff")
    order.refresh_from_db()

    for words in parts(write("receipt", order=order, requested_by=make_user(is_staff=True))):
        assert said in words
        assert "Refunded prompts are no longer in your library" in words
        assert "Everything is in your library" not in words
        assert f"Paid after refunds: {rest}" in words or f"Paid after refunds {rest}" in words


def test_a_refund_of_a_deposit_says_when_the_account_has_it():
    order = make_paid_order(language="en")
    order.payments.update(deposit_account="X123", deposit_bank="88", provider="toss")
    refund = make_refund(order=order)

    for words in parts(write("refund", order=order, refund=refund)):
        assert "went back to your account" in words
        assert "within two working days" in words


def test_a_charge_that_could_not_be_delivered_says_that_all_of_it_went_back():
    order = make_paid_order(language="en")
    refund = make_refund(order=order)
    refund.lines.all().delete()
    refund.reason = "not_deliverable"
    refund.save()

    for words in parts(write("refund", order=order, refund=refund)):
        assert "₩5,000 went back the way you paid." in words
        assert "nothing was delivered and all of it went back" in words
        assert "library" not in words


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("given_back", "Your payment came when this order could no longer be paid, so nothing was delivered"),
        ("given_back_amount", "Your payment was over another amount than this order, so nothing was delivered"),
    ],
)
@pytest.mark.parametrize(("status", "end"), [("done", "and all of it went back"), ("failed", "and we still owe you")])
def test_a_charge_that_could_not_be_delivered_says_why(code, said, status, end):
    order = make_order(language="en", status="cancelled")
    payment = make_payment(
        order=order, status="returning", payment_key="k", approved_at=NOON, failure_code=code, amount_krw=7_000
    )
    refund = Refund.objects.create(
        order=order,
        payment=payment,
        reason="not_deliverable",
        amount_krw=7_000,
        status=status,
        done_at=NOON if status == "done" else None,
        note="The bank was closed.",
    )

    for words in parts(write("refund", order=order, refund=refund)):
        assert f"{said} {end}" in words
        assert "₩7,000" in words
        assert ("The bank was closed." in words) is (status == "done")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("buyer_cancelled", "The prompt is yours again and stands in your library as before. If you still want"),
        ("bought_twice", "You had this prompt already from another order; it stays in your library, and we still owe"),
    ],
)
def test_a_refused_refund_says_that_no_money_came_and_what_to_do(on_commit, reason, said):
    order = make_paid_order(prompts=[make_prompt(title="Letter", price=9_900)], language="en")
    mail.outbox.clear()

    make_refund(order=order, status="failed", reason=reason)

    [message] = mail.outbox
    assert message.subject == f"[Promptjang] Your refund for order {order.number} did not go through"
    for words in parts(message):
        assert "The payment provider refused to give ₩9,900 back, so it has not reached you." in words
        assert said in words
        assert "help@example.com" in words
        assert "went back" not in words
        assert "working days" not in words
        assert "Refunded:" not in words
        assert f"Order number: {order.number}" in words


def test_a_failed_payment_says_that_no_money_moved_and_leads_to_the_order():
    order = make_order(language="en", status="failed")
    payment = make_payment(order=order, status="failed", failure_code="EXPIRED", payment_key="k")

    message = write("payment_failed", order=order, payment=payment)
    for words in parts(message):
        assert "Your payment of ₩5,000 did not go through." in words
        assert "No money moved." in words
        assert "EXPIRED" not in words
    assert f"/orders/{order.number}/" in message.body
    assert f'href="http://localhost:8000/orders/{order.number}/"' in message.alternatives[0][0]


def test_every_mail_is_wholly_in_the_language_of_the_order():
    seller = make_seller(name="Desk")
    for language in ("en", "ko"):
        order = make_paid_order(prompts=[make_prompt(title="Letter", seller=seller)], language=language)
        order.payments.update(provider="toss", method="간편결제")
        refund = make_refund(order=order, status="requested", reason="staff", note="Note")
        refused = [
            make_refund(order=make_paid_order(prompts=[make_prompt(title="Letter", seller=seller)], language=language))
            for _ in range(3)
        ]
        for each, reason in zip(refused, ("buyer_cancelled", "bought_twice", "not_deliverable"), strict=True):
            each.status, each.reason = "failed", reason
            each.save()
        failed = make_payment(order=make_order(language=language), status="failed", failure_code="not_found")
        if language == "en":
            agree(order)
        for kind, about in [
            ("receipt", {"order": order, "requested_by": make_user(is_staff=True)}),
            ("refund", {"order": order, "refund": refund}),
            *(("refund", {"order": each.order, "refund": each}) for each in refused),
            ("payment_failed", {"order": failed.order, "payment": failed}),
        ]:
            message = write(kind, **about)
            for words in [*parts(message), message.subject]:
                if language == "en":
                    assert HANGUL.findall(words) == []
                else:
                    english = {"Letter", "Desk", "Note", "PJ", "help", "example", "com", "http", "localhost", "VAT"}
                    kept = set(re.findall("[A-Za-z]{3,}", re.sub(r"\S*[/@-]\S*", "", words))) - english
                    assert kept == set()


def test_the_mail_of_somebody_who_opened_one_says_nothing_of_its_text():
    order = make_paid_order(prompts=[make_prompt(prompt_text="SECRET WORDS")], language="en")
    open_entitlement(entitlement=Entitlement.objects.get(), wording_version="test", now=NOON + timedelta(minutes=1))

    assert all("SECRET" not in words for words in parts(write("receipt", order=order)))
