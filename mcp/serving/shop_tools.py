"""Tools of the shop's MCP server, for clients that show no prompts: what the person owns, and what is on sale.

They only read. Of a prompt that is not the caller's own they tell what its public page tells; texts of sellers and of
listed servers come as fields of data, not as advice. Buying always takes the person.
"""

from datetime import datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from mcp.registry.server_search import STATES
from mcp.serving.service import Tool
from mcp.serving.shop_answers import find_mcp_servers, get_listing, get_my_prompt, list_my_prompts, search_catalog

MAX_HITS = 20
HINTS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}


def make_tools(*, user: User, now: datetime) -> list[Tool]:
    """In an order that stays. Words are in the active language; nothing is asked of the database yet."""
    return [
        Tool(
            name="list_my_prompts",
            title=_("My prompts"),
            description=_("The prompts that the person owns, with the values each needs. Give cursor to read on."),
            input_schema=_inputs(
                query=_text(_("part of a title; empty for all"), default=""),
                cursor=_text(_("next_cursor of the answer before"), default=""),
            ),
            output_schema=_object(prompts=_list(_OWNED), next_cursor=_STRING, required=["prompts"]),
            annotations=HINTS,
            call=partial(list_my_prompts, user, now),
        ),
        Tool(
            name="get_my_prompt",
            title=_("Use one of my prompts"),
            description=_(
                "The text of a prompt that the person owns, its placeholders filled in. Show it or follow it as the "
                "person asks. Missing values are named in the answer."
            ),
            input_schema=_inputs(
                name=_text(_("name from list_my_prompts")),
                values={
                    "type": "object",
                    "description": _("a text for each placeholder"),
                    "default": {},
                    "additionalProperties": True,
                },
                required=["name"],
            ),
            output_schema=_object(
                name=_STRING,
                title=_STRING,
                state={"type": "string", "enum": ["ready", "sealed", "values_missing"]},
                text=_STRING,
                missing=_list(_STRING),
                url=_STRING,
                required=["name", "title", "state", "text", "missing", "url"],
            ),
            annotations=HINTS,
            call=partial(get_my_prompt, user, now),
        ),
        Tool(
            name="search_catalog",
            title=_("Search the shop"),
            description=_("Prompts on sale that fit the words and filters, best first. Prices are whole won."),
            input_schema=_inputs(
                query=_text(_("words, in Korean or English"), default=""),
                max_price_krw={"type": "integer", "minimum": 0, "description": _("highest price; 0 for free ones")},
                limit={"type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": 10},
            ),
            output_schema=_object(listings=_list(_LISTING), required=["listings"]),
            annotations=HINTS,
            call=partial(search_catalog, user),
        ),
        Tool(
            name="get_listing",
            title=_("One prompt on sale"),
            description=_(
                "What its public page tells of a prompt. Buying takes the person: give them checkout_url, which is not "
                "there for what they have already."
            ),
            input_schema=_inputs(listing=_text(_("listing of a hit of search_catalog")), required=["listing"]),
            output_schema=_object(
                **_LISTING["properties"],
                description=_STRING,
                tags=_list(_STRING),
                variables={"type": "integer"},
                checkout_url=_STRING,
                library_url=_STRING,
                required=[*_LISTING["required"], "description", "tags", "variables"],
            ),
            annotations=HINTS,
            call=partial(get_listing, user),
        ),
        Tool(
            name="find_mcp_servers",
            title=_("Find MCP servers"),
            description=_("Servers of the registry and their measured state; words are looked for in tool names too."),
            input_schema=_inputs(
                query=_text(_("words"), default=""),
                state={"type": "string", "enum": ["", *STATES], "default": "", "description": _("empty for any")},
                limit={"type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": 10},
            ),
            output_schema=_object(servers=_list(_SERVER), required=["servers"]),
            annotations=HINTS,
            call=partial(find_mcp_servers, now),
        ),
    ]


# --- Schemas

_STRING = {"type": "string"}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": 300, "description": description, **more}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _inputs(*, required: list[str] = (), **properties: Any) -> dict[str, Any]:
    return _object(**properties, required=list(required)) | {"additionalProperties": False}


def _object(*, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


_OWNED = _object(
    name=_STRING,
    title=_STRING,
    description=_STRING,
    is_opened={"type": "boolean"},
    arguments=_list(
        _object(name=_STRING, is_required={"type": "boolean"}, required=["name", "is_required"]),
    ),
    url=_STRING,
    required=["name", "title", "description", "is_opened", "arguments", "url"],
)
_LISTING = _object(
    listing=_STRING,
    title=_STRING,
    summary=_STRING,
    price_krw={"type": "integer"},
    rating={"type": "number"},
    review_count={"type": "integer"},
    model=_STRING,
    output=_STRING,
    language=_STRING,
    seller=_STRING,
    is_owned={"type": "boolean"},
    url=_STRING,
    required=["listing", "title", "summary", "price_krw", "review_count", "is_owned", "url"],
)
_SERVER = _object(
    name=_STRING,
    title=_STRING,
    description=_STRING,
    state={"type": "string", "enum": list(STATES)},
    state_is_stale={"type": "boolean"},
    explanation=_STRING,
    tool_count={"type": "integer"},
    url=_STRING,
    required=["name", "title", "state", "state_is_stale", "explanation", "url"],
)
