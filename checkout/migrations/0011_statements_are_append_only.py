"""Let nobody change or delete a statement, what stands on it, or its payout.

As for the ledger in 0006: a migration that makes SQLite build one of these tables anew drops its triggers and must
create them again.
"""

from django.db import migrations

TABLES = {"statements": "a statement", "statement_entries": "an entry of a statement", "payouts": "a payout"}

TRIGGERS = {
    "sqlite": [
        sql
        for table, name in TABLES.items()
        for sql in (
            f"""CREATE TRIGGER {table}_refuse_update BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, '{name} is never changed'); END""",
            f"""CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{name} is never deleted'); END""",
        )
    ],
    "postgresql": [
        """CREATE FUNCTION refuse_statement_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '% is never changed or deleted', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$""",
        *(
            sql
            for table, name in TABLES.items()
            for sql in (
                f"""CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION refuse_statement_change('{name}')""",
                f"""CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_statement_change('{name}')""",
            )
        ),
    ],
}
UNDO = {
    "sqlite": [f"DROP TRIGGER {table}_refuse_{change}" for table in TABLES for change in ("update", "delete")],
    "postgresql": [
        *(f"DROP TRIGGER {table}_refuse_{change} ON {table}" for table in TABLES for change in ("change", "truncate")),
        "DROP FUNCTION refuse_statement_change()",
    ],
}


def create_triggers(apps, schema_editor):
    for sql in TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(sql, params=None)


def drop_triggers(apps, schema_editor):
    for sql in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(sql, params=None)


class Migration(migrations.Migration):
    dependencies = [("checkout", "0010_statements_hold_large_sums")]

    operations = [migrations.RunPython(create_triggers, drop_triggers)]
