"""The tables of buying, a module for each subject."""

from checkout.models.carts import CartItem, CartPrice
from checkout.models.ledger import LedgerEntry
from checkout.models.library import AccessEvent, Entitlement, Preset, Purchase
from checkout.models.orders import (
    ORDER_LETTERS,
    Order,
    OrderConsent,
    OrderLine,
    make_order_number,
    make_reference,
)
from checkout.models.payments import OrderMail, Payment, PaymentEvent, Refund, RefundLine
from checkout.models.sandbox import SandboxPayment
from checkout.models.statements import Payout, Statement, StatementEntry

__all__ = [
    "ORDER_LETTERS",
    "AccessEvent",
    "CartItem",
    "CartPrice",
    "Entitlement",
    "LedgerEntry",
    "Order",
    "OrderConsent",
    "OrderLine",
    "OrderMail",
    "Payment",
    "PaymentEvent",
    "Payout",
    "Preset",
    "Purchase",
    "Refund",
    "RefundLine",
    "SandboxPayment",
    "Statement",
    "StatementEntry",
    "make_order_number",
    "make_reference",
]
