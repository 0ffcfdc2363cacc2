"""What templates of the shop's pages use besides the common tags."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from catalog.cards import Card, render_cards
from catalog.discovery import dump_json_ld
from catalog.masking import Preview
from catalog.variables import Slot, split_filled

register = template.Library()

# The same sheet for every prompt: cells that are covered, and empty ones between them.
_MASK = ("cells cells--4", "gap", "cells cells--7", "gap", "cells cells--3", "gap", "cells cells--9", "gap gap--2")
_MASK_ROUNDS = ((200, 2), (800, 3))  # below so many cells: so many rounds of the pattern
_MASK_MOST = 5


@register.simple_tag
def prompt_card(card: Card) -> SafeString:
    """One card's HTML. Pages with many render them at once: `catalog.cards.render_cards`."""
    return render_cards([card])[0]


@register.filter
def json_ld(facts: dict) -> SafeString:
    """Facts as a script element of data; the Content-Security-Policy concerns code only."""
    return mark_safe(f'<script type="application/ld+json">{dump_json_ld(facts)}</script>')  # escaped by dump_json_ld


@register.filter
def mark_variables(text: str) -> SafeString:
    """The text with each placeholder as a `<mark class="slot">`. What a click copies stays the plain text."""
    return format_html_join("", "{}", ((_mark(piece),) for piece in split_filled(text, {})))


def _mark(piece: str | Slot) -> str:
    return piece if isinstance(piece, str) else format_html('<mark class="slot">{}</mark>', piece.written)


@register.filter
def mask_segments(preview: Preview) -> tuple[str, ...]:
    """Classes of the cells that stand for hidden text: three sizes for all prompts, so that no length shows."""
    rounds = next((rounds for limit, rounds in _MASK_ROUNDS if preview.hidden_cells < limit), _MASK_MOST)
    return _MASK * rounds


@register.filter
def describe_hidden(preview: Preview) -> str:
    """How much is covered, in steps of ten lines."""
    if preview.hidden_lines < 10:
        return _("A few more lines are covered.")
    return _("About %(count)d more lines are covered.") % {"count": round(preview.hidden_lines, -1)}
