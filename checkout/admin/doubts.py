"""Orders whose money is not where it should be in the end: what staff look after."""

from dataclasses import dataclass

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checkout.models import Order, Payment, Refund

PARAMETER = "doubt"


@dataclass(frozen=True)
class Doubt:
    key: str
    name: str | Promise
    condition: Q | Exists


DOUBTS = [
    Doubt("confirming", _("payment being checked"), Q(status=Order.Status.CONFIRMING)),
    Doubt("waiting", _("waiting for deposit"), Q(status=Order.Status.WAITING)),
    Doubt(
        "refund",
        _("refund being checked"),
        Exists(Refund.objects.filter(order=OuterRef("pk"), status=Refund.Status.REQUESTED)),
    ),
    Doubt(
        "returning",
        _("charge being given back"),
        Exists(Payment.objects.filter(order=OuterRef("pk"), status=Payment.Status.RETURNING)),
    ),
]


def orders_in_doubt(orders: QuerySet[Order]) -> QuerySet[Order]:
    condition = Q()
    for doubt in DOUBTS:
        condition |= Q(doubt.condition)
    return orders.filter(condition)


def count_doubts() -> dict[str, int]:
    """How many orders there are for each key of DOUBTS. Three queries, none of them over all orders."""
    of_orders = Order.objects.filter(status__in=[Order.Status.CONFIRMING, Order.Status.WAITING])
    by_status = dict(of_orders.values_list("status").annotate(n=Count("pk")))
    return {
        "confirming": by_status.get(Order.Status.CONFIRMING, 0),
        "waiting": by_status.get(Order.Status.WAITING, 0),
        "refund": Refund.objects.filter(status=Refund.Status.REQUESTED).values("order").distinct().count(),
        "returning": Payment.objects.filter(status=Payment.Status.RETURNING).values("order").distinct().count(),
    }


class DoubtFilter(admin.SimpleListFilter):
    title = _("in doubt")
    parameter_name = PARAMETER

    def lookups(self, request, model_admin):
        return [("any", _("anything in doubt")), *((doubt.key, doubt.name) for doubt in DOUBTS)]

    def queryset(self, request, queryset):
        if self.value() == "any":
            return orders_in_doubt(queryset)
        doubt = next((doubt for doubt in DOUBTS if doubt.key == self.value()), None)
        return queryset.filter(doubt.condition) if doubt else queryset
