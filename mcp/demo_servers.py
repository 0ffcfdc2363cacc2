"""The servers of the demo shop. Nobody has checked them, and they say so."""

from datetime import datetime, timedelta

from catalog.demo_catalogue import DemoFiles, demo_id
from mcp.models import McpServer


def add_servers(*, files: DemoFiles, now: datetime) -> int:
    """Returns how many were made."""
    added = 0
    for number, fields in enumerate(files.servers, 1):
        created_at = now - timedelta(days=7 * number)
        _, is_new = McpServer.objects.get_or_create(
            id=demo_id("server", fields["endpoint"]),
            defaults={**fields, "created_at": created_at, "updated_at": created_at},
        )
        added += is_new
    return added
