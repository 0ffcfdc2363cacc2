import json
import time

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from tqdm import tqdm

from catalog import demo_catalogue
from checkout import demo_orders, demo_statements
from mcp.demo import demo_needs, demo_servers
from sellers import demo_applications

PASSWORD = "promptjang-demo"  # noqa: S105  # printed for everybody to see
ACCOUNTS = [
    {"email": "shopper@example.com", "role": "shopper"},
    {"email": "seller@example.com", "role": "seller"},
    {"email": "staff@example.com", "role": "staff"},
]


class Command(BaseCommand):
    help = (
        "Fill the shop with the demo catalogue: prompts with covers and files, sellers, shoppers with orders, reviews. "
        "A second run adds nothing. Outside of DEBUG the demo accounts get no password unless asked for."
    )

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument(
            "--known-password",
            action="store_true",
            default=settings.DEBUG,
            help="give shopper, seller and staff the password that everybody knows; the default in DEBUG only",
        )

    def handle(self, *args, **options):
        started = time.monotonic()
        files = demo_catalogue.DemoFiles()
        now = timezone.now()
        steps = len(files.prompts) * 2 + len(demo_orders.plan_orders(files=files, now=now))
        with (
            tqdm(total=steps, desc="demo", unit=" steps", leave=False, disable=None) as bar,
            demo_orders.quietly(),
        ):
            password = PASSWORD if options["known_password"] else None
            with transaction.atomic():
                added = self.load(files, password=password, now=now, on_progress=bar.update)
            demo_catalogue.draw_covers(files=files, on_progress=bar.update)
        seconds = round(time.monotonic() - started, 1)
        if options["json"]:
            self.stdout.write(json.dumps({"added": added, "seconds": seconds}, ensure_ascii=False))
        elif any(added.values()):
            listed = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in added.items())
            self.stdout.write(f"demo loaded in {seconds} s: {listed}")
        else:
            self.stdout.write("demo is there already, nothing added")

    def load(self, files, *, password, now, on_progress) -> dict[str, int]:
        users, new_people = demo_catalogue.add_people(files=files, password=password, now=now)
        seller_count = demo_catalogue.add_sellers(files=files, users=users, now=now)
        new_prompts = demo_catalogue.add_prompts(files=files, now=now, on_progress=on_progress)
        demo_catalogue.add_days(files=files, names=sorted(new_prompts), now=now)
        order_count, bought = demo_orders.add_orders(files=files, users=users, now=now, on_progress=on_progress)
        review_count = demo_catalogue.add_reviews(bought=bought)
        demo_catalogue.update_prompts(files=files, names=sorted(new_prompts), now=now)
        demo_catalogue.close_listings(files=files, names=sorted(new_prompts), now=now)
        server_count = demo_servers.add_servers(files=files, users=users, now=now)
        demo_needs.add_needs(files=files, names=sorted(new_prompts), now=now)
        return {
            "people": len(new_people),
            "sellers": seller_count,
            "prompts": len(new_prompts),
            "orders": order_count,
            "reviews": review_count,
            "cart_items": demo_orders.add_carts(files=files, users=users, names=new_people, now=now),
            "reports": demo_catalogue.add_reports(files=files, users=users, now=now),
            "statements": demo_statements.add_statements(staff=users["staff"], now=now),
            "applications": demo_applications.add_applications(
                applications=files.applications, staff=users["staff"], now=now
            ),
            "servers": server_count,
        }
