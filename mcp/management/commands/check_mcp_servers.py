import argparse
import json
import time
from collections import Counter

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from mcp.checking.due import UnknownServer, find_checked, find_due, find_named, list_targets
from mcp.checking.health import refresh_old_uptimes
from mcp.checking.rounds import Looked, run_round
from mcp.models import Entry, HealthCheck
from mcp.registry.registration import ensure_entries
from mcp.tools.need_states import update_needs

MISUSE = 2
MAX_WORKERS = 128
Trigger = HealthCheck.Trigger


class Command(BaseCommand):
    help = """Look at the MCP servers of the registry that are due, and record how each is.

A server is due MCP_CHECK_INTERVAL_S after its last turn, unless staff paused it or switched it off. Run it every five
minutes or more often. Many are looked at at once, two of one host never within MCP_HOST_SPACING_S, and one that hangs
for MCP_CHECK_DEADLINE_S holds up nobody else. It is safe beside the site and beside itself: what another run is at
work on is left to it, and what a killed run held is free again after two minutes.

examples:
  manage.py check_mcp_servers                   what is due
  manage.py check_mcp_servers --all             everything that is checked at all
  manage.py check_mcp_servers weather files     these, by slug or name, also paused ones and those that wait for staff
  manage.py check_mcp_servers --dry-run --json  only tell which it would be

exit status: 0 no server is worse than at its look before, 1 one is, or could not be recorded, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("servers", nargs="*", metavar="SERVER", help="slug or name")
        parser.add_argument("--all", action="store_true", help="also what is not due yet")
        parser.add_argument("--workers", type=int, default=16, metavar="N", help="how many at once, 16 unless given")
        parser.add_argument("--dry-run", action="store_true", help="look at nothing and write nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, servers, workers, **options):
        if not 1 <= workers <= MAX_WORKERS:
            raise CommandError(f"--workers must be from 1 to {MAX_WORKERS}", returncode=MISUSE)
        if servers and options["all"]:
            raise CommandError("--all and names exclude each other", returncode=MISUSE)
        now = timezone.now()
        if options["dry_run"]:
            targets = list_targets(self.find_entries(servers, is_all=options["all"], now=now))
            self.print_targets(targets, as_json=options["json"])
            return
        ensure_entries(now=now)
        targets = list_targets(self.find_entries(servers, is_all=options["all"], now=now))
        self.look_at(
            targets,
            workers=workers,
            is_due_only=not (servers or options["all"]),
            is_named=bool(servers),
            as_json=options["json"],
        )

    def look_at(self, targets, *, workers, is_due_only, is_named, as_json):
        started_s = time.monotonic()
        looks = run_round(
            targets,
            workers=workers,
            trigger=Trigger.SCHEDULE if is_due_only else Trigger.STAFF,
            is_due_only=is_due_only,
            started_at=timezone.now(),
        )
        looked = list(tqdm(looks, total=len(targets), desc="check_mcp_servers", leave=False, disable=None))
        self.print_result(looked, seconds=time.monotonic() - started_s, is_named=is_named, as_json=as_json)
        refresh_old_uptimes(now=timezone.now())
        update_needs(now=timezone.now())  # of servers that are gone, or are looked at no longer
        count = sum(look.has_failed or bool(look.recorded and look.recorded.is_worse) for look in looked)
        if count:
            raise CommandError(f"{count} to look at", returncode=1)

    def find_entries(self, names, *, is_all, now):
        if not names:
            return find_checked() if is_all else find_due(now=now)
        try:
            return find_named(names)
        except UnknownServer as unknown:
            raise CommandError(f"no server “{unknown}”, or it is switched off", returncode=MISUSE) from unknown

    def print_targets(self, targets, *, as_json):
        slugs = [target.slug for target in targets]
        if as_json:
            self.stdout.write(json.dumps({"dry_run": True, "would_check": slugs}))
        else:
            self.stdout.write("\n".join([*slugs, f"would check {count_servers(len(slugs))}"]))

    def print_result(self, looked: list[Looked], *, seconds: float, is_named: bool, as_json: bool):
        recorded = [look for look in looked if look.recorded]
        failed = [look.target.slug for look in looked if look.has_failed]
        counts = {
            "checked": len(recorded),
            "skipped": len(looked) - len(recorded) - len(failed),
            "worse": sum(look.recorded.is_worse for look in recorded),
            "failed": len(failed),
        }
        health = Counter(look.recorded.health for look in recorded)
        by_health = {name: health[name] for name in Entry.Health.values if health[name]}
        if as_json:
            result = {**counts, "seconds": round(seconds, 1), "health": by_health, "failed_servers": failed}
            self.stdout.write(json.dumps(result | {"servers": [describe(look) for look in recorded]}))
            return
        for look in recorded:
            if is_named or look.recorded.is_worse:
                self.stdout.write(tell(look))
        told = ", ".join(f"{count} {name}" for name, count in by_health.items()) or "none"
        self.stdout.write(
            f"{count_servers(len(recorded))} checked in {seconds:.1f} s: {told}; "
            f"{counts['worse']} worse than before, {counts['skipped']} left to others, {counts['failed']} failed"
        )


def count_servers(count: int) -> str:
    return "1 server" if count == 1 else f"{count} servers"


def tell(look: Looked) -> str:
    """One line. A first miss changes no state yet, so the verdict stands beside it."""
    recorded = look.recorded
    change = f"{recorded.previous_health} -> {recorded.health}" if recorded.is_worse else recorded.health
    reason = f" ({recorded.check.reason})" if recorded.check.reason else ""
    return f"{'worse: ' * recorded.is_worse}{look.target.slug}: {change}, {recorded.check.verdict}{reason}"


def describe(look: Looked) -> dict:
    check = look.recorded.check
    return {
        "slug": look.target.slug,
        "previous_health": look.recorded.previous_health,
        "health": look.recorded.health,
        "is_worse": look.recorded.is_worse,
        "verdict": check.verdict,
        "reason": check.reason,
        "latency_ms": check.latency_ms,
        "tool_count": check.tool_count,
        "changes": [{"tool": change.tool_name, "kind": change.kind} for change in look.recorded.changes],
    }
