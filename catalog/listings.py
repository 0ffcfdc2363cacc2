"""What happens to a listing: created, changed, published, withdrawn, removed, sold, and adopted from other programs."""

import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from catalog.checklist import PRICE_RULE, is_allowed_price, list_missing
from catalog.markdown import plain_summary, render_markdown
from catalog.models import Listing, Prompt, PromptVersion
from catalog.ratings import lock_prompts
from catalog.search import index_prompts
from catalog.variables import find_variables
from sellers.mails import queue_seller_mail
from sellers.models import Seller, SellerMail

MAX_SLUG_LENGTH = 100  # characters, leaving room for a number within the column's 120
SUMMARY_LENGTH = 200
BATCH_SIZE = 200  # rows in one transaction: short enough that nobody waits for the write lock


class ListingRefused(Exception):
    """The message is written for whoever offers the prompt."""


def create_listing(
    *,
    prompt_fields: dict,
    seller: Seller | None,
    state: str,
    now: datetime,
    slug: str | None = None,
    model: str = "",
    output_kind: str = Listing.OutputKind.TEXT,
    language: str = "ko",
    sales_count: int = 0,
) -> Prompt:
    """A prompt with its listing, first version and place in the search index, in one transaction.

    prompt_fields: columns of `prompts` by name; `is_published` follows from `state`.
    slug: made from the title when empty; a number is added when it is taken.
    """
    is_published = state == Listing.State.PUBLISHED
    with transaction.atomic():
        prompt = Prompt.objects.create(**{"created_at": now, **prompt_fields, "is_published": is_published})
        listing = Listing(
            prompt=prompt,
            slug=find_free_slug(slug or prompt.title),
            seller=seller,
            state=state,
            model=model,
            output_kind=output_kind,
            language=language,
            sales_count=sales_count,
            outside_view_count=prompt.view_count,
            outside_download_count=prompt.download_count,
            created_at=now,
            published_at=now if is_published else None,
            updated_at=now,
        )
        _describe(listing, prompt)
        _save_under_free_slug(listing)
        _add_version(prompt, number=1, note="", now=now)
        index_prompts([prompt.pk])
    return prompt


def lock_prompt(prompt: Prompt) -> Prompt:
    """The prompt as it is now, with its listing, held until the caller's transaction ends.

    The prompt is locked before its listing, everywhere: who takes them the other way round waits for one who waits.
    """
    locked = Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
    locked.listing = Listing.objects.select_for_update(no_key=True).get(prompt_id=prompt.pk)  # read after the lock
    return locked


def change_listing(
    *, prompt: Prompt, now: datetime, prompt_fields: dict, listing_fields: dict | None = None, note: str = ""
) -> PromptVersion | None:
    """Change what is offered: columns of `prompts` and `listings` by name, counters and states aside.

    A changed text or file makes a new version, which is returned, because buyers and orders know the one they bought.
    Without a change nothing is written.
    note: what changed, written for buyers; it belongs to the new version.
    Raises ListingRefused for a new price that is neither 0 nor 100 to 10,000,000 won.
    """
    price_krw = prompt_fields.get("price", prompt.price)
    if price_krw != prompt.price and not is_allowed_price(price_krw):
        raise ListingRefused(str(PRICE_RULE))
    listing = prompt.listing
    changed = _set_changed(prompt, prompt_fields)
    changed_listing = _set_changed(listing, listing_fields or {})
    if not changed and not changed_listing:
        return None
    version = None
    with transaction.atomic():
        prompt.save(update_fields=changed) if changed else None
        _describe(listing, prompt)
        listing.updated_at = now
        listing.save(update_fields=[*changed_listing, *_DESCRIBED, "updated_at"])
        if changed & {"prompt_text", "file_url"}:
            version = save_version(prompt=prompt, note=note, now=now)
        index_prompts([prompt.pk])
    return version


