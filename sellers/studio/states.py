"""What each state of a listing means to its seller, and what can be done about it: one place for every page."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from catalog.models import Listing, Prompt

State = Listing.State


@dataclass(frozen=True, slots=True)
class StateWords:
    """`tone` colours the icon: pine, amber, rust or slate."""

    name: str
    word: str | Promise
    icon: str
    tone: str
    meaning: str | Promise
    next_step: str | Promise


STATES = {
    words.name: words
    for words in [
        StateWords(
            State.DRAFT,
            _("Draft"),
            "pencil",
            "slate",
            _("Only you see it."),
            _("Fill in what the checklist names, look at the preview, and publish it."),
        ),
        StateWords(
            State.PUBLISHED,
            _("On sale"),
            "circle-check",
            "pine",
            _("Everybody can find and buy it."),
            _("Every change takes effect as soon as you save it. You can withdraw it at any time."),
        ),
        StateWords(
            State.WITHDRAWN,
            _("Withdrawn"),
            "circle-pause",
            "amber",
            _("You took it off sale. Whoever bought it keeps it."),
            _("You can go on working on it and publish it again."),
        ),
        StateWords(
            State.REMOVED,
            _("Removed by our staff"),
            "ban",
            "rust",
            _("It is off sale for the reason given. Whoever bought it keeps it."),
            _("You can go on working on it, but only our staff puts it back on sale. Write to us when it is mended."),
        ),
    ]
}


def describe_state(listing: Listing) -> StateWords:
    return STATES[listing.state]


def frame_listing(prompt: Prompt) -> dict:
    """What `_listing_head.html` shows above every page of one listing."""
    return {"prompt": prompt, "listing": prompt.listing, "state": describe_state(prompt.listing)}
