"""The tables of buying, a module for each subject."""

from checkout.models.carts import CartItem, CartPrice
from checkout.models.library import AccessEvent, Entitlement, Purchase
from checkout.models.orders import (
    ORDER_LETTERS,
    Order,
    OrderConsent,
    OrderLine,
    make_order_number,
    make_reference,
)
from checkout.models.payments import Payment, Refund
from checkout.models.sandbox import SandboxPayment

__all__ = [
    "ORDER_LETTERS",
    "AccessEvent",
    "CartItem",
    "CartPrice",
    "Entitlement",
    "Order",
    "OrderConsent",
    "OrderLine",
    "Payment",
    "Purchase",
    "Refund",
    "SandboxPayment",
    "make_order_number",
    "make_reference",
]
