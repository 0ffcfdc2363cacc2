"""The demo shop: people, sellers, prompts with covers and files, reviews and reports, from the files in `demo/`.

Everything has an id made from its name there, so a second run finds it. What is there is left as it is, whatever
somebody did to it since. Orders and carts are `checkout/demo_orders.py`; `manage.py load_demo` puts it all together.
"""

import csv
import random
import tomllib
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.utils import timezone

from accounts.models import User
from accounts.profiles import change_nickname
from catalog.covers import draw_cover
from catalog.images import COVER_WIDTHS, load_cover
from catalog.listings import create_listing, remove_prompt, save_text, withdraw_prompt
from catalog.models import Listing, Prompt, PromptDay, Report, Review
from catalog.ratings import refresh_ratings
from sellers.models import Seller, SellerBusiness

FOLDER = Path(__file__).parent / "demo"
NAMESPACE = uuid.UUID("5b6f1f5e-6f0c-4d6e-9a53-0c1d3c1f4a10")
PICTURES_OF_IMAGE_PROMPTS = 3
OLDEST, SOLD_BEFORE, NEWEST = timedelta(days=92), timedelta(days=62), timedelta(days=4)
REPLIED_AFTER = timedelta(hours=15)
CARTS_PER_VIEW = 0.09


@dataclass(frozen=True)
class DemoReview:
    """`prompt` and `person` are names of the demo files. `reply`: of the seller, empty for most."""

    prompt: str
    person: str
    stars: int
    model: str
    text: str
    reply: str


class DemoFiles:
    """What stands in `demo/`, read once. Prompts by the name of their file, people and sellers by their key."""

    @cached_property
    def prompts(self) -> dict[str, dict]:
        paths = sorted((FOLDER / "prompts").glob("*.toml"))
        return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in paths}

    @cached_property
    def _shop(self) -> dict:
        return tomllib.loads((FOLDER / "people.toml").read_text("utf-8"))

    @property
    def people(self) -> dict[str, dict]:
        return self._shop["people"]

    @property
    def sellers(self) -> dict[str, dict]:
        return self._shop["sellers"]

    @property
    def orders(self) -> list[dict]:
        return self._shop["orders"]

    @property
    def carts(self) -> list[dict]:
        return self._shop["carts"]

    @property
    def reports(self) -> list[dict]:
        return self._shop["reports"]

    @property
    def applications(self) -> list[dict]:
        return self._shop["applications"]

    @cached_property
    def servers(self) -> list[dict]:
        return tomllib.loads((FOLDER / "servers.toml").read_text("utf-8"))["servers"]

    @cached_property
    def reviews(self) -> list[DemoReview]:
        with (FOLDER / "reviews.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return [
                DemoReview(
                    prompt=row["prompt"],
                    person=row["person"],
                    stars=int(row["stars"]),
                    model=row["model"],
                    text=row["review"],
                    reply=row["reply"],
                )
                for row in rows
            ]


