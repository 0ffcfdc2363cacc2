"""Orders: found, looked at with everything that happened to them, and the few things that staff may do."""

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
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from checkout.admin.asking import Asked, ask_about_order, record_staff_event
from checkout.admin.doubts import DoubtFilter
from checkout.admin.forms import RefundForm, TokenForm
from checkout.admin.shared import ReadOnlyAdmin, ReadOnlyInline, show_method, show_won
from checkout.forms import RefundAccountForm
from checkout.gateway import get_gateway
from checkout.mails import queue_mail
from checkout.models import (
    LedgerEntry,
    Order,
    OrderConsent,
    OrderLine,
    OrderMail,
    Payment,
    Refund,
)
from checkout.provider import GatewayError
from checkout.refunds import RefundRefused, find_paid_payment, refund_by_staff
from checkout.timeline import build_timeline

ASK_TIMEOUT_S = 10  # staff wait no longer for the provider to look something up
ASK_MANY_FOR_S = 30  # then the list answers, and says which orders it did not reach


class OrderLineInline(ReadOnlyInline):
    model = OrderLine
    fields = ["position", "title", "seller", "amount", "access"]
    readonly_fields = ["amount", "access"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "entitlement").order_by("position")

    @admin.display(description=_("price"))
    def amount(self, line):
        return show_won(line.price_krw)

    @admin.display(description=_("access"))
    def access(self, line):
        return describe_access(line)


def describe_access(line: OrderLine) -> str:
    """Whether the buyer has opened it, or can. No query with `entitlement` loaded."""
    right = getattr(line, "entitlement", None)
    if right is None:
        return gettext("not delivered")
    if right.is_revoked:
        return gettext("ended")
    return gettext("sealed") if right.is_sealed else gettext("opened")


class PaymentInline(ReadOnlyInline):
    model = Payment
    show_change_link = True
    fields = ["provider_order_id", "provider", "status", "amount", "paid_with", "approved_at", "failure_code"]
    readonly_fields = ["amount", "paid_with"]
    ordering = ["requested_at", "pk"]

    @admin.display(description=_("amount"))
    def amount(self, payment):
        return show_won(payment.amount_krw)

    @admin.display(description=_("method"))
    def paid_with(self, payment):
        return show_method(payment.method)


