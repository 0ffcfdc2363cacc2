"""The text of a prompt that somebody has, filled in: the purchase is checked and the visit logged on each call."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext as _

from catalog.placeholders import make_key
from catalog.variables import split_filled
from checkout.library import Sealed, hand_out
from mcp.serving.owned_prompts import Owned, find_owned
from mcp.serving.service import BadParams, PromptText

MAX_FILLED = 1_000_000  # characters: a long value may stand in many places


class TooLong(Exception):
    """The values are too long for this text."""


def get_text(*, user, name: str, values: Mapping[str, str], now: datetime) -> PromptText:
    """The newest text with these values in place. A sealed one is not opened: the answer says how, and links there.

    Raises BadParams.
    """
    owned = find_owned(user=user, name=name, now=now)
    values = clean_values(owned, values)
    if not owned.is_sealed:
        missing = find_missing(owned, values)
        if missing:
            raise BadParams(f"missing arguments: {', '.join(missing)}")
    try:
        return PromptText([("user", fill_text(owned, values, now=now))], description=owned.summary)
    except Sealed:
        return PromptText([("user", explain_seal(owned))], description=_("Not opened yet"))
    except TooLong:
        raise BadParams(f"the filled text would be longer than {MAX_FILLED} characters") from None


def fill_text(owned: Owned, values: Mapping[str, str], *, now: datetime) -> str:
    """Values are plain: what looks like a placeholder in one stays as it is. Raises Sealed, TooLong."""
    return _fill(owned.text if owned.right is None else hand_out(right=owned.right, now=now), values)


def _fill(text: str, values: Mapping[str, str]) -> str:
    pieces, room = [], MAX_FILLED
    for piece in split_filled(text, values):
        shown = piece if isinstance(piece, str) else piece.shown
        room -= len(shown)
        if room < 0:
            raise TooLong
        pieces.append(shown)
    return "".join(pieces)


def clean_values(owned: Owned, values: Mapping[str, str]) -> dict[str, str]:
    """Under the keys of their variables. An empty value where there is a usual one was not filled in."""
    usual = {make_key(argument.name) for argument in owned.arguments if not argument.is_required}
    named = {make_key(name): value for name, value in values.items()}
    return {key: value for key, value in named.items() if value or key not in usual}


def find_missing(owned: Owned, values: Mapping[str, str]) -> list[str]:
    """Names of arguments that are needed and not among cleaned values."""
    needed = [argument.name for argument in owned.arguments if argument.is_required]
    return [name for name in needed if make_key(name) not in values]


def explain_seal(owned: Owned) -> str:
    text = _(
        "You own “%(title)s” and have not opened it yet. Opening it ends your right to cancel the purchase, so it is "
        "not done from here. Open it on this page, then ask again: %(url)s"
    )
    return text % {"title": owned.title, "url": owned.url}
