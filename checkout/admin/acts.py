"""The few things that staff may do with an order, each on a page of its own and once however often it is sent."""

import secrets
import time
from functools import partial

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from checkout.admin.asking import Asked, ask_about_order, record_staff_event
from checkout.admin.forms import RefundForm, ReturnForm, TokenForm
from checkout.admin.shared import describe_access, show_won
from checkout.forms import RefundAccountForm
from checkout.gateway import get_gateway
from checkout.mails import queue_mail
from checkout.models import Order, OrderLine, OrderMail, Payment, Refund
from checkout.provider import GatewayError
from checkout.refunds import RefundRefused, find_paid_payment, give_back_undelivered, refund_by_staff
from checkout.timeline import build_timeline

ASK_TIMEOUT_S = 10  # staff wait no longer for the provider to look something up
ASK_MANY_FOR_S = 30  # then the list answers, and says which orders it did not reach


class OrderActs:
    """For the admin of orders: asking the provider again, giving money back, sending the receipt again."""

    # --- Who may do what

    def has_ask_permission(self, request) -> bool:
        return request.user.has_perm("checkout.change_order")

    def has_refund_permission(self, request) -> bool:
        return request.user.has_perm("checkout.change_refund")

    # --- The page of an order

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        is_asker, is_refunder = self.has_ask_permission(request), self.has_refund_permission(request)
        context |= {
            "timeline": build_timeline(obj),
            "token": secrets.token_hex(16),
            "can_ask": is_asker and obj.payments.exists(),
            "can_refund": is_refunder and bool(find_refundable_lines(obj)),
            "undelivered": list(find_undelivered_charges(obj)) if is_refunder else [],
            "can_send_receipt": is_asker and obj.is_delivered,
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self):
        def page(name, view):
            view = self.admin_site.admin_view(never_cache(view))
            return path(f"<uuid:order_id>/{name}/", view, name=f"checkout_order_{name}")

        pages = [page("ask", self.ask_view), page("refund", self.refund_view), page("receipt", self.receipt_view)]
        give_back = self.admin_site.admin_view(never_cache(self.give_back_view))
        charge = path("<uuid:order_id>/give-back/<uuid:payment_id>/", give_back, name="checkout_order_give_back")
        return [*pages, charge, *super().get_urls()]

    def _find(self, request, order_id, *, is_allowed: bool) -> Order:
        if not is_allowed or not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Order.objects.select_related("buyer"), pk=order_id)

    def _show(self, request, name: str, order: Order, title: str, status: int = 200, **context):
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "order": order, "original": order, "title": title, "subtitle": order.number}
        return TemplateResponse(request, f"admin/checkout/order/{name}.html", context, status=status)

    def _back_to(self, order: Order):
        return redirect("admin:checkout_order_change", order.pk)

    # --- Ask the provider again

    def ask_view(self, request, order_id):
        """POST asks; the page with the button is for who comes here by the address."""
        order = self._find(request, order_id, is_allowed=self.has_ask_permission(request))
        form = TokenForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._show(request, "ask", order, gettext("Ask the provider again"), token=secrets.token_hex(16))
        asked = ask_about_order(
            order=order,
            staff=request.user,
            now=timezone.now(),
            find_gateway=find_gateway,
            token=form.cleaned_data["token"],
        )
        if asked is None:
            self.message_user(request, gettext("This was asked already; nothing was done again."), messages.WARNING)
            return self._back_to(order)
        self.log_change(request, order, gettext("Had the provider asked again."))
        for level, text in describe_asked(asked):
            self.message_user(request, text, level)
        return self._back_to(order)

    @admin.action(description=_("Ask the provider again"), permissions=["ask"])
    def ask_about_chosen(self, request, queryset):
        """Each order is asked about by itself; who is not reached within half a minute is counted and left."""
        until = time.monotonic() + ASK_MANY_FOR_S
        counts = dict.fromkeys(("changed", "same", "silent", "idle", "left"), 0)
        for order in list(queryset.order_by("-created_at", "-pk")):
            if time.monotonic() > until:
                counts["left"] += 1
                continue
            asked = ask_about_order(order=order, staff=request.user, now=timezone.now(), find_gateway=find_gateway)
            counts[name_outcome(asked)] += 1
            if not asked.is_idle:
                self.log_change(request, order, gettext("Had the provider asked again."))
        for level, text in describe_counts(counts):
            self.message_user(request, text, level)

    # --- Give money back

    def refund_view(self, request, order_id):
        """A form, then a page that says what will happen, then the refund."""
        order = self._find(request, order_id, is_allowed=self.has_refund_permission(request))
        title = gettext("Give money back")
        payment, lines = find_paid_payment(order), find_refundable_lines(order)
        if not lines:
            self.message_user(request, explain_no_refund(order), messages.WARNING)
            return self._back_to(order)
        form = RefundForm(
            request.POST if request.method == "POST" else None,
            lines=lines,
            describe_line=describe_line,
            total=show_won(sum(line.price_krw for line in lines)),
        )
        account_form = RefundAccountForm(form.data if form.is_bound else None) if payment.is_deposit else None
        is_valid = form.is_valid() and (account_form is None or account_form.is_valid())
        if not is_valid or "change" in request.POST:
            status = 422 if form.is_bound and not is_valid else 200
            taken = list(order.lines.filter(refund_lines__is_live=True).order_by("position"))
            context = {"form": form, "account_form": account_form, "taken": taken}
            return self._show(request, "refund", order, title, status, **context)
        chosen = form.chosen_lines
        if "confirm" not in request.POST:
            amount = show_won(sum(line.price_krw for line in chosen))
            context = {"form": form, "account_form": account_form, "lines": chosen, "amount": amount}
            return self._show(request, "refund_check", order, title, **context)
        try:
            refund = refund_by_staff(
                order=order,
                lines=chosen,
                note=form.cleaned_data["note"],
                staff=request.user,
                now=timezone.now(),
                gateway=get_gateway(payment.provider),
                refund_account=account_form.account() if account_form else None,
            )
        except RefundRefused as refused:
            self.message_user(request, str(refused), messages.WARNING)
        except GatewayError:
            self.message_user(request, explain_no_gateway(), messages.ERROR)
        else:
            self.log_change(request, order, gettext("Gave money back: %(note)s") % {"note": refund.note})
            level, text = describe_refund(refund)
            self.message_user(request, text, level)
        return self._back_to(order)

    # --- Give back a charge that could not be delivered

    def give_back_view(self, request, order_id, payment_id):
        """A form that says how much goes back, then the refund. A form that is sent twice does it once."""
        order = self._find(request, order_id, is_allowed=self.has_refund_permission(request))
        payment = get_object_or_404(order.payments, pk=payment_id)
        if payment.status != Payment.Status.RETURNING:
            self.message_user(request, explain_no_return(payment), messages.WARNING)
            return self._back_to(order)
        data = request.POST if request.method == "POST" else None
        form = ReturnForm(data, initial={"token": secrets.token_hex(16)})
        account_form = RefundAccountForm(data) if payment.is_deposit else None
        is_valid = form.is_valid() and (account_form is None or account_form.is_valid())
        if not is_valid:
            context = {"form": form, "account_form": account_form, "amount": show_won(payment.amount_krw)}
            context["tries"] = payment.refunds.order_by("requested_at", "pk")
            title = gettext("Give the charge back")
            return self._show(request, "give_back", order, title, 422 if form.is_bound else 200, **context)
        now, note = timezone.now(), form.cleaned_data["note"]
        try:
            gateway = get_gateway(payment.provider)
            if not record_staff_event(
                order=order, outcome="give_back", staff=request.user, now=now, token=form.cleaned_data["token"]
            ):
                text = gettext("This was sent already; nothing was done again.")
                self.message_user(request, text, messages.WARNING)
                return self._back_to(order)
            refund = give_back_undelivered(
                payment=payment,
                staff=request.user,
                note=note,
                now=now,
                gateway=gateway,
                refund_account=account_form.account() if account_form else None,
            )
        except RefundRefused as refused:
            self.message_user(request, str(refused), messages.WARNING)
        except GatewayError:
            self.message_user(request, explain_no_gateway(), messages.ERROR)
        else:
            self.log_change(request, order, gettext("Had the charge given back: %(note)s") % {"note": note})
            level, text = describe_refund(refund)
            self.message_user(request, text, level)
        return self._back_to(order)

    # --- Send the receipt again

    def receipt_view(self, request, order_id):
        order = self._find(request, order_id, is_allowed=self.has_ask_permission(request))
        if not order.is_delivered:
            self.message_user(request, gettext("Nothing was paid, so there is no receipt."), messages.WARNING)
            return self._back_to(order)
        form = TokenForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            sent = order.mails.filter(kind=OrderMail.Kind.RECEIPT).order_by("pk")
            title = gettext("Send the receipt again")
            return self._show(request, "receipt", order, title, token=secrets.token_hex(16), receipts=sent)
        now, token = timezone.now(), form.cleaned_data["token"]
        with transaction.atomic():
            is_new = record_staff_event(order=order, outcome="send_receipt", staff=request.user, now=now, token=token)
            if is_new:
                queue_mail(kind=OrderMail.Kind.RECEIPT, order=order, now=now, requested_by=request.user)
                self.log_change(request, order, gettext("Had the receipt sent again."))
        if is_new:
            text = gettext("The receipt goes to %(email)s.") % {"email": order.email}
            self.message_user(request, text, messages.SUCCESS)
        else:
            self.message_user(
                request, gettext("This receipt was sent already; no second one goes out."), messages.WARNING
            )
        return self._back_to(order)


