"""What the start page of the admin says about applications and about mails to sellers."""

from django import template
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from sellers.admin.standing import WAITS_LONG_AFTER, describe_age, name_application
from sellers.models import SellerApplication, SellerMail

register = template.Library()


@register.simple_tag
def waiting_applications() -> dict:
    """`rows` with `name`, `count` and `url`, and the `oldest` with its `name`, `age` and `url`; None without one.

    Two queries.
    """
    queue, waiting = reverse("admin:sellers_sellerapplication_changelist"), SellerApplication.objects.pending()
    is_long = Q(created_at__lte=timezone.now() - WAITS_LONG_AFTER)
    counts = waiting.aggregate(all=Count("pk"), long=Count("pk", filter=is_long))
    oldest = waiting.oldest_first().first()
    return {
        "rows": [
            {"name": _("waiting for a decision"), "count": counts["all"], "url": queue},
            {"name": _("waiting long"), "count": counts["long"], "url": f"{queue}?age=long"},
        ],
        "oldest": oldest
        and {
            "name": name_application(oldest),
            "age": describe_age(oldest),
            "url": reverse("admin:sellers_sellerapplication_change", args=[oldest.pk]),
        },
    }


@register.simple_tag
def lost_seller_mails() -> list[dict]:
    """One query."""
    mails, failed = reverse("admin:sellers_sellermail_changelist"), SellerMail.Status.FAILED
    count = SellerMail.objects.filter(status=failed).count()
    return [{"name": _("mails to sellers"), "count": count, "url": f"{mails}?status__exact={failed}"}]
