"""Checkout, and an order's own pages."""

import logging
import secrets

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Max, Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from checkout.carts import UserCart, is_for_sale, is_own_item, read_cart
from checkout.consents import order_wordings
from checkout.failures import explain_failure
from checkout.forms import CheckoutForm, RefundAccountForm
from checkout.gateway import get_gateway
from checkout.library import owned_prompt_ids
from checkout.mails import mask_address
from checkout.models import Entitlement, Order, OrderLine, Payment, Refund, RefundLine
from checkout.orders import OrderRefused, digest_lines, place_order
from checkout.payments import PaymentRefused, cancel_waiting_order, check_payment, open_window, start_payment
from checkout.provider import GatewayError, RefundAccount
from checkout.refunds import (
    ACCOUNT_CODES,
    RefundRefused,
    cancel_sealed_lines,
    carry_out_refund,
    find_paid_payment,
    is_cancellable,
)
from checkout.tax import split_vat
from checkout.views.carts import find_prompt

logger = logging.getLogger(__name__)

PAGE_SIZE = 20
PAGE_TIMEOUT_S = 5  # a page waits no longer for the provider
DELAYS = {  # seconds before each question of an open page, by the state that it shows
    Order.Status.CONFIRMING: [2, 2, 2, 3, 3, 5, 5, 8, 10, 10, 10],  # a minute in all
    Order.Status.WAITING: [15, 15, 30, 30, 30, 60, 60, 60, 60, 60, 60, 60, 60],  # ten minutes
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request):
    """Everything in the cart, or one prompt with `?buy=<slug>`. GET shows it, POST orders it and goes to pay."""
    slug = request.GET.get("buy", "")
    if slug:
        prompt = find_prompt(slug)
        if owned_prompt_ids(request.user, [prompt.pk]):
            if request.method != "POST":
                messages.info(request, _("You already have this prompt."))
                return redirect("checkout:library_prompt", prompt.listing.slug)
        elif not is_for_sale(prompt) or is_own_item(prompt, request.user):
            messages.warning(request, _("This prompt cannot be bought at the moment."))
            return redirect("checkout:cart")
        prompts, dropped = [prompt], []
    else:
        contents = read_cart(cart=UserCart(request.user), user=request.user)
        prompts = contents.billed
        dropped = contents.owned
    total_krw = sum(prompt.price for prompt in prompts)
    wordings = order_wordings(total_krw=total_krw)
    data = request.POST if request.method == "POST" else None
    fresh = {"seen": digest_lines(prompts), "token": secrets.token_hex(16)}
    form = CheckoutForm(data, wordings=wordings, initial=fresh)
    status = 200
    if request.method == "POST":
        is_valid = form.is_valid()
        token = form.cleaned_data.get("token")
        placed = Order.objects.filter(buyer=request.user, request_token=token).first() if token else None
        if placed:  # a second click, or back and again
            return go_to_pay(request, placed)
        if is_valid:
            try:
                order = place_order(
                    buyer=request.user,
                    prompts=prompts,
                    seen=form.cleaned_data["seen"],
                    email=request.user.email,
                    wordings=wordings,
                    request_token=form.cleaned_data["token"] or fresh["token"],
                    language=get_language(),
                    now=timezone.now(),
                )
            except OrderRefused as refused:
                form.add_error(None, str(refused))
            else:
                return go_to_pay(request, order)
        status = 422
        form.data = form.data.copy()
        form.data["seen"] = fresh["seen"]  # what the page shows now
    if not prompts:
        if dropped:
            messages.info(request, _("You already have what was in your cart. It is in your library."))
        return redirect("checkout:cart")
    context = {
        "form": form,
        "prompts": prompts,
        "has_sellers": any(prompt.listing.seller for prompt in prompts),
        "total_krw": total_krw,
        "buy_slug": slug,
        "dropped": dropped,
    }
    return render(request, "checkout/checkout.html", context, status=status)


def go_to_pay(request, order: Order):
    """To the payment window; to the order's page when there is nothing (more) to pay or no window to be had."""
    now = timezone.now()
    if not order.is_payable(now=now):
        return redirect(order)
    try:
        payment = start_payment(order=order, now=now)
    except PaymentRefused as refused:
        messages.warning(request, str(refused))
        return redirect(order)
    except GatewayError as error:
        messages.error(request, str(explain_failure(error.code or "no_gateway")))
        return redirect(order)
    return redirect(open_window(payment=payment, base_url=request.build_absolute_uri("/")[:-1]))


