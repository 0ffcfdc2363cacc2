"""What each role of staff may do with applications, sellers and their mails."""

from django.db import migrations

from marketplace.roles import grant, revoke

PERMISSIONS = {
    "waitlist staff": ["view_sellerapplication", "change_sellerapplication"],
    "catalogue staff": ["view_seller", "change_seller", "view_sellerbusiness"],
    "support": ["view_sellermail"],
    "finance": ["view_seller", "view_sellerbusiness"],
}


def give(apps, schema_editor):
    grant(apps, app_label="sellers", permissions=PERMISSIONS)


def take(apps, schema_editor):
    revoke(apps, app_label="sellers", permissions=PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("sellers", "0002_applications_and_mails"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(give, take)]
