"""Everything that happened to one order, in the order of time and in plain words, for staff.

It is put together from the rows that each happening left: nothing is stored for it. Of accounts it tells the last four
digits, and it knows no key, card or text of a prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from checkout.failures import FAILURES
from checkout.models import AccessEvent, Entitlement, Order, OrderLine, OrderMail, Payment, PaymentEvent, Refund
from checkout.provider import ProviderState
from checkout.provider_words import name_bank, name_method
from marketplace.templatetags.marketplace_tags import won_amount

EventKind = PaymentEvent.Kind
FIRST, LAST = 0, 2**63  # places among what happened at one instant; events stand between, in the order of their keys


@dataclass(frozen=True)
class TimelineEntry:
    """at: aware UTC. subject: `order`, `payment`, `refund`, `mail`, `access` or `staff`. text, detail and who are in
    the active language; detail and who may be empty. tone: `good`, `bad`, `doubt` or empty."""

    at: datetime
    subject: str
    text: str
    detail: str = ""
    who: str = ""
    tone: str = ""


@dataclass(frozen=True)
class _Placed:
    place: float
    entry: TimelineEntry


def build_timeline(order: Order) -> list[TimelineEntry]:
    """Oldest first, in the active language. At most nine queries, however much happened."""
    lines = list(order.lines.order_by("position").only("order_id", "position", "title", "price_krw"))
    titles = {line.pk: line.title for line in lines}
    payments = list(order.payments.order_by("requested_at", "pk"))
    events = list(order.events.select_related("actor").order_by("pk"))
    refunds = order.refunds.select_related("requested_by").prefetch_related("lines").order_by("requested_at", "pk")
    placed = [
        *_tell_order(order, lines=lines),
        *_tell_events(events, payments={payment.pk: payment for payment in payments}),
        *_tell_deposits(payments),
        *_tell_refunds(list(refunds), events=events, titles=titles),
        *_tell_mails(order),
        *_tell_access(order, titles=titles, free={line.pk for line in lines if not line.price_krw}),
    ]
    placed.sort(key=lambda each: (each.entry.at, each.place))
    return [each.entry for each in placed]


# --- One function for each kind of row


def _tell_order(order: Order, *, lines: list[OrderLine]) -> Iterator[_Placed]:
    buyer = _("buyer")
    text = ngettext("Ordered %(n)d prompt for %(amount)s.", "Ordered %(n)d prompts for %(amount)s.", len(lines))
    numbers = {"n": len(lines), "amount": won_amount(order.total_krw)}
    titles = " · ".join(line.title for line in lines)
    yield _Placed(FIRST, TimelineEntry(order.created_at, "order", text % numbers, titles, buyer))
    for consent in order.consents.order_by("pk"):
        text = _("Agreed to “%(text)s”") % {"text": consent.text}
        detail = _("wording %(version)s") % {"version": consent.version}
        yield _Placed(FIRST + 0.5, TimelineEntry(consent.accepted_at, "order", text, detail, buyer))


def _tell_events(events: list[PaymentEvent], *, payments: dict) -> Iterator[_Placed]:
    for event in events:
        if event.kind == EventKind.STAFF and event.refund_id:
            continue  # its refund tells who wanted it and why
        payment = payments.get(event.payment_id)
        text, detail, who, tone = _describe_event(event)
        if payment and len(payments) > 1:
            detail = " · ".join(filter(None, [detail, payment.provider_order_id]))
        subject = {EventKind.MOVED: "order", EventKind.STAFF: "staff"}.get(event.kind, "payment")
        if event.kind in (EventKind.CANCEL_SENT, EventKind.CANCEL_ANSWERED):
            subject = "refund"
        place = (
            event.pk - 1.5 if event.kind == EventKind.RETURNED else event.pk
        )  # before the move that followed from it
        yield _Placed(place, TimelineEntry(event.at, subject, text, detail, who, tone))


def _describe_event(event: PaymentEvent) -> tuple[str, str, str, str]:
    """(text, detail, who, tone)"""
    shop, provider, buyer = _("shop"), _("provider"), _("buyer")
    detail = event.detail if isinstance(event.detail, dict) else {}
    amount = won_amount(detail.get("amount_krw"))
    match event.kind:
        case EventKind.STARTED:
            return _("The payment window was opened."), _name_provider(event.outcome), buyer, ""
        case EventKind.RETURNED:
            return _("The buyer came back from the payment window."), "", buyer, ""
        case EventKind.TURNED_BACK:
            return *_describe_turned_back(event.outcome), buyer, ""
        case EventKind.CONFIRM_SENT:
            return _("The provider was asked to charge %(amount)s.") % {"amount": amount}, "", shop, ""
        case EventKind.CANCEL_SENT if event.refund_id:
            return _("The provider was asked to give back %(amount)s.") % {"amount": amount}, "", shop, ""
        case EventKind.CANCEL_SENT:
            return _("The provider was asked to close the account to pay into."), event.outcome, shop, ""
        case EventKind.CONFIRM_ANSWERED | EventKind.CANCEL_ANSWERED | EventKind.LOOKED_UP:
            text, more, tone = _describe_answer(event.outcome, detail)
            if event.kind == EventKind.LOOKED_UP:
                text = _("Looked up: %(answer)s") % {"answer": text}
            return text, more, provider, tone
        case EventKind.WEBHOOK:
            return *_describe_hint(event, detail), _("unverified sender"), "" if event.handled_at else "doubt"
        case EventKind.MOVED:
            status = dict(Order.Status.choices).get(event.outcome, event.outcome)
            return _("The order is now: %(status)s") % {"status": status}, "", shop, _tone_of_move(event.outcome)
    return _describe_staff(event.outcome), str(detail.get("note", "")), _name_person(event.actor), ""


def _describe_turned_back(code: str) -> tuple[str, str]:
    """(text, detail). The code is of the browser's address or ours; an unknown one is shown as it is."""
    if code == "amount_differs":
        return _("The buyer came back with another amount or order, so nothing was charged."), ""
    if code in ("not_buyable", "not_payable"):
        text = _("The buyer came back when the order could no longer be paid, so nothing was charged.")
    else:
        text = _("The buyer came back without having paid.")
    return text, str(_("was told: %(text)s") % {"text": FAILURES[code]}) if code in FAILURES else code