def refresh_listing(*, prompt: Prompt, now: datetime) -> None:
    """Bring summary, facts, version and index in line with columns that were just saved, as forms of the admin do."""
    with transaction.atomic():
        listing = Listing.objects.get(prompt_id=prompt.pk)
        _describe(listing, prompt)
        listing.updated_at = now
        listing.save(update_fields=[*_DESCRIBED, "updated_at"])
        save_version(prompt=prompt, now=now)
        index_prompts([prompt.pk])


def save_text(
    *, prompt: Prompt, prompt_text: str, now: datetime, file_url: str | None = None, note: str = ""
) -> PromptVersion | None:
    """A new version when the text or the file changed; None, and nothing written, when not.

    file_url: None leaves the file as it is.
    note: what changed, written for buyers.
    """
    wanted = {"prompt_text": prompt_text} | ({} if file_url is None else {"file_url": file_url})
    changed = _set_changed(prompt, wanted)
    if not changed:
        return None
    listing = prompt.listing
    with transaction.atomic():
        prompt.save(update_fields=changed)
        _describe(listing, prompt)
        listing.updated_at = now
        listing.save(update_fields=[*_DESCRIBED, "updated_at"])
        return save_version(prompt=prompt, note=note, now=now)


def save_version(*, prompt: Prompt, now: datetime, note: str = "") -> PromptVersion | None:
    """The prompt's present text as its next version; None when the last version says the same."""
    last = prompt.versions.order_by("-number").first()
    if last and (last.prompt_text, last.file_url or None) == (prompt.prompt_text, prompt.file_url or None):
        return None
    return _add_version(prompt, number=last.number + 1 if last else 1, note=note, now=now)


def publish_prompt(*, prompt: Prompt, now: datetime, is_staff_decision: bool = False) -> bool:
    """Put on sale. False, and nothing written, when it is on sale already.

    Raises ListingRefused for what staff removed, unless staff decides now; and for everything that is missing, by
    name. Staff may do without all but title and text: what other programs and the house listed has not more.
    """
    with transaction.atomic():
        offered = lock_prompt(prompt)
        if offered.listing.state == Listing.State.REMOVED and not is_staff_decision:
            raise ListingRefused(
                _("Our staff took this prompt off sale. Please write to us before you offer it again.")
            )
        missing = list_missing(offered)
        if is_staff_decision:
            missing = [need for need in missing if need.field in ("title", "prompt_text")]
        if missing:
            names = ", ".join(need.name for need in missing)
            raise ListingRefused(_("It cannot be published yet. Still missing: %(names)s.") % {"names": names})
        return _move(prompt, Listing.State.PUBLISHED, reason="", now=now)


def withdraw_prompt(*, prompt: Prompt, reason: str, now: datetime) -> bool:
    """Take off sale at the seller's wish; buyers keep it. False when it was not on sale."""
    return _move(prompt, Listing.State.WITHDRAWN, reason=reason, now=now, only_from=[Listing.State.PUBLISHED])


def remove_prompt(*, prompt: Prompt, reason: str, now: datetime) -> bool:
    """Take off sale by staff; buyers keep it, and the seller reads the reason and gets a mail with it.

    False when it is removed already.
    """
    with transaction.atomic():
        lock_prompts([prompt.pk])
        removed = Listing.objects.filter(prompt_id=prompt.pk, state=Listing.State.REMOVED)
        was_removed = removed.exists()
        moved = _move(prompt, Listing.State.REMOVED, reason=reason, now=now)
        if moved and not was_removed:
            _tell_seller_of_removal(removed.select_related("prompt", "seller__user").get(), now=now)
    return moved


def _tell_seller_of_removal(listing: Listing, *, now: datetime) -> None:
    if listing.seller:
        queue_seller_mail(
            kind=SellerMail.Kind.LISTING_REMOVED,
            key=f"listing_removed:{listing.prompt_id.hex}:{now:%Y%m%dT%H%M%S%f}",
            seller=listing.seller,
            context={
                "title": listing.prompt.title,
                "reason": listing.state_reason,
                "path": reverse("studio:listing_edit", args=[listing.prompt_id]),  # the page itself is gone
            },
            now=now,
        )


