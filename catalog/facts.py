"""What one may know of a prompt before buying it: facts for cards and for the product page."""

from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from catalog.models import Listing, Prompt
from marketplace.templatetags.marketplace_tags import ago, count

ANY_MODEL = "any"  # how a listing says that it works with every model
LANGUAGES = {"ko": gettext_lazy("Korean"), "en": gettext_lazy("English")}

TOOLS = {  # what one may ask for in a list
    Listing.ToolState.NONE: gettext_lazy("Needs no tools"),
    Listing.ToolState.WORKING: gettext_lazy("All tools work"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str | SafeString


def list_card_facts(prompt: Prompt) -> tuple[str, str]:
    """The two that tell prompts apart at a glance. Needs `listing` loaded."""
    listing = prompt.listing
    facts = [name_model(listing.model)] if listing.model else []
    if listing.variable_count:
        facts.append(_count_variables(listing.variable_count))
    facts += [str(listing.get_output_kind_display()), name_language(listing.language)]
    return facts[0], facts[1]


def list_all_facts(prompt: Prompt) -> list[Fact]:
    """The table of the product page. Needs `listing` and the annotation `version_number`."""
    listing = prompt.listing
    facts = [Fact(_("Model"), name_model(listing.model))] if listing.model else []
    facts += [
        Fact(_("Output"), str(listing.get_output_kind_display())),
        Fact(pgettext("of a prompt", "Language"), name_language(listing.language)),
        Fact(_("Length"), describe_length(listing.text_length)),
        Fact(
            _("Variables"),
            _count_variables(listing.variable_count) if listing.variable_count else pgettext("variables", "None"),
        ),
        Fact(_("File"), _("Included") if prompt.has_file else pgettext("file", "None")),
    ]
    if prompt.version_number:
        facts.append(Fact(_("Version"), str(prompt.version_number)))
    facts.append(Fact(_("Updated"), ago(listing.updated_at)))
    if listing.sales_count:
        sold = ngettext("%(count)s time", "%(count)s times", listing.sales_count)
        facts.append(Fact(_("Sold"), sold % {"count": count(listing.sales_count)}))
    if prompt.view_count:
        seen = ngettext("%(count)s view", "%(count)s views", prompt.view_count)
        facts.append(Fact(_("Seen"), seen % {"count": count(prompt.view_count)}))
    return facts


def describe_length(characters: int) -> str:
    """In steps of a hundred, so that the exact length of a hidden text stays hidden."""
    if characters < 100:
        return _("under 100 characters")
    return _("about %(count)s characters") % {"count": count(round(characters, -2))}


def name_language(code: str) -> str:
    return str(LANGUAGES.get(code, code))


def name_model(model: str) -> str:
    return _("Any model") if model == ANY_MODEL else model


def _count_variables(number: int) -> str:
    return ngettext("%(count)d variable", "%(count)d variables", number) % {"count": number}
