"""What support and finance may see and do. `change_order` and `change_refund` allow the acts: nobody edits a row."""

from django.db import migrations

from marketplace.roles import grant, revoke

PERMISSIONS = {
    "support": [
        *("view_order", "change_order", "view_orderline", "view_orderconsent", "view_ordermail"),
        *("view_payment", "view_paymentevent", "view_refund", "change_refund", "view_refundline"),
        *("view_purchase", "view_entitlement", "view_accessevent"),
    ],
    "finance": [
        *("view_order", "view_orderline", "view_payment", "view_refund", "view_refundline"),
        *("view_ledgerentry", "view_statement", "view_statemententry", "view_payout", "add_payout"),
    ],
}


def give(apps, schema_editor):
    grant(apps, app_label="checkout", permissions=PERMISSIONS)


def take(apps, schema_editor):
    revoke(apps, app_label="checkout", permissions=PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("checkout", "0008_statements"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(give, take)]
