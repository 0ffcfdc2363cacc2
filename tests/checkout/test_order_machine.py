"""Random lives of orders: buyers in several tabs, a provider that fails, and a shop that dies at any moment.

`make test` runs 100 of them, `make test-long` 2,000; ORDER_SEQUENCES sets another number.
"""

import contextlib
import json
import logging
import os
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catalog.listings import publish_prompt, withdraw_prompt
from catalog.models import Prompt
from checkout.consents import OPENING, order_wordings
from checkout.gateway import get_gateway
from checkout.library import open_entitlement
from checkout.models import Entitlement, Order, Payment, Refund, make_reference
from checkout.orders import OrderRefused, digest_lines, place_order
from checkout.payments import PaymentRefused, cancel_waiting_order, check_payment, start_payment
from checkout.reconcile import reconcile_payments
from checkout.refunds import RefundRefused, cancel_sealed_lines, give_back_undelivered, refund_by_staff
from checkout.views.orders import refresh_order
from tests.checkout.machine.books import check_always, check_in_the_end
from tests.checkout.machine.traps import CALL, COMMIT, STATEMENT, Crash, Trap, Traps, forget_process, watched
from tests.checkout.machine.world import REFUND_ACCOUNT, VIRTUAL_ACCOUNT, World, speak_to
from tests.factories import NOON, make_order
from tests.toss.fixtures import toss, toss_process  # noqa: F401

SEQUENCES = int(os.environ.get("ORDER_SEQUENCES", "100"))
PARTS = 4  # for as many processes as there are
STEPS = 20

CRASHES = [
    *(Trap(CALL, nth) for nth in (2, 1, 4, 3)),
    *(Trap(COMMIT, nth) for nth in range(1, 9)),
    *(Trap(STATEMENT, nth) for nth in (1, 2, 3, 5, 8, 11, 15, 20, 25, 30, 40, 50, 60, 80)),
]
MEANWHILE = [
    Trap(CALL, nth, what)
    for nth in (1, 2, 3, 4)
    for what in ("returns", "hears", "looks", "turns_back", "cancels", "opens", "reconciles")
]
picks = st.integers(0, 5)
purchases = st.tuples(st.integers(0, 1), st.sets(st.integers(0, 3), min_size=1, max_size=3).map(sorted))
methods = st.sampled_from(["card", "card", "card", VIRTUAL_ACCOUNT, "REJECT_CARD_PAYMENT"])

FAULTS = [
    {"kind": "drop", "executed": True},
    {"kind": "drop", "executed": False},
    {"kind": "error", "executed": False},
    {"kind": "error", "executed": True},
    {"kind": "error", "executed": True, "is_stored": True},
    {"kind": "conflict"},
    {"kind": "too_many"},
    {"kind": "garbage"},
    {"kind": "truncated"},
    {"kind": "cut_short"},
    {"kind": "reset", "executed": True},
    {"kind": "missing", "member": "status"},
    {"kind": "wrong_type", "member": "balanceAmount"},
]
traps = st.sampled_from([None] * 40 + FAULTS + CRASHES + MEANWHILE)