def _move(prompt: Prompt, state: str, *, reason: str, now: datetime, only_from: list[str] | None = None) -> bool:
    is_published = state == Listing.State.PUBLISHED
    with transaction.atomic():
        lock_prompts([prompt.pk])
        movable = Listing.objects.filter(prompt_id=prompt.pk).exclude(state=state)
        if only_from:
            movable = movable.filter(state__in=only_from)
        changes = {"published_at": now} if is_published else {}
        moved = movable.update(state=state, state_reason=reason, updated_at=now, **changes)
        # Another program may have moved `is_published` alone; the two agree after this whatever came before.
        is_final = moved or Listing.objects.filter(prompt_id=prompt.pk, state=state).exists()
        changed = 0
        if is_final:
            stale = Prompt.objects.filter(pk=prompt.pk, is_published=not is_published)
            changed = stale.update(is_published=is_published)
        if moved or changed:
            index_prompts([prompt.pk])
    prompt.refresh_from_db(fields=["is_published"])
    if Prompt.listing.is_cached(prompt):
        prompt.listing.refresh_from_db(fields=["state", "state_reason", "published_at", "updated_at"])
    return bool(moved or changed)


def add_sales(*, prompt_ids: Iterable, n: int = 1, now: datetime) -> None:
    """Count `n` more sales of each prompt, fewer with a negative `n` after a refund, in the caller's transaction.

    A prompt whose popularity moves to another bucket takes its new place in the lists.
    """
    ids = sorted(set(prompt_ids), key=str)  # always in the same order, so that two buyers never wait for each other
    with transaction.atomic():
        for prompt_id in ids:
            Listing.objects.filter(prompt_id=prompt_id, sales_count__gte=-n).update(sales_count=F("sales_count") + n)
        index_prompts(ids, only_moved=True)


def index_seller(*, seller: Seller) -> int:
    """Bring everything of a seller into or out of the lists after a change of name or status. Returns how many."""
    keys = list(Listing.objects.filter(seller=seller).order_by("pk").values_list("prompt_id", flat=True))
    for start in range(0, len(keys), BATCH_SIZE):
        index_prompts(keys[start : start + BATCH_SIZE])
    return len(keys)


# --- Rows that other programs wrote


def adopt_prompts(*, now: datetime, is_dry_run: bool = False) -> int:
    """Give listing, version and index to rows of `prompts` that another program inserted or changed.

    New rows come first, oldest first, because the order of listings is the order "newest"; then the whole table by key,
    in batches, each in a transaction of its own. Returns how many rows needed something. A second call returns 0.
    """
    adopted = 0 if is_dry_run else _adopt_new(now=now)
    last = None
    while True:
        rows = Prompt.objects.order_by("pk")
        if last is not None:
            rows = rows.filter(pk__gt=last)
        batch = list(rows.select_related("listing")[:BATCH_SIZE])
        if not batch:
            return adopted
        last = batch[-1].pk
        adopted += _adopt_batch(batch, now=now, is_dry_run=is_dry_run)


def _adopt_new(*, now: datetime) -> int:
    adopted = 0
    new = Prompt.objects.filter(listing__isnull=True).order_by("created_at", "pk").values_list("pk", flat=True)
    keys = list(new)
    for start in range(0, len(keys), BATCH_SIZE):
        rows = Prompt.objects.filter(pk__in=keys[start : start + BATCH_SIZE]).order_by("created_at", "pk")
        adopted += _adopt_batch(list(rows.select_related("listing")), now=now, is_dry_run=False)
    return adopted


