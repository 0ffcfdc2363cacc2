"""Catalogue staff keep the registry; support sees it, its checks and its tools."""

from django.db import migrations

from marketplace.roles import grant, revoke

PERMISSIONS = {
    "catalogue staff": ["view_entry", "change_entry", "view_healthcheck", "view_tool"],
    "support": ["view_entry", "view_healthcheck", "view_tool"],
}


def give(apps, schema_editor):
    grant(apps, app_label="mcp", permissions=PERMISSIONS)


def take(apps, schema_editor):
    revoke(apps, app_label="mcp", permissions=PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [("mcp", "0004_entries")]

    operations = [migrations.RunPython(give, take)]
