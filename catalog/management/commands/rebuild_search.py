import argparse
import json

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from catalog.models import Listing
from catalog.search import find_stale, is_index_sound, rebuild_search


class Command(BaseCommand):
    help = """Write the search index again, in short transactions while the site runs.

Needed after a change of how words are split, and when the index is damaged.

examples:
  manage.py rebuild_search
  manage.py rebuild_search --dry-run    only tell what is stale; exit status 1 when something is

exit status: 0 the index is right now, 1 it is not and was left so, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="change nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        is_sound = is_index_sound()
        batches = find_stale() if options["dry_run"] else rebuild_search(is_sound=is_sound)
        done = stale = 0
        with tqdm(total=Listing.objects.count(), desc="rebuild_search", leave=False, disable=None) as bar:
            for seen, changed in batches:
                done, stale = done + seen, stale + changed
                bar.update(seen)
        if options["json"]:
            result = {"listings": done, "stale": stale, "sound": is_sound, "dry_run": options["dry_run"]}
            self.stdout.write(json.dumps(result))
        else:
            verb = "looked at" if options["dry_run"] else "indexed"
            damage = "" if is_sound else "; the index was damaged"
            self.stdout.write(f"{verb} {done} listings, {stale} of them were stale{damage}")
        if options["dry_run"] and (stale or not is_sound):
            raise CommandError("the index is not right; run rebuild_search", returncode=1)
