"""What the database refuses whoever writes, and order numbers."""

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from checkout.models import (
    Entitlement,
    LedgerEntry,
    Order,
    OrderLine,
    OrderMail,
    Payment,
    PaymentEvent,
    Purchase,
    Refund,
    RefundLine,
    make_order_number,
)
from checkout.orders import MOVES, move_order
from checkout.views.library import file_name
from checkout.views.orders import split_vat
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payment,
    make_prompt,
    make_purchase,
    make_refund,
)

pytestmark = pytest.mark.django_db

UNIQUE = "(?i)unique"  # SQLite names the columns, PostgreSQL the constraint


def refuses(constraint: str):
    return pytest.raises(IntegrityError, match=constraint if constraint else None)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "paid"}, "orders_paid_at_is_set_exactly_when_paid"),
        ({"paid_at": NOON}, "orders_paid_at_is_set_exactly_when_paid"),
        ({"status": "invented"}, "orders_status_is_known"),
        ({"total_krw": -1}, "orders_(total_is_not_negative|refund_is_within_total)"),
        ({"status": "paid", "paid_at": NOON, "refunded_krw": 1}, "orders_refund_matches_status"),
        ({"status": "refunded", "paid_at": NOON}, "orders_refund_matches_status"),
        ({"status": "refunded", "paid_at": NOON, "refunded_krw": 9_999_999}, "orders_refund"),
        ({"expires_at": NOON}, "orders_expire_after_creation"),
        ({"number": "PJ261122-K7Q2MX92"}, "orders_number_ends_in_a_letter"),
    ],
)
def test_an_impossible_order_is_refused(changes, constraint):
    order = make_order()

    with refuses(constraint), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**changes)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "paid", "payment_key": "k"}, "payments_paid_ones_have_their_time"),
        *(
            ({"status": status}, "payments_sent_ones_have_their_key")
            for status in ("confirming", "returning", "cancelled")
        ),
        ({"status": "waiting", "deposit_account": "1"}, "payments_sent_ones_have_their_key"),
        ({"status": "paid", "approved_at": NOON}, "payments_sent_ones_have_their_key"),
        ({"status": "waiting", "payment_key": "k"}, "payments_waiting_ones_have_their_account"),
        ({"amount_krw": 0}, "payments_amount_is_positive"),
        ({"provider": "invented"}, "payments_provider_is_known"),
        ({"status": "invented"}, "payments_status_is_known"),
        ({"provider_order_id": None}, "provider_order_id"),
    ],
)
def test_an_impossible_payment_is_refused(changes, constraint):
    payment = make_payment(order=make_order())

    with refuses(constraint), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(**changes)


@pytest.mark.parametrize("second", ["confirming", "waiting", "paid"])
def test_one_order_has_one_charge_under_way(second):
    order = make_order()
    make_payment(order=order, status="confirming", payment_key="a")

    with refuses(UNIQUE), transaction.atomic():
        make_payment(order=order, status=second, payment_key="b", approved_at=NOON, deposit_account="1")
    for status in ("ready", "failed", "returning", "cancelled"):
        make_payment(order=order, status=status, payment_key=f"of {status}")


@pytest.mark.parametrize("field", ["payment_key", "provider_order_id", "idempotency_key", "reference"])
def test_the_names_of_a_payment_are_used_once(field):
    first = make_payment(order=make_order(), status="confirming", payment_key="a")

    with refuses(UNIQUE), transaction.atomic():
        make_payment(order=make_order(), status="confirming", **{"payment_key": "b", field: getattr(first, field)})


def test_one_person_has_one_live_right_to_a_prompt(buyer):
    first = make_purchase(buyer=buyer)
    again = Purchase.objects.create(buyer=buyer, prompt=first.prompt, payment_order_id="again")

    with pytest.raises(IntegrityError), transaction.atomic():
        Entitlement.objects.create(purchase=again, user=buyer, prompt=first.prompt)
    Entitlement.objects.filter(pk=first.pk).update(revoked_at=NOON, revoked_reason="refunded")
    Entitlement.objects.create(purchase=again, user=buyer, prompt=first.prompt)


