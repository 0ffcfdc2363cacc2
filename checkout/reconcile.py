"""Finds what was left behind, finishes it, and lists what does not agree with the provider. `manage.py
reconcile_payments` runs it.

Every step is a claim or a conditional update of the modules that own it, so a run is safe beside the site and beside
another run, and a second one finds nothing to do. Nothing here stands inside a transaction.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, Sum
from django.utils import timezone

from checkout import mails
from checkout.differences import (
    CHARGED,
    Finding,
    check_books,
    compare_transactions,
    find_deposits_in_question,
    judge_payment,
)
from checkout.events import Kind
from checkout.gateway import Gateway, get_gateway, provider_in_use
from checkout.models import Order, OrderMail, Payment, PaymentEvent, Refund
from checkout.payments import (
    ASK_AGAIN_AFTER,
    DEPOSIT_GRACE,
    GIVE_UP_AFTER,
    PaymentRefused,
    cancel_waiting_order,
    check_payment,
    expire_order,
    is_deliverable,
    settle_payment,
)
from checkout.provider import GatewayError, ProviderPayment, ProviderState
from checkout.refunds import carry_out_refund
from checkout.webhooks import mark_hints

logger = logging.getLogger(__name__)

DEPOSIT_WITHIN = timedelta(days=7)  # the provider's own limit, for a deposit that came without one
MAIL_STUCK_AFTER = timedelta(minutes=10)

Status = Order.Status
STEPS = {
    Status.PAID: "finished",
    Status.PARTLY_REFUNDED: "finished",  # and a line that was bought twice is refunded
    Status.REFUNDED: "finished",
    Status.FAILED: "failed",
    Status.WAITING: "waiting",
    Status.CANCELLED: "cancelled",
    Status.EXPIRED: "expired",
}
ADOPTED = "adopted"  # a refund that the provider made by itself
COUNTED = ["finished", "failed", "waiting", "cancelled", "expired", "refunds", ADOPTED, "hints", "mails"]


@dataclass(frozen=True)
class Step:
    """One thing that was done, or would be in a dry run. `what` is one of COUNTED."""

    order: str
    what: str


@dataclass
class Report:
    """differences: money or books that do not agree. problems: what could not be carried on."""

    since: datetime
    until: datetime
    is_dry_run: bool
    counts: Counter = field(default_factory=Counter)
    steps: list[Step] = field(default_factory=list)
    differences: list[Finding] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)

    def add_step(self, order: str, what: str) -> None:
        self.counts[what] += 1
        self.steps.append(Step(order, what))


def reconcile_payments(
    *,
    since: datetime,
    until: datetime,
    is_dry_run: bool = False,
    on_progress: Callable[[str], None] = lambda subject: None,
) -> Report:
    """Finish what was left, then compare the period with the provider's list. A dry run asks and writes nothing.

    since, until: aware. on_progress: called with the subject before each order, refund, payment or check.
    One thing that fails is logged and listed and stops no other.
    """
    run = _Run(Report(since=since, until=until, is_dry_run=is_dry_run), on_progress)
    run.look_into_hints()
    run.finish_orders()
    run.carry_out_refunds()
    run.send_mails()
    run.check_deposits()
    run.compare_with_providers()
    run.check_books()
    return run.report


@dataclass(frozen=True)
class Look:
    """What one look-up of a payment brought. was_asked: not when somebody else asked within the last two seconds."""

    was_asked: bool
    is_answered: bool = False
    answer: ProviderPayment | None = None


class _Listener:
    """A gateway that remembers how often it was asked and what it answered last to a look-up."""

    def __init__(self, gateway: Gateway):
        self._gateway = gateway
        self.asked_count = 0
        self.answer: ProviderPayment | None = None

    def look_up(self, **request) -> ProviderPayment | None:
        self.asked_count += 1
        self.answer = self._gateway.look_up(**request)
        return self.answer

    def look_up_order(self, **request) -> ProviderPayment | None:
        self.asked_count += 1
        self.answer = self._gateway.look_up_order(**request)
        return self.answer

    def confirm(self, **request) -> ProviderPayment:
        self.asked_count += 1
        return self._gateway.confirm(**request)

    def cancel(self, **request) -> ProviderPayment:
        self.asked_count += 1
        return self._gateway.cancel(**request)


class _Run:
    """One run: its report, a gateway for each provider, and what was looked up already."""

    def __init__(self, report: Report, on_progress: Callable[[str], None]):
        self.report = report
        self.on_progress = on_progress
        self.gateways: dict[str, Gateway | None] = {}
        self.looks: dict[object, Look] = {}
        self.listed: set[Finding] = set()

    # Helpers of all subjects

    def gateway_of(self, provider: str) -> Gateway | None:
        if provider not in self.gateways:
            try:
                self.gateways[provider] = get_gateway(provider)
            except GatewayError:
                self.gateways[provider] = None
        return self.gateways[provider]

    @contextmanager
    def one_of_many(self, subject: str, order: str) -> Iterator[None]:
        """Whatever goes wrong inside is listed, and the next one has its turn."""
        self.on_progress(subject)
        try:
            yield
        except Exception as error:
            logger.exception("reconciling failed subject=%s order=%s", subject, order)
            self.add_problem("failed", order, f"{subject}: {type(error).__name__}; the log says more")

    def add_problem(self, what: str, order: str, text: str, ours_krw: int | None = None) -> None:
        finding = Finding(what, order, text, ours_krw)
        if finding not in self.listed:
            self.listed.add(finding)
            self.report.problems.append(finding)

    def add_no_gateway(self, payment: Payment) -> None:
        text = f"it cannot be looked up: there is no gateway for {payment.get_provider_display()}"
        self.add_problem("no_gateway", payment.order.number, text, payment.amount_krw)

    def look(self, payment: Payment) -> Look | None:
        """Look a payment up and follow the answer, once in a run. None without a gateway. A dry run only foretells."""
        gateway = self.gateway_of(payment.provider)
        if gateway is None:
            return None
        if payment.pk not in self.looks:
            look_up = self._foresee if self.report.is_dry_run else self._check
            self.looks[payment.pk] = look_up(payment, gateway)
        return self.looks[payment.pk]

    def _check(self, payment: Payment, gateway: Gateway) -> Look:
        listener, before = _Listener(gateway), payment.order.status
        is_answered = check_payment(payment=payment, now=timezone.now(), gateway=listener)
        if listener.asked_count:
            self.note_move(payment.order, before)
        return Look(was_asked=listener.asked_count > 0, is_answered=is_answered, answer=listener.answer)

    def _foresee(self, payment: Payment, gateway: Gateway) -> Look:
        try:
            if payment.payment_key:
                answer = gateway.look_up(payment_key=payment.payment_key)
            else:
                answer = gateway.look_up_order(order_id=payment.provider_order_id)
        except GatewayError:
            return Look(was_asked=True)
        step = foresee_step(payment=payment, answer=answer, now=timezone.now())
        if step:
            self.report.add_step(payment.order.number, step)
        return Look(was_asked=True, is_answered=True, answer=answer)

    def note_move(self, order: Order, before: str) -> bool:
        """Whether the order was moved since it was in `before`; counted if so."""
        order.refresh_from_db()
        if order.status == before:
            return False
        self.report.add_step(order.number, ADOPTED if before in Order.DELIVERED else STEPS[Status(order.status)])
        return True

    def adopt(self, payment: Payment, answer: ProviderPayment) -> bool:
        """For a payment that differs: go where the provider is, if that is possible. True when there is nothing more to
        say: somebody else is at it, or a dry run foretells it."""
        now, number = timezone.now(), payment.order.number
        step = foresee_step(payment=payment, answer=answer, now=now)
        if self.report.is_dry_run:
            is_told = self.is_refund_foretold(payment, answer) or Step(number, step) in self.report.steps
            if step and not is_told:
                self.report.add_step(number, step)
            return bool(step) or is_told
        if not step:
            return False
        look = self.looks.get(payment.pk)
        if not (look and look.was_asked) and not self.claim(payment, now):
            return True
        before, was_returning = payment.order.status, payment.status == Payment.Status.RETURNING
        try:
            settle_payment(payment=payment, answer=answer, now=now, gateway=self.gateway_of(payment.provider))
        except PaymentRefused:
            logger.info("payment ended without delivery order=%s", number)
        payment.refresh_from_db()
        is_moved = self.note_move(payment.order, before)
        if was_returning and payment.status == Payment.Status.CANCELLED and not is_moved:
            self.report.add_step(number, ADOPTED)
        return False

    def is_refund_foretold(self, payment: Payment, answer: ProviderPayment) -> bool:
        """In a dry run: whether carrying out what was requested explains all that the provider has given back."""
        expected = [Refund.Status.REQUESTED, Refund.Status.DONE]
        refunded = payment.refunds.filter(status__in=expected).aggregate(sum_krw=Sum("amount_krw"))
        return bool(answer.given_back_krw) and refunded["sum_krw"] == answer.given_back_krw

    def claim(self, payment: Payment, now: datetime) -> bool:
        """As `check_payment` does: of two that learn of a payment at once, one follows it."""
        due = Payment.objects.filter(Q(looked_up_at__isnull=True) | Q(looked_up_at__lte=now - ASK_AGAIN_AFTER))
        return bool(due.filter(pk=payment.pk).update(looked_up_at=now))

    # Hints

    def look_into_hints(self) -> None:
        """Webhooks that nobody looked into, a payment at a time."""
        unhandled = PaymentEvent.objects.filter(kind=Kind.WEBHOOK, handled_at__isnull=True)
        by_payment: dict = {}
        for pk, detail, payment_id in unhandled.order_by("at", "pk").values_list("pk", "detail", "payment_id"):
            by_payment.setdefault(payment_id, []).append((pk, detail))
        for payment_id, hints in by_payment.items():
            payment = Payment.objects.select_related("order").filter(pk=payment_id).first()
            if payment is None:
                continue
            with self.one_of_many("webhooks", payment.order.number):
                look = self.look(payment)
                if look is None:
                    self.add_no_gateway(payment)
                elif look.is_answered:
                    done = len(hints) if self.report.is_dry_run else mark_hints(hints, now=timezone.now())
                    self.report.counts["hints"] += done
                elif look.was_asked:
                    self.add_problem("hint_waits", payment.order.number, "a webhook waits, and nobody answers")

    # Orders

    def finish_orders(self) -> None:
        """Those in doubt, those that wait for a deposit, and those that nobody paid in time."""
        lapsed = Q(status__in=Order.PAYABLE, expires_at__lte=timezone.now())
        due = Order.objects.filter(lapsed | Q(status__in=[Status.CONFIRMING, Status.WAITING]))
        for pk, number in list(due.order_by("created_at", "pk").values_list("pk", "number")):
            with self.one_of_many("orders", number):
                order = Order.objects.get(pk=pk)
                if order.status in (Status.CONFIRMING, Status.WAITING):
                    self.finish_order(order)
                elif order.status in Order.PAYABLE:
                    self.expire_order(order)

    def finish_order(self, order: Order) -> None:
        payment = order.payments.filter(status__in=Payment.IN_DOUBT).first()
        if payment is None:
            # Unless another run finished it between the two questions.
            if Order.objects.filter(pk=order.pk, status=order.status).exists():
                self.add_problem("no_payment", order.number, f"it is {order.status} and has no payment that is")
            return
        payment.order = order
        look = self.look(payment)
        order.refresh_from_db()
        now = timezone.now()
        if look is None:
            self.add_no_gateway(payment)
        elif not look.was_asked or self.is_settled(order, look, payment):
            return
        elif order.status == Status.WAITING:
            self.cancel_overdue(order, payment, look)
        elif order.status == Status.CONFIRMING and (payment.confirmed_at or order.created_at) < now - GIVE_UP_AFTER:
            text = "nobody knows whether it was charged" if look.is_answered else "the provider does not answer"
            self.add_problem("in_doubt", order.number, f"its payment is in doubt for long: {text}", payment.amount_krw)

    def is_settled(self, order: Order, look: Look, payment: Payment) -> bool:
        """In a dry run: whether the answer would move the order. Else the order's own state says it."""
        if not self.report.is_dry_run:
            return order.status not in (Status.CONFIRMING, Status.WAITING)
        return look.is_answered and bool(foresee_step(payment=payment, answer=look.answer, now=timezone.now()))

    def cancel_overdue(self, order: Order, payment: Payment, look: Look) -> None:
        now = timezone.now()
        due_at = payment.deposit_due_at or (payment.confirmed_at or order.created_at) + DEPOSIT_WITHIN
        if now <= due_at + DEPOSIT_GRACE:
            return
        if not look.is_answered:
            self.add_problem("in_doubt", order.number, "its deposit is overdue and the provider does not answer")
        elif self.report.is_dry_run:
            self.report.add_step(order.number, "expired")
        else:
            gateway = self.gateway_of(payment.provider)
            try:
                cancel_waiting_order(order=order, now=now, gateway=gateway, code="deposit_overdue")
            except PaymentRefused:
                logger.info("payment ended without delivery order=%s", order.number)
            if not self.note_move(order, Status.WAITING):
                self.add_problem("deposit_overdue", order.number, "its deposit is overdue and could not be cancelled")

    def expire_order(self, order: Order) -> None:
        """Only when the provider answered for every attempt ever opened, and none of them was charged."""
        for payment in order.payments.order_by("requested_at", "provider_order_id"):
            payment.order = order
            look = self.look(payment)
            order.refresh_from_db()
            if look is None:
                self.add_no_gateway(payment)
                return
            if not look.was_asked or order.status not in Order.PAYABLE:
                return
            if not look.is_answered:
                if order.expires_at < timezone.now() - GIVE_UP_AFTER:
                    text = "it cannot expire: the provider does not say whether it was charged"
                    self.add_problem("in_doubt", order.number, text, payment.amount_krw)
                return
            if look.answer and look.answer.state == ProviderState.WAITING_FOR_DEPOSIT:
                text = "the provider waits for a deposit that is unknown here"
                self.add_problem("unknown_deposit", order.number, text, payment.amount_krw)
                return
            if look.answer and look.answer.is_charged and payment.status not in CHARGED:
                if not self.report.is_dry_run:  # a dry run has said what would become of it
                    text = "it was charged and could be neither delivered nor given back"
                    self.add_problem("charge_unsettled", order.number, text, payment.amount_krw)
                return
        if self.report.is_dry_run or expire_order(order=order, now=timezone.now()):
            self.report.add_step(order.number, "expired")

    # Refunds and mails

    def carry_out_refunds(self) -> None:
        requested = Refund.objects.filter(status=Refund.Status.REQUESTED).select_related("order", "payment__order")
        for refund in list(requested.order_by("requested_at", "pk")):
            with self.one_of_many("refunds", refund.order.number):
                self.carry_out_refund(refund)

    def carry_out_refund(self, refund: Refund) -> None:
        now, number = timezone.now(), refund.order.number
        gateway = self.gateway_of(refund.payment.provider)
        if gateway is None:
            self.add_no_gateway(refund.payment)
            return
        if self.report.is_dry_run:
            self.report.add_step(number, "refunds")
            return
        listener = _Listener(gateway)
        carry_out_refund(refund=refund, now=now, gateway=listener)
        if not listener.asked_count:
            return
        if refund.status == Refund.Status.DONE:
            self.report.add_step(number, "refunds")
        elif refund.status == Refund.Status.FAILED:
            text = f"the provider refuses to give money back: {refund.failure_code}"
            self.add_problem("refund_refused", number, text, refund.amount_krw)
        elif refund.requested_at < now - GIVE_UP_AFTER:
            text = "a refund is without answer for long"
            if refund.payment.is_deposit:
                text = "a refund of a deposit needs the account that it goes to: refund it in the admin"
            self.add_problem("refund_in_doubt", number, text, refund.amount_krw)

    def send_mails(self) -> None:
        now = timezone.now()
        with self.one_of_many("mails", "-"):
            if self.report.is_dry_run:
                self.report.counts["mails"] += mails.find_waiting_mails(now=now).count()
            else:
                self.report.counts["mails"] += mails.send_waiting_mails(now=now)
        later = OrderMail.objects.filter(
            kind=OuterRef("kind"), order=OuterRef("order"), status=OrderMail.Status.SENT, pk__gt=OuterRef("pk")
        )
        stuck = OrderMail.objects.filter(
            Q(status=OrderMail.Status.FAILED) | Q(status=OrderMail.Status.SENDING, tried_at__lte=now - MAIL_STUCK_AFTER)
        ).exclude(Exists(later))
        for mail in stuck.select_related("order").order_by("pk"):
            text = "could not be sent" if mail.status == OrderMail.Status.FAILED else "may not have gone out"
            self.add_problem("mail", mail.order.number, f"the mail “{mail.kind}” {text}: send it again in the admin")

    # Differences

    def check_deposits(self) -> None:
        """Deposits that were delivered and then taken back by the bank."""
        for payment in find_deposits_in_question():
            with self.one_of_many("deposits", payment.order.number):
                gateway = self.gateway_of(payment.provider)
                if gateway is None:
                    self.add_no_gateway(payment)
                    continue
                answer = gateway.look_up(payment_key=payment.payment_key)
                if answer is not None and answer.state == ProviderState.WAITING_FOR_DEPOSIT:
                    finding = judge_payment(payment=payment, answer=answer)
                    self.report.differences.extend([finding] if finding else [])

    def compare_with_providers(self) -> None:
        stored = set(Payment.objects.order_by().values_list("provider", flat=True).distinct())
        for provider in sorted(stored | ({provider_in_use()} - {""})):
            gateway = self.gateway_of(provider)
            if gateway is None:
                self.note_uncompared(provider)
                continue
            with self.one_of_many("transactions", "-"):
                self.compare_with(gateway)

    def compare_with(self, gateway: Gateway) -> None:
        known = set(self.report.differences)
        try:
            for finding in compare_transactions(
                gateway=gateway, since=self.report.since, until=self.report.until, adopt=self.adopt
            ):
                self.on_progress("transactions")
                if finding not in known:
                    self.report.differences.append(finding)
        except GatewayError as error:
            text = f"the list of transactions of {gateway.provider} cannot be read: {error.code}"
            self.add_problem("no_list", "-", text)

    def note_uncompared(self, provider: str) -> None:
        period = (self.report.since, self.report.until)
        charged = Payment.objects.filter(provider=provider, status__in=CHARGED, approved_at__range=period)
        if charged.exists():
            text = f"payments of the period cannot be compared: there is no gateway for {provider}"
            self.add_problem("no_gateway", "-", text)

    def check_books(self) -> None:
        with self.one_of_many("books", "-"):
            self.report.differences.extend(check_books())


