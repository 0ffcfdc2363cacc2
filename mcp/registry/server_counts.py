"""What the first page says of the registry in one line."""

from datetime import datetime

from django.db.models import Count, Expression, Max, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from mcp.models import Entry
from mcp.states import stale_before


def make_server_counts(*, now: datetime) -> dict[str, Expression]:
    """Expressions that ride on another query: `total_count`, `working_count` and `checked_at` of what visitors may see.

    Working is what a check saw working that is not too old to be believed.
    """
    limit = stale_before(now)
    working = Q(health__in=[Entry.Health.WORKING, Entry.Health.SLOW], server__last_health_check__gte=limit)
    working &= Q(limited_since__isnull=True) | Q(limited_since__gte=limit)
    entries = Entry.objects.public().order_by().annotate(one=Value(1)).values("one")
    return {
        "total_count": _count(entries),
        "working_count": _count(entries.exclude(mode=Entry.Mode.OFF).filter(working)),
        "checked_at": Subquery(entries.annotate(last=Max("server__last_health_check")).values("last")),
    }


def _count(entries: QuerySet) -> Expression:
    return Coalesce(Subquery(entries.annotate(n=Count("pk")).values("n")), 0)