def demo_id(kind: str, name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{kind} {name}")


def add_people(*, files: DemoFiles, password: str | None, now: datetime) -> tuple[dict[str, User], set[str]]:
    """Accounts by their name in the files, and the names of those made just now.

    password: for the accounts a person signs in with; None gives nobody one. An account that has the address already is
    used as it is: neither its password nor its rights change.
    """
    users, added = {}, set()
    hashed = make_password(password)  # once: hashing takes its time on purpose
    for name, person in files.people.items():
        user = User.objects.filter(email=person["email"]).first()
        if user is None:
            can_sign_in = bool(password and person.get("password"))
            is_staff = can_sign_in and person.get("is_staff", False)
            user = User.objects.create_user(
                person["email"],
                id=demo_id("person", name),
                is_staff=is_staff,
                is_superuser=is_staff,
                date_joined=now - OLDEST,
            )
            if can_sign_in:
                User.objects.filter(pk=user.pk).update(password=hashed)
                user.password = hashed
            user.emailaddress_set.create(email=user.email, verified=True, primary=True)
            change_nickname(user=user, nickname=person["nickname"], now=now - OLDEST)
            added.add(name)
        users[name] = user
    return users, added


def add_sellers(*, files: DemoFiles, users: dict[str, User], now: datetime) -> int:
    """Returns how many were made. Somebody who sells already stays the seller they are."""
    added = 0
    for slug, fields in files.sellers.items():
        user = users[fields["person"]]
        if Seller.objects.filter(user=user).exists() or Seller.objects.filter(slug=slug).exists():
            continue
        seller = Seller.objects.create(
            id=demo_id("seller", slug),
            user=user,
            slug=slug,
            name=fields["name"],
            bio=fields["bio"].strip(),
            website_url=fields["website_url"],
            language=fields["language"],
            created_at=now - OLDEST,
        )
        SellerBusiness.objects.create(seller=seller, updated_at=now - OLDEST, **fields["business"])
        added += 1
    return added


def plan_dates(*, files: DemoFiles, now: datetime) -> dict[str, datetime]:
    """When each prompt was listed: what has been sold or reviewed is older than the first sale. Oldest first."""
    sold = {review.prompt for review in files.reviews} | {name for order in files.orders for name in order["prompts"]}
    dates = {}
    for name in files.prompts:
        begin, end = (OLDEST, SOLD_BEFORE) if name in sold else (SOLD_BEFORE, NEWEST)
        share = random.Random(name).random()  # noqa: S311  # the same dates in every run, not a secret
        dates[name] = now - begin + (begin - end) * share
    return dict(sorted(dates.items(), key=lambda item: item[1]))


def add_prompts(*, files: DemoFiles, now: datetime, on_progress: Callable[[], None] = lambda: None) -> set[str]:
    """Prompts with listing, version, file and pictures; returns the names of those made just now.

    They are listed as published or draft; `close_listings` takes the others off sale once they have been bought.
    """
    sellers = {seller.slug: seller for seller in Seller.objects.filter(slug__in=files.sellers)}
    there = set(
        Prompt.objects.filter(pk__in=[demo_id("prompt", name) for name in files.prompts]).values_list("pk", flat=True)
    )
    added = set()
    for name, listed_at in plan_dates(files=files, now=now).items():
        content = files.prompts[name]
        if demo_id("prompt", name) not in there:
            create_listing(
                prompt_fields={
                    "id": demo_id("prompt", name),
                    "created_at": listed_at,
                    "title": content["title"],
                    "description": content["description"].strip(),
                    "price": content["price"],
                    "prompt_text": content["prompt_text"].strip(),
                    "tags": content["tags"],
                    "image_urls": _store_pictures(name, content),
                    "file_url": _store_file(name, content.get("file")),
                    "view_count": _plan_views(name, now - listed_at),
                },
                seller=sellers.get(content["seller"]),
                state=Listing.State.DRAFT if content.get("state") == "draft" else Listing.State.PUBLISHED,
                now=listed_at,
                slug=content["slug"],
                model="" if content["model"] == "any" else content["model"],
                output_kind=content["output_kind"],
                language=content["language"],
            )
            added.add(name)
        on_progress()
    return added


def _plan_views(name: str, age: timedelta) -> int:
    return round(age.days * random.Random(f"views {name}").uniform(0.6, 7))  # noqa: S311  # as for the dates


def add_days(*, files: DemoFiles, names: Iterable[str], now: datetime) -> int:
    """Spread the views of these prompts over the days since they were listed, with what was put into carts.

    Returns how many days were written. The views of a prompt's days add up to its counter.
    """
    rows = []
    listed = plan_dates(files=files, now=now)
    views = dict(
        Prompt.objects.filter(pk__in=[demo_id("prompt", name) for name in names]).values_list("pk", "view_count")
    )
    for name in names:
        first, last = timezone.localdate(listed[name]), timezone.localdate(now)
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        dice = random.Random(f"days {name}")  # noqa: S311  # as for the dates
        weights = [dice.uniform(0.3, 1) * (0.6 if day.weekday() >= 5 else 1) for day in days]
        seen = Counter(dice.choices(days, weights, k=views[demo_id("prompt", name)]))
        rows += [
            PromptDay(
                prompt_id=demo_id("prompt", name),
                day=day,
                view_count=count,
                cart_count=sum(dice.random() < CARTS_PER_VIEW for _ in range(count)),
            )
            for day, count in sorted(seen.items())
        ]
    PromptDay.objects.bulk_create(rows)
    # The days prove these views now; until then they stood as brought along from elsewhere.
    Listing.objects.filter(prompt__in={row.prompt_id for row in rows}).update(outside_view_count=0)
    return len(rows)


def _store_file(name: str, file: dict | None) -> str | None:
    """The address of the file in the private storage; written once."""
    if file is None:
        return None
    path = f"demo/{name}/{file['name']}"
    storage = storages["private"]
    if not storage.exists(path):
        path = storage.save(path, ContentFile(file["text"].lstrip("\n").encode()))
    return f"private://{path}"


def _store_pictures(name: str, content: dict) -> list[str]:
    """A gallery for prompts that make images; the others show the cover drawn for them."""
    if content["output_kind"] != "image":
        return []
    addresses = []
    for number in range(1, PICTURES_OF_IMAGE_PROMPTS + 1):
        path = f"demo/{name}-{number}.webp"
        if not default_storage.exists(path):
            path = default_storage.save(path, ContentFile(draw_cover(key=f"{name} {number}", tags=content["tags"])))
        addresses.append(default_storage.url(path))
    return addresses


def draw_covers(*, files: DemoFiles, on_progress: Callable[[], None] = lambda: None) -> None:
    """The covers of the shop's grids, so that the first visitor waits for none. Written once; no query while drawing.

    The larger ones are drawn when a page first shows them, as for any prompt.
    """
    prompts = Prompt.objects.filter(pk__in=[demo_id("prompt", name) for name in files.prompts]).only("pk", "tags")
    with ThreadPoolExecutor(max_workers=2) as pool:  # Pillow draws and encodes outside of Python's lock
        for _ in pool.map(lambda prompt: load_cover(prompt, width=min(COVER_WIDTHS)), list(prompts)):
            on_progress()


def update_prompts(*, files: DemoFiles, names: Iterable[str], now: datetime) -> None:
    """A second version for those of `names` that have one; whoever bought the first one gets it."""
    for name in names:
        if update := files.prompts[name].get("update"):
            prompt = Prompt.objects.select_related("listing").get(pk=demo_id("prompt", name))
            save_text(
                prompt=prompt,
                prompt_text=f"{prompt.prompt_text}\n\n{update['append']}",
                note=update["note"],
                now=now - timedelta(days=update["days"]),
            )


def close_listings(*, files: DemoFiles, names: Iterable[str], now: datetime) -> None:
    """Withdraw and remove those of `names` that the files have off sale."""
    for name in names:
        content = files.prompts[name]
        prompt = Prompt.objects.get(pk=demo_id("prompt", name))
        if content.get("state") == "withdrawn":
            withdraw_prompt(prompt=prompt, reason="", now=now - timedelta(days=12))
        elif content.get("state") == "removed":
            remove_prompt(prompt=prompt, reason=content["state_reason"], now=now - timedelta(days=9))


def add_reviews(*, bought: Iterable[tuple[DemoReview, User, datetime]]) -> int:
    """Reviews by people who opened what they bought, at the given time; counters of the prompts follow.

    Returns how many were written. Somebody's own review of the prompt is left as it is.
    """
    reviews = [
        Review(
            id=demo_id("review", f"{review.prompt} {review.person}"),
            prompt_id=demo_id("prompt", review.prompt),
            author=user,
            rating=review.stars,
            body=review.text,
            model_used=review.model,
            reply=review.reply,
            replied_at=at + REPLIED_AFTER if review.reply else None,
            created_at=at,
            updated_at=at,
        )
        for review, user, at in bought
    ]
    prompt_ids = {review.prompt_id for review in reviews}
    there = set(Review.objects.filter(prompt__in=prompt_ids).values_list("prompt_id", "author_id"))
    new = [review for review in reviews if (review.prompt_id, review.author_id) not in there]
    Review.objects.bulk_create(new)
    refresh_ratings(prompt_ids)
    return len(new)


def add_reports(*, files: DemoFiles, users: dict[str, User], now: datetime) -> int:
    """How many were sent. What the person has reported before, handled or not, is not reported again."""
    added = 0
    for fields in files.reports:
        about = {"prompt_id": demo_id("prompt", fields["prompt"])}
        if author := fields.get("author"):
            about = {"review_id": demo_id("review", f"{fields['prompt']} {author}")}
        _, is_new = Report.objects.get_or_create(
            reporter=users[fields["person"]],
            **about,
            defaults={
                "reason": fields["reason"],
                "note": fields["note"],
                "created_at": now - timedelta(days=fields["days"]),
            },
        )
        added += is_new
    return added
