"""Checkout, and an order's own pages."""

import logging
import secrets

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checkout.carts import UserCart, is_for_sale, is_own_item, read_cart
from checkout.consents import order_wordings
from checkout.failures import explain_failure
from checkout.forms import CheckoutForm
from checkout.gateway import get_gateway
from checkout.library import owned_prompt_ids
from checkout.mails import mask_address
from checkout.models import Order, OrderLine, Payment, Refund, RefundLine
from checkout.orders import OrderRefused, digest_lines, place_order
from checkout.payments import PaymentRefused, check_payment, open_window, start_payment
from checkout.provider import GatewayError
from checkout.refunds import (
    RefundRefused,
    cancel_sealed_lines,
    carry_out_refund,
    find_paid_payment,
    is_cancellable,
)
from checkout.views.carts import find_prompt

logger = logging.getLogger(__name__)

PAGE_SIZE = 20
PAGE_TIMEOUT_S = 5  # a page waits no longer for the provider
POLL_DELAYS = [2, 2, 2, 3, 3, 5, 5, 8, 10, 10, 10]  # seconds before each question; a minute in all


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
    context = {"form": form, "prompts": prompts, "total_krw": total_krw, "buy_slug": slug, "dropped": dropped}
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
        .prefetch_related(Prefetch("refund_lines", RefundLine.objects.select_related("refund").order_by("-pk")))
        .order_by("position")
    )
    described = []
    for line in lines:
        line.order = order
        entitlement = getattr(line, "entitlement", None)
        if entitlement:
            entitlement.order_line = line
        refund_line = next(iter(line.refund_lines.all()), None)
        described.append(
            {
                "line": line,
                "entitlement": entitlement,
                "refund": refund_line and refund_line.refund,
                "is_cancellable": bool(entitlement and is_cancellable(entitlement, now=now)),
            }
        )
    return described


@never_cache
@require_safe
def order_detail(request, number):
    """One order, whatever its state. While its outcome is unknown, looking at it asks the provider again."""
    order = find_order(request, number)
    now = timezone.now()
    refresh_order(order, now=now)
    payment = order.payments.order_by("-requested_at").first()
    lines = describe_lines(order, now=now) if order.is_delivered else []
    context = {
        "order": order,
        "lines": lines,
        "is_any_cancellable": any(line["is_cancellable"] for line in lines),
        "plain_lines": None if order.is_delivered else order.lines.for_checks().order_by("position"),
        "payment": payment,
        "is_payable": order.is_payable(now=now),
        "is_lapsed": order.status in Order.PAYABLE and not order.is_payable(now=now),
        "failure": explain_failure(payment.failure_code) if payment and payment.failure_code else "",
        "masked_email": mask_address(order.email),
        "delay": POLL_DELAYS[0],
        "step": 1,
    }
    return render(request, "checkout/order_detail.html", context)


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
    """What the order's page asks every few seconds while a payment is being checked.

    A GET that may finish the payment: it brings here what the provider knows already, and repeating it is harmless.
    """
    order = find_order(request, number)
    if not request.htmx:
        return redirect(order)
    if order.status == Order.Status.CONFIRMING:
        refresh_order(order, now=timezone.now())
    if order.status != Order.Status.CONFIRMING:
        response = HttpResponse(status=200)
        response["HX-Redirect"] = order.get_absolute_url()
        return response
    typed = request.GET.get("step", "0")
    step = int(typed) if typed in map(str, range(len(POLL_DELAYS))) else len(POLL_DELAYS)
    delay = POLL_DELAYS[step] if step < len(POLL_DELAYS) else None
    return render(request, "checkout/_order_checking.html", {"order": order, "delay": delay, "step": step + 1})


def answer_cancel(request, *, order: Order, lines: list[OrderLine]):
    """Cancel these sealed lines, say how it went, and show the order."""
    payment = find_paid_payment(order)
    try:
        if payment is None:
            raise RefundRefused(_("Nothing was paid for this, so there is nothing to give back."))
        gateway = get_gateway(payment.provider)
        refund = cancel_sealed_lines(order=order, lines=lines, now=timezone.now(), gateway=gateway)
    except RefundRefused as refused:
        messages.warning(request, str(refused))
    except GatewayError as error:
        logger.error("refund has no gateway order=%s code=%s", order.number, error.code)
        messages.error(request, _("Refunds are not available at the moment. Please write to us."))
    else:
        if refund.status == Refund.Status.DONE:
            messages.success(request, _("Cancelled. Your money is on its way back."))
        elif refund.status == Refund.Status.FAILED:
            messages.error(request, _("The refund was refused. You keep the prompt; please write to us."))
        else:
            messages.info(request, _("Cancelled. We are checking the refund and will mail you."))
    return redirect(order)


@never_cache
@require_safe
def order_receipt(request, number):
    """The receipt of a paid order, for paper: seller, buyer, lines, tax, refunds."""
    order = find_order(request, number)
    if not order.is_delivered:
        raise Http404
    lines = order.lines.select_related("seller").order_by("position")
    refunds = RefundLine.objects.filter(refund__order=order, refund__status=Refund.Status.DONE)
    vat_krw = split_vat(order.balance_krw)
    context = {
        "order": order,
        "lines": lines,
        "refunds": refunds.select_related("refund", "order_line").order_by("refund__done_at", "order_line__position"),
        "payment": order.payments.filter(status=Payment.Status.PAID).first(),
        "vat_krw": vat_krw,
        "supply_krw": order.balance_krw - vat_krw,
    }
    return render(request, "checkout/order_receipt.html", context)


def split_vat(amount_krw: int) -> int:
    """The tax contained in a price with VAT: a tenth of the supply, so an eleventh of it, rounded half up."""
    return (amount_krw * 2 + 11) // 22
