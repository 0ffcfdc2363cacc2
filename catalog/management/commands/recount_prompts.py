import argparse
import json
from dataclasses import asdict

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.recount import recount_prompts
from checkout.library import count_downloads
from checkout.orders import count_live_sales


class Command(BaseCommand):
    help = """Take in prompts that other programs wrote into the database, and prove and repair what is counted.

rating, review_count   what visible reviews add up to; a rating that came without reviews stays
view_count             what came from elsewhere, and our own days of views
download_count         what came from elsewhere, and the downloads in the access log

A counter that is too low is raised. One that is higher than its proof was written by another program: the difference
is taken over as what came from elsewhere, and reported. So the first run on an older database changes no counter.
The site may go on meanwhile.

examples:
  manage.py recount_prompts              every hour, and after another program wrote `prompts`
  manage.py recount_prompts --dry-run    only tell; exit status 1 when something is wrong

exit status: 0 all is right now, 1 something is wrong and was left so, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="change nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        is_dry_run = options["dry_run"]
        found = recount_prompts(
            count_sales=count_live_sales,
            count_downloads=count_downloads,
            now=timezone.now(),
            is_dry_run=is_dry_run,
        )
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(found), "dry_run": is_dry_run}))
        else:
            verb = "would change" if is_dry_run else "changed"
            self.stdout.write(
                f"{verb}: {found.adopted} prompts taken in, {found.ratings} ratings, {found.sales} sales, "
                f"{found.views} views, {found.downloads} downloads, {found.taken_over} counters taken over, "
                f"{found.orphans} orphans, {found.facets} facet totals; {found.pruned} old views pruned"
            )
        if is_dry_run and found.wrong:
            raise CommandError(f"{found.wrong} rows are wrong", returncode=1)