@never_cache
@require_safe
def order_list(request):
    orders = request.user.orders.prefetch_related(
        Prefetch("lines", OrderLine.objects.only("order_id", "title", "position").order_by("position"))
    ).order_by("-created_at", "-pk")
    page = Paginator(orders, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "checkout/order_list.html", {"page": page, "now": timezone.now()})


def find_order(request, number: str) -> Order:
    return get_object_or_404(request.user.orders, number=number)


def describe_lines(order: Order, *, now) -> list[dict]:
    """Lines with what became of each. Four queries however many lines."""
    lines = (
        order.lines.for_checks()
        .select_related("seller", "entitlement")
        .prefetch_related(
            Prefetch("refund_lines", RefundLine.objects.select_related("refund__payment").order_by("-pk"))
        )
        .order_by("position")
    )
    described = []
    for line in lines:
        line.order = order
        entitlement = getattr(line, "entitlement", None)
        if entitlement:
            entitlement.order_line = line
        refund_line = next(iter(line.refund_lines.all()), None)
        refund = refund_line and refund_line.refund
        state = name_line_state(line, entitlement=entitlement, refund=refund, now=now)
        described.append({"line": line, "entitlement": entitlement, "refund": refund, "state": state})
    return described


def name_line_state(line: OrderLine, *, entitlement: Entitlement | None, refund: Refund | None, now) -> str:
    """One word for where a line of a delivered order stands. `sealed` ones, and no others, may be cancelled."""
    if refund and refund.status == Refund.Status.REQUESTED:
        return "refunding"
    if refund and refund.status == Refund.Status.DONE:
        return "refunded"
    if entitlement is None:
        return "owned_before"
    if entitlement.is_revoked:
        return "taken_back"
    if not line.price_krw:
        return "free"
    if not entitlement.is_sealed:
        return "opened"
    return "sealed" if is_cancellable(entitlement, now=now) else "sealed_too_long"


@never_cache
@require_safe
def order_detail(request, number):
    """One order, whatever its state. While its outcome is unknown, looking at it asks the provider again."""
    order = find_order(request, number)
    now = timezone.now()
    refresh_order(order, now=now)
    payment = find_payment_to_show(order)
    given_back = find_returned_charges(order)
    lines = describe_lines(order, now=now) if order.is_delivered else []
    sealed = [row for row in lines if row["state"] == "sealed"]
    kept = [row for row in lines if row["state"] not in ("refunding", "refunded", "owned_before", "taken_back")]
    failed = given_back[-1].payment if given_back and order.status == Order.Status.CANCELLED else payment
    context = {
        "order": order,
        "state": name_order_state(order, payment=payment, given_back=given_back, now=now),
        "lines": lines,
        "sealed_count": len(sealed),
        "is_all_sealed": len(sealed) == len(kept),
        "is_part_cancelled": len(kept) < len(lines),
        "plain_lines": None if order.is_delivered else order.lines.for_checks().order_by("position"),
        "payment": payment,
        "given_back": given_back,
        "is_payable": order.is_payable(now=now),
        "failure": explain_failure(failed.failure_code) if failed and failed.failure_code else "",
        "refunded_at": order.refunds.filter(status=Refund.Status.DONE).aggregate(last=Max("done_at"))["last"],
        "masked_email": mask_address(order.email),
        "shown": order.status,
        "delay": DELAYS[order.status][0] if order.status in DELAYS else None,
        "step": 1,
    }
    return render(request, "checkout/order_detail.html", context)


def find_payment_to_show(order: Order) -> Payment | None:
    """The one that counts: paid or in doubt, else the newest attempt."""
    payments = list(order.payments.order_by("-requested_at", "-provider_order_id"))
    counts = [payment for payment in payments if payment.status in (Payment.Status.PAID, *Payment.IN_DOUBT)]
    return next(iter(counts or payments), None)


def find_returned_charges(order: Order) -> list[Refund]:
    """For each charge that could not be delivered the last try to give it back, oldest charge first. One query."""
    refunds = order.refunds.filter(reason=Refund.Reason.NOT_DELIVERABLE).select_related("payment")
    last = {refund.payment_id: refund for refund in refunds.order_by("requested_at", "pk")}
    return list(last.values())


