"""Book what was paid before there was a ledger, then let nobody change or delete an entry.

A migration that makes SQLite build the table anew drops its triggers and must create them again: `TRIGGERS`.
"""

import uuid

from django.db import migrations

TRIGGERS = {
    "sqlite": [
        """CREATE TRIGGER ledger_entries_refuse_update BEFORE UPDATE ON ledger_entries
        BEGIN SELECT RAISE(ABORT, 'a ledger entry is never changed'); END""",
        """CREATE TRIGGER ledger_entries_refuse_delete BEFORE DELETE ON ledger_entries
        BEGIN SELECT RAISE(ABORT, 'a ledger entry is never deleted'); END""",
    ],
    "postgresql": [
        """CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'a ledger entry is never changed or deleted' USING ERRCODE = 'restrict_violation'; END $$""",
        """CREATE TRIGGER ledger_entries_refuse_change BEFORE UPDATE OR DELETE ON ledger_entries
        FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change()""",
        """CREATE TRIGGER ledger_entries_refuse_truncate BEFORE TRUNCATE ON ledger_entries
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()""",
    ],
}
UNDO = {
    "sqlite": ["DROP TRIGGER ledger_entries_refuse_update", "DROP TRIGGER ledger_entries_refuse_delete"],
    "postgresql": [
        "DROP TRIGGER ledger_entries_refuse_change ON ledger_entries",
        "DROP TRIGGER ledger_entries_refuse_truncate ON ledger_entries",
        "DROP FUNCTION refuse_ledger_change()",
    ],
}


def book_the_past(apps, schema_editor):
    """No fee was agreed before: the whole price is the seller's, or the house's own where there is no seller."""
    Payment = apps.get_model("checkout", "Payment")
    LedgerEntry = apps.get_model("checkout", "LedgerEntry")
    RefundLine = apps.get_model("checkout", "RefundLine")
    for payment in Payment.objects.filter(status="paid").select_related("order").iterator():
        refund_lines = RefundLine.objects.filter(refund__payment=payment, is_live=True).select_related("refund")
        refunds = {row.order_line_id: row.refund for row in refund_lines}
        booking = uuid.uuid4()

        def add(kind, account, amount_krw, key, at, booking, payment=payment, **fields):
            LedgerEntry.objects.create(
                kind=kind, account=account, amount_krw=amount_krw, entry_key=key, booked_at=at, booking=booking,
                order=payment.order, payment=payment, **fields,
            )  # fmt: skip

        add("charge", "provider", payment.amount_krw, f"charge:{payment.pk}:provider", payment.approved_at, booking)
        lines = list(payment.order.lines.filter(price_krw__gt=0))
        for line in lines:
            refund = refunds.get(line.pk)
            account = "seller" if line.seller_id else "house"
            if refund and refund.reason == "bought_twice":
                account = "buyer"
            seller = line.seller if account == "seller" else None
            add("charge", account, -line.price_krw, f"charge:{payment.pk}:{account}:{line.pk}", payment.approved_at,
                booking, order_line=line, seller=seller)  # fmt: skip
            if refund and refund.status == "done":
                back = uuid.uuid4()
                add("refund", "provider", -line.price_krw, f"refund:{refund.pk}:provider", refund.done_at, back,
                    refund=refund)  # fmt: skip
                add("refund", account, line.price_krw, f"refund:{refund.pk}:{account}:{line.pk}", refund.done_at, back,
                    refund=refund, order_line=line, seller=seller)  # fmt: skip


def create_triggers(apps, schema_editor):
    for sql in TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(sql)


def drop_triggers(apps, schema_editor):
    for sql in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("checkout", "0005_tighten_and_ledger")]

    operations = [
        migrations.RunPython(book_the_past, migrations.RunPython.noop),
        migrations.RunPython(create_triggers, drop_triggers),
    ]