def _adopt_batch(batch: list[Prompt], *, now: datetime, is_dry_run: bool) -> int:
    """What needs something is looked for again once it is locked: sellers write while this runs, and a text that was
    read before theirs must not become a version after it."""
    keys = [prompt.pk for prompt in batch]
    touched = {prompt.pk for prompts in _find_foreign(batch) for prompt in prompts}
    if is_dry_run:
        return len(touched | index_prompts(keys, is_dry_run=True))
    with transaction.atomic():
        if touched:
            lock_prompts(touched)
            locked = Listing.objects.select_for_update(no_key=True).filter(prompt__in=keys).order_by("prompt_id")
            list(locked.values_list("pk"))  # as `index_prompts` does below, and before any of them is written
            fresh = Prompt.objects.select_related("listing").in_bulk(touched)
            touched = _take_in([fresh[key] for key in keys if key in fresh], now=now)
        touched |= index_prompts(keys)
    return len(touched)


def _find_foreign(batch: list[Prompt]) -> tuple[list[Prompt], ...]:
    """Of these prompts those without a listing, those whose listing is in another state, those with a text that is no
    version yet, and those whose listing describes them otherwise. Two queries."""
    numbers = _last_numbers([prompt.pk for prompt in batch])
    versions = PromptVersion.objects.filter(prompt__in=list(numbers), number__in=set(numbers.values()))
    texts = {(v.prompt_id, v.number): (v.prompt_text, v.file_url or None) for v in versions}

    def has_new_text(prompt):
        return texts.get((prompt.pk, numbers.get(prompt.pk))) != (prompt.prompt_text, prompt.file_url or None)

    listed = [prompt for prompt in batch if hasattr(prompt, "listing")]
    return (
        [prompt for prompt in batch if not hasattr(prompt, "listing")],
        [prompt for prompt in listed if _find_outside_state(prompt)],
        [prompt for prompt in batch if has_new_text(prompt)],
        [prompt for prompt in listed if _list_differences(prompt)],
    )


def _last_numbers(keys: list) -> dict:
    versions = PromptVersion.objects.filter(prompt__in=keys).order_by().values("prompt").annotate(last=Max("number"))
    return {row["prompt"]: row["last"] for row in versions}


def _take_in(batch: list[Prompt], *, now: datetime) -> set:
    """Write what these prompts need, which the caller's transaction holds. Returns the keys of those."""
    unlisted, moved, rewritten, redescribed = _find_foreign(batch)
    numbers = _last_numbers([prompt.pk for prompt in rewritten])
    for prompt in unlisted:
        state = Listing.State.PUBLISHED if prompt.is_published else Listing.State.WITHDRAWN
        listing = Listing(
            prompt=prompt,
            slug=find_free_slug(prompt.title),
            state=state,
            language=guess_language(f"{prompt.title} {prompt.prompt_text[:500]}"),
            outside_view_count=prompt.view_count or 0,
            outside_download_count=prompt.download_count or 0,
            created_at=prompt.created_at or now,
            published_at=(prompt.created_at or now) if prompt.is_published else None,
            updated_at=now,
        )
        _describe(listing, prompt)
        _save_under_free_slug(listing)
    for prompt in moved:
        prompt.listing.state = _find_outside_state(prompt)
        prompt.listing.state_reason = ""
        prompt.listing.updated_at = now
        if prompt.is_published and not prompt.listing.published_at:
            prompt.listing.published_at = now
        prompt.listing.save(update_fields=["state", "state_reason", "updated_at", "published_at"])
    for prompt in redescribed:
        if _list_differences(prompt) != ["variable_count"]:  # that alone changes when placeholders are read anew
            prompt.listing.updated_at = now
        _describe(prompt.listing, prompt)
        prompt.listing.save(update_fields=[*_DESCRIBED, "updated_at"])
    for prompt in rewritten:
        _add_version(prompt, number=numbers.get(prompt.pk, 0) + 1, note="", now=now)
    return {prompt.pk for prompt in [*unlisted, *moved, *rewritten, *redescribed]}