def name_order_state(order: Order, *, payment: Payment | None, given_back: list[Refund], now) -> str:
    """One word for what the order's page says first. Only a definite no of the newest attempt is called one."""
    Status = Order.Status
    if order.status == Status.CANCELLED:
        if given_back:
            statuses = {refund.status for refund in given_back}
            if Refund.Status.FAILED in statuses:
                return "still_owed"
            return "giving_back" if Refund.Status.REQUESTED in statuses else "given_back"
        return "given_up" if payment and payment.is_deposit else "cancelled"
    if order.status == Status.EXPIRED and payment and payment.is_deposit:
        return "deposit_overdue"
    if order.status == Status.EXPIRED or (order.status in Order.PAYABLE and not order.is_payable(now=now)):
        return "lapsed"
    if order.status in Order.PAYABLE:
        return "not_paid" if payment and payment.failure_code else "pending"
    return order.status


def refresh_order(order: Order, *, now) -> None:
    """Ask the provider about what is in doubt, payment or refund; nothing to do for nearly every order."""
    try:
        if order.status in (Order.Status.CONFIRMING, Order.Status.WAITING):
            payment = order.payments.select_related("order__buyer").filter(status__in=Payment.IN_DOUBT).first()
            if payment:
                check_payment(payment=payment, now=now, gateway=get_gateway(payment.provider, timeout_s=PAGE_TIMEOUT_S))
        open_refunds = order.refunds.filter(status=Refund.Status.REQUESTED)
        for refund in open_refunds.select_related("order", "payment"):
            gateway = get_gateway(refund.payment.provider, timeout_s=PAGE_TIMEOUT_S)
            carry_out_refund(refund=refund, now=now, gateway=gateway)
    except GatewayError as error:  # no gateway for this payment any more: the page shows what we know
        logger.error("order cannot be refreshed order=%s code=%s", order.number, error.code)
    order.refresh_from_db()


@never_cache
@require_safe
def order_state(request, number):
    """What the order's page asks every few seconds while a payment is being checked or a deposit waited for.

    `shown` is the state that the page shows. A GET that may finish the payment: it brings here what the provider knows
    already, and repeating it is harmless.
    """
    order = find_order(request, number)
    if not request.htmx:
        return redirect(order)
    shown = Order.Status.WAITING if request.GET.get("shown") == "waiting" else Order.Status.CONFIRMING
    if order.status == shown:
        refresh_order(order, now=timezone.now())
    if order.status != shown:
        response = HttpResponse(status=200)
        response["HX-Redirect"] = order.get_absolute_url()
        return response
    delays = DELAYS[shown]
    typed = request.GET.get("step", "0")
    step = int(typed) if typed in map(str, range(len(delays))) else len(delays)
    delay = delays[step] if step < len(delays) else None
    template = "checkout/_order_checking.html" if shown == Order.Status.CONFIRMING else "checkout/_order_poll.html"
    return render(request, template, {"order": order, "delay": delay, "step": step + 1, "shown": shown})


@require_POST
def order_give_up(request, number):
    """Give up an order that waits for a deposit. One that was paid meanwhile is delivered instead."""
    order = find_order(request, number)
    payment = order.payments.filter(status=Payment.Status.WAITING).first()
    if payment:
        try:
            gateway = get_gateway(payment.provider, timeout_s=PAGE_TIMEOUT_S)
            cancel_waiting_order(order=order, now=timezone.now(), gateway=gateway)
        except PaymentRefused:
            logger.info("deposit came while the order was given up order=%s", order.number)
        except GatewayError as error:
            logger.error("waiting order has no gateway order=%s code=%s", order.number, error.code)
        order.refresh_from_db()
        if order.status == Order.Status.WAITING:
            messages.warning(request, _("The order could not be given up just now. Please try again in a moment."))
    return redirect(order)


