"""The file that buyers of a prompt get: attached, replaced and taken away by its seller.

It lies in the private storage as `attachments/<random>/<name>`, and `file_url` is its address. Only the guard in
`checkout/library.py` hands it out. What a version names stays, because buyers of that version may have it.
"""

import re
import secrets
from datetime import datetime
from functools import partial

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from catalog.listings import change_listing, lock_prompt
from catalog.models import Listing, Prompt
from catalog.uploads import recognise_file
from marketplace.uploads import refuse_large

MAX_FILE_BYTES = 50 * 1024 * 1024
ATTACHMENT_FOLDER = "attachments"
PRIVATE_SCHEME = "private://"

_STORED = re.compile(rf"{PRIVATE_SCHEME}({ATTACHMENT_FOLDER}/[\w-]{{22}})/([^/]+)", re.ASCII)


def attach_file(*, prompt: Prompt, upload: UploadedFile, now: datetime, note: str = "") -> None:
    """Store the file as the one that buyers get, in the place of the one before; that makes a new version.

    note: what changed, written for buyers.
    Raises UploadRefused; nothing is stored then, nor when storing or saving fails. A second call with the same file
    stores it again and makes another version. Must not run inside a transaction, whose failure it would not notice.
    """
    refuse_large(upload, max_bytes=MAX_FILE_BYTES)
    _kind, file_name = recognise_file(upload)
    address = f"{PRIVATE_SCHEME}{ATTACHMENT_FOLDER}/{secrets.token_urlsafe(16)}/{file_name}"
    try:
        storages["private"].save(address.removeprefix(PRIVATE_SCHEME), upload)
        _change_file(prompt=prompt, file_url=address, note=note, now=now)
    except Exception:
        _delete_file(address)
        raise


def detach_file(*, prompt: Prompt, now: datetime) -> bool:
    """Offer the prompt without a file from now on, in a new version. False when it has none."""
    return _change_file(prompt=prompt, file_url=None, now=now)


def forget_files(*, prompt: Prompt) -> None:
    """Delete the files of all versions once the caller's transaction, which deletes the prompt, is committed."""
    of_versions = prompt.versions.exclude(file_url=None).values_list("file_url", flat=True)
    for address in {prompt.file_url or "", *of_versions}:
        transaction.on_commit(partial(_delete_file, address), robust=True)


def describe_attachment(prompt: Prompt) -> tuple[str, int | None] | None:
    """Name and bytes of the file, for its seller; None without one.

    The size asks the storage. It is None for a file that is missing there or lies on another host.
    """
    address = prompt.file_url
    if not address:
        return None
    name = find_stored_file_name(address) or address.rstrip("/").rpartition("/")[2]
    try:
        is_private = address.startswith(PRIVATE_SCHEME)
        return name, storages["private"].size(address.removeprefix(PRIVATE_SCHEME)) if is_private else None
    except (OSError, ValueError, SuspiciousFileOperation):
        return name, None


def find_stored_file_name(address: str) -> str:
    """The name that the seller gave a file; empty for an address that is not of our naming."""
    stored = _STORED.fullmatch(address)
    return stored[2] if stored else ""


def _change_file(*, prompt: Prompt, file_url: str | None, now: datetime, note: str = "") -> bool:
    with transaction.atomic():
        locked = lock_prompt(prompt)
        before = locked.file_url or None
        if before == file_url:
            return False
        change_listing(prompt=locked, now=now, prompt_fields={"file_url": file_url}, note=note)
        if _was_never_offered(locked):
            locked.versions.filter(file_url=before).update(file_url=None)
        if before and not locked.versions.filter(file_url=before).exists():
            transaction.on_commit(partial(_delete_file, before), robust=True)
    prompt.file_url = locked.file_url
    return True


def _was_never_offered(prompt: Prompt) -> bool:
    """Whether nobody can have bought any version: a draft that was never on sale. Its old files need not be kept."""
    return prompt.listing.state == Listing.State.DRAFT and prompt.listing.published_at is None


def _delete_file(address: str) -> None:
    """Delete a stored file with its folder. One that is not of our naming is left alone."""
    stored = _STORED.fullmatch(address)
    if stored:
        storages["private"].delete(address.removeprefix(PRIVATE_SCHEME))
        storages["private"].delete(stored[1])
