"""What the tools of the shop's MCP server answer: plain fields, made from the same queries as the site's pages."""

from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.browse import BrowseQuery, find_prompts
from catalog.facts import name_language, name_model
from catalog.models import MAX_PRICE_KRW, Prompt
from catalog.tags import normalize_tags
from checkout.library import owned_prompt_ids
from mcp.foreign_text import clean_text
from mcp.models import Entry
from mcp.owned_prompts import explain_seal, find_right, get_text, library_url, list_rights, make_name, name_arguments
from mcp.registration import registry_name
from mcp.server_search import ORDERS, USUAL_SORT, ServerQuery, filter_entries, search_entries
from mcp.service import BadParams, ToolAnswer, ToolFailed
from mcp.states import badge_of

MAX_DESCRIPTION = 4_000  # characters


def list_my_prompts(user: User, arguments: dict[str, Any]) -> ToolAnswer:
    try:
        rights, next_key = list_rights(user=user, after=arguments["cursor"] or None, title=arguments["query"])
    except BadParams:
        raise ToolFailed(_("This cursor is not known. Begin without one.")) from None
    prompts = [
        {
            "name": make_name(right),
            "title": right.prompt.title,
            "description": right.prompt.listing.summary,
            "is_opened": not right.is_sealed,
            "arguments": [variable.name for variable in name_arguments(right)],
            "url": library_url(right),
        }
        for right in rights
    ]
    return ToolAnswer({"prompts": prompts} | ({"next_cursor": next_key} if next_key else {}))


def get_my_prompt(user: User, now: datetime, arguments: dict[str, Any]) -> ToolAnswer:
    """A value that is missing, and a seal, are answers to read and not errors: the model asks the person."""
    values = {name: value if isinstance(value, str) else str(value) for name, value in arguments["values"].items()}
    try:
        right = find_right(user=user, name=arguments["name"])
    except BadParams:
        raise ToolFailed(_("The person owns no prompt of this name. list_my_prompts has the names.")) from None
    told = {
        "name": make_name(right),
        "title": right.prompt.title,
        "state": "ready",
        "text": "",
        "missing": [],
        "url": library_url(right),
    }
    if right.is_sealed:
        return ToolAnswer(told | {"state": "sealed"}, explain_seal(right))
    missing = [
        argument.name for argument in name_arguments(right) if argument.is_required and argument.name not in values
    ]
    if missing:
        sentence = _("Ask the person for these values, then call again: %(names)s")
        return ToolAnswer(
            told | {"state": "values_missing", "missing": missing}, sentence % {"names": ", ".join(missing)}
        )
    text = get_text(user=user, name=arguments["name"], values=values, now=now).messages[0][1]
    return ToolAnswer(told | {"text": text}, text)


def search_catalog(user: User, arguments: dict[str, Any]) -> ToolAnswer:
    price = arguments.get("max_price_krw")
    query = BrowseQuery(
        text=arguments["query"].strip(),
        free_only=price == 0,
        max_price_krw=min(price, MAX_PRICE_KRW) if price else None,
        page_size=arguments["limit"],
    )
    prompts = find_prompts(query).prompts
    owned = owned_prompt_ids(user, [prompt.pk for prompt in prompts])
    return ToolAnswer({"listings": [_describe_listing(prompt, owned) for prompt in prompts]})


def get_listing(user: User, arguments: dict[str, Any]) -> ToolAnswer:
    prompt = Prompt.objects.on_sale().for_page().filter(listing__slug=arguments["listing"]).defer("prompt_text").first()
    if prompt is None:
        raise ToolFailed(_("No prompt on sale has this name. search_catalog has the names."))
    owned = owned_prompt_ids(user, [prompt.pk])
    return ToolAnswer(
        _describe_listing(prompt, owned)
        | {
            "description": (prompt.description or "")[:MAX_DESCRIPTION],
            "tags": normalize_tags(prompt.tags),
            "variables": prompt.listing.variable_count,
            "checkout_url": _absolute("catalog:prompt_detail", prompt.listing.slug),
        }
    )


def find_mcp_servers(now: datetime, arguments: dict[str, Any]) -> ToolAnswer:
    query = ServerQuery(state=arguments["state"])
    entries = filter_entries(search_entries(arguments["query"]), query).select_related("server")
    found = entries.order_by(*ORDERS[USUAL_SORT])[: arguments["limit"]]
    return ToolAnswer({"servers": [_describe_entry(entry, now) for entry in found]})


def _describe_listing(prompt: Prompt, owned: set) -> dict[str, Any]:
    """What a card and the public page say, and nothing of the text that is sold."""
    listing = prompt.listing
    told = {
        "listing": listing.slug,
        "title": prompt.title,
        "summary": listing.summary,
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
        told["seller"] = listing.seller.name
    return told


def _describe_entry(entry: Entry, now: datetime) -> dict[str, Any]:
    badge = badge_of(entry, now=now)
    told = {
        "name": registry_name(entry),
        "title": clean_text(entry.server.name, 100),
        "description": clean_text(entry.server.description or "", 300),
        "state": badge.key,
        "state_is_stale": badge.is_stale,
        "explanation": badge.sentence,
        "url": urljoin(settings.SITE_URL, entry.get_absolute_url()),
    }
    return told if entry.tool_count is None else {**told, "tool_count": entry.tool_count}


def _absolute(name: str, slug: str) -> str:
    return urljoin(settings.SITE_URL, reverse(name, args=[slug]))
