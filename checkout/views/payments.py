"""The ways to the payment window and back, and the sandbox's own window."""

import concurrent.futures
import logging

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from checkout import sandbox
from checkout.failures import FAILURES, explain_failure
from checkout.gateway import get_gateway, provider_in_use
from checkout.models import Payment, SandboxPayment
from checkout.payments import PaymentRefused, accept_return, ask_to_confirm, note_failure
from checkout.provider import GatewayError
from checkout.views.orders import find_order, go_to_pay
from marketplace.background import run_soon

logger = logging.getLogger(__name__)

RETURN_WAIT_S = 5  # how long the way back waits for the provider; then the order's page goes on asking


@require_POST
def payment_start(request, number):
    """Pay an order that waits, or try again after a failure."""
    return go_to_pay(request, find_order(request, number))


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
            charging = run_soon(ask_to_confirm, payment=payment, now=now, gateway=gateway, is_first=True)
            charging.result(timeout=RETURN_WAIT_S)
    except PaymentRefused as refused:
        messages.warning(request, str(refused))
    except GatewayError:
        messages.error(request, str(explain_failure("no_gateway")))
    except concurrent.futures.TimeoutError:
        logger.info("payment takes long order=%s", payment.order.number)
    return redirect(payment.order)  # a clean address: the payment key stays out of the history


@login_not_required
@never_cache
@require_GET
def payment_fail(request, reference):
    """Where the provider sends a buyer who closed the window or was refused. Anybody can open it: it moves nothing."""
    payment = get_object_or_404(Payment.objects.select_related("order"), reference=reference)
    code = request.GET.get("code", "")
    note_failure(payment=payment, code=code if code in FAILURES else "declined", now=timezone.now())
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