def _describe_answer(outcome: str, detail: dict) -> tuple[str, str, str]:
    """(text, detail, tone) of what the provider said, or of its silence."""
    message = str(detail.get("message", ""))
    match detail.get("error"):
        case "refused":
            return _("The provider refused."), " · ".join(filter(None, [outcome, message])), "bad"
        case "misconfigured":
            text = _("The provider does not accept our keys or settings.")
            return text, " · ".join(filter(None, [outcome, message])), "bad"
        case "unknown":
            text = _("No clear answer came: it may have happened.")
            return text, " · ".join(filter(None, [outcome, message])), "doubt"
    if outcome == "not_found":
        return _("The provider knows no such payment."), "", ""
    facts = [name_method(str(detail.get("method", "")))]
    amount_krw, balance_krw = detail.get("amount_krw"), detail.get("balance_krw")
    if amount_krw is not None:
        facts.insert(0, won_amount(amount_krw))
        if balance_krw is not None and balance_krw != amount_krw:
            facts.insert(1, _("%(amount)s of it left") % {"amount": won_amount(balance_krw)})
    facts.append(str(detail.get("failure_code", "")))
    tone = {ProviderState.DONE: "good", ProviderState.ABORTED: "bad", ProviderState.EXPIRED: "bad"}.get(outcome, "")
    text = _name_state(outcome) or _("The provider says %(state)s.") % {"state": outcome}
    return text, " · ".join(filter(None, facts)), tone


def _describe_hint(event: PaymentEvent, detail: dict) -> tuple[str, str]:
    """(text, detail) of a webhook, which anybody can send: what it claims is looked up.

    The states of a cancel have the same names and mean something else.
    """
    hint = event.outcome
    if detail.get("event") != "CANCEL_STATUS_CHANGED":
        hint = _name_state(event.outcome) or hint
    facts = [_("not believed"), str(detail.get("event", ""))]
    count = detail.get("received_count")
    if isinstance(count, int) and count > 1:
        facts.append(ngettext("received %(n)d time", "received %(n)d times", count) % {"n": count})
    if event.handled_at is None:
        facts.append(_("not looked into yet"))
    else:
        facts.append(_("looked up at %(time)s") % {"time": _show_time(event.handled_at)})
    text = _("A message that claims to come from the provider says: %(hint)s") % {"hint": hint}
    return text, " · ".join(filter(None, facts))


