"""Keys with which programs act for their owner: made once, shown once, kept as a hash, revoked at any time.

A token is 32 random bytes, so a plain SHA-256 is as good as a slow hash, and it is found by an index: no comparison of
secrets takes place whose time could tell anything.
"""

import hashlib
import re
import secrets
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import ApiToken, User
from marketplace.hasty_writes import write_hastily
from marketplace.prepared_queries import Prepared, value_of

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
    """The live token of an account that may sign in, with its user; None for anything else. One query.

    Of both only the keys are read; the rest comes when it is asked for.
    """
    if not _SHAPE.fullmatch(token):
        return None
    for token_id, user_id in _LIVE_TOKEN.rows(digest=_digest(token)):
        found = ApiToken.from_db(DEFAULT_DB_ALIAS, ("id", "user_id"), (token_id, user_id))
        found.user = User.from_db(DEFAULT_DB_ALIAS, ("id",), (user_id,))
        return found
    return None


def _prepare_live_token() -> QuerySet:
    tokens = ApiToken.objects.live().filter(digest=value_of("digest", ApiToken._meta.get_field("digest")))
    return tokens.filter(user__is_active=True).values_list("pk", "user_id")


_LIVE_TOKEN = Prepared(_prepare_live_token)


def count_call(token: ApiToken, *, now: datetime, per_minute: int) -> int:
    """Count one use and remember when it was. Seconds to wait when this minute has seen too many, else 0.

    One statement, so the limit holds for all processes together. Refused uses are not counted.
    """
    minute = int(now.timestamp()) // 60
    used_at = connection.ops.adapt_datetimefield_value(now)
    is_counted = write_hastily(_COUNT_CALL, [minute, minute, used_at, token.pk, minute, per_minute])
    return 0 if is_counted else 60 - int(now.timestamp()) % 60


# By hand, because the ORM takes longer to write it than a database to carry it out, and it stands in every call.
_COUNT_CALL = """
UPDATE api_tokens
SET call_count = CASE WHEN counted_minute = %s THEN call_count + 1 ELSE 1 END, counted_minute = %s, last_used_at = %s
WHERE id = %s AND (counted_minute <> %s OR call_count < %s)
"""


def revoke_token(*, user: User, token_id: int, now: datetime) -> bool:
    """It stops working at once, for good. False when it is nobody's, another's, or revoked before."""
    return bool(user.api_tokens.live().filter(pk=token_id).update(revoked_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
