"""Whether it all ties to the payments, to the won: what came in, what sellers, platform and buyers have of it, and what
statements and payouts say. Nothing is changed here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Least, TruncMonth

from checkout.answers import SEOUL
from checkout.differences import CHARGED
from checkout.models import LedgerEntry, Payment, Payout, Refund, Statement, StatementEntry
from checkout.statements import entries_of_sellers, sum_columns
from sellers.models import Seller

Account, Kind = LedgerEntry.Account, LedgerEntry.Kind


# --- Month by month


@dataclass(frozen=True)
class MonthSums:
    """What moved in a month in Seoul, or in all of them, by the ledger and in whole won.

    charged_krw, given_back_krw: at the provider. The rest is whose that money is: charges less refunds.
    """

    month: date | None
    charged_krw: int
    given_back_krw: int
    sellers_krw: int
    fees_krw: int
    house_krw: int
    buyers_krw: int

    @property
    def kept_krw(self) -> int:
        return self.charged_krw - self.given_back_krw

    @property
    def untied_krw(self) -> int:
        """What came in and is nobody's. Anything but zero is wrong."""
        return self.kept_krw - self.sellers_krw - self.fees_krw - self.house_krw - self.buyers_krw


def sum_months() -> list[MonthSums]:
    """Every month in which something was booked, oldest first. One query over the whole ledger."""
    by_month = LedgerEntry.objects.values(in_month=TruncMonth("booked_at", tzinfo=SEOUL)).annotate(**_sides())
    return [MonthSums(row.pop("in_month").date(), **row) for row in by_month.order_by("in_month")]


def sum_ledger() -> MonthSums:
    return MonthSums(None, **LedgerEntry.objects.aggregate(**_sides()))


def _sides() -> dict:
    def received(**which):
        return Coalesce(Sum("amount_krw", filter=Q(**which)), 0)

    def given(**which):
        return Coalesce(Sum(0 - F("amount_krw"), filter=Q(**which)), 0)

    return {
        "charged_krw": received(account=Account.PROVIDER, kind=Kind.CHARGE),
        "given_back_krw": given(account=Account.PROVIDER, kind=Kind.REFUND),
        "sellers_krw": given(account=Account.SELLER),
        "fees_krw": given(account=Account.FEE),
        "house_krw": given(account=Account.HOUSE),
        "buyers_krw": given(account=Account.BUYER),
    }


# --- Seller by seller


@dataclass(frozen=True)
class Balance:
    """How a seller's account stands, in whole won.

    earned_krw: what the ledger gives the seller, refunds taken off. stated_krw: what all statements make payable.
    unstated_krw: what is on none yet. paid_krw: payouts. unpaid_krw: statements still to be paid out. debt_krw: what
    the last statement carries on, zero or negative.
    """

    seller_id: object
    name: str
    earned_krw: int = 0
    stated_krw: int = 0
    unstated_krw: int = 0
    paid_krw: int = 0
    unpaid_krw: int = 0
    debt_krw: int = 0

    @property
    def owed_krw(self) -> int:
        """What the shop owes the seller; negative when the seller owes the shop."""
        return self.earned_krw - self.paid_krw


def list_balances(*, seller: Seller | None = None) -> list[Balance]:
    """Every seller with an account, by name, or only one. Seven queries however many there are."""
    latest = Statement.objects.filter(seller=OuterRef("seller")).order_by("-month").values("pk")[:1]
    in_debt = Statement.objects.filter(due_krw__lt=0, pk=Subquery(latest))
    unstated = entries_of_sellers().filter(account=Account.SELLER, statement_entry__isnull=True)
    given_krw = 0 - F("amount_krw")
    sides = {
        "earned_krw": (LedgerEntry.objects.filter(account=Account.SELLER), "seller", given_krw),
        "stated_krw": (Statement.objects.all(), "seller", F("payable_krw")),
        "unstated_krw": (unstated, "order_line__seller", given_krw),
        "paid_krw": (Payout.objects.all(), "statement__seller", F("amount_krw")),
        "unpaid_krw": (Statement.objects.filter(due_krw__gt=0, payout__isnull=True), "seller", F("due_krw")),
        "debt_krw": (in_debt, "seller", F("due_krw")),
    }
    sums = {}
    for side, (rows, column, amount_krw) in sides.items():
        rows = rows.filter(**{column: seller}) if seller else rows
        sums[side] = dict(rows.order_by().values_list(column).annotate(sum_krw=Sum(amount_krw)))
    known = set().union(*sums.values())
    sellers = Seller.objects.filter(pk=seller.pk) if seller else Seller.objects.all()
    found = [row for row in sellers.order_by("name", "pk").values_list("pk", "name") if row[0] in known]
    return [Balance(pk, name, **{side: sums[side].get(pk, 0) for side in sums}) for pk, name in found]


