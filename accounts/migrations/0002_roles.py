"""Support finds people; switching accounts off and handing out rights is not theirs."""

from django.db import migrations

from marketplace.roles import grant, revoke

PERMISSIONS = {
    "support": ["view_user", "view_profile"],
}


def give(apps, schema_editor):
    grant(apps, app_label="accounts", permissions=PERMISSIONS)


def take(apps, schema_editor):
    revoke(apps, app_label="accounts", permissions=PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(give, take)]
