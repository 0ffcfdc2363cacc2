"""What the start page of the admin says about orders."""

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from checkout.admin.doubts import DOUBTS, PARAMETER, count_doubts
from checkout.models import OrderMail

register = template.Library()


@register.simple_tag
def doubts() -> list[dict]:
    """`name`, `count` and `url` (of the list) of each kind of doubt. Three queries."""
    orders = reverse("admin:checkout_order_changelist")
    counts = count_doubts()
    return [
        {"name": doubt.name, "count": counts[doubt.key], "url": f"{orders}?{PARAMETER}={doubt.key}"} for doubt in DOUBTS
    ]


@register.simple_tag
def lost_order_mails() -> list[dict]:
    """One query."""
    mails, failed = reverse("admin:checkout_ordermail_changelist"), OrderMail.Status.FAILED
    count = OrderMail.objects.filter(status=failed).count()
    return [{"name": _("mails to buyers"), "count": count, "url": f"{mails}?status__exact={failed}"}]
