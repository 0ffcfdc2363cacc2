"""The ways to the payment window and back, and the sandbox's own window."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from checkout import sandbox
from checkout.gateway import get_gateway, provider_in_use
from checkout.models import Payment, SandboxPayment
from checkout.payments import FAILURES, PaymentRefused, confirm_payment, note_failure
from checkout.views.orders import find_order, go_to_pay


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
    try:
        confirm_payment(
            payment=payment,
            payment_key=request.GET.get("paymentKey", "")[:200],
            order_number=request.GET.get("orderId", ""),
            amount_krw=int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 12 else -1,
            now=timezone.now(),
            gateway=get_gateway(payment.provider),
        )
    except PaymentRefused as refused:
        messages.warning(request, str(refused))
    return redirect(payment.order)  # a clean address: the payment key stays out of the history


@login_not_required
@never_cache
@require_GET
def payment_fail(request, reference):
    """Where the provider sends a buyer who closed the window or was refused. Anybody can open it: it moves nothing."""
    payment = get_object_or_404(Payment.objects.select_related("order"), reference=reference)
    code = request.GET.get("code", "")
    note_failure(payment=payment, code=code if code in FAILURES else "declined")
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