class RefundInline(ReadOnlyInline):
    model = Refund
    show_change_link = True
    fields = ["status", "reason", "note", "amount", "requested_by", "done_at", "failure_code"]
    readonly_fields = ["amount"]
    ordering = ["requested_at", "pk"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("requested_by")

    @admin.display(description=_("amount"))
    def amount(self, refund):
        return show_won(refund.amount_krw)


class LedgerInline(ReadOnlyInline):
    model = LedgerEntry
    fields = ["booked_at", "kind", "account", "amount", "order_line", "seller"]
    readonly_fields = ["amount"]
    ordering = ["booked_at", "pk"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("order_line", "seller")

    @admin.display(description=_("amount"))
    def amount(self, entry):
        return show_won(entry.amount_krw)


class OrderConsentInline(ReadOnlyInline):
    model = OrderConsent
    fields = ["key", "version", "text", "accepted_at"]
    ordering = ["pk"]


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    secret_columns = ("request_token",)
    view_on_site = False  # the page there is the buyer's own
    list_display = ["number", "titles", "buyer", "status", "total", "refunded", "created_at", "paid_at"]
    list_filter = [DoubtFilter, "status", "created_at"]
    list_select_related = ["buyer"]
    search_fields = [
        *("^number", "email", "buyer__email", "lines__title"),
        *("^payments__payment_key", "^payments__provider_order_id"),
    ]
    search_help_text = _("Order number, e-mail address, prompt or the beginning of the payment key")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]
    actions = ["ask_about_chosen"]
    fields = [
        *("number", "buyer", "email", "status", "total", "refunded", "language"),
        *("created_at", "expires_at", "paid_at", "updated_at"),
    ]
    readonly_fields = ["total", "refunded"]
    inlines = [OrderLineInline, PaymentInline, RefundInline, LedgerInline, OrderConsentInline]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("buyer").prefetch_related("lines")

    @admin.display(description=_("prompts"))
    def titles(self, order):
        lines = sorted(order.lines.all(), key=lambda line: line.position)
        if not lines:
            return "–"
        more_count = len(lines) - 1
        more = ngettext(" and %(n)d more", " and %(n)d more", more_count) % {"n": more_count} if more_count else ""
        return Truncator(lines[0].title).chars(28) + more

    @admin.display(description=_("total"), ordering="total_krw")
    def total(self, order):
        return show_won(order.total_krw)

    @admin.display(description=_("refunded"), ordering="refunded_krw")
    def refunded(self, order):
        return show_won(order.refunded_krw or None)

    # --- Who may do what

    def has_ask_permission(self, request) -> bool:
        return request.user.has_perm("checkout.change_order")

    def has_refund_permission(self, request) -> bool:
        return request.user.has_perm("checkout.change_refund")

    # --- The page of an order

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        is_asker = self.has_ask_permission(request)
        context |= {
            "timeline": build_timeline(obj),
            "token": secrets.token_hex(16),
            "can_ask": is_asker and obj.payments.exists(),
            "can_refund": self.has_refund_permission(request) and bool(find_refundable_lines(obj)),
            "can_send_receipt": is_asker and obj.is_delivered,
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self):
        def page(name, view):
            view = self.admin_site.admin_view(never_cache(view))
            return path(f"<uuid:order_id>/{name}/", view, name=f"checkout_order_{name}")

        pages = [page("ask", self.ask_view), page("refund", self.refund_view), page("receipt", self.receipt_view)]
        return [*pages, *super().get_urls()]

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
        changed_count = same_count = silent_count = idle_count = 0
        left = list(queryset.order_by("-created_at", "-pk").values_list("pk", flat=True))
        while left and time.monotonic() <= until:
            order_id = left.pop(0)
            order = Order.objects.select_related("buyer").get(pk=order_id)
            asked = ask_about_order(order=order, staff=request.user, now=timezone.now(), find_gateway=find_gateway)
            if asked.is_idle:
                idle_count += 1
                continue
            self.log_change(request, order, gettext("Had the provider asked again."))
            changed_count += asked.is_changed
            silent_count += not asked.is_changed and bool(asked.unanswered_count)
            same_count += not asked.is_changed and not asked.unanswered_count
        counted = [
            (
                messages.SUCCESS,
                changed_count,
                ngettext("%(n)d order moved on.", "%(n)d orders moved on.", changed_count),
            ),
            (
                messages.INFO,
                same_count,
                ngettext("%(n)d order is as before.", "%(n)d orders are as before.", same_count),
            ),
            (
                messages.WARNING,
                silent_count,
                ngettext(
                    "For %(n)d order no answer came; it stays as it is.",
                    "For %(n)d orders no answer came; they stay as they are.",
                    silent_count,
                ),
            ),
            (
                messages.INFO,
                idle_count,
                ngettext(
                    "For %(n)d order there was nothing to ask, or it was asked a moment ago.",
                    "For %(n)d orders there was nothing to ask, or they were asked a moment ago.",
                    idle_count,
                ),
            ),
            (
                messages.WARNING,
                len(left),
                ngettext(
                    "%(n)d order was not reached in time. Please choose it again.",
                    "%(n)d orders were not reached in time. Please choose them again.",
                    len(left),
                ),
            ),
        ]
        for level, count, text in counted:
            if count:
                self.message_user(request, text % {"n": count}, level)

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


def explain_no_refund(order: Order) -> str:
    if order.refunds.filter(lines__is_live=True).exists():
        return gettext("A refund of all of it is under way or done already.")
    return gettext("Nothing was paid for this, so there is nothing to give back.")


def explain_no_gateway() -> str:
    return gettext("There is no connection to the provider of this payment, so nothing was done. Check the keys.")


def describe_line(line: OrderLine) -> str:
    return f"{line.title} · {show_won(line.price_krw)} · {describe_access(line)}"


def describe_refund(refund: Refund) -> tuple[int, str]:
    """(level of the message, text)"""
    amount = {"amount": show_won(refund.amount_krw)}
    if refund.status == Refund.Status.DONE:
        return messages.SUCCESS, gettext("%(amount)s went back to the buyer, who gets a mail about it.") % amount
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


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnlyAdmin):
    list_display = ["title", "order", "position", "seller", "amount", "ordered_at"]
    list_select_related = ["order", "seller"]
    search_fields = ["^order__number", "title", "seller__name"]
    search_help_text = _("Order number, prompt or seller")
    date_hierarchy = "order__created_at"
    ordering = ["-order__created_at", "order", "position"]
    fields = ["order", "position", "title", "seller", "amount", "fee_bp"]
    readonly_fields = ["amount"]

    def get_object_title(self, line):
        return f"{line.title} · {line.order}"

    @admin.display(description=_("price"), ordering="price_krw")
    def amount(self, line):
        return show_won(line.price_krw)

    @admin.display(description=_("ordered at"), ordering="order__created_at")
    def ordered_at(self, line):
        return line.order.created_at