class Orders(RuleBasedStateMachine):
    world: World
    traps: Traps

    def __init__(self):
        super().__init__()
        Orders.traps.interfere = self.interfere

    @initialize(first=purchases, how=st.sampled_from(["card", "card", VIRTUAL_ACCOUNT]), trap=traps)
    def begin(self, first, how, trap):
        self.world.begin()
        self.states = Counter()
        self.buy(first, how, trap)

    # --- How an action runs

    def act(self, trap: Trap | dict | None, call, /, *arguments, **named):
        """One request of the site. What it gives, None when it was refused or the process died in it.

        trap: a fault is one of the provider's, of the next call.
        """
        if isinstance(trap, dict):
            self.world.toss.fault(**trap)
        try:
            with self.traps.set(trap if isinstance(trap, Trap) else None):
                return call(*arguments, **named)
        except Crash:
            forget_process()
        except (OrderRefused, PaymentRefused, RefundRefused):
            pass
        return None

    def interfere(self, what: str):
        """Somebody else's request, in the middle of another one."""
        if what == "returns" and self.world.windows:
            self.visit_return(self.world.windows[-1])
        elif what == "hears":
            self.deliver_webhooks(self.world.toss.webhooks_made()[-2:])
        elif what == "looks":
            for order in self.orders_in_doubt():
                refresh_order(order, now=self.world.now)
        elif what == "turns_back" and self.world.windows:
            self.visit_fail(self.world.windows[-1].reference, "PAY_PROCESS_CANCELED")
        elif what == "cancels":
            self.cancel_newest()
        elif what == "opens":
            self.open_newest()
        elif what == "reconciles":
            self.reconcile_all()

    def find_orders(self, **filters):
        return Order.objects.filter(**filters).select_related("buyer").order_by("-created_at", "-pk")

    def orders_in_doubt(self):
        return list(self.find_orders(status__in=[Order.Status.CONFIRMING, Order.Status.WAITING]))

    def pick_order(self, pick: int, **filters) -> Order | None:
        orders = list(self.find_orders(**filters))
        return orders[pick % len(orders)] if orders else None

    def pick_window(self, pick: int):
        return self.world.windows[-1 - pick % len(self.world.windows)]

    # --- Buying

    @rule(purchase=purchases, times=st.sampled_from([1, 1, 2]), trap=traps)
    def order(self, purchase, times, trap):
        """Twice is a double click: one token."""
        self.world.pass_time(seconds=3)
        token = make_reference()
        for _ in range(times):
            order = self.act(trap, self.place_order, purchase, token)
        if order:
            self.begin_to_pay(order)

    @rule(purchase=purchases, how=methods, trap=traps)
    def buy(self, purchase, how, trap):
        """All of it at once, so that most sequences come to a charge."""
        self.world.pass_time(seconds=3)
        order = self.act(None, self.place_order, purchase, make_reference())
        window = order and self.begin_to_pay(order)
        if window:
            self.say_yes(window, how)
            self.act(trap, self.visit_return, window)

    def place_order(self, purchase, token):
        who, shelf = purchase
        buyer, keys = self.world.buyers[who], [self.world.prompts[place].pk for place in shelf]
        prompts = list(Prompt.objects.for_cards().filter(pk__in=keys).order_by("pk"))
        total_krw = sum(prompt.price for prompt in prompts)
        return place_order(
            buyer=buyer,
            prompts=prompts,
            seen=digest_lines(prompts),
            email=buyer.email,
            wordings=order_wordings(total_krw=total_krw),
            request_token=token,
            language="ko",
            now=self.world.now,
        )

    def begin_to_pay(self, order, *, edited_krw=None, trap=None):
        """The window that opens; None when there is nothing to pay."""
        payment = self.act(trap, start_payment, order=order, now=self.world.now)
        return payment and self.world.open_window(payment=payment, amount_krw=edited_krw or payment.amount_krw)

    @rule(pick=picks, edited_krw=st.sampled_from([None, None, None, 100, 1_000_000]), trap=traps)
    def open_window(self, pick, edited_krw, trap):
        """Again, or in another tab. edited_krw: what a buyer wrote into the page in place of the amount."""
        self.world.pass_time(seconds=3)
        order = self.pick_order(pick, status__in=[*Order.PAYABLE, Order.Status.CONFIRMING])
        if order:
            self.begin_to_pay(order, edited_krw=edited_krw, trap=trap)

    @rule(who=st.integers(0, 1), place=st.integers(0, 2), other=st.integers(0, 3), how=methods, nth=st.integers(1, 2))
    def pay_for_one_prompt_in_two_orders(self, who, place, other, how, nth):
        """Two tabs with another choice each, both paid before either is delivered."""
        self.world.pass_time(seconds=3)
        windows = []
        for shelf in ([place], sorted({place, other})):
            order = self.act(None, self.place_order, (who, shelf), make_reference())
            windows.append(order and self.begin_to_pay(order))
        if all(windows):
            for window in windows:
                self.say_yes(window, how)
            self.act(Trap(CALL, nth, "returns"), self.visit_return, windows[0])

    @precondition(lambda self: self.world.windows)
    @rule(pick=picks, how=methods)
    def authorise(self, pick, how):
        self.say_yes(self.pick_window(pick), how)

    def say_yes(self, window, how):
        members = {"method": how} if how == VIRTUAL_ACCOUNT else {}
        if how.startswith("REJECT"):
            members = {"refuse_with": how}
        is_agreed = self.world.try_at_provider("authenticate", payment_key=window.payment_key, **members)
        if is_agreed and how == VIRTUAL_ACCOUNT:
            self.world.accounts.append(window.payment_key)

    @precondition(lambda self: self.world.windows)
    @rule(
        pick=picks,
        change=st.sampled_from(
            [{}, {}, {}, {}, {"amount": "1"}, {"amount": "right"}, {"orderId": "other"}, {"paymentKey": ""}]
        ),
        times=st.sampled_from([1, 1, 1, 2]),
        trap=traps,
    )
    def come_back(self, pick, change, times, trap):
        self.world.pass_time(seconds=3)
        for _ in range(times):
            self.act(trap, self.visit_return, self.pick_window(pick), **change)

    @precondition(lambda self: len(self.world.windows) > 1)
    @rule(pick=picks, other=picks, is_whole=st.booleans(), trap=traps)
    def come_back_with_the_payment_of_another(self, pick, other, is_whole, trap):
        self.world.pass_time(seconds=3)
        window, stolen = self.pick_window(pick), self.pick_window(other)
        change = {"paymentKey": stolen.payment_key}
        if is_whole:
            change |= {"orderId": stolen.order_id, "amount": str(stolen.amount_krw)}
        self.act(trap, self.visit_return, window, **change)

    def visit_return(self, window, **change):
        query = {
            "paymentType": "NORMAL",
            "orderId": window.order_id,
            "paymentKey": window.payment_key,
            "amount": str(window.amount_krw),
        }
        query |= change
        if query["amount"] == "right":  # what was authorised may be another
            query["amount"] = Payment.objects.values_list("amount_krw", flat=True).get(reference=window.reference)
        answer = self.world.visitor.get(f"/payments/{window.reference}/return/", query)
        assert answer.status_code == 302

    @precondition(lambda self: self.world.windows)
    @rule(pick=picks, code=st.sampled_from(["PAY_PROCESS_CANCELED", "REJECT_CARD_COMPANY", ""]), trap=traps)
    def open_fail_address(self, pick, code, trap):
        self.world.pass_time(seconds=3)
        self.act(trap, self.visit_fail, self.pick_window(pick).reference, code)

    def visit_fail(self, reference, code):
        assert self.world.visitor.get(f"/payments/{reference}/fail/", {"code": code}).status_code == 302

    @rule(pick=picks, trap=traps)
    def look_at_order(self, pick, trap):
        self.world.pass_time(seconds=3)
        order = self.pick_order(pick)
        if order:
            self.act(trap, refresh_order, order, now=self.world.now)

    @precondition(lambda self: self.states["waiting"])
    @rule(pick=picks, is_meant=st.sampled_from([False, True]), trap=traps)
    def give_up_waiting(self, pick, is_meant, trap):
        self.world.pass_time(seconds=3)
        order = self.pick_order(pick, status=Order.Status.WAITING)
        if order and is_meant:
            self.act(trap, cancel_waiting_order, order=order, now=self.world.now, gateway=get_gateway())

    # --- Owning and giving back

    @precondition(lambda self: self.has_delivered)
    @rule(pick=picks, is_all=st.booleans(), trap=traps)
    def cancel(self, pick, is_all, trap):
        self.world.pass_time(seconds=3)
        self.act(trap, self.cancel_newest, pick, is_all)

    def cancel_newest(self, pick=0, is_all=False):
        order = self.pick_order(pick, status__in=[Order.Status.PAID, Order.Status.PARTLY_REFUNDED])
        if order:
            lines = list(order.lines.order_by("position"))
            lines = lines if is_all else [lines[pick % len(lines)]]
            with contextlib.suppress(RefundRefused):
                cancel_sealed_lines(
                    order=order, lines=lines, now=self.world.now, gateway=get_gateway(), **account_for(order)
                )

    @precondition(lambda self: self.has_delivered)
    @rule(pick=picks, is_all=st.booleans(), trap=traps)
    def refund_as_staff(self, pick, is_all, trap):
        self.world.pass_time(seconds=3)
        order = self.pick_order(pick, status__in=Order.DELIVERED)
        if order:
            lines = list(order.lines.order_by("position"))
            self.act(trap, self.refund_lines, order, lines if is_all else [lines[pick % len(lines)]])

    def refund_lines(self, order, lines):
        refund_by_staff(
            order=order,
            lines=lines,
            note="설명과 달라요",
            staff=self.world.staff,
            now=self.world.now,
            gateway=get_gateway(),
            **account_for(order),
        )

    @precondition(lambda self: self.has_delivered)
    @rule(pick=picks, trap=traps)
    def open_purchase(self, pick, trap):
        self.world.pass_time(seconds=3)
        self.act(trap, self.open_newest, pick)

    def open_newest(self, pick=0):
        rights = list(Entitlement.objects.order_by("-granted_at", "-pk"))
        if rights:
            right = rights[pick % len(rights)]
            open_entitlement(entitlement=right, wording_version=OPENING.version, now=self.world.now)

    @rule(place=st.integers(0, 3), is_back=st.booleans())
    def change_the_shelf(self, place, is_back):
        prompt = Prompt.objects.get(pk=self.world.prompts[place].pk)
        if is_back:
            publish_prompt(prompt=prompt, now=self.world.now, is_staff_decision=True)
        else:
            withdraw_prompt(prompt=prompt, reason="", now=self.world.now)

    # --- The provider and the bank

    @rule(
        fault=st.sampled_from(FAULTS),
        on=st.sampled_from(["confirm", "cancel", "lookup", "any"]),
        times=st.sampled_from([1, 2]),
    )
    def break_provider(self, fault, on, times):
        self.world.toss.fault(on=on, times=times, **fault)

    @precondition(lambda self: self.world.windows)
    @rule(pick=picks, is_refused=st.booleans())
    def refuse_refunds(self, pick, is_refused):
        code = "EXCEED_MAX_REFUND_DUE" if is_refused else ""
        self.world.toss.refuse_cancels(payment_key=self.pick_window(pick).payment_key, code=code)

    @precondition(lambda self: self.world.accounts)
    @rule(pick=picks, is_heard=st.booleans(), trap=traps)
    def deposit(self, pick, is_heard, trap):
        accounts = self.world.accounts
        is_paid = self.world.try_at_provider("deposit", payment_key=accounts[-1 - pick % len(accounts)])
        if is_paid and is_heard:
            self.world.pass_time(seconds=3)
            self.act(trap, self.deliver_webhooks, self.world.toss.webhooks_made()[-1:])

    @precondition(lambda self: self.world.accounts)
    @rule(pick=picks)
    def take_deposit_back(self, pick):
        """The bank does."""
        accounts = self.world.accounts
        self.world.try_at_provider("revert_deposit", payment_key=accounts[-1 - pick % len(accounts)])

    @precondition(lambda self: self.world.windows)
    @rule(pick=picks, is_meant=st.sampled_from([False, False, True]))
    def cancel_in_dashboard(self, pick, is_meant):
        """is_meant: not always, or nothing would be left for anybody else to do."""
        if is_meant:
            self.world.try_at_provider("cancel_in_dashboard", payment_key=self.pick_window(pick).payment_key)

    @rule(count=st.integers(1, 4), times=st.integers(1, 2), is_backwards=st.booleans(), trap=traps)
    def hear_webhooks(self, count, times, is_backwards, trap):
        """The newest ones; earlier ones may be heard again, or never."""
        self.world.pass_time(seconds=3)
        messages = self.world.toss.webhooks_made()[-count:] * times
        self.act(trap, self.deliver_webhooks, messages[::-1] if is_backwards else messages)

    @precondition(lambda self: self.world.windows)
    @rule(pick=picks, status=st.sampled_from(["DONE", "CANCELED", "EXPIRED", "WAITING_FOR_DEPOSIT"]), trap=traps)
    def hear_a_forged_webhook(self, pick, status, trap):
        self.world.pass_time(seconds=3)
        window = self.pick_window(pick)
        data = {
            "paymentKey": window.payment_key,
            "orderId": window.order_id,
            "status": status,
            "totalAmount": window.amount_krw,
            "balanceAmount": 0 if status == "CANCELED" else window.amount_krw,
        }
        body = {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-22T21:00:00.000000", "data": data}
        self.act(trap, self.deliver_webhooks, [{"body": json.dumps(body), "headers": {}}])

    def deliver_webhooks(self, messages):
        for message in messages:
            answer = self.world.visitor.post("/payments/webhook/", message["body"], content_type="application/json")
            assert answer.status_code == 200

    # --- Time

    @rule(minutes=st.sampled_from([1, 3, 9, 16, 61, 60 * 24, 60 * 24 * 7 + 40]))
    def wait(self, minutes):
        self.world.pass_time(minutes=minutes)

    @rule(trap=traps)
    def reconcile(self, trap):
        self.world.pass_time(seconds=3)
        self.act(trap, self.reconcile_all)

    def reconcile_all(self):
        report = reconcile_payments(since=NOON - timedelta(days=1), until=self.world.now)
        broken = [finding for finding in report.problems if finding.what == "failed"]
        assert not broken
        return report

    # --- What must be true

    @invariant()
    def the_rows_agree_with_the_books(self):
        self.states = check_always(payments=self.world.toss.books()["payments"])

    @property
    def has_delivered(self):
        return any(self.states[state] for state in Order.DELIVERED)

    def teardown(self):
        provider = self.world.toss
        provider.clear_faults()
        for window in self.world.windows:
            provider.refuse_cancels(payment_key=window.payment_key, code="")
        for distance in ({"hours": 2}, {"days": 8}):
            self.world.pass_time(**distance)
            report = self.reconcile_all()
        if report.differences or report.problems:
            self.world.pass_time(seconds=3)  # nobody is asked twice within two, and people read first
            self.act_on(report)
            self.world.pass_time(minutes=5)
            report = self.reconcile_all()
        payments = provider.books()["payments"]
        cancels = {key: provider.payment(payment_key=key)["cancels"] or [] for key in payments}
        check_in_the_end(payments=payments, cancels=cancels, report=report)

    def act_on(self, report):
        """What people do about what is listed: name the account of a deposit, give back what was refused before."""
        now, gateway = self.world.now, get_gateway()
        for what, number in {(found.what, found.order) for found in [*report.differences, *report.problems]}:
            order = Order.objects.get(number=number)
            returning = order.payments.filter(status=Payment.Status.RETURNING).first()
            waiting = order.refunds.filter(status=Refund.Status.REQUESTED, payment__status=Payment.Status.PAID).first()
            if what in ("charge_kept", "refund_in_doubt") and returning:
                give_back_undelivered(
                    payment=returning,
                    staff=self.world.staff,
                    note="다시 시도했어요",
                    now=now,
                    gateway=gateway,
                    refund_account=REFUND_ACCOUNT if returning.is_deposit else None,
                )
            elif what == "line_undelivered":
                self.refund_lines(order, list(order.lines.filter(price_krw__gt=0, entitlement=None)))
            elif what == "refund_in_doubt" and waiting:
                lines = list(order.lines.filter(refund_lines__refund=waiting))
                cancel_sealed_lines(order=order, lines=lines, now=now, gateway=gateway, **account_for(order))


def account_for(order: Order) -> dict:
    """A deposit goes back to an account of the buyer's."""
    is_deposit = order.payments.filter(status=Payment.Status.PAID).exclude(deposit_account="").exists()
    return {"refund_account": REFUND_ACCOUNT} if is_deposit else {}


@pytest.fixture
def _quiet():
    """Nobody reads what thousands of orders log, and pytest would keep it all."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_quiet", "_toss_in_use")
@pytest.mark.parametrize("part", range(PARTS))
def test_each_won_charged_is_delivered_or_given_back(part, toss, time_machine, monkeypatch):  # noqa: F811
    Orders.world = World(toss=toss, clock=time_machine)
    Orders.traps = Traps(interfere=lambda what: None)
    with watched(Orders.traps, monkeypatch):
        run_state_machine_as_test(
            Orders,
            settings=settings(
                max_examples=SEQUENCES // PARTS,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.fixture
def _toss_in_use(settings, toss):  # noqa: F811
    for name, value in speak_to(toss).items():
        setattr(settings, name, value)


# --- What it found, in short


@pytest.mark.django_db
@pytest.mark.usefixtures("_toss_in_use")
def test_a_charge_that_staff_give_back_by_hand_after_a_refusal_is_booked(toss):  # noqa: F811
    order = make_order()
    payment = start_payment(order=order, now=NOON)
    payment_key = toss.authorise(order_id=order.number, amount=order.total_krw)
    get_gateway().confirm(
        payment_key=payment_key, order_id=order.number, amount_krw=order.total_krw, idempotency_key="another"
    )
    Order.objects.update(status="expired")
    toss.refuse_cancels(payment_key=payment_key, code="EXCEED_MAX_REFUND_DUE")
    check_payment(payment=payment, now=NOON, gateway=get_gateway())
    assert Payment.objects.get().status == "returning"

    toss.refuse_cancels(payment_key=payment_key, code="")
    toss.cancel_in_dashboard(payment_key=payment_key)
    for minutes in (1, 2):
        check_payment(payment=Payment.objects.get(), now=NOON + timedelta(minutes=minutes), gateway=get_gateway())

    assert Payment.objects.get().status == "cancelled"
    assert list(order.refunds.order_by("requested_at").values_list("status", flat=True)) == ["failed", "done"]
    assert sum(order.ledger_entries.filter(account="provider").values_list("amount_krw", flat=True)) == 0
