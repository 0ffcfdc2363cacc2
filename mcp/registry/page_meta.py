"""What stands in the head of the registry's pages, for search engines and other sites."""

from collections.abc import Iterator
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from catalog.discovery import PageMeta, absolute, shorten
from mcp.models import Entry
from mcp.registry.server_page import ServerPage
from mcp.registry.server_search import ServerQuery


def describe_list_head(query: ServerQuery, *, heading: str) -> PageMeta:
    """The whole list is a page of its own; searches, filters and later pages are not indexed."""
    is_page = query == ServerQuery()
    return PageMeta(
        title=heading,
        description=_(
            "MCP servers with the tools they offer, whether they work right now, and how to connect to them."
        ),
        canonical_url=absolute(reverse("mcp:server_list")) if is_page else "",
        is_indexed=is_page,
    )


def describe_connect_head() -> PageMeta:
    return PageMeta(
        title=_("Your prompts in your AI client"),
        description=_(
            "One line in Claude Code, Cursor or VS Code, and every prompt that you own is there as a command."
        ),
        canonical_url=absolute(reverse("mcp:connect")),
    )


def describe_server_head(entry: Entry, server: ServerPage) -> PageMeta:
    """What is not accepted is not indexed. Every other page of the tools points to the first."""
    is_public = entry.state == Entry.State.ACCEPTED
    description = shorten(server.description) or _("An MCP server: its tools, whether it works, and how to connect.")
    return PageMeta(
        title=server.name,
        description=description,
        canonical_url=absolute(entry.get_absolute_url()) if is_public else "",
        is_indexed=is_public,
        facts=_describe_facts(entry, server, description) if is_public else None,
    )


def _describe_facts(entry: Entry, server: ServerPage, description: str) -> dict:
    """Source: schema.org WebAPI and BreadcrumbList. No rating: uptime is none."""
    url = absolute(entry.get_absolute_url())
    steps = [(_("Home"), reverse("catalog:home")), (_("MCP servers"), reverse("mcp:server_list")), (server.name, url)]
    trail = {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": absolute(address)}
            for position, (name, address) in enumerate(steps, start=1)
        ],
    }
    service = {"@type": "WebAPI", "@id": f"{url}#server", "name": server.name, "description": description, "url": url}
    if server.website_url:
        service["documentation"] = server.website_url
    return {"@context": "https://schema.org", "@graph": [service, trail]}


def list_server_pages() -> Iterator[tuple[str, datetime | None]]:
    """For the sitemap: paths, and when what they list was last changed. One query, made at the first step."""
    yield reverse("mcp:server_list"), None
    entries = Entry.objects.public().order_by("pk")
    for slug, updated_at in entries.values_list("slug", "server__updated_at").iterator():
        yield reverse("mcp:server_detail", args=[slug]), updated_at
