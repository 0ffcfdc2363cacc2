"""What people say they want to sell: stable keys, stored as a JSON array in `seller_waitlist.categories`."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

CATEGORIES = {  # a key that stands in a row is never renamed
    "writing": _("Writing and editing"),
    "business": _("Business documents and e-mails"),
    "marketing": _("Marketing and sales"),
    "development": _("Programming"),
    "data": _("Data and spreadsheets"),
    "education": _("Learning and teaching"),
    "languages": _("Translation and languages"),
    "images": _("Images and design"),
    "video": _("Video and sound"),
    "career": _("Jobs and careers"),
    "everyday": _("Everyday life"),
    "other": pgettext_lazy("category", "Something else"),
}


def name_categories(stored) -> list[str]:
    """The categories of a row as people read them. Other programs write the column too, so it may hold anything."""
    values = stored if isinstance(stored, list) else [stored] if stored not in (None, "", {}) else []
    return [str(CATEGORIES.get(value, value)) if isinstance(value, str) else str(value) for value in values]
