"""What somebody has, as prompts of MCP: what they bought and, as a seller, what they wrote. Lists, names and cursors.

Texts are read here for the arguments in them; `prompt_texts.py` alone gives one out, through the guard of the library.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce, Right
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from catalog.models import Listing, Prompt, PromptVersion
from catalog.variables import find_variables
from checkout.library import READ_AGAIN_AFTER, find_readable
from checkout.models import Entitlement
from marketplace.prepared_queries import Prepared, value_of
from mcp.foreign_text import clean_line, clean_text
from mcp.registry.romanized import romanize
from mcp.serving import service

PAGE_SIZE = 50
HALF = 6  # hexadecimal digits from either end of a prompt's key: programs that number their keys change the last ones
MAX_WORDS_LENGTH = 40
MAX_TITLE = 200
MAX_SUMMARY = 500

_NAME = re.compile(rf"(?:[a-z0-9-]*-)?([0-9a-f]{{{HALF}}})([0-9a-f]{{{HALF}}})")
_OWN = re.compile(r"own ([0-9]{1,18})")


@dataclass(frozen=True)
class Owned:
    """One prompt that a person may use.

    right: the purchase; None where they wrote the prompt. text: the newest one, None behind a seal. place: what a list
    goes on from after it.
    """

    prompt: Prompt
    right: Entitlement | None
    text: str | None
    place: str

    @property
    def is_sealed(self) -> bool:
        return self.text is None

    @property
    def name(self) -> str:
        """Short, ASCII and unique for its owner: the sound of the address's words, and digits of the prompt's key."""
        words = re.sub(r"[^a-z0-9]+", "-", romanize(self.prompt.listing.slug).lower())[:MAX_WORDS_LENGTH].strip("-")
        digits = self.prompt.pk.hex
        return f"{words or 'prompt'}-{digits[:HALF]}{digits[-HALF:]}"

    @property
    def title(self) -> str:
        return clean_line(self.prompt.title, MAX_TITLE)

    @property
    def summary(self) -> str:
        return clean_text(self.prompt.listing.summary, MAX_SUMMARY)

    @property
    def url(self) -> str:
        """Where its owner reads it, or opens it first."""
        if self.right is None:
            path = reverse("studio:listing_edit", args=[self.prompt.pk])
        else:
            path = reverse("checkout:library_prompt", args=[self.prompt.listing.slug])
        return urljoin(settings.SITE_URL, path)

    @cached_property
    def arguments(self) -> list[service.PromptArgument]:
        """The placeholders of the text, in order of appearance; none behind a seal, where nobody has read it."""
        return [
            service.PromptArgument(
                name=variable.name,
                is_required=variable.default is None,
                description=_("Usually: %(value)s") % {"value": variable.default} if variable.default else "",
            )
            for variable in find_variables(self.text or "")
        ]

    def describe(self) -> service.Prompt:
        description = self.summary
        if self.is_sealed:
            text = _("Not opened yet. Opening it ends the right to cancel, so you do it yourself: %(url)s")
            description = text % {"url": self.url}
        return service.Prompt(name=self.name, title=self.title, description=description, arguments=self.arguments)


def list_owned(
    *, user, now: datetime, after: str | None = None, title: str = "", page_size: int = PAGE_SIZE
) -> tuple[list[Owned], str | None]:
    """What was bought, newest first, then what was written; and the place to go on from. Two queries at most.

    after: such a place; what is bought or refunded meanwhile shifts nothing. title: a part of one. Raises BadParams.
    """
    found: list[Owned] = []
    own_after = _OWN.fullmatch(after or "")
    if not own_after:
        rights = _with_title(_find_rights(user, now), title, "prompt__title").filter(_follows(after))
        found = [_make_bought(right) for right in rights.order_by("-granted_at", "-pk")[: page_size + 1]]
    if len(found) <= page_size:
        written = _with_title(_find_written(user), title, "title")
        if own_after:
            written = written.filter(listing__id__lt=int(own_after[1]))
        found += [_make_written(each) for each in written.order_by("-listing__id")[: page_size + 1 - len(found)]]
    page = found[:page_size]
    return page, page[-1].place if len(found) > page_size else None


def find_owned(*, user, name: str, now: datetime) -> Owned:
    """After a change of address the old name still works: its digits find the prompt, and words only tell twins apart.

    Raises BadParams, the same for what is unknown, somebody else's or refunded.
    """
    matched = _NAME.fullmatch(name)
    if not matched:
        raise service.BadParams("unknown prompt")
    head, tail = matched.groups()
    first, last = UUID(head.ljust(32, "0")), UUID(head.ljust(32, "f"))
    rows = _RIGHT_BY_DIGITS.rows(user=user.pk, now=now - READ_AGAIN_AFTER, first=first, last=last, tail=tail)
    found = [_make_found(row) for row in rows]
    if not found:
        written = _find_written(user).filter(pk__range=(first, last)).annotate(key=Cast("pk", TextField()))
        found = [_make_written(prompt) for prompt in written.filter(key__endswith=tail).order_by("pk")]
    if not found:
        raise service.BadParams("unknown prompt")
    return next((owned for owned in found if owned.name == name), found[0])


def _prepare_right_by_digits() -> QuerySet:
    """The same rights as a list has, by the first and last digits of the prompt's key."""
    key = Entitlement._meta.get_field("prompt")
    rights = find_readable(
        user=value_of("user", Entitlement._meta.get_field("user")),
        since=value_of("now", Entitlement._meta.get_field("granted_at")),
    )
    tail = Right(Cast("prompt_id", TextField()), HALF)
    return (
        rights.annotate(tail=tail)
        .filter(prompt_id__gte=value_of("first", key.target_field), prompt_id__lte=value_of("last", key.target_field))
        .filter(tail=value_of("tail", TextField()))
        .order_by("pk")
        .values_list(*_RIGHT_FIELDS, *_PROMPT_FIELDS, *_LISTING_FIELDS, *_FOUND_BESIDES)
    )


