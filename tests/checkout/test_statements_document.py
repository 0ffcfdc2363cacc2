"""`docs/statements.md` names tests that exist, and its examples are what the code makes of them."""

import re
from datetime import UTC, date, datetime

import pytest

from checkout.ledger import split_price
from checkout.models import Statement
from checkout.statements import build_finished_months
from tests.checkout.test_payments_document import ROOT, names_in
from tests.checkout.test_statements import IN_JANUARY, IN_NOVEMBER, IN_OCTOBER, OCTOBER, sell, sums
from tests.factories import make_payout, make_refund, make_seller, make_statement

TEXT = (ROOT / "docs" / "statements.md").read_text()


def test_every_test_that_holds_a_promise_exists():
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", TEXT)

    assert len(named) > 20
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def test_every_promise_names_its_test():
    table = TEXT.split("| promise | test |")[1].split("\n\n")[0]

    assert [row for row in table.splitlines()[2:] if "::test_" not in row] == []


def test_the_example_of_the_fee_is_right():
    price, points, fee, share = re.search(
        r"Of ([\d,]+) won\s+at ([\d,]+) basis points the fee is ([\d,]+) won and the seller gets ([\d,]+)", TEXT
    ).groups()

    assert split_price(price_krw=read(price), fee_bp=read(points)) == (read(fee), read(share))


@pytest.mark.django_db
def test_the_example_of_a_debt_is_what_is_built():
    seller = make_seller()
    order = sell(10_000, seller=seller, now=IN_OCTOBER)
    make_payout(statement=make_statement(seller=seller, month=OCTOBER))
    make_refund(order=order, status="done", reason="staff", note="x", now=IN_NOVEMBER)
    sell(2_000, seller=seller)
    sell(20_000, seller=seller, now=IN_JANUARY)

    build_finished_months(now=datetime(2027, 2, 8, tzinfo=UTC))

    rows = re.findall(r"^\| (?:October|November|January)[^|]*\|(.+)\|$", TEXT, re.MULTILINE)
    told = [tuple(read(cell) for cell in row.split("|")) for row in rows]
    built = {statement.month: sums(statement) for statement in Statement.objects.all()}
    assert told == [built[month] for month in (OCTOBER, date(2026, 11, 1), date(2027, 1, 1))]
    assert len(built) == 3


def read(text: str) -> int:
    return int(text.strip().replace(",", "").replace("−", "-"))
