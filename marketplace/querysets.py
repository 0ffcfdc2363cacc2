"""What querysets of several apps share."""

from django.db import models


class DatedQuerySet(models.QuerySet):
    """For tables whose dates other programs write too: on SQLite a text that is no date counts as none.

    The drill-down of the admin asks for the years and months of a column, and knows nothing of such rows.
    """

    def datetimes(self, *args, **kwargs):
        return super().datetimes(*args, **kwargs).filter(datetimefield__isnull=False)
