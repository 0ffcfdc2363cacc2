"""What pages and mails of other apps show of the tools that a prompt needs."""

from django import template

from mcp import needs

register = template.Library()


@register.filter
def describe_breaks(breaks: list[dict]) -> list[str]:
    """Sentences in the active language for what a changed tool no longer takes."""
    return needs.describe_breaks(breaks)
