"""What somebody owns, as prompts of MCP: names, arguments, and the filled text behind the purchase guard."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from catalog.models import PromptVersion
from catalog.variables import fill, find_variables
from checkout.library import Kind, NotOwned, Revoked, Sealed, unlock
from checkout.models import Entitlement
from mcp.service import BadParams, Prompt, PromptArgument, PromptPage, PromptText

PAGE_SIZE = 50
SUFFIX_LENGTH = 10  # hexadecimal digits of the prompt's key: what a name is found by
MAX_WORDS_LENGTH = 40

_NAME = re.compile(rf"(?:[a-z0-9-]*-)?([0-9a-f]{{{SUFFIX_LENGTH}}})")


def make_name(entitlement: Entitlement) -> str:
    """Short, ASCII and lasting: the address's Latin words, if it has any, and the beginning of the prompt's key."""
    slug = entitlement.prompt.listing.slug
    words = re.sub(r"[^a-z0-9]+", "-", slug.lower())[:MAX_WORDS_LENGTH].strip("-")
    return f"{words or 'prompt'}-{entitlement.prompt_id.hex[:SUFFIX_LENGTH]}"


def list_page(*, user, after: str | None, page_size: int = PAGE_SIZE) -> PromptPage:
    rights, next_key = list_rights(user=user, after=after, page_size=page_size)
    return PromptPage([describe(right) for right in rights], next_key)


def list_rights(
    *, user, after: str | None = None, title: str = "", page_size: int = PAGE_SIZE
) -> tuple[list[Entitlement], str | None]:
    """What the person owns, opened or not, newest first, and the key to go on from. One query whatever the size.

    after: such a key; what is bought or refunded meanwhile shifts nothing. title: a part of one. Raises BadParams.
    """
    rights = _find_rights(user).filter(_after(after))
    if title.strip():
        rights = rights.filter(prompt__title__icontains=unicodedata.normalize("NFC", title.strip()))
    found = list(rights.order_by("-granted_at", "-pk")[: page_size + 1])
    page = found[:page_size]
    return page, f"{page[-1].granted_at.isoformat()} {page[-1].pk}" if len(found) > page_size else None


def find_right(*, user, name: str) -> Entitlement:
    """Raises BadParams, the same for what is unknown, somebody else's or refunded."""
    matched = _NAME.fullmatch(name)
    if not matched:
        raise BadParams("unknown prompt")
    digits = matched[1]
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    right = _find_rights(user).filter(prompt_id__gte=first, prompt_id__lte=last).first()
    if right is None:
        raise BadParams("unknown prompt")
    return right


def describe(right: Entitlement) -> Prompt:
    """A sealed one shows no arguments: they stand in the text, which nobody has opened."""
    listing = right.prompt.listing
    if right.is_sealed:
        text = _("Not opened yet. Opening it ends the right to cancel, so you do it yourself: %(url)s")
        description = text % {"url": library_url(right)}
    else:
        description = listing.summary
    return Prompt(
        name=make_name(right), title=right.prompt.title, description=description, arguments=name_arguments(right)
    )


def name_arguments(right: Entitlement) -> list[PromptArgument]:
    """The placeholders of the newest text, in order of appearance."""
    if right.is_sealed:
        return []
    text = right.prompt.prompt_text if right.newest_text is None else right.newest_text
    return [
        PromptArgument(
            name=variable.name,
            is_required=variable.default is None,
            description=_("Usually: %(value)s") % {"value": variable.default} if variable.default else "",
        )
        for variable in find_variables(text)
    ]


def get_text(*, user, name: str, values: Mapping[str, str], now: datetime) -> PromptText:
    """The newest text with these values in place; the purchase is checked and the visit logged each time.

    A sealed one is not opened: the answer says how, and links there. Raises BadParams.
    """
    right = find_right(user=user, name=name)
    try:
        unlocked = unlock(user=user, slug=right.prompt.listing.slug, kind=Kind.READ, now=now)
    except Sealed:
        return PromptText([("user", explain_seal(right))], description=_("Not opened yet"))
    except (NotOwned, Revoked):
        raise BadParams("unknown prompt") from None
    describe(right).check_values(values)
    return PromptText([("user", fill(unlocked.text, values))], description=right.prompt.listing.summary)


def explain_seal(right: Entitlement) -> str:
    text = _(
        "You own “%(title)s” and have not opened it yet. Opening it ends your right to cancel the purchase, so it is "
        "not done from here. Open it on this page, then ask again: %(url)s"
    )
    return text % {"title": right.prompt.title, "url": library_url(right)}


def library_url(right: Entitlement) -> str:
    return urljoin(settings.SITE_URL, reverse("checkout:library_prompt", args=[right.prompt.listing.slug]))


def _find_rights(user):
    """Live rights with the text of the newest version, which is what `unlock` gives out."""
    versions = PromptVersion.objects.filter(prompt_id=OuterRef("prompt_id")).order_by("-number")
    rights = Entitlement.objects.live().filter(user=user, prompt__listing__isnull=False)
    return (
        rights.select_related("prompt__listing")
        .defer("prompt__file_url", "prompt__description", "prompt__listing__description_html")
        .annotate(newest_text=Subquery(versions.values("prompt_text")[:1]))
    )


def _after(key: str | None) -> Q:
    if key is None:
        return Q()
    moment, _sep, right_id = key.partition(" ")
    try:
        granted_at, right_id = parse_datetime(moment), UUID(right_id)
    except ValueError:
        granted_at = None
    if granted_at is None or granted_at.tzinfo is None:
        raise BadParams("unknown cursor")
    return Q(granted_at__lt=granted_at) | Q(granted_at=granted_at, pk__lt=right_id)
