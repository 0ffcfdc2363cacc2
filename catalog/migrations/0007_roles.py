"""What catalogue staff may do; nobody else sees prompts in the admin."""

from django.db import migrations

from marketplace.roles import grant, revoke

PERMISSIONS = {
    "catalogue staff": [
        *("view_prompt", "change_prompt", "read_prompt_text", "view_promptversion"),
        *("view_listing", "change_listing", "view_review", "change_review", "view_report", "change_report"),
    ],
}


def give(apps, schema_editor):
    grant(apps, app_label="catalog", permissions=PERMISSIONS)


def take(apps, schema_editor):
    revoke(apps, app_label="catalog", permissions=PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_hidden_reviews_say_why"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(give, take)]
