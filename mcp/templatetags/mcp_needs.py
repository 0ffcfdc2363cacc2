"""What pages and mails of other apps show of the tools that a prompt needs."""

from django import template
from django.utils import timezone

from catalog.models import Prompt
from mcp.tools import shown_needs

register = template.Library()


@register.simple_tag
def tool_needs(prompt: Prompt) -> list[shown_needs.ShownNeed]:
    """Each tool with its state now. Needs `listing` loaded; one query, none for a prompt that needs no tools."""
    return shown_needs.list_tool_needs(prompt, now=timezone.now()) if prompt.listing.needs_tools else []


@register.inclusion_tag("mcp/_tool_needs.html", takes_context=True)
def tool_list(context, shown: list[shown_needs.ShownNeed], accept_path: str = ""):
    """accept_path: where the seller accepts changed parameters; empty for everybody else."""
    return {"needs": shown, "accept_path": accept_path, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("mcp/_tool_warnings.html")
def tool_warnings(prompt: Prompt):
    """To somebody who bought it: what does not work now. Nothing where all is well or not known."""
    return {
        "warnings": [need for need in tool_needs(prompt) if need.is_warning],
        "address": prompt.listing.get_absolute_url(),
    }


@register.filter
def describe_breaks(breaks: list[dict]) -> list[str]:
    """Sentences in the active language for what a changed tool no longer takes."""
    return shown_needs.describe_breaks(breaks)