def test_a_right_taken_away_says_why(buyer):
    entitlement = make_purchase(buyer=buyer)

    with refuses("entitlements_revoked_ones_say_why"), transaction.atomic():
        Entitlement.objects.filter(pk=entitlement.pk).update(revoked_at=NOON)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "invented"}, "refunds_status_is_known"),
        ({"amount_krw": 0}, "refunds_amount_is_positive"),
        ({"status": "done"}, "refunds_done_ones_have_their_time"),
        ({"order_id": None}, "order_id"),
    ],
)
def test_an_impossible_refund_is_refused(changes, constraint):
    refund = make_refund(order=make_paid_order())

    with refuses(constraint), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(**changes)


def test_an_idempotency_key_of_a_refund_is_used_once():
    first, second = make_refund(order=make_paid_order()), make_refund(order=make_paid_order())

    with refuses(UNIQUE), transaction.atomic():
        Refund.objects.filter(pk=second.pk).update(idempotency_key=first.idempotency_key)


def test_a_charge_that_cannot_be_delivered_is_given_back_once_unless_that_failed():
    order = make_order()
    payment = make_payment(order=order, status="returning", payment_key="a")
    values = {"order": order, "payment": payment, "amount_krw": 1, "reason": "not_deliverable"}
    Refund.objects.create(**values, status="failed")
    Refund.objects.create(**values)

    with refuses(UNIQUE), transaction.atomic():
        Refund.objects.create(**values)


def test_a_line_is_refunded_once_unless_it_failed():
    order = make_paid_order()
    make_refund(order=order, status="failed")
    refund = make_refund(order=order)
    values = {"refund": refund, "order_line": order.lines.get(), "amount_krw": 1}

    with refuses(UNIQUE), transaction.atomic():
        RefundLine.objects.create(**values)
    RefundLine.objects.create(**values, is_live=False)


def test_a_refunded_line_is_worth_something():
    row = make_refund(order=make_paid_order()).lines.get()

    with refuses("refund_lines_amount_is_positive"), transaction.atomic():
        RefundLine.objects.filter(pk=row.pk).update(amount_krw=0)


def test_an_event_is_of_a_known_kind_and_a_hint_is_stored_once():
    order = make_order()

    with refuses("payment_events_kind_is_known"), transaction.atomic():
        PaymentEvent.objects.create(order=order, kind="invented")
    PaymentEvent.objects.create(order=order, kind="webhook", dedup_key="a")
    with refuses(UNIQUE), transaction.atomic():
        PaymentEvent.objects.create(order=order, kind="webhook", dedup_key="a")
    for kind in PaymentEvent.Kind.values:
        PaymentEvent.objects.create(order=order, kind=kind)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"kind": "invented"}, "order_mails_kind_is_known"),
        ({"status": "invented"}, "order_mails_status_is_known"),
        ({"status": "sent"}, "order_mails_sent_ones_have_their_time"),
    ],
)
def test_an_impossible_mail_is_refused(changes, constraint):
    mail = OrderMail.objects.create(order=make_order(), kind="receipt", key="a")

    with refuses(constraint), transaction.atomic():
        OrderMail.objects.filter(pk=mail.pk).update(**changes)


def test_a_mail_has_a_name_of_its_own():
    order = make_order()
    OrderMail.objects.create(order=order, kind="receipt", key="a")

    with refuses(UNIQUE), transaction.atomic():
        OrderMail.objects.create(order=order, kind="receipt", key="a")


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"amount_krw": 0}, "ledger_entries_move_something"),
        ({"kind": "invented"}, "ledger_entries_(kind_is_known|refunds_name_theirs)"),
        ({"account": "invented"}, "ledger_entries_account_is_known"),
        ({"kind": "refund"}, "ledger_entries_refunds_name_theirs"),
        ({"account": "seller"}, "ledger_entries_sellers_are_named"),
        ({"entry_key": "a"}, "(?i)unique"),
    ],
)
def test_an_impossible_ledger_entry_is_refused(values, constraint):
    order = make_order()
    payment = make_payment(order=order)
    common = {"order": order, "payment": payment, "kind": "charge", "account": "house", "amount_krw": 1}
    LedgerEntry.objects.create(**common, entry_key="a")

    with refuses(constraint), transaction.atomic():
        LedgerEntry.objects.create(**common | {"entry_key": "b"} | values)


