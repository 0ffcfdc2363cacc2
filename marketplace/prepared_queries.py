"""Queries of the ORM whose SQL is written once in a process: for small ones, writing takes far longer than the answer.

prepared = Prepared(lambda: Prompt.objects.filter(title=value_of("title", TextField())).values_list("pk", "price"))
prepared.rows(title="Letters")
"""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Field, QuerySet
from django.db.models.expressions import RawSQL


class _Place:
    """Where a value goes in the parameters, and how the database wants it."""

    def __init__(self, name: str, field: Field):
        self.name, self.field = name, field


def value_of(name: str, field: Field) -> RawSQL:
    """Stands for a value that is given later; compare it with `field` or another of its kind."""
    return RawSQL("%s", [_Place(name, field)], output_field=field)


class Prepared:
    """make: gives the queryset, which ends with `values_list` of fields and annotations."""

    def __init__(self, make: Callable[[], QuerySet]):
        self._make = make
        self._written: dict[str, tuple] = {}

    def rows(self, **values: Any) -> list[tuple]:
        """As the queryset would give them. One query."""
        sql, params, converters = self._written.get(connection.vendor) or self._write()
        filled = [_fill(param, values) if isinstance(param, _Place) else param for param in params]
        with connection.cursor() as cursor:
            cursor.execute(sql, filled)
            found = cursor.fetchall()
        return [_convert(row, converters) for row in found] if converters else found

    def _write(self) -> tuple:
        compiler = self._make().query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([expression for expression, _sql, _alias in compiler.select])
        self._written[connection.vendor] = sql, params, converters
        return self._written[connection.vendor]


def _fill(place: _Place, values: dict[str, Any]) -> Any:
    return place.field.get_db_prep_value(values[place.name], connection, prepared=False)


def _convert(row: tuple, converters: dict) -> tuple:
    values = list(row)
    for position, (functions, expression) in converters.items():
        for function in functions:
            values[position] = function(values[position], expression, connection)
    return tuple(values)