find_gateway = partial(get_gateway, timeout_s=ASK_TIMEOUT_S)


# --- What can be given back, and how it went, in words


def find_refundable_lines(order: Order) -> list[OrderLine]:
    """Paid lines without a refund under way or done. Two queries, one when nothing was paid."""
    if not order.is_delivered or not find_paid_payment(order):
        return []
    lines = order.lines.filter(price_krw__gt=0).exclude(refund_lines__is_live=True)
    return list(lines.select_related("entitlement").order_by("position"))


def find_undelivered_charges(order: Order):
    """Payments that were charged for nothing and whose money has not gone back yet."""
    return order.payments.filter(status=Payment.Status.RETURNING).order_by("requested_at", "pk")


def explain_no_refund(order: Order) -> str:
    if order.refunds.filter(lines__is_live=True).exists():
        return gettext("A refund of all of it is under way or done already.")
    if find_undelivered_charges(order).exists():
        return gettext("Nothing was delivered for this charge, so it goes back as a whole: “Give the charge back”.")
    if order.payments.filter(status=Payment.Status.CANCELLED).exists():
        return gettext("Nothing was delivered for this charge, and it went back as a whole.")
    return gettext("Nothing was paid for this, so there is nothing to give back.")


def explain_no_return(payment: Payment) -> str:
    if payment.status == Payment.Status.CANCELLED:
        return gettext("This charge went back already.")
    return gettext("This payment is no charge that could not be delivered, so it does not go back this way.")


