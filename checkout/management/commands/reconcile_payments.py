import argparse
import json
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from checkout.answers import SEOUL
from checkout.reconcile import COUNTED, Report, reconcile_payments

MISUSE = 2
OVERLAP = timedelta(hours=1)


class Command(BaseCommand):
    help = """Finish what payments left behind, and compare them with the provider.

Orders in doubt, waiting for a deposit or unpaid past their time are looked up and finished, cancelled or expired;
refunds that were asked for are carried out, webhooks looked into, waiting mails sent. Then the provider's transactions
of a period are compared with our payments and refunds, and our books with themselves. What is left is listed. Run it
every five minutes; it is safe beside the site and beside itself.

examples:
  manage.py reconcile_payments                        the period begins yesterday, an hour before midnight
  manage.py reconcile_payments --days 31              once a month
  manage.py reconcile_payments --since 2026-11-01 --until 2026-11-30
  manage.py reconcile_payments --dry-run --json       ask the provider, write nothing, tell what would be done

exit status: 0 all agrees, 1 a difference or a problem remains, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("--since", metavar="TIME", help="a date or an ISO 8601 time, in Seoul unless it says where")
        parser.add_argument("--until", metavar="TIME", help="the same; a date is meant with its whole day. Else now")
        parser.add_argument("--days", metavar="N", help="instead of --since: from midnight N days ago in Seoul")
        parser.add_argument("--dry-run", action="store_true", help="ask the provider, change nothing, send nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        since, until = read_period(
            since=options["since"], until=options["until"], days=options["days"], now=timezone.now()
        )
        with tqdm(desc="reconcile_payments", leave=False, disable=None, bar_format="{desc}: {n} {elapsed}") as bar:

            def show(subject: str) -> None:
                bar.set_description(f"reconcile_payments: {subject}", refresh=False)
                bar.update()

            report = reconcile_payments(since=since, until=until, is_dry_run=options["dry_run"], on_progress=show)
        if options["json"]:
            self.stdout.write(json.dumps(describe_report(report), ensure_ascii=False))
        else:
            self.print_lines(report)
        left = len(report.differences) + len(report.problems)
        if left:
            raise CommandError(f"{left} left to look at", returncode=1)

    def print_lines(self, report: Report) -> None:
        if report.is_dry_run:
            for step in report.steps:
                self.stdout.write(f"{step.order}: would be {WORDS[step.what]}")
        for finding in report.differences:
            self.stdout.write(f"difference: {finding}")
        for finding in report.problems:
            self.stdout.write(f"problem: {finding}")
        counts = report.counts
        self.stdout.write(
            ("would be: " if report.is_dry_run else "")
            + f"{counts['finished']} orders finished, {counts['failed']} failed, {counts['waiting']} waiting, "
            f"{counts['cancelled']} cancelled, {counts['expired']} expired, {counts['refunds']} refunds carried out, "
            f"{counts['adopted']} taken over, {counts['hints']} hints looked into, {counts['mails']} mails sent, "
            f"{len(report.differences)} differences, {len(report.problems)} problems"
        )


WORDS = {
    "finished": "paid and delivered",
    "failed": "failed",
    "waiting": "waiting for its deposit",
    "cancelled": "cancelled, and what was charged given back",
    "expired": "expired",
    "refunds": "asked again for its refund",
    "adopted": "refunded here too, as it is at the provider",
}


def describe_report(report: Report) -> dict:
    return {
        "dry_run": report.is_dry_run,
        "since": report.since.astimezone(UTC).isoformat(),
        "until": report.until.astimezone(UTC).isoformat(),
        **{name: report.counts[name] for name in COUNTED},
        "steps": [asdict(step) for step in report.steps],
        "differences": [asdict(finding) for finding in report.differences],
        "problems": [asdict(finding) for finding in report.problems],
    }


def read_period(*, since: str | None, until: str | None, days: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Aware begin and end. Raises CommandError for what is no time, or no period."""
    if since and days:
        raise CommandError("--since and --days exclude each other", returncode=MISUSE)
    if since:
        begin = read_time(since, name="--since")
    else:
        begin = midnight(now.astimezone(SEOUL).date() - timedelta(days=read_days(days or "1")))
        begin = begin if days else begin - OVERLAP
    end = min(read_time(until, name="--until", is_end=True), now) if until else now
    if begin >= end:
        raise CommandError("the period ends before it begins", returncode=MISUSE)
    return begin, end


def read_days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:5]) <= 3660 and len(text) <= 4):
        raise CommandError(f"--days is “{text}”, and must be a number from 1 to 3660", returncode=MISUSE)
    return int(text)


def read_time(text: str, *, name: str, is_end: bool = False) -> datetime:
    try:
        if len(text) == len("2026-11-22"):
            return midnight(date.fromisoformat(text) + timedelta(days=1 if is_end else 0))
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=SEOUL) if at.tzinfo is None else at
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{name} is “{text}”, and must be a date or an ISO 8601 time", returncode=MISUSE) from error


def midnight(day: date) -> datetime:
    """In Seoul, as aware UTC."""
    return datetime.combine(day, time(), tzinfo=SEOUL).astimezone(UTC)
