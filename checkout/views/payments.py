"""The page that opens the payment window, the ways back from it, and the sandbox's own window."""

import concurrent.futures
import logging
import uuid
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from checkout import sandbox
from checkout.failures import FAILURES, explain_failure
from checkout.gateway import Gateway, get_gateway, provider_in_use
from checkout.models import Payment, SandboxPayment
from checkout.payments import (
    PaymentRefused,
    accept_return,
    ask_to_confirm,
    describe_order,
    note_failure,
    return_addresses,
)
from checkout.provider import GatewayError
from checkout.toss_keys import browser_product
from checkout.views.orders import find_order, go_to_pay
from marketplace.background import run_soon
from marketplace.csp import csp_override

logger = logging.getLogger(__name__)

RETURN_WAIT_S = 5  # how long the way back waits for the provider; then the order's page goes on asking


@require_POST
def payment_start(request, number):
    """Pay an order that waits, or try again after a failure."""
    return go_to_pay(request, find_order(request, number))


@never_cache
@require_safe
def payment_window(request, reference):
    """The page that opens Toss Payments: its window, or its widgets in our page, whichever the keys are for.

    Who comes back to it after the order went on, by the back button or a second tab, is led to the order.
    """
    payment = get_object_or_404(Payment.objects.select_related("order"), reference=reference, order__buyer=request.user)
    order = payment.order
    is_open = payment.status == Payment.Status.READY and not payment.failure_code
    if not is_open or not order.is_payable(now=timezone.now()) or payment.provider != provider_in_use():
        return redirect(order)
    if payment.provider == Payment.Provider.SANDBOX:
        return redirect("checkout:sandbox_window", payment.reference)
    context = {
        "order": order,
        "lines": order.lines.for_checks().select_related("seller").order_by("position"),
        "is_widgets": browser_product() == "widgets",
        "toss": describe_for_browser(payment, base_url=request.build_absolute_uri("/")[:-1]),
    }
    response = csp_override(settings.TOSS_CSP)(render)(request, "checkout/payment_window.html", context)
    response["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"  # or the provider's own windows are blocked
    return response


def describe_for_browser(payment: Payment, *, base_url: str) -> dict:
    """What `toss-payment.js` hands to the provider's script: all of it from the database. Source: fact sheet, 1.3."""
    order = payment.order
    addresses = return_addresses(payment=payment, base_url=base_url)
    request = {
        "orderId": payment.provider_order_id,
        "orderName": describe_order(order),
        "successUrl": addresses["success_url"],
        "failUrl": addresses["fail_url"],
    }
    if len(order.email) <= 100:  # the provider takes no longer one
        request["customerEmail"] = order.email
    return {
        "sdkUrl": settings.TOSS_SDK_URL,
        "clientKey": settings.TOSS_CLIENT_KEY,
        "product": browser_product(),
        "customerKey": make_customer_key(order.buyer_id),
        "amount": {"currency": "KRW", "value": order.total_krw},
        "request": request,
        "reference": payment.reference,
    }


def make_customer_key(user_id) -> str:
    """A person's name at the provider: always the same UUID, from which nobody without our secret learns who it is."""
    digest = salted_hmac("checkout.customer_key", str(user_id), algorithm="sha256").hexdigest()
    return str(uuid.UUID(digest[:32], version=4))


@login_not_required
@never_cache
@require_GET
def payment_return(request, reference):
    """Where the provider sends the buyer after they authorised the payment.

    A GET that charges, because the provider prescribes it; it is safe to repeat. It works without a session: a phone
    may come back in another browser. What was bought is shown after signing in only.
    """
    payment = get_object_or_404(Payment.objects.select_related("order__buyer"), reference=reference)
    amount = request.GET.get("amount", "")
    now = timezone.now()
    is_seen = request.user == payment.order.buyer  # anybody else is not shown the order's page
    try:
        gateway = get_gateway(payment.provider)  # fails when its keys are gone: then nothing is begun
        is_to_be_charged = accept_return(
            payment=payment,
            payment_key=request.GET.get("paymentKey", "")[:200],
            order_id=request.GET.get("orderId", ""),
            amount_krw=int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 12 else -1,
            now=now,
        )
        if is_to_be_charged:
            charging = begin_charging(payment=payment, now=now, gateway=gateway, is_seen=lambda: is_seen)
            if charging:
                charging.result(timeout=RETURN_WAIT_S)
    except PaymentRefused:
        logger.info("payment refused order=%s", payment.order.number)  # the order's page says why
    except GatewayError:
        messages.error(request, str(explain_failure("no_gateway")))
    except concurrent.futures.TimeoutError:
        is_seen = False  # from now on a refusal is mailed
        logger.info("payment takes long order=%s", payment.order.number)
    if not request.user.is_authenticated:
        messages.info(request, _("Your payment is safe with its order. Sign in to see how it stands."))
    return redirect(payment.order)  # a clean address: the payment key stays out of the history


def begin_charging(
    *, payment: Payment, now: datetime, gateway: Gateway, is_seen: Callable[[], bool]
) -> concurrent.futures.Future | None:
    """None in a process that is ending and begins nothing any more: the order's page or the command finishes it."""
    try:
        return run_soon(ask_to_confirm, payment=payment, now=now, gateway=gateway, is_first=True, is_seen=is_seen)
    except RuntimeError:
        logger.warning("process is ending, payment is charged later order=%s", payment.order.number)
        return None


@login_not_required
@never_cache
@require_GET
def payment_fail(request, reference):
    """Where the provider sends a buyer who closed the window or was refused. Anybody can open it: it moves nothing."""
    payment = get_object_or_404(Payment.objects.select_related("order"), reference=reference)
    code = request.GET.get("code", "")
    is_known = code in FAILURES and code.isupper()  # the provider's own, not ours
    note_failure(payment=payment, code=code if is_known else "declined", now=timezone.now())
    return redirect(payment.order)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox_window(request, reference):
    """The sandbox's payment window, plainly a test: each button is one way a payment can go."""
    if provider_in_use() != "sandbox":
        raise Http404
    payment = get_object_or_404(SandboxPayment, reference=reference)
    if request.method == "POST":
        choice = request.POST.get("choice", "")
        if choice in sandbox.CHOICES:
            return redirect(sandbox.choose(payment, choice))
    return render(request, "checkout/sandbox_window.html", {"payment": payment})
