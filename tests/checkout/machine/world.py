"""What outlives a crash: the people, their browsers, the shelf of prompts, the clock and the provider."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import translation

from catalog.listings import publish_prompt
from catalog.models import Listing, Prompt
from checkout.models import (
    AccessEvent,
    Entitlement,
    LedgerEntry,
    Order,
    OrderConsent,
    OrderLine,
    OrderMail,
    Payment,
    PaymentEvent,
    Purchase,
    Refund,
    RefundLine,
)
from checkout.provider import RefundAccount
from tests.factories import NOON, make_prompt, make_seller, make_user
from tests.toss.client import StandInError

PRICES = [5_000, 12_900, 199, 0]
VIRTUAL_ACCOUNT = "가상계좌"
REFUND_ACCOUNT = RefundAccount(bank_code="88", account_number="110123456789", holder_name="김구매")
ORDER_TABLES = [  # children first
    PaymentEvent,
    OrderMail,
    LedgerEntry,
    RefundLine,
    Refund,
    AccessEvent,
    Entitlement,
    Purchase,
    Payment,
    OrderConsent,
    OrderLine,
    Order,
]


@dataclass
class Window:
    """A payment window that a browser has opened: what the provider will send it back with."""

    reference: str
    order_id: str
    amount_krw: int
    payment_key: str


class World:
    """Made once for many sequences of actions; `begin` makes it as new."""

    def __init__(self, *, toss, clock):
        """clock: of the `time_machine` fixture."""
        self.toss, self.clock = toss, clock
        self.buyers = [make_user(), make_user()]
        seller = make_seller()
        self.prompts = [make_prompt(price=price, seller=seller if price != 12_900 else None) for price in PRICES]
        self.staff = make_user(is_staff=True)
        self.visitor = Client()
        self.now = NOON
        self.windows: list[Window] = []
        self.accounts: list[str] = []  # payment keys of virtual accounts

    def begin(self) -> None:
        """No orders, everything on sale, noon, and a provider with empty books."""
        self.clock.move_to(NOON, tick=False)
        self.now = NOON
        self.windows, self.accounts = [], []
        forget_orders()
        for prompt in Prompt.objects.filter(pk__in=[prompt.pk for prompt in self.prompts], is_published=False):
            publish_prompt(prompt=prompt, now=NOON, is_staff_decision=True)
        Listing.objects.filter(prompt__in=self.prompts).update(sales_count=0)
        mail.outbox.clear()
        translation.deactivate()
        self.toss.reset()
        self.toss.settings(has_extra_members="always")
        self.toss.set_clock(now=NOON.isoformat())

    def pass_time(self, **distance) -> None:
        """distance: of `timedelta`. The clocks of the shop and of the provider move alike."""
        self.move_clock(self.now + timedelta(**distance))

    def move_clock(self, to: datetime) -> None:
        self.toss.advance(seconds=(to - self.now).total_seconds())
        self.now = to
        self.clock.move_to(to, tick=False)

    def open_window(self, *, payment: Payment, amount_krw: int) -> Window:
        payment_key = self.toss.open_payment(order_id=payment.provider_order_id, amount=amount_krw)
        window = Window(payment.reference, payment.provider_order_id, amount_krw, payment_key)
        self.windows.append(window)
        return window

    def try_at_provider(self, call: str, **arguments) -> bool:
        """Something a person does at the provider or a bank, if it can be done there now."""
        try:
            self.toss.call(call, **arguments)
        except StandInError:
            return False
        return True


def forget_orders() -> None:
    """Delete the rows of one sequence. The ledger's triggers stand aside for it, as nothing outside tests may."""
    with connection.cursor() as cursor:
        triggers = _take_away_triggers(cursor)
        for model in ORDER_TABLES:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
        for statement in triggers:
            cursor.execute(statement)


def _take_away_triggers(cursor) -> list[str]:
    """The statements that bring them back."""
    table = LedgerEntry._meta.db_table
    if connection.vendor == "postgresql":
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        return [f"ALTER TABLE {table} ENABLE TRIGGER USER"]
    cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
    triggers = cursor.fetchall()
    for name, _ in triggers:
        cursor.execute(f"DROP TRIGGER {name}")
    return [sql for _, sql in triggers]


def speak_to(toss) -> dict:
    """The settings under which the site's own gateway talks to the stand-in."""
    return {
        "TOSS_CLIENT_KEY": toss.client_key,
        "TOSS_SECRET_KEY": toss.secret_key,
        "TOSS_API_URL": toss.url,
        "TOSS_TIMEOUT_S": 10,
        "PLATFORM_FEE_BP": 1_050,
    }
