"""The pictures of a listing: added, ordered, described and taken away by its seller.

`prompts.image_urls` is the order that every program reads; `listings.image_alts` says what each picture shows. All
sizes of a picture lie in the default storage; its address is that of the largest, and the name tells the others.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image

from catalog.images import PICTURE_FOLDER, PICTURE_WIDTHS, is_showable, list_stored_sizes, name_size, plan_sizes
from catalog.listings import change_listing, lock_prompt
from catalog.models import Prompt
from marketplace.pictures import encode_webp, read_picture
from marketplace.uploads import UploadRefused, refuse_large

MAX_PICTURES = 8
MAX_PICTURE_BYTES = 10 * 1024 * 1024
MAX_HEIGHT_PX = 8000  # of a stored size: long screenshots stay readable, and WebP ends at 16,383
ALT_MAX_LENGTH = 200  # characters


def add_picture(*, prompt: Prompt, upload: UploadedFile, alt: str, now: datetime) -> str:
    """Store the picture in its widths and put it behind the others. Returns its address in `prompts.image_urls`.

    alt: what the picture shows, in words; may be empty.
    Raises UploadRefused; nothing is stored then, nor when storing or saving fails. A second call with the same picture
    adds it again. Must not run inside a transaction, whose failure it would not notice.
    """
    alt = clean_alt(alt)
    _refuse_one_more(prompt)  # before the work; asked again once the row is locked
    name = _store_sizes(draw_sizes(upload))
    address = default_storage.url(name)

    def append(addresses, alts):
        _refuse_one_more(locked)
        return [*addresses, address], {**alts, address: alt}

    try:
        with transaction.atomic():
            locked = lock_prompt(prompt)
            _change(locked, append, now=now)
    except Exception:
        delete_sizes(name)
        raise
    _show(prompt, locked)
    return address


def remove_picture(*, prompt: Prompt, address: str, now: datetime) -> bool:
    """Take a picture away; its files are deleted once that is committed. False when the listing does not have it."""

    def remove(addresses, alts):
        return [each for each in addresses if each != address], {k: v for k, v in alts.items() if k != address}

    with transaction.atomic():
        locked = lock_prompt(prompt)
        is_there = address in _addresses(locked)
        if is_there:
            _change(locked, remove, now=now)
            name = find_stored_name(address)
            if name:
                transaction.on_commit(partial(delete_sizes, name), robust=True)
    _show(prompt, locked)
    return is_there


def forget_pictures(*, prompt: Prompt) -> None:
    """Delete the files of all pictures once the caller's transaction, which deletes the prompt, is committed."""
    for name in filter(None, map(find_stored_name, filter(is_showable, _addresses(prompt)))):
        transaction.on_commit(partial(delete_sizes, name), robust=True)


def move_picture(*, prompt: Prompt, address: str, to: int, now: datetime) -> bool:
    """Put a picture at place `to`, counted from 0; beyond the ends means the end. The first one is the cover.

    False, and nothing written, when the listing does not have it or it is there already.
    """

    def move(addresses, alts):
        others = [each for each in addresses if each != address]
        others.insert(max(0, to), address)
        return others, alts

    with transaction.atomic():
        locked = lock_prompt(prompt)
        is_moved = address in _addresses(locked) and _change(locked, move, now=now)
    _show(prompt, locked)
    return is_moved


def describe_picture(*, prompt: Prompt, address: str, alt: str, now: datetime) -> bool:
    """Say what a picture shows. False when the listing does not have it or says so already. Raises UploadRefused."""
    alt = clean_alt(alt)
    with transaction.atomic():
        locked = lock_prompt(prompt)
        is_described = address in _addresses(locked) and _change(
            locked, lambda addresses, alts: (addresses, {**alts, address: alt}), now=now
        )
    _show(prompt, locked)
    return is_described


def clean_alt(text: str) -> str:
    """The text in one line. Raises UploadRefused above 200 characters: screen readers read it in one breath."""
    alt = " ".join(text.split())
    if len(alt) > ALT_MAX_LENGTH:
        raise UploadRefused(_("Describe the picture in at most %(limit)d characters.") % {"limit": ALT_MAX_LENGTH})
    return alt


def draw_sizes(upload: UploadedFile) -> dict[tuple[int, int], bytes]:
    """The picture as WebP in each of its sizes, largest first. Raises UploadRefused."""
    refuse_large(upload, max_bytes=MAX_PICTURE_BYTES)
    picture = read_picture(upload, enough_px=max(PICTURE_WIDTHS))
    scale = min(1, max(PICTURE_WIDTHS) / picture.width, MAX_HEIGHT_PX / picture.height)
    largest = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    drawn = {}
    for size in plan_sizes(*largest):
        picture = picture.resize(size, Image.Resampling.LANCZOS) if size != picture.size else picture
        drawn[size] = encode_webp(picture)
    return drawn


def find_stored_name(address: str) -> str:
    """The picture's name in the default storage; empty for one that is not of our naming, or lies elsewhere."""
    if not list_stored_sizes(address):
        return ""
    name = f"{PICTURE_FOLDER}/{address.rpartition('/')[2]}"
    return name if default_storage.url(name) == address else ""


def delete_sizes(name: str) -> None:
    """Delete every size of a stored picture. Those that are not there are none of its sizes any more."""
    for size in list_stored_sizes(name):
        default_storage.delete(name_size(name, size))


def _store_sizes(drawn: dict[tuple[int, int], bytes]) -> str:
    """Store all sizes or none. Returns the name of the largest."""
    largest = next(iter(drawn))
    name = f"{PICTURE_FOLDER}/{secrets.token_urlsafe(16)}-{largest[0]}x{largest[1]}.webp"
    try:
        for size, data in drawn.items():
            default_storage.save(name_size(name, size), ContentFile(data))
    except Exception:
        delete_sizes(name)
        raise
    return name


def _refuse_one_more(prompt: Prompt) -> None:
    if len(_addresses(prompt)) >= MAX_PICTURES:
        raise UploadRefused(
            _("A prompt has at most %(limit)d pictures. Take one away first.") % {"limit": MAX_PICTURES}
        )


def _addresses(prompt: Prompt) -> list:
    return prompt.image_urls if isinstance(prompt.image_urls, list) else []  # other programs write the column, too


def _change(locked: Prompt, change: Callable, *, now: datetime) -> bool:
    """What `change` makes of addresses and texts, written to a locked prompt. False when that is nothing new."""
    before = _addresses(locked), locked.listing.image_alts
    after = change(*before)
    change_listing(
        prompt=locked, now=now, prompt_fields={"image_urls": after[0]}, listing_fields={"image_alts": after[1]}
    )
    return before != after


def _show(prompt: Prompt, locked: Prompt) -> None:
    """Let the caller's instance show what was written."""
    prompt.image_urls = locked.image_urls
    if Prompt.listing.is_cached(prompt):
        prompt.listing.image_alts, prompt.listing.updated_at = locked.listing.image_alts, locked.listing.updated_at
