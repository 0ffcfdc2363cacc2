"""Catalogue staff keep the registry; support sees whether a server is down."""

from django.db import migrations

from marketplace.roles import grant, revoke

PERMISSIONS = {
    "catalogue staff": ["view_mcpserver", "add_mcpserver", "change_mcpserver"],
    "support": ["view_mcpserver"],
}


def give(apps, schema_editor):
    grant(apps, app_label="mcp", permissions=PERMISSIONS)


def take(apps, schema_editor):
    revoke(apps, app_label="mcp", permissions=PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("mcp", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(give, take)]
