"""What the tools of the shop's MCP server answer: plain fields, made from the same queries as the site's pages."""

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urljoin

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.browse import MAX_TEXT_LENGTH, BrowseQuery, find_prompts
from catalog.facts import name_language, name_model
from catalog.models import MAX_PRICE_KRW, Prompt
from catalog.tags import normalize_tags
from checkout.carts import is_own_item
from checkout.library import Sealed, owned_prompt_ids
from mcp.foreign_text import clean_line, clean_text
from mcp.models import Entry
from mcp.registry.registration import registry_name
from mcp.registry.server_search import ORDERS, USUAL_SORT, ServerQuery, filter_entries, search_entries
from mcp.serving.owned_prompts import MAX_SUMMARY, MAX_TITLE, Owned, find_owned, list_owned
from mcp.serving.prompt_texts import TooLong, clean_values, explain_seal, fill_text, find_missing
from mcp.serving.service import BadParams, PromptArgument, ToolAnswer, ToolFailed
from mcp.states import badge_of

MAX_DESCRIPTION = 4_000  # characters


def list_my_prompts(user: User, now: datetime, arguments: dict[str, Any]) -> ToolAnswer:
    after, title = arguments["cursor"] or None, arguments["query"]
    try:
        prompts, next_place = list_owned(user=user, now=now, after=after, title=title)
    except BadParams:
        raise ToolFailed(_("This cursor is not known. Begin without one.")) from None
    told = {"prompts": [_describe_owned(owned) for owned in prompts]}
    return ToolAnswer({**told, "next_cursor": next_place} if next_place else told)


def get_my_prompt(user: User, now: datetime, arguments: dict[str, Any]) -> ToolAnswer:
    """A value that is missing, and a seal, are answers to read and not errors: the model asks the person."""
    try:
        owned = find_owned(user=user, name=arguments["name"], now=now)
        values = clean_values(owned, {name: _as_text(value) for name, value in arguments["values"].items()})
        missing = find_missing(owned, values)
        if missing:
            text = _("Ask the person for these values, then call again: %(names)s")
            text = text % {"names": ", ".join(missing)}
            return ToolAnswer(_tell_text(owned, "values_missing", missing=missing), text)
        text = fill_text(owned, values, now=now)
    except BadParams:
        raise ToolFailed(_("The person owns no prompt of this name. list_my_prompts has the names.")) from None
    except TooLong:
        raise ToolFailed(_("The values are too long. Shorten them, or put them after the text.")) from None
    except Sealed:
        return ToolAnswer(_tell_text(owned, "sealed"), explain_seal(owned))
    return ToolAnswer(_tell_text(owned, "ready", text=text), text)


def search_catalog(user: User, arguments: dict[str, Any]) -> ToolAnswer:
    price = arguments.get("max_price_krw")
    query = BrowseQuery(
        text=unicodedata.normalize("NFC", clean_line(arguments["query"], MAX_TEXT_LENGTH)),
        free_only=price == 0,
        max_price_krw=min(price, MAX_PRICE_KRW) if price else None,
        page_size=arguments["limit"],
    )
    prompts = find_prompts(query).prompts
    owned = owned_prompt_ids(user, [prompt.pk for prompt in prompts])
    return ToolAnswer({"listings": [_describe_listing(prompt, owned) for prompt in prompts]})


def get_listing(user: User, arguments: dict[str, Any]) -> ToolAnswer:
    slug = unicodedata.normalize("NFC", arguments["listing"].strip())
    prompt = Prompt.objects.on_sale().for_page().filter(listing__slug=slug).defer("prompt_text").first()
    if prompt is None:
        raise ToolFailed(_("No prompt on sale has this name. search_catalog has the names."))
    told = _describe_listing(prompt, owned_prompt_ids(user, [prompt.pk])) | {
        "description": clean_text(prompt.description, MAX_DESCRIPTION),
        "tags": normalize_tags(prompt.tags),
        "variables": prompt.listing.variable_count,
    }
    if told["is_owned"]:
        return ToolAnswer(told | {"library_url": _absolute("checkout:library_prompt", slug)})
    if is_own_item(prompt, user):  # nobody buys from themselves
        return ToolAnswer(told)
    return ToolAnswer(told | {"checkout_url": f"{_absolute('checkout:checkout')}?{urlencode({'buy': slug})}"})


def find_mcp_servers(now: datetime, arguments: dict[str, Any]) -> ToolAnswer:
    """A name of the registry, as an answer gave it, finds its server: the last part of it is unique."""
    query = ServerQuery(text=arguments["query"], state=arguments["state"])
    found = filter_entries(search_entries(query.text), query)
    if re.fullmatch(r"[a-z0-9.-]+/[a-z0-9-]+", query.text.strip()):
        found = found | filter_entries(search_entries(""), query).filter(slug=query.text.strip().rpartition("/")[2])
    found = found.select_related("server").order_by(*ORDERS[USUAL_SORT])[: arguments["limit"]]
    return ToolAnswer({"servers": [_describe_entry(entry, now) for entry in found]})


def _describe_owned(owned: Owned) -> dict[str, Any]:
    return {
        "name": owned.name,
        "title": owned.title,
        "description": owned.summary,
        "is_opened": not owned.is_sealed,
        "arguments": [_describe_argument(argument) for argument in owned.arguments],
        "url": owned.url,
    }


def _describe_argument(argument: PromptArgument) -> dict[str, Any]:
    return {"name": argument.name, "is_required": argument.is_required}


def _tell_text(owned: Owned, state: str, *, text: str = "", missing: Iterable[str] = ()) -> dict[str, Any]:
    told = {"name": owned.name, "title": owned.title, "state": state, "url": owned.url}
    return told | {"text": text, "missing": list(missing)}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _describe_listing(prompt: Prompt, owned: set) -> dict[str, Any]:
    """What a card and the public page say, and nothing of the text that is sold."""
    listing = prompt.listing
    told = {
        "listing": listing.slug,
        "title": clean_line(prompt.title, MAX_TITLE),
        "summary": clean_text(listing.summary, MAX_SUMMARY),
        "price_krw": prompt.price,
        "review_count": prompt.review_count,
        "output": str(listing.get_output_kind_display()),
        "language": str(name_language(listing.language)),
        "is_owned": prompt.pk in owned,
        "url": _absolute("catalog:prompt_detail", listing.slug),
    }
    if prompt.review_count:
        told["rating"] = round(prompt.rating, 2)
    if listing.model:
        told["model"] = str(name_model(listing.model))
    if listing.seller:
        told["seller"] = clean_line(listing.seller.name, MAX_TITLE)
    return told


def _describe_entry(entry: Entry, now: datetime) -> dict[str, Any]:
    badge = badge_of(entry, now=now)
    told = {
        "name": registry_name(entry),
        "title": clean_line(entry.server.name, 100),
        "description": clean_text(entry.server.description or "", 300),
        "state": badge.key,
        "state_is_stale": badge.is_stale,
        "explanation": badge.sentence,
        "url": urljoin(settings.SITE_URL, entry.get_absolute_url()),
    }
    return told if entry.tool_count is None else {**told, "tool_count": entry.tool_count}


def _absolute(name: str, *slug: str) -> str:
    return urljoin(settings.SITE_URL, reverse(name, args=slug))
