"""What the start page of the admin says about servers."""

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from mcp.models import McpServer

register = template.Library()


@register.simple_tag
def servers_down() -> list[dict]:
    """One query."""
    servers, error = reverse("admin:mcp_mcpserver_changelist"), McpServer.Status.ERROR
    count = McpServer.objects.filter(status=error).count()
    return [{"name": _("not working"), "count": count, "url": f"{servers}?status__exact={error}"}]