def _find_outside_state(prompt: Prompt) -> str:
    """The state that `is_published` asks for where it contradicts the listing's; empty where they agree."""
    if prompt.is_published and prompt.listing.state != Listing.State.PUBLISHED:
        return Listing.State.PUBLISHED
    if not prompt.is_published and prompt.listing.state == Listing.State.PUBLISHED:
        return Listing.State.WITHDRAWN
    return ""


# --- Parts


_DESCRIBED = ("summary", "description_html", "text_length", "line_count", "variable_count")


def _describe(listing: Listing, prompt: Prompt) -> None:
    """What the listing says of the prompt's own columns, worked out once instead of in every page."""
    listing.summary = plain_summary(prompt.description, SUMMARY_LENGTH)
    listing.description_html = render_markdown(prompt.description)
    listing.text_length = len(prompt.prompt_text)
    listing.line_count = sum(1 for line in prompt.prompt_text.splitlines() if line.strip())
    listing.variable_count = len(find_variables(prompt.prompt_text))


def _list_differences(prompt: Prompt) -> list[str]:
    """The columns in which the listing describes its prompt otherwise than it would be described now."""
    fresh = Listing()
    _describe(fresh, prompt)
    return [name for name in _DESCRIBED if getattr(prompt.listing, name) != getattr(fresh, name)]


def _add_version(prompt: Prompt, *, number: int, note: str, now: datetime) -> PromptVersion:
    return PromptVersion.objects.create(
        prompt=prompt,
        number=number,
        title=prompt.title,
        prompt_text=prompt.prompt_text,
        file_url=prompt.file_url,
        note=note,
        created_at=now,
    )


def _set_changed(row, fields: dict) -> set[str]:
    changed = {name for name, value in fields.items() if getattr(row, name) != value}
    for name in changed:
        setattr(row, name, fields[name])
    return changed


def follow_title(listing: Listing, title: str) -> None:
    """Give a listing that was never on sale the address of its new title; nobody has a link to the old one."""
    base = _slug_base(title)
    if re.fullmatch(rf"{re.escape(base)}(-\d|-[0-9a-f]{{8}})?", listing.slug):
        return
    for slug in (find_free_slug(title), f"{base}-{secrets.token_hex(4)}"):
        try:
            with transaction.atomic():
                Listing.objects.filter(pk=listing.pk).update(slug=slug)
        except IntegrityError:  # somebody took it since it was looked up
            continue
        listing.slug = slug
        return


def _slug_base(text: str) -> str:
    return slugify(unicodedata.normalize("NFC", text), allow_unicode=True)[:MAX_SLUG_LENGTH].strip("-_") or "prompt"


def find_free_slug(text: str) -> str:
    """An address part made of `text`, Hangul kept, that no listing has yet."""
    base = _slug_base(text)
    candidates = [base, *(f"{base}-{number}" for number in range(2, 10))]
    taken = set(Listing.objects.filter(slug__in=candidates).values_list("slug", flat=True))
    free = (candidate for candidate in candidates if candidate not in taken)
    return next(free, None) or f"{base}-{secrets.token_hex(4)}"


def _save_under_free_slug(listing: Listing) -> None:
    """Somebody may have taken the slug since it was looked up."""
    try:
        with transaction.atomic():
            listing.save(force_insert=True)
    except IntegrityError:
        if not Listing.objects.filter(slug=listing.slug).exists():
            raise
        listing.pk = None
        listing.slug = f"{listing.slug[:MAX_SLUG_LENGTH]}-{secrets.token_hex(4)}"
        listing.save(force_insert=True)


def guess_language(text: str) -> str:
    """`ko` where Hangul stands, else `en`: enough for rows that come without the fact."""
    scripts = Counter("ko" if "가" <= c <= "힣" else "en" for c in text if c.isalpha())
    return "ko" if scripts["ko"] * 4 >= scripts["en"] and scripts["ko"] else "en"
