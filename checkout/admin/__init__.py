"""Staff look at orders, money and rights here; nobody edits or deletes them. Changes go through use cases."""

from checkout.admin import ledger, library, orders, payments, statements

__all__ = ["ledger", "library", "orders", "payments", "statements"]
