"""How a person appears to others: nickname and avatar."""

import re
import secrets
import unicodedata
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from accounts.models import AVATAR_FOLDER, Profile, User
from marketplace.pictures import encode_webp, read_picture
from marketplace.uploads import refuse_large

NICKNAME_MIN_LENGTH = 2
NICKNAME_MAX_LENGTH = 30  # characters, after normalising
AVATAR_SIDE_PX = 256
AVATAR_MAX_BYTES = 5 * 1024 * 1024

_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # control, bidi, zero width, private, line breaks
_INVISIBLE_LETTERS = set("\u115f\u1160\u2800\u3164\uffa0")  # Hangul fillers and the blank Braille cell


class NicknameRefused(Exception):
    """The message is written for the person."""


def ensure_profile(user: User) -> Profile:
    """The person's profile, made where an older or imported account has none. A second call changes nothing."""
    profile, _created = Profile.objects.get_or_create(user=user)
    profile.user = user  # what the row was looked up by need not be read again
    return profile


def clean_nickname(text: str) -> str | None:
    """A nickname as it is stored: NFC, single spaces, 2 to 30 characters. None for an empty one.

    Raises NicknameRefused for characters that cannot be seen: they make two names look alike or turn a line around.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name:
        return None
    if has_invisible(name):
        raise NicknameRefused(_("The nickname holds a character that cannot be seen. Type it again by hand."))
    if has_piled_marks(name):
        raise NicknameRefused(_("The nickname has too many marks on one letter. Leave some out."))
    if not NICKNAME_MIN_LENGTH <= len(name) <= NICKNAME_MAX_LENGTH:
        raise NicknameRefused(_("A nickname has 2 to 30 characters; this one has %(count)d.") % {"count": len(name)})
    return name


def has_invisible(text: str) -> bool:
    """Whether a character in it cannot be seen, line breaks among them."""
    return any(unicodedata.category(char) in _INVISIBLE_CATEGORIES or char in _INVISIBLE_LETTERS for char in text)


def has_piled_marks(text: str) -> bool:
    """Whether one letter carries so many marks that they run into the lines around it."""
    return bool(re.search(r"[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff]{3}", text))


def change_nickname(*, user: User, nickname: str | None, now: datetime) -> Profile:
    """Store a nickname that `clean_nickname` has returned; None takes it away. now: aware, stored as updated_at."""
    profile = ensure_profile(user)
    profile.nickname, profile.updated_at = nickname, now
    profile.save(update_fields=["nickname", "updated_at"])
    return profile


def change_avatar(*, user: User, upload: UploadedFile, now: datetime) -> Profile:
    """Store the picture as the person's avatar; the one before is deleted once the change is committed.

    Raises UploadRefused. A second call with the same picture stores it again under another name.
    """
    picture = draw_avatar(upload)  # before the transaction: it takes a while
    name = default_storage.save(f"{AVATAR_FOLDER}{secrets.token_urlsafe(16)}.webp", ContentFile(picture))
    try:
        return _replace_avatar(user=user, avatar_url=default_storage.url(name), now=now)
    except Exception:
        default_storage.delete(name)
        raise


def remove_avatar(*, user: User, now: datetime) -> Profile:
    """Take the avatar away and delete its file once that is committed. Without one, nothing changes."""
    profile = ensure_profile(user)
    return _replace_avatar(user=user, avatar_url=None, now=now) if profile.avatar_url else profile


def _replace_avatar(*, user: User, avatar_url: str | None, now: datetime) -> Profile:
    ensure_profile(user)
    with transaction.atomic():
        profile = Profile.objects.select_for_update().get(user=user)
        old_name = profile.avatar_name
        profile.avatar_url, profile.updated_at = avatar_url, now
        profile.save(update_fields=["avatar_url", "updated_at"])
        if old_name:
            transaction.on_commit(lambda: default_storage.delete(old_name))
    return profile


def draw_avatar(upload: UploadedFile) -> bytes:
    """The uploaded picture as a square WebP of 256 px without metadata: turned upright, cut to its middle.

    Only the first frame of a moving picture is kept. Raises UploadRefused.
    """
    refuse_large(upload, max_bytes=AVATAR_MAX_BYTES)
    picture = read_picture(upload, enough_px=AVATAR_SIDE_PX * 2)
    return encode_webp(ImageOps.fit(picture, (AVATAR_SIDE_PX, AVATAR_SIDE_PX), Image.Resampling.LANCZOS))
