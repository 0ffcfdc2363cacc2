"""What the start page of the admin says about orders."""

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from checkout.admin.doubts import DOUBTS, PARAMETER, count_doubts
from checkout.models import OrderMail

register = template.Library()


@register.simple_tag
def doubts() -> list[dict]:
    """`name`, `count` and `url` (of the list) of each kind of doubt, and of mails that did not go out. Four queries."""
    orders = reverse("admin:checkout_order_changelist")
    counts = count_doubts()
    found = [
        {"name": doubt.name, "count": counts[doubt.key], "url": f"{orders}?{PARAMETER}={doubt.key}"} for doubt in DOUBTS
    ]
    mails = reverse("admin:checkout_ordermail_changelist")
    lost = OrderMail.objects.filter(status=OrderMail.Status.FAILED).count()
    name = _("mails not sent")
    return [*found, {"name": name, "count": lost, "url": f"{mails}?status__exact={OrderMail.Status.FAILED}"}]
