"""What the start page of the admin says about servers."""

from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from mcp.models import Entry

register = template.Library()


@register.simple_tag
def servers_down() -> list[dict]:
    """Of what is listed and checked. One query."""
    servers, checked = (
        reverse("admin:mcp_mcpserver_changelist"),
        {"state": "accepted", "mode": "checked", "health": "down"},
    )
    count = Entry.objects.filter(**checked).count()
    query = urlencode({f"entry__{name}__exact": value for name, value in checked.items()})
    return [{"name": _("not working"), "count": count, "url": f"{servers}?{query}"}]
