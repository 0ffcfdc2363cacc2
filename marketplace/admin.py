"""What the admin pages of several apps share."""

from django.utils.translation import gettext_noop

# Django's own Korean of these reads badly. Named here they are collected, and locale/ says them better.
ADMIN_PHRASES = (
    gettext_noop("Select %s to view"),
    gettext_noop("View %s"),
    gettext_noop("Delete selected %(verbose_name_plural)s"),
)


class SecretColumns:
    """Columns that no list may be filtered by.

    The admin takes any column of the model as a filter from the address, and `?prompt_text__startswith=` would read a
    hidden text letter by letter, unlogged. Such an address is answered with 400.
    """

    secret_columns: tuple[str, ...] = ()

    def lookup_allowed(self, lookup, value, request):
        return lookup.partition("__")[0] not in self.secret_columns and super().lookup_allowed(lookup, value, request)
