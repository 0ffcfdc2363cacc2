"""The text of a prompt that somebody has, filled in: the purchase is checked and the visit logged on each call."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext as _

from catalog.variables import fill
from checkout.library import Kind, NotOwned, Revoked, Sealed, unlock_entitlement
from mcp.owned_prompts import Owned, find_owned
from mcp.service import BadParams, PromptText


def get_text(*, user, name: str, values: Mapping[str, str], now: datetime) -> PromptText:
    """The newest text with these values in place. A sealed one is not opened: the answer says how, and links there.

    Raises BadParams.
    """
    owned = find_owned(user=user, name=name)
    values = clean_values(owned, values)
    if not owned.is_sealed:
        missing = find_missing(owned, values)
        if missing:
            raise BadParams(f"missing arguments: {', '.join(missing)}")
    try:
        return PromptText([("user", fill_text(owned, values, now=now))], description=owned.summary)
    except Sealed:
        return PromptText([("user", explain_seal(owned))], description=_("Not opened yet"))
    except (NotOwned, Revoked):
        raise BadParams("unknown prompt") from None


def fill_text(owned: Owned, values: Mapping[str, str], *, now: datetime) -> str:
    """Values are plain: what looks like a placeholder in one stays as it is. Raises Sealed, Revoked, NotOwned."""
    if owned.right is None:
        return fill(owned.text, values)
    return fill(unlock_entitlement(entitlement=owned.right, kind=Kind.CLIENT_READ, now=now).text, values)


def clean_values(owned: Owned, values: Mapping[str, str]) -> dict[str, str]:
    """Under the names as the arguments have them. An empty value where there is a usual one was not filled in."""
    named = {unicodedata.normalize("NFC", name): value for name, value in values.items()}
    usual = {argument.name for argument in owned.arguments if not argument.is_required}
    return {name: value for name, value in named.items() if value or name not in usual}


def find_missing(owned: Owned, values: Mapping[str, str]) -> list[str]:
    return [argument.name for argument in owned.arguments if argument.is_required and argument.name not in values]


def explain_seal(owned: Owned) -> str:
    text = _(
        "You own “%(title)s” and have not opened it yet. Opening it ends your right to cancel the purchase, so it is "
        "not done from here. Open it on this page, then ask again: %(url)s"
    )
    return text % {"title": owned.title, "url": owned.url}
