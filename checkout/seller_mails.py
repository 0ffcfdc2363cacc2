"""What sellers are told about their money: the first sale, the sales of a day, a payout. Never who bought.

What goes into a mail stands here; `sellers/mails.py` writes and sends it. A mail must not cost anybody their purchase
or their payout: one that cannot be queued is logged, and what it is about happens all the same.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Q
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import formats, timezone, translation

from checkout.answers import SEOUL
from checkout.ledger import split_price
from checkout.models import LedgerEntry, Order, OrderLine, Payout
from checkout.statements import begin_of, entries_of_sellers, month_of, sum_columns
from marketplace import mail_queue
from sellers.mails import queue_seller_mail
from sellers.models import Seller, SellerMail

logger = logging.getLogger(__name__)

DIGEST_DAYS = 7  # a digest that is older than that is nobody's news
DIGEST_AFTER = timedelta(minutes=10)  # midnight: a charge that began before it may still be booked
MOST_PROMPTS = 20  # in one digest; the statement has them all

Kind = SellerMail.Kind


@contextmanager
def _never_in_the_way(about: str) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except Exception:
        logger.exception("mail to a seller was not queued about=%s", about)


def statement_path(month: date) -> str:
    return reverse("studio:statement_detail", args=[f"{month:%Y-%m}"])


def format_day(day: date, language: str) -> str:
    with translation.override(language):
        return formats.date_format(day, "DATE_FORMAT")


def format_month(month: date, language: str) -> str:
    with translation.override(language):
        return formats.date_format(month, "YEAR_MONTH_FORMAT")


# --- The first sale


def queue_first_sales(*, order: Order, lines: Iterable[OrderLine], now: datetime) -> None:
    """Tell each seller of these delivered lines who never sold anything before. Belongs into the delivery.

    What costs nothing is no sale. Two first sales at once queue one mail, because a seller has one key.
    """
    if mail_queue.is_muted():
        return
    with _never_in_the_way(order.number):
        by_seller = {}
        for line in sorted(
            lines, key=lambda line: (str(line.seller_id), line.position)
        ):  # so that no two wait in a circle
            if line.seller_id and line.price_krw:
                by_seller.setdefault(line.seller_id, []).append(line)
        keys = {seller_id: f"{Kind.FIRST_SALE}:{seller_id.hex}" for seller_id in by_seller}
        told = set(SellerMail.objects.filter(key__in=keys.values()).values_list("key", flat=True))
        for seller_id, sold in by_seller.items():
            if keys[seller_id] not in told and not _has_sold_before(seller_id, order):
                seller = Seller.objects.select_related("user").get(pk=seller_id)
                context = _describe_first_sale(sold, now=now)
                queue_seller_mail(kind=Kind.FIRST_SALE, key=keys[seller_id], seller=seller, context=context, now=now)


def _has_sold_before(seller_id, order: Order) -> bool:
    delivered = OrderLine.objects.filter(seller=seller_id, price_krw__gt=0, order__status__in=Order.DELIVERED)
    return delivered.exclude(order=order).exists()


def _describe_first_sale(lines: list[OrderLine], *, now: datetime) -> dict:
    fees_krw = [split_price(price_krw=line.price_krw, fee_bp=line.fee_bp)[0] for line in lines]
    price_krw = sum(line.price_krw for line in lines)
    return {
        "title": lines[0].title,
        "titles": [line.title for line in lines],
        "price_krw": price_krw,
        "less_fee_krw": -sum(fees_krw),
        "share_krw": price_krw - sum(fees_krw),
        "path": statement_path(month_of(now)),
    }


# --- The digest of a day


@dataclass
class Digest:
    """What one seller sold and gave back on one day in Seoul, in whole won."""

    seller_id: object
    day: date
    sales_krw: int = 0
    refunds_krw: int = 0
    fee_krw: int = 0
    prompts: list[dict] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{Kind.SALES_DIGEST}:{self.seller_id.hex}:{self.day}"

    @property
    def share_krw(self) -> int:
        return self.sales_krw - self.refunds_krw - self.fee_krw

    def describe(self, language: str) -> dict:
        return {
            "day": format_day(self.day, language),
            "sales_krw": self.sales_krw,
            "refunds_krw": self.refunds_krw,
            "less_fee_krw": -self.fee_krw,
            "share_krw": self.share_krw,
            "sold_count": sum(row["sold_count"] for row in self.prompts),
            "refunded_count": sum(row["refunded_count"] for row in self.prompts),
            "prompts": self.prompts[:MOST_PROMPTS],
            "more_count": max(len(self.prompts) - MOST_PROMPTS, 0),
            "path": statement_path(self.day.replace(day=1)),
        }


def find_missing_digests(*, now: datetime) -> list[Digest]:
    """Of the last seven days that are over in Seoul: what was booked for a seller and not told. Two queries.

    What is booked into a day after its digest is queued stands on the statement alone.
    """
    today = timezone.localdate(now - DIGEST_AFTER, SEOUL)
    begin, end = begin_of(today - timedelta(days=DIGEST_DAYS)), begin_of(today)
    is_sale, is_refund = Q(kind=LedgerEntry.Kind.CHARGE), Q(kind=LedgerEntry.Kind.REFUND)
    rows = (
        entries_of_sellers()
        .filter(booked_at__gte=begin, booked_at__lt=end)
        .values("order_line__seller", "order_line__prompt", day=TruncDate("booked_at", tzinfo=SEOUL))
        .annotate(
            **sum_columns(),
            title=Max("order_line__title"),
            sold_count=Count("order_line", distinct=True, filter=is_sale),
            refunded_count=Count("order_line", distinct=True, filter=is_refund),
        )
    )
    digests = {}
    for row in rows.order_by("day", "order_line__seller", "-sold_count", "title", "order_line__prompt"):
        seller_id, day = row["order_line__seller"], row["day"]
        digest = digests.setdefault((seller_id, day), Digest(seller_id, day))
        for name in ("sales_krw", "refunds_krw", "fee_krw"):
            setattr(digest, name, getattr(digest, name) + row[name])
        share_krw = row["sales_krw"] - row["refunds_krw"] - row["fee_krw"]
        names = ("title", "sold_count", "refunded_count")
        digest.prompts.append({name: row[name] for name in names} | {"share_krw": share_krw})
    queued = SellerMail.objects.filter(kind=Kind.SALES_DIGEST, queued_at__gte=begin)
    told = set(queued.values_list("key", flat=True))
    return [digest for digest in digests.values() if digest.key not in told]


def queue_digests(*, digests: list[Digest], now: datetime) -> int:
    """Queue one mail for each; the number that was. Nobody is written to who has no account any more."""
    sellers = Seller.objects.select_related("user").in_bulk({digest.seller_id for digest in digests})
    count = 0
    for digest in digests:
        seller = sellers[digest.seller_id]
        with _never_in_the_way(digest.key):
            context = digest.describe(seller.language)
            mail = queue_seller_mail(kind=Kind.SALES_DIGEST, key=digest.key, seller=seller, context=context, now=now)
            count += mail is not None
    return count


# --- A payout


def queue_payout_mail(*, payout: Payout, now: datetime) -> None:
    """Tell the seller that the bank was told to pay. Belongs into the transaction that records it."""
    statement = payout.statement
    with _never_in_the_way(f"payout {payout.pk}"):
        seller = Seller.objects.select_related("user").get(pk=statement.seller_id)
        context = {
            "amount_krw": payout.amount_krw,
            "month": format_month(statement.month, seller.language),
            "paid_on": format_day(payout.paid_on, seller.language),
            "bank_reference": payout.bank_reference,
            "path": statement_path(statement.month),
        }
        queue_seller_mail(
            kind=Kind.PAYOUT, key=f"{Kind.PAYOUT}:{payout.pk.hex}", seller=seller, context=context, now=now
        )
