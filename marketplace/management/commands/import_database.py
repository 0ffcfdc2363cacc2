import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone
from tqdm import tqdm

from accounts.takeover import read_users, take_profiles, take_users
from catalog.takeover import take_prompts
from checkout.takeover import take_carts, take_purchases
from marketplace.takeover import TABLES, OldDatabase, Report, SourceUnreadable, note_other_tables
from mcp.takeover import take_servers
from sellers.takeover import take_applications

MISUSE = 2


class Command(BaseCommand):
    help = """Take over a database that another program made after the schema document: profiles, prompts, carts,
purchases, seller_waitlist and mcp_servers. Every id stays what it is, what is there already is left as it is, and what
could not be taken is reported. The old file is only read. All happens in one transaction.

The document has no table of users: --users gives their addresses. People with one set a password through the reset
mail; the others keep what they bought in an inactive account until the command is run again with their address.

examples:
  manage.py import_database old/prompt_management.db --dry-run
  manage.py import_database old/prompt_management.db --users users.csv --json > report.json

exit status: 0 all taken or there already, 1 something could not be taken, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("database", type=Path, metavar="OLD.db")
        parser.add_argument("--users", type=Path, metavar="CSV", help="columns id and email")
        parser.add_argument("--dry-run", action="store_true", help="do all of it and keep nothing")
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")

    def handle(self, *args, **options):
        started = time.monotonic()
        self.refuse_own_file(options["database"])
        report = Report()
        try:
            with OldDatabase(options["database"]) as source:
                emails = read_users(path=options["users"], report=report) if options["users"] else {}
                total = sum(source.count(table) for table in TABLES)
                with tqdm(total=total, unit=" rows", leave=False, disable=None) as bar, transaction.atomic():
                    self.take(source, emails, report, on_progress=bar.update)
                    if options["dry_run"]:
                        transaction.set_rollback(True)
        except SourceUnreadable as error:
            raise CommandError(str(error), returncode=MISUSE) from error
        seconds = round(time.monotonic() - started, 1)
        if options["json"]:
            self.print_json(report, is_dry_run=options["dry_run"], seconds=seconds)
        else:
            self.print_lines(report, is_dry_run=options["dry_run"], seconds=seconds)
        if report.refusals:
            raise CommandError(f"{len(report.refusals)} rows or values could not be taken", returncode=1)

    def refuse_own_file(self, path: Path) -> None:
        own = connection.settings_dict["NAME"]
        if connection.vendor == "sqlite" and path.exists() and Path(own).exists() and path.samefile(own):
            raise CommandError(f"{path} is the database of this site itself", returncode=MISUSE)

    def take(self, source: OldDatabase, emails: dict, report: Report, *, on_progress) -> None:
        now = timezone.now()
        take_users(source=source, emails=emails, report=report, now=now)
        take_profiles(source=source, report=report, on_progress=on_progress)
        take_prompts(source=source, report=report, now=now, on_progress=on_progress)
        take_carts(source=source, report=report, now=now, on_progress=on_progress)
        take_purchases(source=source, report=report, now=now, on_progress=on_progress)
        take_applications(source=source, report=report, now=now, on_progress=on_progress)
        take_servers(source=source, report=report, now=now, on_progress=on_progress)
        note_other_tables(source=source, report=report)

    def print_json(self, report: Report, *, is_dry_run: bool, seconds: float) -> None:
        content = {
            "taken": dict(report.taken),
            "there_already": dict(report.there_already),
            "refused": [asdict(refusal) for refusal in report.refusals],
            "notes": [asdict(note) for note in report.notes],
            "dry_run": is_dry_run,
            "seconds": seconds,
        }
        self.stdout.write(json.dumps(content, ensure_ascii=False, indent=2))

    def print_lines(self, report: Report, *, is_dry_run: bool, seconds: float) -> None:
        for note in report.notes:
            where = f"{note.table}.{note.column}" if note.column else note.table
            rows = f" ({note.count}: {'; '.join(note.examples)}{'; …' if note.count > len(note.examples) else ''})"
            self.stderr.write(f"note: {where}: {note.text}{rows if note.examples else ''}")
        for refusal in report.refusals:
            what = "row not taken" if refusal.is_row else "row taken without it"
            self.stderr.write(f"{refusal.table} {refusal.id} {refusal.column}: {refusal.reason} ({what})")
        counts = ", ".join(f"{report.taken[table]} {table}" for table in ["users", *TABLES])
        verb = "would be taken" if is_dry_run else "taken"
        self.stdout.write(
            f"{verb} in {seconds} s: {counts}; {report.there_already.total()} rows there already, "
            f"{len(report.refusals)} not taken"
        )