_RIGHT_FIELDS = ("id", "prompt_id", "granted_at", "opened_at")
_PROMPT_FIELDS = ("prompt__id", "prompt__title")
_LISTING_FIELDS = ("prompt__listing__id", "prompt__listing__slug", "prompt__listing__summary")
_FOUND_BESIDES = ("newest_text", "newest_version_id", "was_read_lately")
_RIGHT_BY_DIGITS = Prepared(_prepare_right_by_digits)


def _make_found(row: tuple) -> Owned:
    """Rows of the models with what a name and a text need, and everything else deferred."""
    values = iter(row)
    right = Entitlement.from_db(DEFAULT_DB_ALIAS, _RIGHT_FIELDS, [next(values) for _ in _RIGHT_FIELDS])
    right.prompt = Prompt.from_db(DEFAULT_DB_ALIAS, ("id", "title"), [next(values), next(values)])
    listing = Listing.from_db(DEFAULT_DB_ALIAS, ("id", "slug", "summary"), [next(values) for _ in _LISTING_FIELDS])
    listing.prompt = right.prompt
    for name, value in zip(_FOUND_BESIDES, values, strict=True):
        setattr(right, name, value)
    return _make_bought(right)


def _make_bought(right: Entitlement) -> Owned:
    return Owned(right.prompt, right, right.newest_text, f"{right.granted_at.isoformat()} {right.pk}")


def _make_written(prompt: Prompt) -> Owned:
    return Owned(prompt, None, prompt.newest_text, f"own {prompt.listing.pk}")


def _find_rights(user, now: datetime) -> QuerySet[Entitlement]:
    """With what a name and a description are made of, and no other text."""
    return find_readable(user=user, since=now - READ_AGAIN_AFTER).only(
        *("granted_at", "opened_at", "prompt__title", "prompt__listing__slug", "prompt__listing__summary")
    )


def _find_written(user) -> QuerySet[Prompt]:
    """What a seller may still read of their own, and has not bought before they sold it."""
    bought = Entitlement.objects.live().filter(user=user, prompt_id=OuterRef("pk"))
    prompts = Prompt.objects.filter(~Exists(bought), listing__seller__user=user)
    prompts = prompts.exclude(listing__state=Listing.State.REMOVED).select_related("listing")
    prompts = prompts.only("title", "listing__slug", "listing__summary")
    versions = PromptVersion.objects.filter(prompt_id=OuterRef("pk")).order_by("-number")
    return prompts.annotate(newest_text=Coalesce(Subquery(versions.values("prompt_text")[:1]), "prompt_text"))


def _with_title(rows: QuerySet, title: str, field: str) -> QuerySet:
    words = unicodedata.normalize("NFC", title.strip())
    return rows.filter(**{f"{field}__icontains": words}) if words else rows


def _follows(place: str | None) -> Q:
    """What stands after a place in the list of what was bought."""
    if place is None:
        return Q()
    moment, right_id = _read_place(place)
    return Q(granted_at__lte=moment) & (Q(granted_at__lt=moment) | Q(pk__lt=right_id))


def _read_place(place: str) -> tuple[datetime, UUID]:
    moment, _space, right_id = place.partition(" ")
    try:
        granted_at, right_id = parse_datetime(moment), UUID(right_id)
        if granted_at is not None and granted_at.tzinfo:
            return granted_at.astimezone(UTC), right_id
    except (ValueError, OverflowError):  # the 30th of February, or an hour before the year 1
        pass
    raise service.BadParams("unknown cursor")
