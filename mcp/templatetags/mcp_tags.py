"""How templates show servers of the registry."""

from datetime import datetime

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mcp.models import Incident
from mcp.states import OFF, Badge

register = template.Library()

_TONES = {
    "working": "pine",
    "slow": "amber",
    "down": "rust",
    "sign_in": "slate",
    "configuration": "amber",
    OFF: "slate",
}


@register.filter
def tone(badge: Badge) -> str:
    """The colour of a state. What is no longer sure has none, whatever it was."""
    return "slate" if badge.is_stale else _TONES.get(badge.key, "slate")


@register.filter
def uptime(share_bp: int | None) -> str:
    """Basis points as a percentage with the decimals it has: `99.87%`; words where nothing is known."""
    if share_bp is None:
        return _("Not known yet")
    return f"{share_bp / 100:.2f}".rstrip("0").rstrip(".") + "%"


@register.filter
def moment(at: datetime) -> str:
    """The exact time in Seoul as a `<time>` element, because how long ago says little of an outage."""
    shown = formats.date_format(timezone.localtime(at), "DATETIME_FORMAT")
    return format_html('<time datetime="{}">{}</time>', at.isoformat(timespec="seconds"), shown)


@register.filter
def lasted(incident: Incident) -> str:
    """How long it took in its largest two units: `2 hours, 5 minutes`. Checks are minutes apart, so no seconds."""
    minutes = max(int((incident.ended_at - incident.started_at).total_seconds() // 60), 1)
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [
        (days, ngettext("%(n)d day", "%(n)d days", days)),
        (hours, ngettext("%(n)d hour", "%(n)d hours", hours)),
        (minutes, ngettext("%(n)d minute", "%(n)d minutes", minutes)),
    ]
    words = [text % {"n": number} for number, text in parts if number]
    return ", ".join(words[:2])
