"""The tools of MCP servers that a listing needs, in its editor."""

from datetime import datetime

from django.contrib import messages
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from catalog.editing import EditRefused
from catalog.models import Prompt
from mcp.tools.needs import (
    NeedsRefused,
    accept_change,
    check_names,
    digest_names,
    list_names,
    read_names,
    set_needs,
    suggest_tools,
)
from sellers.studio.access import find_own_prompt, seller_required
from sellers.studio.forms import ListingForm

SUGGESTIONS = 12


def show_names(prompt: Prompt | None) -> dict[str, str]:
    """What the editor's fields hold of the tools that are named. One query."""
    names = list_names(prompt) if prompt else []
    return {"tools": "\n".join(names), "seen_tools": digest_names(names)}


def add_typed_tool(data):
    """The posted form with the suggestion that was chosen in a line of its own."""
    if not data.get("add_tool"):
        return data
    data = data.copy()
    data["tools"] = "\n".join([*read_names(data.get("tools", "")), data["add_tool"]])
    return data


def describe_typed_tools(form: ListingForm, data, *, is_typing: bool) -> dict:
    """What stands below the field: what is wrong with the lines while somebody types, and names for who searches."""
    typed = read_names(form["tools"].value() or "")
    known = read_names(form.initial.get("tools", ""))
    is_search = "tool_q" in data
    query = data.get("tool_q", "")
    return {
        "tool_problems": check_names(typed, known=known) if is_typing else [],
        "tool_count": len(typed),
        "tool_query": query,
        "tool_names": [name for name in suggest_tools(query, limit=SUGGESTIONS) if name not in typed]
        if is_search
        else [],
        "is_tool_search": is_search,
    }


def save_tools(*, prompt: Prompt, form: ListingForm, now: datetime) -> None:
    """Of a valid form, what was touched. Raises NeedsRefused, NeedsOutdated."""
    if form.cleaned_data["tools"] is not None:
        set_needs(prompt=prompt, names=form.cleaned_data["tools"], seen=form.cleaned_data["seen_tools"], now=now)


def add_refusal(form: ListingForm, refused: EditRefused | NeedsRefused) -> None:
    """What a use case refused although the form did not, beside its field."""
    if isinstance(refused, NeedsRefused):
        form.add_error("tools", refused.problems)
    else:
        form.add_error(refused.field or None, str(refused))


@require_POST
@seller_required
def tool_accept(request, prompt_id):
    """The seller has adapted the prompt to a tool that changed."""
    prompt = find_own_prompt(request, prompt_id)
    need_id, seen = request.POST.get("need", ""), request.POST.get("seen", "")
    is_number = need_id.isascii() and need_id.isdigit() and len(need_id) < 18
    if is_number and accept_change(prompt=prompt, need_id=int(need_id), seen=seen, now=timezone.now()):
        messages.success(request, _("Accepted. Later changes are measured by what the tool is now."))
    else:
        messages.warning(request, _("The tool has changed again since you read this. Please look once more."))
    return redirect("studio:listing_edit", prompt.pk)
