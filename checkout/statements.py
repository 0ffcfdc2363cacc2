"""What the shop owes its sellers, month by month in Seoul: put together from the ledger, once, and never changed.

An entry of the ledger that is a seller's (their share of a line, or the fee of it) stands on exactly one statement: on
that of the month it was booked in, or, when that one was built already, on the seller's next. `docs/statements.md` has
the whole picture.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout.answers import SEOUL
from checkout.models import LedgerEntry, Statement, StatementEntry
from sellers.models import Seller

logger = logging.getLogger(__name__)

BATCH_SIZE = 1_000

Account, Kind = LedgerEntry.Account, LedgerEntry.Kind


class StatementsRefused(Exception):
    """The message is written for whoever asked for the statements."""


# --- Months


def month_of(moment: datetime) -> date:
    """The first day of its month in Seoul."""
    return timezone.localdate(moment, SEOUL).replace(day=1)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def begin_of(month: date) -> datetime:
    """Its first moment in Seoul, as aware UTC."""
    return datetime.combine(month, time(), tzinfo=SEOUL).astimezone(UTC)


def read_month(text: str) -> date | None:
    """The first day of a month written as `2026-11`; None for anything else."""
    if not re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", text, re.ASCII):
        return None
    return date.fromisoformat(f"{text}-01")


# --- What is on no statement yet


@dataclass(frozen=True)
class Draft:
    """What a seller's statement would say if it were built now. The sums are those of `Statement`, in whole won.

    begins_at: None for a seller's next statement, because that takes in whatever came late.
    """

    seller_id: object
    month: date
    begins_at: datetime | None
    sales_krw: int
    refunds_krw: int
    fee_krw: int
    carried_krw: int
    entry_count: int

    @property
    def payable_krw(self) -> int:
        return self.sales_krw - self.refunds_krw - self.fee_krw

    @property
    def due_krw(self) -> int:
        return self.payable_krw + self.carried_krw


def draft_statements(*, before: date, seller: Seller | None = None) -> list[Draft]:
    """The statements of months before `before` (a first day) that are still to be built, oldest first. Two queries.

    This is the rule for what goes on which statement; `build_statements` does what it says. A seller for whom nothing
    was booked gets no statement: a debt waits for their next one.
    """
    by_seller = {}
    last = {row.seller_id: row for row in _last_statements(seller)}
    for row in _sum_unstated(before=before, seller=seller):
        seller_id = row["order_line__seller"]
        month = row["month"].date()
        if seller_id in last:
            month = max(month, next_month(last[seller_id].month))
        if month < before:
            _add(by_seller.setdefault(seller_id, {}).setdefault(month, dict.fromkeys(SUMS, 0)), row)
    drafts = []
    for seller_id, months in by_seller.items():
        due_krw = last[seller_id].due_krw if seller_id in last else 0
        begins_at = None
        for month, sums in sorted(months.items()):
            draft = Draft(seller_id, month, begins_at, carried_krw=min(due_krw, 0), **sums)
            drafts.append(draft)
            due_krw, begins_at = draft.due_krw, begin_of(next_month(month))
    return sorted(drafts, key=lambda draft: (draft.month, str(draft.seller_id)))


SUMS = ("sales_krw", "refunds_krw", "fee_krw", "entry_count")


def entries_of_sellers() -> QuerySet[LedgerEntry]:
    """What sellers got or gave back, and the fees of it. A fee names its seller by its line alone."""
    return LedgerEntry.objects.filter(account__in=[Account.SELLER, Account.FEE], order_line__seller__isnull=False)


def unstated_entries(*, before: date) -> QuerySet[LedgerEntry]:
    return entries_of_sellers().filter(statement_entry__isnull=True, booked_at__lt=begin_of(before))


def sum_columns(entry: str = "") -> dict:
    """The sums of a statement over ledger entries, for `aggregate` and `annotate`.

    What an account gives is negative in the ledger, so a sale is the other way round. Both accounts together are the
    price of a line. entry: the way to the entries, such as `entries__entry__`.
    """
    amount_krw = F(f"{entry}amount_krw")
    return {
        "sales_krw": Coalesce(Sum(0 - amount_krw, filter=Q(**{f"{entry}kind": Kind.CHARGE})), 0),
        "refunds_krw": Coalesce(Sum(amount_krw, filter=Q(**{f"{entry}kind": Kind.REFUND})), 0),
        "fee_krw": Coalesce(Sum(0 - amount_krw, filter=Q(**{f"{entry}account": Account.FEE})), 0),
        "entry_count": Count(f"{entry}pk"),
    }


def _sum_unstated(*, before: date, seller: Seller | None) -> QuerySet:
    entries = unstated_entries(before=before)
    if seller:
        entries = entries.filter(order_line__seller=seller)
    by_month = entries.values("order_line__seller", month=TruncMonth("booked_at", tzinfo=SEOUL))
    return by_month.annotate(**sum_columns()).order_by()


def _last_statements(seller: Seller | None) -> QuerySet[Statement]:
    statements = Statement.objects.filter(seller=seller) if seller else Statement.objects.all()
    later = Statement.objects.filter(seller=OuterRef("seller"), month__gt=OuterRef("month"))
    return statements.exclude(Exists(later))


def _add(sums: dict, row: dict) -> None:
    for name in SUMS:
        sums[name] += row[name]


# --- Building


@dataclass(frozen=True)
class Built:
    """What was built for one month. due_krw: what is to be paid out, debts left aside."""

    month: date
    statement_count: int = 0
    entry_count: int = 0
    payable_krw: int = 0
    due_krw: int = 0

    def add(self, *, entry_count: int, payable_krw: int, due_krw: int) -> "Built":
        return Built(
            self.month,
            self.statement_count + 1,
            self.entry_count + entry_count,
            self.payable_krw + payable_krw,
            self.due_krw + max(due_krw, 0),
        )


def build_statements(*, month: date, now: datetime, on_progress: Callable[[], None] = lambda: None) -> Built:
    """The statement of a finished month for every seller for whom something is on no statement yet.

    month: its first day. Each seller is a transaction, and a second call, also at the same time, builds nothing more.
    on_progress: called after each seller.
    Raises StatementsRefused for a month that is not over, and while an earlier one is to be built.
    """
    if month >= month_of(now):
        raise StatementsRefused(_("%(month)s is not over in Seoul.") % {"month": f"{month:%Y-%m}"})
    drafts = draft_statements(before=next_month(month))
    if drafts and drafts[0].month < month:
        earlier = {"month": f"{month:%Y-%m}", "earlier": f"{drafts[0].month:%Y-%m}"}
        raise StatementsRefused(_("Before %(month)s the statements of %(earlier)s are to be built.") % earlier)
    return _build_month(month, drafts, now=now, on_progress=on_progress)


def build_finished_months(*, now: datetime, on_progress: Callable[[], None] = lambda: None) -> list[Built]:
    """Every finished month of which something is on no statement yet, oldest first."""
    built, before = [], None
    while drafts := draft_statements(before=month_of(now)):
        month = drafts[0].month
        if drafts == before:  # neither this run nor another one got on: looking again would never end
            raise RuntimeError(f"the statements of {month:%Y-%m} cannot be built")
        before = drafts
        built.append(_build_month(month, drafts, now=now, on_progress=on_progress))
    return built


def foresee_statements(*, drafts: list[Draft]) -> list[Built]:
    """What building them would come to, month by month."""
    built = {}
    for draft in drafts:
        before = built.get(draft.month, Built(draft.month))
        built[draft.month] = before.add(
            entry_count=draft.entry_count, payable_krw=draft.payable_krw, due_krw=draft.due_krw
        )
    return list(built.values())


def _build_month(month: date, drafts: list[Draft], *, now: datetime, on_progress: Callable[[], None]) -> Built:
    built = Built(month)
    for draft in drafts:
        if draft.month != month:
            continue
        statement, entry_count = _build_statement(seller_id=draft.seller_id, month=month, now=now)
        if statement:
            built = built.add(entry_count=entry_count, payable_krw=statement.payable_krw, due_krw=statement.due_krw)
        on_progress()
    if built.statement_count:
        logger.info("statements built month=%s count=%d", f"{month:%Y-%m}", built.statement_count)
    return built


def _build_statement(*, seller_id, month: date, now: datetime) -> tuple[Statement | None, int]:
    """The statement, and of how many entries; None when another run was faster.

    The seller's row is locked, so of two runs the second sees what the first has built; that no entry stands on two
    statements, and no seller has two for one month, the database holds besides.
    """
    with transaction.atomic():
        Seller.objects.select_for_update(no_key=True).filter(pk=seller_id).values("pk").first()
        last = Statement.objects.filter(seller=seller_id).order_by("-month").first()
        if last and last.month >= month:
            return None, 0
        mine = unstated_entries(before=next_month(month)).filter(order_line__seller=seller_id)
        entries = list(mine.only("account", "kind", "amount_krw"))
        if not entries:
            return None, 0
        sums = _sum_entries(entries)
        payable_krw = sums["sales_krw"] - sums["refunds_krw"] - sums["fee_krw"]
        carried_krw = min(last.due_krw, 0) if last else 0
        statement = Statement.objects.create(
            seller_id=seller_id,
            month=month,
            **sums,
            payable_krw=payable_krw,
            carried_krw=carried_krw,
            due_krw=payable_krw + carried_krw,
            built_at=now,
        )
        StatementEntry.objects.bulk_create(
            (StatementEntry(statement=statement, entry=entry) for entry in entries), batch_size=BATCH_SIZE
        )
    return statement, len(entries)


def _sum_entries(entries: list[LedgerEntry]) -> dict[str, int]:
    """The same as `sum_columns`, over just the rows that go on the statement: another booking may come in between."""
    return {
        "sales_krw": -sum(entry.amount_krw for entry in entries if entry.kind == Kind.CHARGE),
        "refunds_krw": sum(entry.amount_krw for entry in entries if entry.kind == Kind.REFUND),
        "fee_krw": -sum(entry.amount_krw for entry in entries if entry.account == Account.FEE),
    }


# --- What stands on one


def entries_on(account: Statement | Draft) -> QuerySet[LedgerEntry]:
    if isinstance(account, Statement):
        return LedgerEntry.objects.filter(statement_entry__statement=account)
    entries = unstated_entries(before=next_month(account.month)).filter(order_line__seller=account.seller_id)
    return entries.filter(booked_at__gte=account.begins_at) if account.begins_at else entries


def list_lines(account: Statement | Draft) -> QuerySet:
    """A row for each sale and each refund, oldest first, as dicts; those of a refund are negative, in whole won.

    title, fee_bp: as they were when it was ordered. share_krw: what is the seller's.
    """
    given_krw = 0 - F("amount_krw")
    rows = entries_on(account).values(
        "booked_at", "booking", "kind", "order_line_id", title=F("order_line__title"), fee_bp=F("order_line__fee_bp")
    )
    return rows.annotate(
        price_krw=Sum(given_krw),
        fee_krw=Coalesce(Sum(given_krw, filter=Q(account=Account.FEE)), 0),
        share_krw=Coalesce(Sum(given_krw, filter=Q(account=Account.SELLER)), 0),
    ).order_by("booked_at", "booking", "order_line_id")


def list_fees(account: Statement | Draft) -> list[int]:
    """The different fees of its lines in basis points, ascending."""
    fees = entries_on(account).order_by("order_line__fee_bp").values_list("order_line__fee_bp", flat=True)
    return list(fees.distinct())
