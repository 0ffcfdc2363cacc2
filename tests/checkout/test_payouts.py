"""That a seller was paid: the whole due, once, with a bank reference, after the month was over."""

from datetime import date, timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import translation

from checkout import payouts
from checkout.models import Payout
from checkout.payouts import PayoutRefused, record_payout
from sellers.models import SellerMail
from tests.checkout.test_statements import IN_DECEMBER, IN_NOVEMBER, IN_OCTOBER, OCTOBER, sell
from tests.factories import make_payout, make_refund, make_seller, make_statement, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def statement():
    seller = make_seller(name="Anna", language="en", user=make_user(email="anna@example.com"))
    sell(10_000, seller=seller)
    return make_statement(seller=seller)


def record(statement, **fields):
    values = {"bank_reference": "B-1", "paid_on": date(2026, 12, 8), "staff": None, "now": IN_DECEMBER, **fields}
    values["staff"] = values["staff"] or make_user(is_staff=True)
    return record_payout(statement=statement, **values)


def test_the_whole_due_is_recorded_with_who_when_and_where(statement):
    staff = make_user(is_staff=True)

    payout = record(statement, staff=staff, bank_reference="  KB   2026-12-08/17 ")

    payout.refresh_from_db()
    assert (payout.statement, payout.amount_krw, payout.bank_reference) == (statement, 9_000, "KB 2026-12-08/17")
    assert (payout.paid_on, payout.recorded_by, payout.recorded_at) == (date(2026, 12, 8), staff, IN_DECEMBER)


def test_a_statement_is_paid_once(statement):
    record(statement)

    with pytest.raises(PayoutRefused, match=r"paid out: .*9,000.* bank reference B-1"):
        record(statement, bank_reference="B-2")
    assert Payout.objects.count() == 1


@pytest.mark.parametrize("reference", ["", "   ", "\t\n", "x" * 81])
def test_a_reference_is_needed_and_fits(statement, reference):
    with pytest.raises(PayoutRefused, match="bank reference"):
        record(statement, bank_reference=reference)
    assert not Payout.objects.exists()


def test_a_reference_stands_for_one_payout(statement):
    other = make_seller()
    sell(5_000, seller=other)
    make_payout(statement=make_statement(seller=other), bank_reference="B 1")

    with pytest.raises(PayoutRefused, match=f"to {other.name} for 2026-11"):
        record(statement, bank_reference="B  1")
    assert Payout.objects.count() == 1


@pytest.mark.parametrize(
    ("paid_on", "words"),
    [
        (date(2026, 12, 9), "has not come yet"),
        (date(2026, 11, 30), "was not over"),
        (date(2026, 11, 2), "was not over"),
    ],
)
def test_the_day_is_after_the_month_and_not_to_come(statement, paid_on, words):
    with pytest.raises(PayoutRefused, match=words):
        record(statement, paid_on=paid_on)
    assert not Payout.objects.exists()


def test_the_first_day_after_the_month_is_taken(statement):
    assert record(statement, paid_on=date(2026, 12, 1)).paid_on == date(2026, 12, 1)


def test_nothing_is_paid_where_nothing_is_due():
    seller = make_seller()
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    debt = make_statement(seller=seller)
    free = make_seller()
    sell(10_000, seller=free, fee_bp=10_000)

    for statement in (debt, make_statement(seller=free)):
        assert statement.due_krw <= 0
        with pytest.raises(PayoutRefused, match="Nothing is due"):
            record(statement)
    assert Payout.objects.count() == 1


@pytest.mark.parametrize("used", ["statement", "reference"])
def test_whoever_is_a_moment_later_is_told_the_same(statement, monkeypatch, used):
    """Both looked before either had written: the database decides."""
    other = make_seller()
    sell(5_000, seller=other)
    record(statement if used == "statement" else make_statement(seller=other), bank_reference="B-1")
    for name in ("check_payable", "refuse_used_reference"):
        look = getattr(payouts, name)
        answers = iter([lambda thing: None, look])
        monkeypatch.setattr(payouts, name, lambda thing, answers=answers: next(answers)(thing))

    with pytest.raises(PayoutRefused):
        record(statement, bank_reference="B-2" if used == "statement" else "B-1")
    assert Payout.objects.count() == 1


def test_the_database_takes_no_payout_of_nothing_and_none_without_a_reference(statement):
    fields = {"statement": statement, "paid_on": date(2026, 12, 8), "recorded_by": make_user()}

    for wrong in ({"amount_krw": 0, "bank_reference": "a"}, {"amount_krw": 1, "bank_reference": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Payout.objects.create(**fields, **wrong)


def test_the_seller_gets_a_mail_with_the_sum_and_the_reference(statement, on_commit):
    mail.outbox.clear()

    record(statement)

    [message] = mail.outbox
    assert message.to == ["anna@example.com"]
    assert message.subject == "[Promptjang] Paid out to you: ₩9,000"
    for body in (message.body, message.alternatives[0][0]):
        assert "We paid ₩9,000 to you: what your statement of November 2026 makes due." in body
        assert "Paid out on: Dec. 8, 2026" in body
        assert "Bank reference: B-1" in body
        assert "http://localhost:8000/studio/statements/2026-11/" in body


def test_a_mail_that_cannot_be_queued_costs_nobody_the_record(statement, monkeypatch):
    monkeypatch.setattr("checkout.seller_mails.queue_seller_mail", lambda **mail: 1 / 0)

    assert record(statement).pk
    assert not SellerMail.objects.filter(kind="payout").exists()


def test_an_erased_seller_is_paid_and_not_written_to(statement):
    statement.seller.user.deleted_at = IN_DECEMBER - timedelta(days=1)
    statement.seller.user.save()

    assert record(statement).amount_krw == 9_000
    assert not SellerMail.objects.filter(kind="payout").exists()
