"""What a seller types: a draft that two clicks make once, and a save that overwrites nothing unseen.

`listings.py` knows what else moves when a listing changes; here is what a person with two tabs may count on.
"""

import hashlib
import json
import uuid
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.checklist import PRICE_RULE, is_allowed_price, list_missing
from catalog.listings import ListingRefused, change_listing, create_listing, follow_title, lock_prompt
from catalog.models import Listing, Prompt, PromptVersion
from catalog.tags import normalize_tags
from sellers.models import Seller

MAX_TAGS = 8  # that a seller gives; rows of other programs may have more
MAX_TITLE_LENGTH = 120  # characters
MAX_TEXT_LENGTH = 100_000  # characters of the prompt itself
PROMPT_COLUMNS = ("title", "description", "price", "tags", "prompt_text")
LISTING_COLUMNS = ("model", "output_kind", "language")


class EditRefused(ListingRefused):
    """`field` names what it is about, empty for the whole; the message is written for the seller."""

    def __init__(self, field: str, message: str):
        self.field = field
        super().__init__(message)


class EditOutdated(Exception):
    """The listing was changed since the page was drawn. `prompt` is how it stands now."""

    def __init__(self, prompt: Prompt):
        self.prompt = prompt
        super().__init__(str(prompt.pk))


def digest_edit(prompt: Prompt) -> str:
    """A short name for everything the editor shows, and for the state. The form carries it: see `save_edit`.

    Pictures, the file and counters are not in it: they change without overwriting what somebody types.
    """
    listing = prompt.listing
    columns = [getattr(prompt, name) for name in PROMPT_COLUMNS] + [getattr(listing, name) for name in LISTING_COLUMNS]
    text = json.dumps([*columns, listing.state], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def start_draft(
    *, seller: Seller, token: uuid.UUID, prompt_fields: dict, listing_fields: dict, now: datetime
) -> tuple[Prompt, bool]:
    """(prompt, whether it is new). A second call with the same token returns the first draft as it stands.

    prompt_fields, listing_fields: some of PROMPT_COLUMNS and LISTING_COLUMNS; a title is enough.
    The token stands in the form; the draft's key is made of it and the seller, so nobody can ask for another's.
    Raises EditRefused.
    """
    _check(prompt_fields)
    key = uuid.uuid5(seller.pk, f"draft {token}")
    there = Prompt.objects.filter(pk=key).select_related("listing__seller__business").first()
    if there:
        return there, False
    blank = {"description": "", "price": 0, "tags": [], "prompt_text": ""}
    try:
        with transaction.atomic():
            prompt = create_listing(
                prompt_fields={**blank, **prompt_fields, "id": key},
                seller=seller,
                state=Listing.State.DRAFT,
                now=now,
                **listing_fields,
            )
    except IntegrityError:  # the other click was first
        there = Prompt.objects.filter(pk=key).select_related("listing__seller__business").first()
        if there is None:
            raise
        return there, False
    return prompt, True


def save_edit(
    *, prompt: Prompt, seen: str, prompt_fields: dict, listing_fields: dict, note: str, now: datetime
) -> PromptVersion | None:
    """Store what differs; returns the new version where text or file is another. `prompt` is changed as its row is.

    seen: `digest_edit` of what the page showed.
    note: what changed, written for buyers, with the new version.
    What was on sale once keeps its address; before that the address follows the title. What is on sale cannot lose
    anything that publishing asks for; what it lacked before, as rows of other programs may, it may go on lacking.
    Raises EditOutdated, and nothing is written, when the row is no longer what was seen; EditRefused.
    """
    _check(prompt_fields)
    with transaction.atomic():
        fresh = lock_prompt(prompt)
        if digest_edit(fresh) != seen:
            raise EditOutdated(fresh)
        is_new_text = prompt_fields.get("prompt_text", fresh.prompt_text) != fresh.prompt_text
        if note and not is_new_text:
            raise EditRefused(
                "note", _("The prompt itself is the same, so there is no new version that this could be said of.")
            )
        lacked = {need.field for need in list_missing(fresh)}
        if fresh.listing.published_at is None and "title" in prompt_fields:
            follow_title(fresh.listing, prompt_fields["title"])
        version = change_listing(
            prompt=fresh, prompt_fields=prompt_fields, listing_fields=listing_fields, note=note, now=now
        )
        lost = [need.name for need in list_missing(fresh) if need.field not in lacked]
        if fresh.is_published and lost:
            text = _("While it is on sale it cannot do without %(names)s. Fill that in, or withdraw it first.")
            raise EditRefused("", text % {"names": ", ".join(lost)})
    for name in PROMPT_COLUMNS:
        setattr(prompt, name, getattr(fresh, name))
    prompt.listing = fresh.listing
    return version


def _check(fields: dict) -> None:
    """Raises EditRefused for what no form should have let through."""
    if "title" in fields and not 0 < len(fields["title"].strip()) <= MAX_TITLE_LENGTH:
        raise EditRefused("title", _("A title has 1 to 120 characters."))
    if not is_allowed_price(fields.get("price", 0)):
        raise EditRefused("price", str(PRICE_RULE))
    if len(fields.get("prompt_text", "")) > MAX_TEXT_LENGTH:
        raise EditRefused("prompt_text", _("The prompt itself has at most 100,000 characters."))
    if "tags" in fields and len(normalize_tags(fields["tags"])) > MAX_TAGS:
        raise EditRefused("tags", _("At most 8 tags."))