def _name_state(state: str) -> str:
    return {
        ProviderState.READY: _("The window is open and nobody has authorised the payment."),
        ProviderState.IN_PROGRESS: _("The buyer authorised the payment; nothing is charged yet."),
        ProviderState.WAITING_FOR_DEPOSIT: _("An account was given out; nobody has paid into it yet."),
        ProviderState.DONE: _("The payment is charged."),
        ProviderState.PARTLY_CANCELLED: _("A part of the payment is given back."),
        ProviderState.CANCELLED: _("The payment is cancelled in full."),
        ProviderState.ABORTED: _("The payment was broken off; nothing is charged."),
        ProviderState.EXPIRED: _("The payment lapsed; nothing is charged."),
    }.get(state, "")


def _tone_of_move(status: str) -> str:
    return {
        Order.Status.PAID: "good",
        Order.Status.FAILED: "bad",
        Order.Status.CONFIRMING: "doubt",
        Order.Status.WAITING: "doubt",
    }.get(status, "")


def _describe_staff(outcome: str) -> str:
    return {
        "ask_again": _("Had the provider asked again."),
        "send_receipt": _("Had the receipt sent again."),
        "refund": _("Gave money back."),
        "give_back": _("Wanted the charge given back."),
    }.get(outcome, outcome)


def _tell_deposits(payments: list[Payment]) -> Iterator[_Placed]:
    """Money that came into a virtual account. When the account was given out stands among the answers."""
    for payment in payments:
        if not payment.is_deposit:
            continue
        account = name_bank(payment.deposit_bank) + ", "
        account += _("account ending in %(digits)s") % {"digits": payment.deposit_account[-4:]}
        if payment.deposit_due_at:
            text = _("The buyer can pay into the account until %(time)s.") % {
                "time": _show_time(payment.deposit_due_at)
            }
            given_at = payment.confirmed_at or payment.requested_at
            yield _Placed(LAST, TimelineEntry(given_at, "payment", text, account, _("shop")))
        if payment.approved_at:
            text = _("%(amount)s came into the account.") % {"amount": won_amount(payment.amount_krw)}
            yield _Placed(FIRST, TimelineEntry(payment.approved_at, "payment", text, account, _("buyer"), "good"))


def _tell_refunds(refunds: list[Refund], *, events: list[PaymentEvent], titles: dict) -> Iterator[_Placed]:
    """A refund is recorded before its first event and done after its last answer, mostly at one and the same time."""
    for refund in refunds:
        own = [event.pk for event in events if event.refund_id == refund.pk]
        amount = {"amount": won_amount(refund.amount_krw)}
        ends_access = refund.reason not in (Refund.Reason.BOUGHT_TWICE, Refund.Reason.NOT_DELIVERABLE)
        names = ", ".join(f"“{titles.get(line.order_line_id, '')}”" for line in refund.lines.all())
        text = _("A refund of %(amount)s was begun.") % amount
        if ends_access and names:
            text += " " + _("The buyer can no longer open %(titles)s.") % {"titles": names}
        detail = " · ".join(filter(None, [str(refund.get_reason_display()), refund.note]))
        who = {
            Refund.Reason.BUYER_CANCELLED: _("buyer"),
            Refund.Reason.STAFF: _name_person(refund.requested_by),
            Refund.Reason.PROVIDER: _("provider"),
        }.get(refund.reason, _("shop"))
        tone = "doubt" if refund.status == Refund.Status.REQUESTED else ""
        first = min(own) - 0.5 if own else LAST - 2
        yield _Placed(first, TimelineEntry(refund.requested_at, "refund", text, detail, who, tone))
        last = max(own) + 0.5 if own else LAST - 1
        if refund.done_at:
            text = _("%(amount)s went back to the buyer.") % amount
            yield _Placed(last, TimelineEntry(refund.done_at, "refund", text, "", _("provider"), "good"))
        elif refund.status == Refund.Status.FAILED:
            if ends_access:
                text = _("The refund of %(amount)s failed, so the buyer keeps what they bought.") % amount
            else:
                text = _("The refund of %(amount)s failed: the charge is still to be given back.") % amount
            failed_at = refund.asked_at or refund.requested_at
            yield _Placed(last, TimelineEntry(failed_at, "refund", text, refund.failure_code, _("shop"), "bad"))