def foresee_step(*, payment: Payment, answer: ProviderPayment | None, now: datetime) -> str:
    """What `check_payment` would make of this answer: the step that a run would count, empty for none."""
    order = payment.order
    if answer is None or answer.state == ProviderState.READY:
        is_late = payment.confirmed_at is not None and payment.confirmed_at < now - GIVE_UP_AFTER
        return "failed" if payment.status == Payment.Status.CONFIRMING and is_late else ""
    if answer.state == ProviderState.IN_PROGRESS:
        return "finished" if payment.status == Payment.Status.CONFIRMING else ""
    if answer.is_charged:
        if payment.status == Payment.Status.PAID:
            return ADOPTED if answer.balance_krw == 0 and order.refunded_krw < order.total_krw else ""
        if payment.status in CHARGED:  # what the provider had refused to give back, somebody may do by hand
            return ADOPTED if payment.status == Payment.Status.RETURNING and answer.balance_krw == 0 else ""
        return "finished" if is_deliverable(payment=payment, answer=answer) else "cancelled"
    if answer.state == ProviderState.WAITING_FOR_DEPOSIT:
        return "waiting" if payment.status == Payment.Status.CONFIRMING else ""
    if payment.status in Payment.IN_DOUBT:
        return "cancelled" if payment.status == Payment.Status.WAITING else "failed"
    return ""
