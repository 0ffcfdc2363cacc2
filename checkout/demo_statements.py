"""Statements of the demo shop for its finished months, and payouts of all but the newest."""

from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import User
from checkout.models import Statement
from checkout.payouts import record_payout
from checkout.statements import build_finished_months, next_month

PAID_AFTER = timedelta(days=9)  # counted from the first day of the next month


def add_statements(*, staff: User, now: datetime) -> int:
    """How many were built. The first seller by name waits for the newest payout, so that finance has one to record."""
    count = sum(built.statement_count for built in build_finished_months(now=now))
    if not count:
        return 0
    due = Statement.objects.filter(payout__isnull=True, due_krw__gt=0).select_related("seller")
    newest = due.order_by("-month", "seller__name", "pk").first()
    for statement in due.exclude(pk=newest and newest.pk).order_by("month", "seller__name", "pk"):
        paid_on = min(next_month(statement.month) + PAID_AFTER, timezone.localdate(now))
        record_payout(
            statement=statement,
            bank_reference=f"DEMO-{statement.month:%y%m}-{statement.seller.slug}",
            paid_on=paid_on,
            staff=staff,
            now=now,
        )
    return count
