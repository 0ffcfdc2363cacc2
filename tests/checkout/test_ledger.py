"""The books: every won that moved, twice, and never changed."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction

from checkout.models import LedgerEntry
from tests.factories import make_paid_order


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_flushed", [False, True])
def test_no_entry_is_changed_or_deleted_not_even_after_the_tests_emptied_the_ledger(is_flushed):
    if is_flushed:
        make_paid_order()
        call_command("flush", interactive=False, verbosity=0)
        assert not LedgerEntry.objects.exists()
    make_paid_order()
    entries = LedgerEntry.objects.order_by("pk")
    before = list(entries.values())

    for change in (lambda: entries.update(amount_krw=1), entries.all().delete, entries.first().delete):
        with pytest.raises(DatabaseError, match="a ledger entry is never"), transaction.atomic():
            change()

    assert list(entries.values()) == before
