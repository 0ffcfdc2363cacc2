"""The books: what a charge and a refund mean for whom. Every booking adds up to zero."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Sum

from checkout.models import LedgerEntry, OrderLine, Payment, Refund

Account, Kind = LedgerEntry.Account, LedgerEntry.Kind


def split_price(*, price_krw: int, fee_bp: int) -> tuple[int, int]:
    """(fee, what is left for the seller) in whole won. The fee rounds down; both add up to the price."""
    fee_krw = price_krw * fee_bp // 10_000
    return fee_krw, price_krw - fee_krw


def book_charge(
    *, payment: Payment, lines: Iterable[OrderLine], undelivered: Iterable[OrderLine], now: datetime
) -> None:
    """What the provider collected for an order, shared out. Belongs into the transaction that delivers it.

    lines: delivered ones; their price goes to the seller and the platform, or to the house where there is no seller.
    undelivered: ones the buyer had already; their price is owed to the buyer. A second call is refused by the database.
    """
    shares = []
    for line in lines:
        if line.seller_id is None:
            shares.append((Account.HOUSE, line.price_krw, line))
            continue
        fee_krw, seller_krw = split_price(price_krw=line.price_krw, fee_bp=line.fee_bp)
        shares += [(Account.SELLER, seller_krw, line), (Account.FEE, fee_krw, line)]
    shares += [(Account.BUYER, line.price_krw, line) for line in undelivered]
    _book(kind=Kind.CHARGE, payment=payment, total_krw=payment.amount_krw, shares=shares, now=now)


def book_undelivered_charge(*, payment: Payment, amount_krw: int, now: datetime) -> None:
    """A charge for which nothing can be delivered: all of it is owed to the buyer."""
    shares = [(Account.BUYER, amount_krw, None)]
    _book(kind=Kind.CHARGE, payment=payment, total_krw=amount_krw, shares=shares, now=now)


def book_refund(*, refund: Refund, now: datetime) -> None:
    """The charge of the refunded lines the other way round; for a refund without lines, of all that was charged."""
    charged = LedgerEntry.objects.filter(payment=refund.payment_id, kind=Kind.CHARGE).exclude(account=Account.PROVIDER)
    line_ids = list(refund.lines.values_list("order_line_id", flat=True))
    if line_ids:
        charged = charged.filter(order_line__in=line_ids)
    shares = [(entry.account, entry.amount_krw, entry.order_line) for entry in charged.select_related("order_line")]
    _book(kind=Kind.REFUND, payment=refund.payment, total_krw=-refund.amount_krw, shares=shares, now=now, refund=refund)


def _book(*, kind: str, payment: Payment, total_krw: int, shares: list, now: datetime, refund: Refund | None = None):
    """shares: (account, whole won that it is given, line). The provider's account takes `total_krw`."""
    if total_krw != sum(amount_krw for _, amount_krw, _ in shares):
        raise ValueError(f"{kind} of payment {payment.pk} does not add up")
    booking = uuid.uuid4()
    name = f"refund:{refund.pk}" if refund else f"charge:{payment.pk}"
    entries = [(Account.PROVIDER, total_krw, None), *((account, -krw, line) for account, krw, line in shares)]
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            booking=booking,
            entry_key=f"{name}:{account}:{line.pk}" if line else f"{name}:{account}",
            kind=kind,
            account=account,
            amount_krw=amount_krw,
            order_id=payment.order_id,
            order_line=line,
            payment=payment,
            refund=refund,
            seller_id=line.seller_id if account == Account.SELLER else None,
            booked_at=now,
        )
        for account, amount_krw, line in entries
        if amount_krw
    )


def find_unbalanced_order_ids() -> list:
    """Orders whose entries do not add up to zero; always none, or something is badly wrong. One query."""
    sums = LedgerEntry.objects.values("order_id").annotate(sum_krw=Sum("amount_krw")).exclude(sum_krw=0)
    return [row["order_id"] for row in sums]
