"""The public pages of the registry: the list, and one page for each server."""

from functools import partial

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from checkout.library import owned_prompt_ids
from mcp.registry.page_meta import describe_list_head, describe_server_head
from mcp.registry.server_list import describe_servers
from mcp.registry.server_page import describe_server, find_entry, is_keeper, list_prompts
from mcp.registry.server_search import ServerQuery


@login_not_required
@require_safe
@vary_on_headers("HX-Request", "HX-Target")
def server_list(request):
    """Servers that staff accepted. A request that targets `#results` gets that part and the counts."""
    query = ServerQuery.from_params(request.GET)
    listing = describe_servers(path=request.path, query=query, now=timezone.now())
    context = {"listing": listing, "page": describe_list_head(listing.query, heading=listing.heading)}
    is_part = request.htmx.target == "results"
    response = render(request, f"mcp/server_list.html{'#answer' if is_part else ''}", context)
    if is_part:
        # The address without the form's empty fields; the one that is shown already makes no step in the history.
        is_new = listing.address != request.htmx.current_url_abs_path
        response["HX-Push-Url"] = listing.address if is_new else "false"
    return response


@login_not_required
@require_safe
def server_detail(request, slug):
    """How one server is now and was in the last month, what it offers, and how to connect to it."""
    entry = find_entry(slug, user=request.user)
    server = describe_server(entry, tools_page=request.GET.get("tools", ""), now=timezone.now())
    context = {
        "entry": entry,
        "server": server,
        "prompts": list_prompts(entry, owned_ids_of=partial(owned_prompt_ids, request.user)),
        "page": describe_server_head(entry, server),
        "is_own": entry.submitted_by_id is not None and entry.submitted_by_id == request.user.pk,
        "is_keeper": is_keeper(request.user),
    }
    return render(request, "mcp/server_detail.html", context)