def explain_no_gateway() -> str:
    return gettext("There is no connection to the provider of this payment, so nothing was done. Check the keys.")


def describe_line(line: OrderLine) -> str:
    return f"{line.title} · {show_won(line.price_krw)} · {describe_access(line)}"


def describe_refund(refund: Refund) -> tuple[int, str]:
    """(level of the message, text)"""
    amount = {"amount": show_won(refund.amount_krw)}
    if refund.status == Refund.Status.DONE:
        return messages.SUCCESS, gettext("%(amount)s went back to the buyer, who gets a mail about it.") % amount
    if refund.status == Refund.Status.REQUESTED and refund.payment.is_deposit:
        text = gettext(
            "It is not certain that %(amount)s went back. It may have happened: do not give the money back in another "
            "way. “Ask the provider again” looks; if it did not happen, the account has to be named once more."
        )
        return messages.WARNING, text % amount
    if refund.status == Refund.Status.REQUESTED:
        text = gettext(
            "No clear answer came, so the refund of %(amount)s is being checked. It may have happened: do not give the "
            "money back in another way. “Ask the provider again” finishes it."
        )
        return messages.WARNING, text % amount
    why = f"{refund.failure_code} {refund.failure_message}".strip()
    if refund.reason == Refund.Reason.NOT_DELIVERABLE:
        text = gettext("The provider refused to give %(amount)s back (%(why)s). The charge is still there.")
    else:
        text = gettext("The provider refused to give %(amount)s back (%(why)s). The buyer keeps the prompts.")
    return messages.ERROR, text % (amount | {"why": why})


def name_outcome(asked: Asked) -> str:
    if asked.is_idle:
        return "idle"
    if asked.is_changed:
        return "changed"
    return "silent" if asked.unanswered_count else "same"


def describe_counts(counts: dict[str, int]) -> list[tuple[int, str]]:
    """(level of the message, text) for each count that is not zero."""
    texts = [
        ("changed", messages.SUCCESS, ngettext("%(n)d order moved on.", "%(n)d orders moved on.", counts["changed"])),
        ("same", messages.INFO, ngettext("%(n)d order is as before.", "%(n)d orders are as before.", counts["same"])),
        (
            "silent",
            messages.WARNING,
            ngettext(
                "For %(n)d order no answer came; it stays as it is.",
                "For %(n)d orders no answer came; they stay as they are.",
                counts["silent"],
            ),
        ),
        (
            "idle",
            messages.INFO,
            ngettext(
                "For %(n)d order there was nothing to ask, or it was asked a moment ago.",
                "For %(n)d orders there was nothing to ask, or they were asked a moment ago.",
                counts["idle"],
            ),
        ),
        (
            "left",
            messages.WARNING,
            ngettext(
                "%(n)d order was not reached in time. Please choose it again.",
                "%(n)d orders were not reached in time. Please choose them again.",
                counts["left"],
            ),
        ),
    ]
    return [(level, text % {"n": counts[name]}) for name, level, text in texts if counts[name]]


def describe_asked(asked: Asked) -> list[tuple[int, str]]:
    """(level of the message, text) of each thing worth saying."""
    if asked.is_idle:
        return [(messages.INFO, gettext("There was nothing to ask, or it was asked a moment ago."))]
    told = []
    names = dict(Order.Status.choices)
    statuses = {"before": names[asked.before], "after": names[asked.after]}
    if asked.before != asked.after:
        text = gettext("The provider answered. The order was “%(before)s” and is “%(after)s” now.")
        told.append((messages.SUCCESS, text % statuses))
    elif asked.answered_count:
        text = gettext("The provider answered, and the order stays “%(after)s”.")
        told.append((messages.INFO, text % statuses))
    if asked.unanswered_count:
        text = ngettext(
            "For %(n)d payment no answer came; it stays as it is. Please try again in a few minutes.",
            "For %(n)d payments no answer came; they stay as they are. Please try again in a few minutes.",
            asked.unanswered_count,
        )
        told.append((messages.WARNING, text % {"n": asked.unanswered_count}))
    return told + [describe_refund(refund) for refund in asked.refunds]
