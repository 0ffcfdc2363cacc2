"""Model fields that Django lacks. (How values are stored on SQLite is the backend's business: `marketplace/sqlite`.)"""

from django.db import models


class _DatabaseCascade:
    """Writes `ON DELETE CASCADE` into the column itself.

    The schema document promises the cascade to every program that opens the database; Django's own keys are obeyed by
    Django alone. `on_delete` stays what it says for deletions through the ORM, so a model may say PROTECT there while
    a plain `DELETE` in SQL cascades.
    """

    def __init__(self, to, on_delete, **kwargs):
        kwargs["db_constraint"] = False  # the constraint is written with the column, by db_type_suffix
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["db_constraint"]
        return name, path, args, kwargs

    def db_type_suffix(self, connection):
        quote = connection.ops.quote_name
        table, column = quote(self.remote_field.model._meta.db_table), quote(self.target_field.column)
        return f"REFERENCES {table} ({column}) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"


class DatabaseCascadeForeignKey(_DatabaseCascade, models.ForeignKey):
    pass


class DatabaseCascadeOneToOneField(_DatabaseCascade, models.OneToOneField):
    pass


class SharedJSONField(models.JSONField):
    """For a column that other programs write too. JSON that Python cannot read, nested too deep or with a number of
    thousands of digits, comes as its text: both databases take it, and one row must not spoil a whole list.
    """

    def from_db_value(self, value, expression, connection):
        try:
            return super().from_db_value(value, expression, connection)
        except (ValueError, RecursionError):
            return value

    def deconstruct(self):
        """To migrations it is the field of Django: nothing else stands in the database."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs
