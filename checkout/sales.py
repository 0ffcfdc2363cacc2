"""What a seller sold: views, carts, paid and refunded by day and by prompt. Reads only.

A day is one in Seoul. A line counts as paid on the day of its order's `paid_at` when it was delivered, and as refunded
on the day of the refund's `done_at`, whenever it was sold. So both are what the ledger says: the prices of a seller's
lines are the sums of their entries for seller and platform. A prompt that was free counts as taken, for 0 won.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from heapq import merge
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from catalog.models import Prompt, PromptDay
from checkout.models import OrderLine, Refund, RefundLine
from sellers.models import Seller

RATE_FLOOR = 100  # views; of fewer, a share says nothing: one more sale would change it by a percent


@dataclass(frozen=True)
class Figures:
    """Numbers of things, and whole won. paid_count has those that were free among them."""

    view_count: int = 0
    cart_count: int = 0
    paid_count: int = 0
    paid_krw: int = 0
    refund_count: int = 0
    refund_krw: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.view_count + other.view_count,
            self.cart_count + other.cart_count,
            self.paid_count + other.paid_count,
            self.paid_krw + other.paid_krw,
            self.refund_count + other.refund_count,
            self.refund_krw + other.refund_krw,
        )

    @property
    def net_krw(self) -> int:
        """Before the platform's fee; negative where more was refunded than paid."""
        return self.paid_krw - self.refund_krw

    @property
    def paid_percent(self) -> Decimal | None:
        """Sold of a hundred views, with one decimal, halves up. None where too few looked for it to say anything."""
        if self.view_count < RATE_FLOOR:
            return None
        return Decimal((2_000 * self.paid_count + self.view_count) // (2 * self.view_count)) / 10


ZERO = Figures()


@dataclass(frozen=True)
class DaySales:
    day: date
    figures: Figures


@dataclass(frozen=True)
class PromptSales:
    """state: of its listing, because withdrawn and removed prompts stay in the figures."""

    prompt_id: UUID
    title: str
    state: str
    figures: Figures


@dataclass(frozen=True)
class Sales:
    """days: all of the range, in order. prompts: those with something to say, by title."""

    days: list[DaySales]
    prompts: list[PromptSales]
    total: Figures


def read_sales(*, seller: Seller, first: date, last: date, prompt: Prompt | None = None) -> Sales:
    """The seller's figures from one day to another, both included; of one prompt only where given.

    Four queries, however many lines, days and prompts.
    """
    by_day = {first + timedelta(days=number): ZERO for number in range((last - first).days + 1)}
    by_prompt: dict[UUID, Figures] = {}
    for day, rows in _stream_days(seller=seller, first=first, last=last, prompt=prompt):
        for key, figures in rows.items():
            by_day[day] += figures
            by_prompt[key] = by_prompt.get(key, ZERO) + figures
    named = Prompt.objects.filter(pk__in=list(by_prompt)).order_by("title", "pk")
    return Sales(
        days=[DaySales(day, figures) for day, figures in by_day.items()],
        prompts=[
            PromptSales(key, title, state or "", by_prompt[key])
            for key, title, state in named.values_list("pk", "title", "listing__state")
        ],
        total=sum(by_day.values(), ZERO),
    )


def stream_sales(
    *, seller: Seller, first: date, last: date, prompt: Prompt | None = None
) -> Iterator[tuple[date, str, Figures]]:
    """(day, title, figures) wherever there is something, by day and title. Four queries; holds one day at a time."""
    theirs = Q(listing__seller=seller) | Q(pk__in=OrderLine.objects.filter(seller=seller).values("prompt"))
    titles = dict(Prompt.objects.filter(theirs).values_list("pk", "title"))
    for day, rows in _stream_days(seller=seller, first=first, last=last, prompt=prompt):
        for key in sorted(rows, key=lambda key: (titles[key], key)):
            yield day, titles[key], rows[key]


def has_figures(seller: Seller) -> bool:
    """Whether there has ever been anything to count. Two queries at most."""
    return (
        PromptDay.objects.filter(prompt__listing__seller=seller).exists()
        or OrderLine.objects.filter(seller=seller, entitlement__isnull=False).exists()
    )


class SeoulDate(TruncDate):
    """The day in Seoul of a time that only this site writes.

    SQLite's own function takes a third of the time of the one that reads every form of time, and needs to know only
    that Korea has had no summer time since 1988.
    """

    def as_sqlite(self, compiler, connection):
        sql, params = compiler.compile(self.lhs)
        return f"date({sql}, '+9 hours')", params


def _stream_days(
    *, seller: Seller, first: date, last: date, prompt: Prompt | None
) -> Iterator[tuple[date, dict[UUID, Figures]]]:
    """Figures by prompt for each day with any, in order. Three queries, one for each kind of figures."""
    zone = timezone.get_default_timezone()
    start = datetime.combine(first, time.min, tzinfo=zone)
    end = datetime.combine(last + timedelta(days=1), time.min, tzinfo=zone)
    seen = PromptDay.objects.filter(prompt__listing__seller=seller, day__range=(first, last))
    # What the buyer had already was never delivered: its money goes back without having been the seller's.
    paid = OrderLine.objects.filter(
        seller=seller, entitlement__isnull=False, order__paid_at__gte=start, order__paid_at__lt=end
    )
    refunded = RefundLine.objects.filter(
        order_line__seller=seller,
        order_line__entitlement__isnull=False,
        refund__status=Refund.Status.DONE,
        refund__done_at__gte=start,
        refund__done_at__lt=end,
    )
    if prompt:
        seen, paid = seen.filter(prompt=prompt), paid.filter(prompt=prompt)
        refunded = refunded.filter(order_line__prompt=prompt)
    sources = [
        _stream_sums(
            seen.annotate(on=F("day"), of=F("prompt_id")),
            view_count=Sum("view_count"),
            cart_count=Sum("cart_count"),
        ),
        _stream_sums(
            paid.annotate(on=SeoulDate("order__paid_at", tzinfo=zone), of=F("prompt_id")),
            paid_count=Count("pk"),
            paid_krw=Sum("price_krw"),
        ),
        _stream_sums(
            refunded.annotate(on=SeoulDate("refund__done_at", tzinfo=zone), of=F("order_line__prompt_id")),
            refund_count=Count("pk"),
            refund_krw=Sum("amount_krw"),
        ),
    ]
    for day, group in groupby(merge(*sources, key=itemgetter(0)), key=itemgetter(0)):
        rows: dict[UUID, Figures] = {}
        for _day, key, figures in group:
            rows[key] = rows.get(key, ZERO) + figures
        yield day, rows


def _stream_sums(rows: QuerySet, **sums) -> Iterator[tuple[date, UUID, Figures]]:
    """(day, prompt, figures) in the order of days. rows: with `on` and `of`. sums: by their names in Figures."""
    columns = {f"sum_{name}": expression for name, expression in sums.items()}  # fields may have those names
    grouped = rows.order_by("on").values("on", "of").annotate(**columns)
    for day, key, *values in grouped.values_list("on", "of", *columns).iterator():
        yield day, key, Figures(**dict(zip(sums, values, strict=True)))