@never_cache
@sensitive_post_parameters("account_number", "holder_name")
@require_http_methods(["GET", "HEAD", "POST"])
def order_cancel(request, number):
    """Asks whether to cancel the unopened prompts of an order, those named by `line=<position>` or all; POST does it.

    A deposit goes back to an account, which the page asks for. Where a refund of the named line waits for it, the page
    asks for the account of all that refund.
    """
    order = find_order(request, number)
    is_sent = request.method == "POST"
    named = (request.POST if is_sent else request.GET).getlist("line")
    described = describe_lines(order, now=timezone.now())
    rows = [row for row in described if str(row["line"].position) in named or not named]
    lines = [row["line"] for row in rows if is_sent or row["state"] == "sealed"]
    payment = find_paid_payment(order)
    resumed = find_waiting_refund(rows)
    if resumed and (any(row["refund"] != resumed for row in rows) if is_sent else lines):
        resumed = None
    if resumed:
        lines = [row["line"] for row in described if row["refund"] == resumed]
    if not lines or not payment or (is_sent and not named):
        if len(named) == 1:
            messages.warning(request, _("This prompt can no longer be cancelled."))
        else:
            messages.warning(request, _("There is nothing left to cancel in this order."))
        return redirect(order)
    form = RefundAccountForm(request.POST if is_sent else None) if payment.is_deposit else None
    if is_sent and (form is None or form.is_valid()):
        refund = cancel_lines(request, order=order, lines=lines, refund_account=form.account() if form else None)
        if form is None or not is_account_wrong(refund):
            return redirect(order)
        resumed = None
        form.add_error(None, _("The bank did not accept this account, so nothing was cancelled. Please check it."))
    context = {
        "order": order,
        "lines": lines,
        "form": form,
        "amount_krw": sum(line.price_krw for line in lines),
        "resumed": resumed,
    }
    return render(request, "checkout/order_cancel.html", context, status=422 if is_sent else 200)


def find_waiting_refund(rows: list[dict]) -> Refund | None:
    """The refund of one of these described lines that waits for the account a deposit is to go back to."""
    waiting = [row["refund"] for row in rows if row["state"] == "refunding" and row["refund"].payment.is_deposit]
    return next(iter(waiting), None)


def is_account_wrong(refund: Refund | None) -> bool:
    """Whether another account may be typed at once: the purchase is sealed again, as before the buyer cancelled it."""
    is_refused = refund is not None and refund.failure_code in ACCOUNT_CODES
    return is_refused and refund.reason == Refund.Reason.BUYER_CANCELLED


def cancel_lines(
    request, *, order: Order, lines: list[OrderLine], refund_account: RefundAccount | None = None
) -> Refund | None:
    """Cancel these sealed lines and say how it went, unless the account was wrong: that stands at the form."""
    refund = None
    payment = find_paid_payment(order)
    try:
        if payment is None:
            raise RefundRefused(_("Nothing was paid for this, so there is nothing to give back."))
        refund = cancel_sealed_lines(
            order=order,
            lines=lines,
            now=timezone.now(),
            gateway=get_gateway(payment.provider),
            refund_account=refund_account,
        )
    except RefundRefused as refused:
        messages.warning(request, str(refused))
    except GatewayError as error:
        logger.error("refund has no gateway order=%s code=%s", order.number, error.code)
        messages.error(request, _("Refunds are not available at the moment. Please write to us."))
    else:
        if refund.status == Refund.Status.DONE and refund.reason == Refund.Reason.BUYER_CANCELLED:
            messages.success(request, _("Cancelled. Your money is on its way back."))
        elif refund.status == Refund.Status.DONE:
            messages.success(request, _("Your money is on its way back."))
        elif refund.status == Refund.Status.REQUESTED and refund.reason != Refund.Reason.BUYER_CANCELLED:
            messages.info(request, _("We are checking the refund. This page says how it stands."))
        elif refund.status == Refund.Status.REQUESTED:
            messages.info(request, _("Cancelled. We are checking the refund and will mail you."))
        elif refund.reason == Refund.Reason.BOUGHT_TWICE:
            messages.error(request, _("The refund was refused. We still owe you the money; please write to us."))
        elif not is_account_wrong(refund):
            messages.error(request, _("The refund was refused. You keep the prompt; please write to us."))
    return refund


@never_cache
@require_safe
def order_receipt(request, number):
    """The receipt of a paid order, for paper: seller, buyer, lines, tax, refunds."""
    order = find_order(request, number)
    if not order.is_delivered:
        raise Http404
    lines = order.lines.select_related("seller__business").order_by("position")
    refunds = RefundLine.objects.filter(refund__order=order, refund__status=Refund.Status.DONE)
    context = {
        "order": order,
        "lines": lines,
        "refunds": refunds.select_related("refund", "order_line").order_by("refund__done_at", "order_line__position"),
        "payment": order.payments.filter(status=Payment.Status.PAID).first(),
        "supply_krw": order.balance_krw - split_vat(order.balance_krw),
    }
    return render(request, "checkout/order_receipt.html", context)