# --- What does not agree


@dataclass(frozen=True)
class Untied:
    """Two sums that should be one. `what` is a word for programs; subject: a month, a seller, or `-` for all."""

    what: str
    subject: str
    text: str
    first_krw: int
    second_krw: int

    def __str__(self):
        return f"{self.subject}: {self.text} ({self.first_krw:,} and {self.second_krw:,} won)"


def find_untied() -> list[Untied]:
    """Everything that does not tie to the payments to the won; always nothing, or something is badly wrong.

    The whole ledger, each month of it, each seller, each statement and each payout: about fifteen queries however many
    there are.
    """
    return [*_check_ledger(), *_check_sellers(), *_check_statements(), *_check_payouts()]


def _check_ledger() -> Iterator[Untied]:
    months = sum_months()
    for sums in [sum_ledger(), *months]:
        if sums.untied_krw:
            text = "what was charged and kept is not what sellers, platform, house and buyers have of it"
            subject = f"{sums.month:%Y-%m}" if sums.month else "-"
            yield Untied("ledger", subject, text, sums.kept_krw, sums.kept_krw - sums.untied_krw)
    charged = Payment.objects.filter(status__in=CHARGED).aggregate(sum_krw=Coalesce(Sum("amount_krw"), 0))["sum_krw"]
    given_back = Refund.objects.filter(status=Refund.Status.DONE).aggregate(sum_krw=Coalesce(Sum("amount_krw"), 0))
    booked = sum(sums.charged_krw for sums in months)
    if booked != charged:
        yield Untied("payments", "-", "the charges of the ledger are not the payments", booked, charged)
    returned = sum(sums.given_back_krw for sums in months)
    if returned != given_back["sum_krw"]:
        text = "the refunds of the ledger are not the refunds"
        yield Untied("refunds", "-", text, returned, given_back["sum_krw"])


def _check_sellers() -> Iterator[Untied]:
    for balance in list_balances():
        sum_krw = balance.stated_krw + balance.unstated_krw
        if sum_krw != balance.earned_krw:
            text = "statements and what is on none yet are not what the ledger gives the seller"
            yield Untied("seller", balance.name, text, sum_krw, balance.earned_krw)
        settled_krw = balance.paid_krw + balance.unpaid_krw + balance.debt_krw
        if settled_krw != balance.stated_krw:
            text = "payouts, what is still to be paid and the debt are not what the statements make payable"
            yield Untied("settled", balance.name, text, settled_krw, balance.stated_krw)


def _check_statements() -> Iterator[Untied]:
    sums = {f"entries_{name}": column for name, column in sum_columns("entries__entry__").items()}
    columns = {f"entries_{name}": F(name) for name in ("sales_krw", "refunds_krw", "fee_krw")}
    wrong = Statement.objects.select_related("seller").annotate(**sums).exclude(**columns)
    for statement in wrong.order_by("month", "pk"):
        entries_krw = statement.entries_sales_krw - statement.entries_refunds_krw - statement.entries_fee_krw
        text = "the statement does not say what its entries add up to"
        yield Untied("statement", _name(statement), text, statement.payable_krw, entries_krw)
    before = Statement.objects.filter(seller=OuterRef("seller"), month__lt=OuterRef("month")).order_by("-month")
    debt_krw = Least(Coalesce(Subquery(before.values("due_krw")[:1]), 0), 0)
    carried = Statement.objects.select_related("seller").annotate(debt_krw=debt_krw).exclude(carried_krw=debt_krw)
    for statement in carried.order_by("month", "pk"):
        text = "what is carried over is not the debt of the statement before"
        yield Untied("carried", _name(statement), text, statement.carried_krw, statement.debt_krw)
    strange = ~Q(entry__order_line__seller=F("statement__seller")) | ~Q(
        entry__account__in=[Account.SELLER, Account.FEE]
    )
    for row in StatementEntry.objects.filter(strange).select_related("statement__seller", "entry").order_by("pk"):
        yield Untied("owner", _name(row.statement), "an entry of somebody else's stands on it", row.entry.amount_krw, 0)


def _check_payouts() -> Iterator[Untied]:
    wrong = Payout.objects.exclude(amount_krw=F("statement__due_krw")).select_related("statement__seller")
    for payout in wrong.order_by("pk"):
        text = "the payout is not what was due"
        yield Untied("payout", _name(payout.statement), text, payout.amount_krw, payout.statement.due_krw)


def _name(statement: Statement) -> str:
    return f"{statement.seller.name} {statement.month:%Y-%m}"
