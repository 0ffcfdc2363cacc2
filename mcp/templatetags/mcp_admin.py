"""What the start page of the admin says about servers."""

from urllib.parse import urlencode

from django import template
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from mcp.models import Entry

register = template.Library()


@register.simple_tag
def servers_down() -> list[dict]:
    """What is submitted and waits, and what is down of what is listed and checked. One query."""
    waiting, down = {"state": "submitted"}, {"state": "accepted", "mode": "checked", "health": "down"}
    counts = Entry.objects.aggregate(waiting=Count("pk", filter=Q(**waiting)), down=Count("pk", filter=Q(**down)))
    return [
        {"name": _("waiting for a decision"), "count": counts["waiting"], "url": _list_address(waiting)},
        {"name": _("not working"), "count": counts["down"], "url": _list_address(down)},
    ]


def _list_address(filters: dict[str, str]) -> str:
    query = urlencode({f"entry__{name}__exact": value for name, value in filters.items()})
    return f"{reverse('admin:mcp_mcpserver_changelist')}?{query}"
