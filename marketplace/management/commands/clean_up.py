import argparse
import json
import logging

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.reports import delete_old_reports
from mcp.checking.health import prune_checks
from mcp.registry.submissions import delete_old_submissions
from sellers.retention import delete_old_applications, empty_old_mails

logger = logging.getLogger(__name__)

# What is deleted, by functions of `now` and `is_dry_run` that answer how many. Each is safe to run twice at once.
CHORES = {
    "applications": delete_old_applications,
    "checks": prune_checks,
    "mails": empty_old_mails,
    "reports": delete_old_reports,
    "submissions": delete_old_submissions,
}


class Command(BaseCommand):
    help = """Delete what has been kept as long as the privacy policy says. Run it once a day.

  applications    of sellers to be, a year after their decision; the seller that one led to stays
  checks          of MCP servers, after 35 days; uptime by day and incidents stay
  mails           to sellers, what they said, once their links have ended: 90 days after they were written
  reports         of listings and reviews, three years after they were handled
  submissions     of MCP servers that staff declined, a year after they did

examples:
  manage.py clean_up
  manage.py clean_up --dry-run --json    only tell how many rows of each kind would go

exit status: 0 done, 1 something could not be deleted, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="delete nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        now, is_dry_run = timezone.now(), options["dry_run"]
        counts, failed = {}, []
        for name, delete in CHORES.items():
            try:
                counts[name] = delete(now=now, is_dry_run=is_dry_run)
            except Exception:  # one that fails keeps no other from being done
                logger.exception("clean-up failed chore=%s", name)
                failed.append(name)
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": is_dry_run, "deleted": counts, "failed": failed}))
        else:
            verb = "would delete" if is_dry_run else "deleted"
            told = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
            self.stdout.write(f"{verb}: {told}")
        if failed:
            raise CommandError(f"failed: {', '.join(failed)}", returncode=1)
