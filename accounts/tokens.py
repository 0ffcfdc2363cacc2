"""Keys with which programs act for their owner: made once, shown once, kept as a hash, revoked at any time.

A token is 32 random bytes, so a plain SHA-256 is as good as a slow hash, and it is found by an index: no comparison of
secrets takes place whose time could tell anything.
"""

import hashlib
import re
import secrets
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.utils.translation import gettext as _

from accounts.models import ApiToken, User
from marketplace.hasty_writes import hasty_writes

PREFIX = "pm_"  # so that people and scanners of code recognise what they found
MAX_LIVE_TOKENS = 20

_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class TooManyTokens(Exception):
    """The message says what to do."""


class FormUsed(Exception):
    """The message says what became of the token that the form made."""


def make_token(*, user: User, name: str, now: datetime, form_key: UUID | None = None) -> tuple[ApiToken, str]:
    """Returns the row and the token itself, which nobody can read again. A second call makes another one.

    form_key: a random one of the form that was sent, so that sending it again makes nothing.
    Raises TooManyTokens, FormUsed.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two tabs at once stay within the limit
        if form_key is not None and user.api_tokens.filter(form_key=form_key).exists():
            raise FormUsed(
                _(
                    "This form has already made a token, and a token is shown only once. If you did not keep it, "
                    "revoke it and make another one."
                )
            )
        if user.api_tokens.live().count() >= MAX_LIVE_TOKENS:
            text = _("You have %(count)d tokens already. Revoke one that you no longer use.")
            raise TooManyTokens(text % {"count": MAX_LIVE_TOKENS})
        row = user.api_tokens.create(
            name=name, digest=_digest(token), ending=token[-4:], form_key=form_key, created_at=now
        )
    return row, token


def find_token(token: str) -> ApiToken | None:
    """The live token of an account that may sign in, with its user; None for anything else. One query."""
    if not _SHAPE.fullmatch(token):
        return None
    tokens = ApiToken.objects.live().select_related("user")
    return tokens.filter(digest=_digest(token), user__is_active=True).first()


def count_call(token: ApiToken, *, now: datetime, per_minute: int) -> int:
    """Count one use and remember when it was. Seconds to wait when this minute has seen too many, else 0.

    One statement, so the limit holds for all processes together. Refused uses are not counted.
    """
    minute = int(now.timestamp()) // 60
    has_room = ~Q(counted_minute=minute) | Q(call_count__lt=per_minute)
    with hasty_writes():
        is_counted = ApiToken.objects.filter(has_room, pk=token.pk).update(
            call_count=Case(When(counted_minute=minute, then=F("call_count") + 1), default=1),
            counted_minute=minute,
            last_used_at=now,
        )
    return 0 if is_counted else 60 - int(now.timestamp()) % 60


def revoke_token(*, user: User, token_id: int, now: datetime) -> bool:
    """It stops working at once, for good. False when it is nobody's, another's, or revoked before."""
    return bool(user.api_tokens.live().filter(pk=token_id).update(revoked_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
