"""What the start page of the admin says about reports."""

from django import template
from django.db.models import Count, Min
from django.urls import reverse
from django.utils.translation import gettext as _

from catalog.models import Report

register = template.Library()


@register.simple_tag
def waiting_reports() -> dict:
    """`rows` with `name`, `count` and `url`, and when the `oldest` came. One query."""
    reports = reverse("admin:catalog_report_changelist")  # which shows what waits unless asked for others
    waiting = Report.objects.filter(handled_at__isnull=True)
    found = waiting.aggregate(prompts=Count("prompt"), reviews=Count("review"), oldest=Min("created_at"))
    return {
        "rows": [
            {"name": _("prompts"), "count": found["prompts"], "url": f"{reports}?about=prompt"},
            {"name": _("reviews"), "count": found["reviews"], "url": f"{reports}?about=review"},
        ],
        "oldest": found["oldest"],
    }
