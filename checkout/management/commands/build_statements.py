import argparse
import json
from dataclasses import asdict

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation
from tqdm import tqdm

from checkout.balances import find_untied
from checkout.statements import (
    Built,
    StatementsRefused,
    build_finished_months,
    build_statements,
    draft_statements,
    foresee_statements,
    month_of,
    next_month,
    read_month,
)

MISUSE = 2


class Command(BaseCommand):
    help = """Build what sellers are owed for a month, and prove that every won ties to the payments.

Each seller for whom something was booked gets a statement for each finished month in Seoul, oldest first. What was
booked late, into a month that is built, stands on the seller's next one. Then ledger, statements and payouts are
compared with the payments. Run it once a month; it is safe twice and beside itself.

examples:
  manage.py build_statements                    every finished month of which something is on no statement yet
  manage.py build_statements --month 2026-10    this month only
  manage.py build_statements --dry-run --json   write nothing, tell what would be built

exit status: 0 all ties, 1 something does not, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("--month", metavar="MONTH", help="such as 2026-10; else every finished one")
        parser.add_argument("--dry-run", action="store_true", help="write nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        now = timezone.now()
        with translation.override("en"):
            built = self.build(month_text=options["month"], is_dry_run=options["dry_run"], now=now)
        untied = find_untied()
        if options["json"]:
            self.stdout.write(json.dumps(describe(built, untied, options["dry_run"]), ensure_ascii=False))
        else:
            for problem in untied:
                self.stdout.write(f"does not tie: {problem}")
            self.stdout.write(tell(built, len(untied), options["dry_run"]))
        if untied:
            raise CommandError(f"{len(untied)} sums do not tie", returncode=1)

    def build(self, *, month_text: str | None, is_dry_run: bool, now) -> list[Built]:
        month = read_month(month_text) if month_text else None
        if month_text and month is None:
            raise CommandError(f"--month is “{month_text}”, and must be a month such as 2026-10", returncode=MISUSE)
        try:
            if is_dry_run:
                if month and month >= month_of(now):
                    raise CommandError(f"{month:%Y-%m} is not over in Seoul", returncode=MISUSE)
                drafts = draft_statements(before=next_month(month) if month else month_of(now))
                return foresee_statements(drafts=drafts)
            with tqdm(desc="build_statements", leave=False, disable=None, bar_format="{desc}: {n} {elapsed}") as bar:
                if month:
                    return [build_statements(month=month, now=now, on_progress=bar.update)]
                return build_finished_months(now=now, on_progress=bar.update)
        except StatementsRefused as refused:
            raise CommandError(str(refused), returncode=MISUSE) from refused


def tell(built: list[Built], untied_count: int, is_dry_run: bool) -> str:
    months = [each for each in built if each.statement_count]
    listed = ", ".join(f"{each.month:%Y-%m}" for each in months)
    return (
        ("would be: " if is_dry_run else "")
        + f"{sum(each.statement_count for each in months)} statements built{f' for {listed}' if listed else ''}, "
        f"{sum(each.payable_krw for each in months):,} won payable, {sum(each.due_krw for each in months):,} won due, "
        f"{untied_count} sums that do not tie"
    )


def describe(built: list[Built], untied: list, is_dry_run: bool) -> dict:
    return {
        "dry_run": is_dry_run,
        "months": [{**asdict(each), "month": f"{each.month:%Y-%m}"} for each in built if each.statement_count],
        "untied": [asdict(problem) for problem in untied],
    }
