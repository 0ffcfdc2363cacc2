"""What the admin pages of several apps share."""

from django.contrib import admin
from django.utils.translation import gettext_noop, ngettext

# Django's own Korean of these reads badly. Named here they are collected, and locale/ says them better.
ADMIN_PHRASES = (
    gettext_noop("Select %s to view"),
    gettext_noop("View %s"),
    gettext_noop("Delete selected %(verbose_name_plural)s"),
)
NAMES_COUNT = 10  # in a message; the rest is counted


def join_names(text: str, names: list[str]) -> str:
    """What was done, and to whom."""
    more_count = len(names) - NAMES_COUNT
    shown = names[:NAMES_COUNT]
    if more_count > 0:
        shown.append(ngettext("%(n)d more", "%(n)d more", more_count) % {"n": more_count})
    return f"{text}: {', '.join(shown)}" if names else text


class SecretColumns:
    """Columns that no list may be filtered by.

    The admin takes any column of the model as a filter from the address, and `?prompt_text__startswith=` would read a
    hidden text letter by letter, unlogged. Such an address is answered with 400.
    """

    secret_columns: tuple[str, ...] = ()

    def lookup_allowed(self, lookup, value, request):
        return lookup.partition("__")[0] not in self.secret_columns and super().lookup_allowed(lookup, value, request)


class ReadOnly:
    """No adding, changing or deleting; what is shown is shown as text."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ReadOnlyAdmin(SecretColumns, ReadOnly, admin.ModelAdmin):
    """A list and pages to look at. A row's page is headed by what people call it, never by its key."""

    list_per_page = 50
    show_full_result_count = False

    def get_object_title(self, obj) -> str:
        return str(obj)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        obj = self.get_object(request, object_id)
        title = {"subtitle": self.get_object_title(obj)} if obj else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | title)