def test_a_charge_in_the_ledger_names_no_refund():
    order = make_paid_order()
    refund = make_refund(order=order)
    values = {"order": order, "payment": refund.payment, "refund": refund, "account": "house", "amount_krw": 1}

    with refuses("ledger_entries_refunds_name_theirs"), transaction.atomic():
        LedgerEntry.objects.create(**values, kind="charge", entry_key="a")
    LedgerEntry.objects.create(**values, kind="refund", entry_key="a")


def test_the_fee_of_a_line_is_a_part_of_its_price():
    line = make_order().lines.get()

    for fee_bp in (-1, 10_001):
        with refuses("order_lines_fee_is_a_part_of_the_price"), transaction.atomic():
            OrderLine.objects.filter(pk=line.pk).update(fee_bp=fee_bp)
    OrderLine.objects.filter(pk=line.pk).update(fee_bp=10_000)


@pytest.mark.parametrize("field", ["prompt", "position"])
def test_an_order_holds_each_prompt_and_each_position_once(field):
    order = make_order()
    line = order.lines.get()
    values = {"prompt": make_prompt(), "position": 2} | {field: getattr(line, field)}

    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.create(order=order, title="x", price_krw=1, **values)


def test_order_numbers_fit_the_provider_and_never_look_like_a_later_line():
    numbers = {make_order_number() for _ in range(2_000)}

    assert len(numbers) == 2_000
    assert all(re.fullmatch(r"[A-Z0-9-]{6,64}", number) for number in numbers)
    assert not any(re.search(r"-\d+$", number) for number in numbers)


@pytest.mark.parametrize("source", list(Order.Status))
@pytest.mark.parametrize("target", list(Order.Status))
def test_an_order_makes_listed_moves_only(source, target):
    values = {"paid_at": NOON} if source in Order.DELIVERED else {}
    refunded = {"refunded": 5_000, "partly_refunded": 1_000}
    order = make_order(status=source, refunded_krw=refunded.get(source, 0), **values)
    columns = {"paid_at": NOON} if target in Order.DELIVERED else {}

    moved = move_order(order=order, to=target, now=NOON, refunded_krw=refunded.get(target, 0), **columns)

    assert moved == (target in MOVES[source])
    assert order.status == (target if moved else source)


def test_titles_and_prices_of_an_order_stay_as_they_were():
    prompt = make_prompt(title="Before", price=1_000)
    order = make_order(prompts=[prompt])
    prompt.title, prompt.price = "After", 9_000
    prompt.save(update_fields=["title", "price"])

    line = order.lines.get()
    assert (line.title, line.price_krw, order.total_krw) == ("Before", 1_000, 1_000)


@given(st.integers(0, 10**9))
def test_tax_and_supply_add_up_and_the_tax_is_a_tenth_of_the_supply(amount_krw):
    vat_krw = split_vat(amount_krw)

    assert abs(vat_krw * 11 - amount_krw) <= 5.5  # rounded to the nearest won
    assert 0 <= vat_krw <= amount_krw


def test_the_tax_of_the_provider_s_example():
    assert (split_vat(15_000), split_vat(0)) == (1_364, 0)


@given(st.text(max_size=200), st.sampled_from([".zip", "", ".t/x", ".한글"]))
def test_a_file_name_is_one_short_name_whatever_the_title(title, suffix):
    name = file_name(title, suffix)

    assert 0 < len(name) <= 90
    assert not re.search(r'[\x00-\x1f\x7f<>:"/\\|?*]', name)
    assert not name.startswith(".")


def test_an_unpaid_order_with_a_price_is_never_delivered():
    from checkout.orders import fulfil_order

    with pytest.raises(ValueError):
        fulfil_order(order=make_order(), payment=None, now=NOON)
    assert not Purchase.objects.exists()


def test_an_order_is_payable_for_its_hour():
    order = make_order()

    assert order.is_payable(now=NOON)
    assert not order.is_payable(now=NOON + timedelta(hours=1))
    assert Order.objects.payable(now=NOON).exists()
    assert not Order.objects.payable(now=NOON + timedelta(hours=1)).exists()