def _tell_mails(order: Order) -> Iterator[_Placed]:
    for mail in order.mails.select_related("requested_by").order_by("pk"):
        who = _name_person(mail.requested_by) if mail.requested_by else _("shop")
        name = {"mail": mail.get_kind_display()}
        text = _("Mail to be sent: %(mail)s") % name
        yield _Placed(LAST, TimelineEntry(mail.queued_at, "mail", text, "", who))
        match mail.status:
            case OrderMail.Status.SENT:
                text = _("Mail sent: %(mail)s") % name
                yield _Placed(LAST + 1, TimelineEntry(mail.sent_at, "mail", text, order.email, _("shop")))
            case OrderMail.Status.FAILED if mail.tried_at:
                tries = ngettext("after %(n)d try", "after %(n)d tries", mail.try_count) % {"n": mail.try_count}
                text = _("Mail not sent: %(mail)s") % name
                yield _Placed(LAST + 1, TimelineEntry(mail.tried_at, "mail", text, tries, _("shop"), "bad"))
            case OrderMail.Status.SENDING if mail.tried_at:
                text = _("Mail on its way out, or lost in a crash: %(mail)s") % name
                yield _Placed(LAST + 1, TimelineEntry(mail.tried_at, "mail", text, "", _("shop"), "doubt"))


def _tell_access(order: Order, *, titles: dict, free: set) -> Iterator[_Placed]:
    texts = {
        AccessEvent.Kind.OPENED: _("Opened “%(title)s”, which ended the right to cancel."),
        AccessEvent.Kind.READ: _("Read “%(title)s”."),
        AccessEvent.Kind.CLIENT_READ: _("Read “%(title)s” in an AI client."),
        AccessEvent.Kind.COPIED: _("Copied “%(title)s”."),
        AccessEvent.Kind.TEXT_DOWNLOADED: _("Downloaded the text of “%(title)s”."),
        AccessEvent.Kind.FILE_DOWNLOADED: _("Downloaded the file of “%(title)s”."),
    }
    visits = AccessEvent.objects.filter(entitlement__order_line__order=order).select_related("entitlement", "version")
    for visit in visits.defer("version__prompt_text", "version__file_url").order_by("pk"):
        title = titles.get(visit.entitlement.order_line_id, "")
        facts = [_("version %(n)d") % {"n": visit.version.number} if visit.version else ""]
        facts.append(_("wording %(version)s") % {"version": visit.wording_version} if visit.wording_version else "")
        if visit.kind == AccessEvent.Kind.OPENED and visit.entitlement.order_line_id in free:
            text = _("Got “%(title)s”, which was free and open at once.") % {"title": title}
        else:
            text = texts.get(visit.kind, "%(title)s") % {"title": title}
        detail = " · ".join(filter(None, facts))
        yield _Placed(LAST + 2, TimelineEntry(visit.at, "access", text, detail, _("buyer")))
    taken = Entitlement.objects.filter(order_line__order=order, revoked_reason=Entitlement.RevokedReason.STAFF)
    for right in taken.order_by("revoked_at"):
        text = _("The right to open “%(title)s” was taken back.") % {"title": titles.get(right.order_line_id, "")}
        yield _Placed(LAST + 2, TimelineEntry(right.revoked_at, "access", text, "", pgettext("who", "staff"), "bad"))


# --- Names


def _name_provider(provider: str) -> str:
    return str(dict(Payment.Provider.choices).get(provider, provider))


def _name_person(user) -> str:
    return user.email if user else pgettext("who", "staff")


def _show_time(at: datetime) -> str:
    return localtime(at).strftime("%Y-%m-%d %H:%M:%S")
