"""Whether a server can be checked right now."""

from django import template
from django.utils import timezone

from mcp.checking.check_now import CheckStanding, find_check_standing
from mcp.models import Entry

register = template.Library()


@register.simple_tag
def check_standing(entry: Entry, user) -> CheckStanding:
    """No query; for somebody who is signed in the cache is asked."""
    return find_check_standing(entry, user=user if user.is_authenticated else None, now=timezone.now())
