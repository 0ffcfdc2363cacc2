"""Rows of `mcp_servers` that were there before the registry had entries are listed, and due for a check."""

from django.db import migrations
from django.utils import timezone

from catalog.tokens import fold
from mcp.registry.slugs import list_slugs


def make_entries(apps, schema_editor):
    entry_model = apps.get_model("mcp", "Entry")
    servers = apps.get_model("mcp", "McpServer").objects.filter(entry__isnull=True).order_by("created_at", "pk")
    now = timezone.now()
    taken = set(entry_model.objects.values_list("slug", flat=True))
    for server in servers.defer("config", "metadata").iterator():
        slug = next(slug for slug in list_slugs(name=server.name, endpoint=server.endpoint) if slug not in taken)
        taken.add(slug)
        entry_model.objects.create(
            server=server,
            slug=slug,
            state="accepted",
            submitted_at=server.created_at or now,
            next_check_at=now,
            search_text=fold(f"{server.name}\n{server.description or ''}"),
        )


class Migration(migrations.Migration):
    dependencies = [("mcp", "0003_registry")]

    operations = [migrations.RunPython(make_entries, migrations.RunPython.noop)]
