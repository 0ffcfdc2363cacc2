import argparse
import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from checkout.seller_mails import find_missing_digests, queue_digests
from mcp.registry import submission_mails
from sellers import mails

QUEUES = [mails, submission_mails]


class Command(BaseCommand):
    help = """Mail sellers what they sold yesterday, and send whatever mail to sellers or about submitted servers waits.

A seller gets one mail for each day in Seoul on which something of theirs was paid or given back, once that day is
over. Days that were missed are made up for a week. Run it every hour; it is safe twice and beside itself.

examples:
  manage.py send_seller_mails
  manage.py send_seller_mails --dry-run    write and send nothing, tell what would be

exit status: 0 all went out, 1 a mail could not be sent within the last day, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="queue and send nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        now, is_dry_run = timezone.now(), options["dry_run"]
        digests = find_missing_digests(now=now)
        if is_dry_run:
            digest_count = len(digests)
            sent_count = sum(queue.find_waiting_mails(now=now).count() for queue in QUEUES)
        else:
            # Before the digests, which go out by themselves when they are queued.
            sent_count = sum(queue.send_waiting_mails(now=now) for queue in QUEUES)
            digest_count = queue_digests(digests=digests, now=now)
        stuck = [
            {"kind": mail.kind, "key": mail.key, "status": mail.status}
            for queue in QUEUES
            for mail in queue.find_stuck_mails(now=now)
        ]
        if options["json"]:
            counts = {"digests": digest_count, "sent": sent_count}
            self.stdout.write(json.dumps({"dry_run": is_dry_run, **counts, "stuck": stuck}))
        else:
            for mail in stuck:
                self.stdout.write(f"problem: {mail['key']}: it is {mail['status']}, and nothing sends it again")
            self.stdout.write(
                ("would be: " if is_dry_run else "")
                + f"{digest_count} digests queued, {sent_count} waiting mails sent, {len(stuck)} not sent"
            )
        if stuck:
            raise CommandError(f"{len(stuck)} mails did not go out", returncode=1)
